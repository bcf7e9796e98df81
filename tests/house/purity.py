"""Purity, as the linker sees it: which symbols the objects of the pure floors leave undefined. Compiled plainly, so that no sanitizer or fortified
variant hides a name. Own symbols have to come from the folder itself or from a floor that it may include."""
import hashlib
import os
import subprocess
import tempfile

from floors import BELOW, PURE
from tree import appended

# Calls that touch nothing but the memory they are given.
ALLOWED = {
    "__assert_fail",
    "memchr", "memcmp", "memcpy", "memmem", "memmove", "memrchr", "memset",
    "strchr", "strcmp", "strcspn", "strlen", "strncmp", "strnlen", "strrchr", "strspn", "strcasecmp", "strncasecmp", "stpcpy",
    "snprintf", "vsnprintf",
}
FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-O1", "-fno-common", "-fno-builtin", "-fno-pic", "-fno-pie", "-fno-stack-protector",
         "-U_FORTIFY_SOURCE", "-w"]

_seen = {}


def symbols(tree, name):
    """(undefined, defined) of one source, or a complaint. The compiler is asked once for each text."""
    key = hashlib.sha256(name.encode() + tree.data(name)).hexdigest()
    if key not in _seen:
        handle, target = tempfile.mkstemp(suffix=".o", prefix="xferwarden-house-")
        os.close(handle)
        try:
            made = subprocess.run(["gcc", *FLAGS, f"-I{tree.root / 'include'}", "-c", str(tree.root / name), "-o", target],
                                  capture_output=True, text=True, check=False)
            if made.returncode != 0:
                return f"{name}: does not compile: {(made.stderr.splitlines() or ['?'])[0]}"
            out = subprocess.run(["nm", "-g", "-P", target], capture_output=True, text=True, check=True).stdout
        finally:
            os.unlink(target)
        words = [line.split() for line in out.splitlines()]
        _seen[key] = ({word[0] for word in words if word[1] in "Uvw"}, {word[0] for word in words if word[1] not in "Uvw"})
    return _seen[key]


def check(tree):
    undefined, defined = {}, {folder: set() for folder in PURE}
    for folder in PURE:
        for name in tree.files(f"src/{folder}", suffixes=(".c",)):
            found = symbols(tree, name)
            if isinstance(found, str):
                yield found
                continue
            undefined[name] = found[0]
            defined[folder] |= found[1]
    for name, wanted in undefined.items():
        folder = name.split("/")[1]
        ours = set().union(defined[folder], *(defined[below] for below in BELOW[folder]))
        for symbol in sorted(wanted - ours - ALLOWED - {"_GLOBAL_OFFSET_TABLE_"}):
            yield f"{name}: calls {symbol}, which is not on the list of a pure floor"
    for folder in PURE:
        if not defined[folder] and tree.files(f"src/{folder}", suffixes=(".c",)):
            yield f"src/{folder}: defines nothing"


PLANTS = [
    ("memory", appended("src/base/path.c", "\nvoid *malloc(size_t);\nvoid *planted(void);\nvoid *planted(void)\n{\n\treturn malloc(1);\n}\n"), "malloc"),
    ("the clock", appended("src/policy/glob.c", "\nlong time(long *);\nlong planted(void);\nlong planted(void)\n{\n\treturn time(0);\n}\n"), "calls time"),
    ("a descriptor", appended("src/base/text.c", "\nlong read(int, void *, unsigned long);\nlong planted(char *p);\nlong planted(char *p)\n{\n"
                              "\treturn read(0, p, 1);\n}\n"), "calls read"),
    ("the environment", appended("src/base/words.c", "\nextern char **environ;\nchar *planted(void);\nchar *planted(void)\n{\n\treturn *environ;\n}\n"),
     "environ"),
    ("a floor above, declared by hand", appended("src/base/words.c", "\nint policy_judge(void);\nint planted(void);\nint planted(void)\n{\n"
                                                 "\treturn policy_judge();\n}\n"), "policy_judge"),
    ("a source that does not compile", appended("src/base/words.c", "\nint planted(\n"), "does not compile"),
]
