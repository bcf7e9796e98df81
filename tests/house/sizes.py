"""Sizes: the lengths of functions, files and lines beyond which a reader is lost. The house rules ask for less; these are where the machine says no."""
import subprocess

from tree import created

FUNCTION_LINES = 80
FILES = [  # folder, suffix, lines, columns: a row of a test's table may be wide
    ("src", ".c", 600, 170),
    ("src", ".h", 200, 170),
    ("include", ".h", 200, 170),
    ("tests/fuzz", ".c", 600, 200),
    ("tests/unit", ".c", 1010, 200),
]


def check_functions(tree):
    names = tree.files("src", "tests/fuzz", suffixes=(".c",)) + tree.files("include", suffixes=(".h",))
    out = subprocess.run(["ctags", "-x", "--languages=C", "--map-C=+.h", "--kinds-C=f", "--fields=+e", "--_xformat=%n\t%e\t%N\t%F", "-L", "-"],
                         input="\n".join(names), cwd=tree.root, capture_output=True, text=True, check=True).stdout
    found = 0
    for line in out.splitlines():
        first, last, function, name = line.split("\t")
        found += 1
        if last.isdigit() and int(last) - int(first) + 1 > FUNCTION_LINES:
            yield f"{name}:{first}: {function} has {int(last) - int(first) + 1} lines, at most {FUNCTION_LINES}"
        elif not last.isdigit():
            yield f"{name}:{first}: the end of {function} was not found"
    if found == 0:
        yield "ctags found no function at all"


def check(tree):
    yield from check_functions(tree)
    for folder, suffix, most, columns in FILES:
        for name in tree.files(folder, suffixes=(suffix,)):
            lines = tree.lines(name)
            if len(lines) > most:
                yield f"{name}: {len(lines)} lines, at most {most}"
            for number, line in enumerate(lines, 1):
                if len(line.expandtabs(8)) > columns:
                    yield f"{name}:{number}: {len(line.expandtabs(8))} columns, at most {columns}"


def _long_function(lines):
    return "/* . */\nint planted(int x);\nint planted(int x)\n{\n" + "\tx++;\n" * (lines - 4) + "\treturn x;\n}\n"


PLANTS = [
    ("a function of 81 lines", created("src/base/planted.c", _long_function(81)), "planted has 81 lines"),
    ("a file of 601 lines", created("src/base/planted.c", "/* . */\n" * 601), "601 lines"),
    ("a header of 201 lines", created("include/base/planted.h", "/* . */\n" * 201), "201 lines"),
    ("a wide line", created("src/base/planted.c", "/*" + "\t" * 25 + "*/\n"), "columns"),
]
