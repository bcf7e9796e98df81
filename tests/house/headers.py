"""Each header compiles alone, and twice, with both compilers."""
import concurrent.futures
import hashlib
import subprocess

from tree import appended

FLAGS = ["-x", "c", "-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror",
         "-fsyntax-only", "-"]
COMPILERS = ("gcc", "clang")

_good = set()


def compile_alone(tree, name, compiler):
    """A complaint or None. What was good once is not compiled again for a plant elsewhere."""
    key = hashlib.sha256(f"{compiler} {name} ".encode() + tree.data(name)).digest()
    if key in _good:
        return None
    source = f'#include "{name.split("/")[-1]}"\n' * 2 + "extern int headers_alone;\n"
    folder = tree.root / name.rsplit("/", 1)[0]
    made = subprocess.run([compiler, f"-I{tree.root / 'include'}", f"-I{folder}", *FLAGS], input=source, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        errors = [line for line in made.stderr.splitlines() if "error" in line] or ["?"]
        return f"{name}: {compiler}: {errors[0].replace(str(tree.root) + '/', '')}"
    _good.add(key)
    return None


def check(tree):
    pairs = [(name, compiler) for name in tree.files("include", "src", suffixes=(".h",)) for compiler in COMPILERS]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        yield from filter(None, pool.map(lambda pair: compile_alone(tree, *pair), pairs))


PLANTS = [
    ("a type that nobody declared", appended("include/base/path.h", "\nint planted(struct planted *, size_of_nothing);\n"), "size_of_nothing"),
    ("no guard", appended("include/base/path.h", "\nenum planted { PLANTED };\n"), "enum planted"),
]
