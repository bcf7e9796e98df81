"""The tree that is checked: which files belong to the project, and a copy of it to plant violations in."""
import pathlib
import shutil
import subprocess


class Tree:
    """A project folder. Paths are relative to it, with slashes."""

    def __init__(self, root, names=None):
        self.root = pathlib.Path(root)
        self.names = names if names is not None else self._listed()

    def _listed(self):
        """What git knows or would add; without git, all but hidden and build folders."""
        try:
            out = subprocess.run(["git", "-c", f"safe.directory={self.root}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                 cwd=self.root, capture_output=True, check=True).stdout
            names = [name.decode("utf-8", "surrogateescape") for name in out.split(b"\0") if name]
        except (OSError, subprocess.CalledProcessError):
            found = (path.relative_to(self.root) for path in self.root.rglob("*"))
            names = [path.as_posix() for path in found
                     if not path.parts[0].startswith(("build", ".git")) and "__pycache__" not in path.parts]
        return sorted(name for name in set(names) if (self.root / name).is_file())

    def copy(self, folder):
        for name in self.names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.root / name, target)
        return Tree(folder, list(self.names))

    def files(self, *folders, suffixes=("",)):
        """Names below the folders that end so; "" as a folder is the whole tree."""
        return [name for name in self.names
                if any(folder == "" or name.startswith(folder + "/") for folder in folders) and name.endswith(tuple(suffixes))]

    def data(self, name):
        return (self.root / name).read_bytes()

    def text(self, name):
        return self.data(name).decode("utf-8", "surrogateescape")

    def lines(self, name):
        return self.text(name).splitlines()

    def has(self, name):
        return (self.root / name).exists()

    def write(self, name, text):
        """For plants."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if name not in self.names:
            self.names = sorted(self.names + [name])

    def remove(self, name):
        (self.root / name).unlink()
        self.names.remove(name)

    def is_text(self, name):
        return b"\0" not in self.data(name)[:8192] and not name.startswith("tests/fuzz/corpus/")

    def shebang(self, name):
        first = self.data(name)[:80].split(b"\n", 1)[0].decode("ascii", "replace")
        return first if first.startswith("#!") else ""


def appended(name, text):
    """A plant: text at the end of a file that may not be there yet."""
    def plant(tree):
        tree.write(name, (tree.text(name) if tree.has(name) else "") + text)
    return plant


def created(name, text):
    def plant(tree):
        tree.write(name, text)
    return plant


def removed(choose):
    """A plant: the file that choose(tree) names goes away."""
    def plant(tree):
        tree.remove(choose(tree))
    return plant
