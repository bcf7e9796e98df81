"""Style that a machine can see: how a file opens, how names are made, what a line may hold."""
import re

from tree import appended, created

TYPEDEF = re.compile(r"\btypedef\s+(?:const\s+|volatile\s+)*(struct|enum|union)\b")
INDENT = re.compile(r"^ {2,}[^ *]")


def check_source(tree, name):
    text = tree.text(name)
    if name.endswith(".c") and not text.startswith("/*"):
        yield f"{name}: does not open with what it knows"
    if name.endswith(".h") and name.startswith("include/"):
        guard = "XFERWARDEN_" + re.sub(r"[/.]", "_", name.removeprefix("include/")).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text or not text.rstrip().endswith("#endif"):
            yield f"{name}: its guard is not {guard}"
    for number, line in enumerate(text.splitlines(), 1):
        match = TYPEDEF.search(line)
        if match:
            yield f"{name}:{number}: a typedef of a {match[1]}"
        if INDENT.match(line):
            yield f"{name}:{number}: indented by blanks"


def check_text(tree, name):
    data = tree.data(name)
    if not data:
        return
    if b"\r" in data:
        yield f"{name}: has a carriage return"
    if not data.endswith(b"\n"):
        yield f"{name}: the last line has no end"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"{name}: is not UTF-8: {error.reason}"
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line != line.rstrip():
            yield f"{name}:{number}: blanks at the end"


def check(tree):
    for name in tree.files("src", "include", "tests", suffixes=(".c", ".h")):
        yield from check_source(tree, name)
    for name in tree.names:
        if tree.is_text(name) and not name.startswith("tests/golden/"):
            yield from check_text(tree, name)


PLANTS = [
    ("no opening comment", created("src/base/planted.c", "int planted;\n"), "does not open"),
    ("another guard", created("include/base/planted.h", "#ifndef PLANTED_H\n#define PLANTED_H\n#endif\n"), "XFERWARDEN_BASE_PLANTED_H"),
    ("a typedef", appended("src/base/path.c", "\ntypedef const struct planted planted;\n"), "typedef of a struct"),
    ("blanks for tabs", appended("src/base/path.c", "\nint planted(void)\n{\n    return 0;\n}\n"), "indented by blanks"),
    ("blanks at the end", appended("README.md", "planted \n"), "blanks at the end"),
    ("no last line end", appended("README.md", "planted"), "no end"),
    ("a carriage return", appended("README.md", "planted\r\n"), "carriage return"),
]
