"""Words that have no place in what is shipped: work left undone, and places that exist on one machine only."""
import re

from tree import appended, created

SELF = "tests/house/words.py"

UNDONE = re.compile(r"\b(XXX|HACK|WIP)\b|(?i:\b(TODO|FIXME|TBD|stub(bed|s)?|unimplemented|not (yet )?implemented|placeholder|dummy implementation|"
                    r"lorem ipsum)\b)")
# Where people and build servers keep their checkouts; nothing that an installed system has.
PLACES = re.compile(r"(?<![\w./*-])/(work|workspace|builds|Users|home/runner|tmp/(b|build)-)[/\w-]|/\.pyenv/|/\.cargo/")
# In what is installed a name in /tmp is a mistake: there is the spool. sshd's own file there is no name of ours.
SHARED = re.compile(r"(?<![\w.])/(tmp|var/tmp)/(?!sshauth\b)")


def check(tree):
    own = str(tree.root)
    for name in tree.names:
        if name == SELF or not tree.is_text(name):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            undone = UNDONE.search(line)
            if undone:
                yield f"{name}:{number}: {undone[0]!r}: finish it"
            place = PLACES.search(line)
            if place or (own.count("/") > 1 and own + "/" in line):
                yield f"{name}:{number}: a path of one machine"
            if name.startswith(("src/", "include/", "etc/")) and SHARED.search(line):
                yield f"{name}:{number}: a shared folder"


PLANTS = [
    ("work left undone", appended("src/base/path.c", "\n/* TO" "DO: later */\n"), "finish it"),
    ("a function that does nothing yet", appended("src/base/path.c", "\n/* st" "ub */\n"), "finish it"),
    ("undone in a script", created("contrib/planted", "#!/bin/sh\n# fix" "me\n"), "finish it"),
    ("a checkout's path", appended("README.md", "see /work" "space/x\n"), "one machine"),
    ("a build folder's path", created("tests/planted.md", "`/tmp/b" "-planted/x`\n"), "one machine"),
    ("a name in a shared folder", appended("src/base/path.c", '\nconst char *const planted = "/tmp/planted";\n'), "shared folder"),
]
