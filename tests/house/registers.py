"""Registers: what stands in the tree is built and run. A test that no table names is a test that passes for ever."""
import re

from tree import appended, created, removed

ROW = re.compile(r"^\s*\[\s*'(\w+)'\s*,\s*'(\w+)'", re.MULTILINE)
TARGET = re.compile(r"^\s*'(\w+)'\s*:\s*\['\w+_lib'", re.MULTILINE)


def stems(tree, folder):
    return {name.split("/")[-1][:-2] for name in tree.files(folder, suffixes=(".c",)) if name.count("/") == folder.count("/") + 1}


def compare(where, files, rows):
    for stem in sorted(files - rows):
        yield f"{where}/{stem}.c: in no row of {where}/meson.build"
    for stem in sorted(rows - files):
        yield f"{where}/meson.build: the row {stem} has no source"


def is_helper(tree, stem):
    """A program that a test starts: built by the same file, and no test itself."""
    return f"'{stem}.c'" in tree.text("tests/unit/meson.build") and "criterion" not in tree.text(f"tests/unit/{stem}.c")


def check_units(tree):
    rows = [f"{folder}_{module}" for folder, module in ROW.findall(tree.text("tests/unit/meson.build"))]
    for row in sorted({row for row in rows if rows.count(row) > 1}):
        yield f"tests/unit/meson.build: the row {row} twice"
    yield from compare("tests/unit", {stem for stem in stems(tree, "tests/unit") if not is_helper(tree, stem)}, set(rows))


def is_part(tree, stem):
    """A second source of a fuzz target: named by the row of its parts, and no target itself."""
    return f"'{stem}.c'" in tree.text("tests/fuzz/meson.build") and "LLVMFuzzerTestOneInput" not in tree.text(f"tests/fuzz/{stem}.c")


def check_fuzz(tree):
    rows = set(TARGET.findall(tree.text("tests/fuzz/meson.build")))
    yield from compare("tests/fuzz", {stem for stem in stems(tree, "tests/fuzz") - {"replay"} if not is_part(tree, stem)}, rows)
    for row in sorted(rows):
        if not tree.files(f"tests/fuzz/corpus/{row}"):
            yield f"tests/fuzz/corpus/{row}: no seed"
    for name in tree.files("tests/fuzz/corpus"):
        if name.split("/")[3] not in rows:
            yield f"{name}: of no target"
    for name in tree.files("tests/fuzz/dict"):
        if name.split("/")[-1].removesuffix(".dict") not in rows:
            yield f"{name}: of no target"


def check_golden(tree):
    build = "tests/golden/meson.build"
    for name in tree.files("tests/golden", suffixes=(".txt",)):
        base = name.split("/")[-1]
        text = tree.text(build) if tree.has(build) else ""
        if f"'{base}'" not in text and f"'{base.removesuffix('.txt')}'" not in text:
            yield f"{name}: not in {build}"


def check_sources(tree):
    """Each source is named by its folder's meson.build. Private parts of a program stand in its folder, too."""
    for name in tree.files("src", suffixes=(".c",)):
        folder, _, base = name.rpartition("/")
        build = f"{folder}/meson.build"
        if not tree.has(build) or f"'{base}'" not in tree.text(build):
            yield f"{name}: not built by {build}"


def check_modules(tree):
    """Each header of include/ has a user outside of itself."""
    used = set()
    for name in tree.files("src", "include", "tests", suffixes=(".c", ".h")):
        used |= set(re.findall(r'#\s*include\s*"([^"]+)"', tree.text(name)))
    for name in tree.files("include", suffixes=(".h",)):
        if name.removeprefix("include/") not in used:
            yield f"{name}: included by nobody"


def _registered(tree):
    """A unit test that has a row."""
    rows = {f"{folder}_{module}" for folder, module in ROW.findall(tree.text("tests/unit/meson.build"))}
    return f"tests/unit/{sorted(rows & stems(tree, 'tests/unit'))[0]}.c"


def check(tree):
    yield from check_units(tree)
    yield from check_fuzz(tree)
    yield from check_golden(tree)
    yield from check_sources(tree)
    yield from check_modules(tree)


PLANTS = [
    ("a unit test without a row", created("tests/unit/base_planted.c", "/* . */\n"), "base_planted.c: in no row"),
    ("a test that is built as a helper", lambda tree: (created("tests/unit/base_planted.c", "#include <criterion/criterion.h>\n")(tree),
                                                       appended("tests/unit/meson.build", "executable('x', 'base_planted.c')\n")(tree)),
     "base_planted.c: in no row"),
    ("a row without a unit test", appended("tests/unit/meson.build", "  ['base', 'planted'],\n"), "row base_planted has no source"),
    ("a fuzz target without a row", created("tests/fuzz/proto_planted.c", "/* . */\n"), "proto_planted.c: in no row"),
    ("a fuzz target without a seed", appended("tests/fuzz/meson.build", "  'proto_planted': ['base_lib'],\n"), "corpus/proto_planted: no seed"),
    ("a corpus without a target", created("tests/fuzz/corpus/planted/1", "x"), "of no target"),
    ("a transcript that nobody plays", created("tests/golden/planted.txt", "x\n"), "planted.txt: not in"),
    ("a source that is not built", created("src/base/planted.c", "/* . */\n"), "planted.c: not built"),
    ("a header that nobody includes", created("include/base/planted.h", "/* . */\n"), "included by nobody"),
    ("a unit test that went away", removed(_registered), "has no source"),
]
