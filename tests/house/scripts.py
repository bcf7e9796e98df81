"""Scripts: shellcheck for those of a shell, the compiler for those of python, and each runs only if it is executable and names its interpreter."""
import ast
import os
import subprocess

from tree import appended, created


def check_shell(tree, name):
    # SC1007: `local a= b=` is as good as with quotes.
    made = subprocess.run(["shellcheck", "-x", "-e", "SC1007", "-f", "gcc", str(tree.root / name)], capture_output=True, text=True, check=False)
    for line in made.stdout.splitlines():
        yield line.replace(str(tree.root) + "/", "")
    if made.returncode != 0 and not made.stdout:
        yield f"{name}: shellcheck: {made.stderr.strip() or made.returncode}"


def check_python(tree, name):
    try:
        ast.parse(tree.data(name), name)
    except SyntaxError as error:
        yield f"{name}:{error.lineno}: {error.msg}"


def check(tree):
    for name in tree.names:
        first = tree.shebang(name)
        mode = os.stat(tree.root / name).st_mode
        if mode & 0o111 and not first:
            yield f"{name}: executable, and names no interpreter"
        if first and not mode & 0o111 and not name.endswith(".py"):
            yield f"{name}: names an interpreter, and is not executable"
        if first.split("/")[-1] in ("sh", "bash", "env bash", "env sh"):
            yield from check_shell(tree, name)
        elif "python" in first or name.endswith(".py"):
            yield from check_python(tree, name)
            if "env python" in first:
                yield f"{name}: takes whatever python3 is found first; name /usr/bin/python3"


PLANTS = [
    ("an unquoted word", appended("tests/run", "rm -rf $planted/*\n"), "SC2"),
    ("python that is none", created("tests/house/planted.py", "def planted(:\n"), "planted.py:1"),
    ("whatever python", created("tests/planted.py", "#!/usr/bin/env python3\n"), "takes whatever"),
    ("not executable", created("tests/planted", "#!/bin/sh\n"), "is not executable"),
]
