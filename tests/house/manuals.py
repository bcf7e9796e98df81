"""Manual pages: mandoc finds nothing to say, and the pages that have to be there are there."""
import re
import subprocess

from tree import appended, created, removed

# Not about the page: whether other pages are installed here, and the width of the source, which is the house's own.
PASSED_OVER = ("referenced manual not found", "outdated mandoc.db", "operating system", "input text line longer")
PAGE = re.compile(r"\.[1-8]$")
# Pages that have to be there, and the source that they stand beside.
WANTED = {"src/shim": "xferwarden.8", "src/ctl": "xferwardenctl.8", "src/conf": "xferwarden.conf.5"}


def pages(tree):
    return [name for name in tree.names if PAGE.search(name) and not name.startswith("tests/")]


def check(tree):
    for name in pages(tree):
        made = subprocess.run(["mandoc", "-T", "lint", "-W", "style", str(tree.root / name)], capture_output=True, text=True, check=False)
        for line in (made.stdout + made.stderr).splitlines():
            if not any(words in line for words in PASSED_OVER):
                yield line.replace(f"mandoc: {tree.root}/", "")
    for folder, page in WANTED.items():
        if not tree.has(f"{folder}/{page}"):
            yield f"{folder}: has no {page}"
    for name in pages(tree):
        folder, _, page = name.rpartition("/")
        build = f"{folder}/meson.build"
        if not tree.has(build) or not re.search(rf"install_man\([^)]*'{re.escape(page)}'", tree.text(build)):
            yield f"{name}: not installed by {build}"


PLANTS = [
    ("a macro that is none", appended("src/shim/xferwarden.8", ".Planted\n"), "Planted"),
    ("a section that is not closed", appended("src/shim/xferwarden.8", ".Bl -tag\n"), "Bl"),
    ("a page that nobody installs", created("src/sys/planted.8", ".Dd November 20, 2026\n.Dt PLANTED 8\n.Os\n.Sh NAME\n.Nm planted\n.Nd x\n"),
     "planted.8: not installed"),
    ("a page that is missing", removed(lambda tree: "src/shim/xferwarden.8"), "has no xferwarden.8"),
]
