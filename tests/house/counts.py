"""The counter of tests/run: what it makes of logs that a hasty reader would call good."""
import json
import subprocess
import tempfile

TAP = "TAP version 13\n"
# what it is about, meson's record of the program, passed, failed
CASES = [
    ("two cases", {"result": "OK", "stdout": TAP + "1..2\n# s\nok - a\nok - b\n"}, 2, 0),
    ("numbered cases, the plan last", {"result": "OK", "stdout": "ok 1 - a\nok 2\nok: no case\n1..2\n"}, 2, 0),
    ("one of them bad", {"result": "ERROR", "returncode": 1, "stdout": TAP + "1..2\nok - a\nnot ok - b\n  ---\n"}, 1, 1),
    ("no case at all, which meson calls skipped", {"result": "SKIP", "stdout": TAP + "1..0\n"}, 0, 1),
    ("all skipped", {"result": "OK", "stdout": TAP + "1..1\nok - a # SKIP why\n"}, 0, 1),
    ("fewer than announced", {"result": "OK", "stdout": TAP + "1..3\nok - a\n"}, 1, 1),
    ("no plan", {"result": "OK", "stdout": TAP + "ok - a\n"}, 1, 1),
    ("each good, the program not", {"result": "ERROR", "returncode": 1, "stdout": TAP + "1..1\nok - a\n"}, 1, 1),
    ("killed by the clock", {"result": "TIMEOUT", "stdout": TAP}, 0, 1),
    ("a program with an exit status", {"result": "OK", "stdout": ""}, 1, 0),
    ("the same, bad", {"result": "FAIL", "returncode": 1, "stdout": "what\n"}, 0, 1),
    ("skipped whole", {"result": "SKIP", "returncode": 77, "stdout": ""}, 0, 1),
    ("a runner with a count of its own", {"result": "OK", "stdout": "case a\n12 passed, 0 failed\n"}, 12, 0),
    ("its count is of nothing", {"result": "OK", "stdout": "0 passed, 0 failed\n"}, 0, 1),
    ("its count is good, its status is not", {"result": "FAIL", "returncode": 1, "stdout": "3 passed, 0 failed\n"}, 3, 1),
    ("control bytes in what it said", {"result": "OK", "stdout": TAP + "1..1\nok - \x01\x02\ud800\n"}, 1, 0),
]


def count(tree, records):
    """The last line of tests/tally and its status."""
    with tempfile.NamedTemporaryFile("w", prefix="xferwarden-house-", suffix=".json") as log:
        for record in records:
            log.write(json.dumps({"name": "planted", **record}) + "\n")
        log.flush()
        made = subprocess.run(["/usr/bin/python3", str(tree.root / "tests/tally"), log.name], capture_output=True, text=True, check=False)
    return (made.stdout.splitlines() or [made.stderr.strip()])[-1], made.returncode


def check(tree):
    wanted = [(about, [record], passed, failed) for about, record, passed, failed in CASES]
    wanted.append(("no program", [], 0, 0))
    wanted.append(("all together", [case[1] for case in CASES], sum(case[2] for case in CASES), sum(case[3] for case in CASES)))
    for about, records, passed, failed in wanted:
        said, status = count(tree, records)
        if said != f"{passed} passed, {failed} failed":
            yield f"tests/tally: {about}: said {said!r}, not {passed} passed, {failed} failed"
        if (status == 0) != (failed == 0 and passed > 0):
            yield f"tests/tally: {about}: status {status}"


def changed(old, new):
    def plant(tree):
        text = tree.text("tests/tally")
        assert old in text, f"tests/tally has no {old!r}"
        tree.write("tests/tally", text.replace(old, new))
    return plant


PLANTS = [
    ("plans are not looked at", changed("int(plan[1]) != ran", "False"), "fewer than announced"),
    ("a program's status is not looked at", changed("if not good and failed == 0:", "if False:"), "each good, the program not"),
    ("running nothing is good", changed("if not passed and not failed:", "if False:"), "all skipped"),
    ("the status is always 0", changed("return 1 if failed or not passed else 0", "return 0"), "status 0"),
]
