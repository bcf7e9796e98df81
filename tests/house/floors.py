"""The floors: what a folder of src/ and include/ may include. This table is the one in HACKING.md, and the check compares them."""
import re

from tree import appended, created

# folder: the folders below it that it may include
BELOW = {
    "base": (),
    "proto": ("base",),
    "policy": ("base",),
    "sys": ("base",),
    "guard": ("base", "proto", "policy"),
    "conf": ("base", "policy", "sys"),
    "audit": ("base", "sys"),
    "scan": ("base", "proto", "sys"),
    "relay": ("base", "sys", "guard", "audit", "scan"),
    "shim": ("base", "proto", "policy", "sys", "guard", "conf", "audit", "scan", "relay"),
    "ctl": ("base", "proto", "policy", "sys", "guard", "conf", "audit", "scan", "relay"),
    "inspector": ("base", "proto", "sys"),
}
PURE = ("base", "proto", "policy", "guard")

# What a pure folder may know of libc. No <time.h>, <unistd.h>, <fcntl.h>, <stdlib.h>: what it can't name, it can't call.
PURE_HEADERS = {"assert.h", "errno.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "string.h"}

# Headers of libraries, and who links them. What is in neither of these lists and no kernel or libc header is refused too.
LIBRARY_HEADERS = {
    "confuse.h": ("conf",),
    "magic.h": ("inspector",),
    "clamav.h": ("inspector",),
    "seccomp.h": ("inspector",),
    "nettle/sha2.h": ("sys",),
}
LIBC_FOLDERS = ("sys", "linux", "arpa", "netinet", "net")
LIBC_HEADERS = PURE_HEADERS | {"ctype.h", "dirent.h", "elf.h", "err.h", "fcntl.h", "fnmatch.h", "ftw.h", "getopt.h", "glob.h", "grp.h", "iconv.h", "libgen.h", "link.h", "locale.h", "malloc.h",
                               "netdb.h", "paths.h", "poll.h", "pwd.h", "sched.h", "signal.h", "spawn.h", "stdatomic.h", "stdlib.h", "strings.h", "syslog.h",
                               "termios.h", "time.h", "unistd.h"}

INCLUDE = re.compile(r'^\s*#\s*(?:include|include_next|import)\s*(?:([<"])([^>"]*)[>"]|(.*))')


def includes(tree, name):
    """Yields (line number, '<' or '"', what); a computed include is a complaint of its own."""
    for number, line in enumerate(tree.lines(name), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1] or "?", match[2] or match[3] or ""


def check_ours(tree, name, folder, allowed, target):
    if ".." in target.split("/") or target.startswith("/"):
        return f'includes "{target}": no way out of a folder'
    if "/" not in target:
        if tree.has(f"{name.rsplit('/', 1)[0]}/{target}"):
            return None
        return f'includes "{target}", which is not in its folder'
    other = target.split("/", 1)[0]
    if not tree.has(f"include/{target}"):
        return f'includes "{target}", which is not in include/'
    if other != folder and other not in allowed:
        return f'includes "{target}": {folder} stands on {", ".join(allowed) or "nothing"}'
    return None


def check_system(folder, target):
    library = LIBRARY_HEADERS.get(target)
    if library is not None:
        return None if folder in library else f"includes <{target}>, which is for {', '.join(library)}"
    if target not in LIBC_HEADERS and target.split("/")[0] not in LIBC_FOLDERS:
        return f"includes <{target}>: a library that no floor links"
    if folder in PURE and target not in PURE_HEADERS:
        return f"includes <{target}>: {folder} is pure"
    return None


def check_file(tree, name, folder, allowed):
    for number, kind, target in includes(tree, name):
        if kind == "?":
            complaint = f"includes by a macro: {target}"
        elif kind == '"':
            complaint = check_ours(tree, name, folder, allowed, target)
        else:
            complaint = check_system(folder, target)
        if complaint:
            yield f"{name}:{number}: {complaint}"


def check_unit_test(tree, name):
    """A unit test may include its folder's headers and those below, as it may link them."""
    folder = name.rsplit("/", 1)[1].split("_", 1)[0]
    if folder not in BELOW:
        yield f"{name}: no folder of src/ is named {folder}"
        return
    for number, kind, target in includes(tree, name):
        other = target.split("/", 1)[0]
        if kind == '"' and other in BELOW and other != folder and other not in BELOW[folder]:
            yield f'{name}:{number}: includes "{target}": {folder} stands on {", ".join(BELOW[folder]) or "nothing"}'


def check_drawing(tree):
    """HACKING.md draws the same floors: | folder | … | may include |."""
    drawn = {}
    for line in tree.lines("HACKING.md") if tree.has("HACKING.md") else []:
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 3 and cells[1] in BELOW:
            drawn[cells[1]] = cells[3]
    for folder, allowed in BELOW.items():
        wanted = "all above" if folder in ("shim", "ctl") else ", ".join(allowed) or "–"
        if drawn.get(folder) != wanted:
            yield f"HACKING.md: the floor of {folder} is drawn as {drawn.get(folder)!r}, the check holds {wanted!r}"


def reach(folder):
    """The folder and all that it stands on, directly or not: what its tests may link."""
    found = {folder}
    for below in BELOW[folder]:
        found |= reach(below)
    return found


LINK_ROW = re.compile(r"^\s*'(\w+)'\s*:\s*\[([^\]]*)\]", re.MULTILINE)
LIBRARY = re.compile(r"\b(\w+)_lib\b")
LIBRARY_FOLDER = {"digest": "sys"}  # a library that is not named by its folder


def check_links(tree, build):
    """The tables of tests/unit and tests/fuzz: a row links its folder's library and those below, nothing else."""
    for row, libraries in LINK_ROW.findall(tree.text(build)):
        folder = row.split("_")[0]
        for library in LIBRARY.findall(libraries):
            if folder not in BELOW:
                yield f"{build}: {row}: no folder of src/ is named {folder}"
            elif LIBRARY_FOLDER.get(library, library) not in reach(folder):
                yield f"{build}: {row} links {library}_lib, which {folder} does not stand on"


def check(tree):
    for build in ("tests/unit/meson.build", "tests/fuzz/meson.build"):
        yield from check_links(tree, build)
    for name in tree.files("src", "include", suffixes=(".c", ".h")):
        parts = name.split("/")
        if len(parts) < 3 or parts[1] not in BELOW:
            yield f"{name}: in no folder of the house"
            continue
        yield from check_file(tree, name, parts[1], BELOW[parts[1]])
    for name in tree.files("tests/unit", suffixes=(".c",)):
        yield from check_unit_test(tree, name)
    yield from check_drawing(tree)


def _redrawn(tree):
    text = tree.text("HACKING.md")
    tree.write("HACKING.md", text.replace("| base, proto, policy |", "| base, proto, policy, sys |"))


PLANTS = [
    ("a floor includes one above", appended("src/base/path.c", '\n#include "policy/policy.h"\n'), "base stands on nothing"),
    ("neighbours on one floor", appended("src/policy/glob.c", '\n#include "proto/command.h"\n'), "policy stands on base"),
    ("a header looks up", appended("include/sys/fd.h", '\n#include "scan/scan.h"\n'), "sys stands on base"),
    ("a way round through ..", appended("src/base/path.c", '\n#include "../sys/fd.h"\n'), "no way out"),
    ("a computed include", appended("src/base/path.c", "\n#include SOMETHING\n"), "by a macro"),
    ("a pure floor and the clock", appended("include/policy/policy.h", "\n#  include <time.h>\n"), "policy is pure"),
    ("libconfuse outside conf", created("src/shim/planted.c", "/* . */\n#include <confuse.h>\n"), "which is for conf"),
    ("a library that is new", created("src/sys/planted.c", "/* . */\n#include <openssl/evp.h>\n"), "no floor links"),
    ("a folder that is not drawn", created("src/misc/planted.c", "/* . */\n"), "no folder of the house"),
    ("a unit test reaches up", created("tests/unit/base_planted.c", '#include "guard/scp.h"\n'), "base stands on nothing"),
    ("a unit test links what is above", appended("tests/unit/meson.build", "x = {\n  'policy': [policy_lib, guard_lib, base_lib],\n}\n"), "policy links guard_lib"),
    ("the drawing differs", _redrawn, "HACKING.md"),
]
