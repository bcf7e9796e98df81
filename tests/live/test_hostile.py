"""Clients that do not speak SCP as they should, byte by byte over an exec request. Each row is played at once, and in single bytes with waiting, before each gate."""
import concurrent.futures
import os
import random
import time
import unittest

import audit
import configuration
import raw
import talk
import tree
import world

OK, REFUSED, EITHER = 'ok', 'refused', 'either'


def repeat(record, n):
    return record * n


# name, flags, bytes, replies of OK that come first (greeting included), how it ends, files that must exist afterwards
ROWS = (
    ('one file', '-t', b'C0644 5 a\nhello\0', 3, OK, {'a': b'hello'}),
    ('two at once', '-t', b'C0644 1 a\nx\0C0644 2 b\nyz\0', 5, OK, {'a': b'x', 'b': b'yz'}),
    ('tree', '-r -t', b'D0755 0 d\nC0644 1 a\nx\0D0700 0 e\nE\nE\n', 7, OK, {'d/a': b'x'}),
    ('times without -p', '-t', b'T1234567890 0 1234567890 0\nC0644 1 a\nx\0', 4, OK, {'a': b'x'}),
    ('two times', '-p -t', b'T1 0 2 0\nT1234567890 0 1234567890 0\nC0644 1 a\nx\0', 5, OK, {'a': b'x'}),
    ('nothing', '-t', b'', 1, OK, {}),
    ('no status byte', '-t', b'C0644 5 a\nhello', 3, OK, {'a': b'hello'}),
    ('slash in name', '-t', b'C0644 1 a/b\nx\0', 1, REFUSED, {}),
    ('absolute name', '-t', b'C0644 1 /etc/x\nx\0', 1, REFUSED, {}),
    ('dot dot', '-t', b'C0644 1 ..\nx\0', 1, REFUSED, {}),
    ('dot', '-t', b'C0644 1 .\nx\0', 1, REFUSED, {}),
    ('empty name', '-t', b'C0644 1 \nx\0', 1, REFUSED, {}),
    ('folder dot dot', '-r -t', b'D0777 0 ..\n', 1, REFUSED, {}),
    ('folder dot', '-r -t', b'D0777 0 .\n', 1, REFUSED, {}),
    ('folder without name', '-r -t', b'D0777 0 \n', 1, REFUSED, {}),
    ('NUL in name', '-t', b'C0644 1 a\0/../b\nx\0', 1, REFUSED, {}),
    ('CR in name', '-t', b'C0644 1 a\r\nx\0', 1, REFUSED, {}),
    ('escape in name', '-t', b'C0644 1 a\x1b[2J\nx\0', 1, REFUSED, {}),
    ('DEL in name', '-t', b'C0644 1 a\x7f\nx\0', 1, REFUSED, {}),
    ('C1 in name', '-t', 'C0644 1 a\x9b\nx\0'.encode(), 1, REFUSED, {}),
    ('not UTF-8', '-t', b'C0644 1 \xff\xfe\nx\0', 3, OK, {b'\xff\xfe': b'x'}),
    ('name of 256', '-t', b'C0644 1 ' + b'n' * 256 + b'\nx\0', 1, REFUSED, {}),
    ('name of 255', '-t', b'C0644 1 ' + b'n' * 255 + b'\nx\0', 3, OK, {'n' * 255: b'x'}),
    ('line of 2048', '-t', b'C0644 1 ' + b'n' * 2039 + b'\n', 1, REFUSED, {}),
    ('line of 65536', '-t', b'C0644 1 ' + b'n' * 65527 + b'\n', 1, REFUSED, {}),
    ('line without end', '-t', b'C0644 1 ' + b'n' * 300000, 1, REFUSED, {}),
    ('caret stays', '-t', b'C0644 1 x\\^Jy\nx\0', 3, OK, {'x\\^Jy': b'x'}),
    ('shell words are names', '-t', b''.join(b'C0644 1 %s\nx\0' % n for n in (b'-rf', b'--x', b'*', b'$(id)', b';id', b'`id`', b'%n')), 15, OK,
     {'-rf': b'x', '--x': b'x', '*': b'x', '$(id)': b'x', ';id': b'x', '`id`': b'x', '%n': b'x'}),
    ('size minus', '-t', b'C0644 -1 a\n', 1, REFUSED, {}),
    ('size plus', '-t', b'C0644 +1 a\nx\0', 1, REFUSED, {}),
    ('size blank', '-t', b'C0644  1 a\nx\0', 1, REFUSED, {}),
    ('size hex', '-t', b'C0644 0x1 a\nx\0', 1, REFUSED, {}),
    ('size missing', '-t', b'C0644 a\nx\0', 1, REFUSED, {}),
    ('size 2^63', '-t', b'C0644 9223372036854775808 a\nx\0', 1, REFUSED, {}),
    ('size 2^64+1', '-t', b'C0644 18446744073709551617 a\nx\0', 1, REFUSED, {}),
    ('size of 30 digits', '-t', b'C0644 ' + b'9' * 30 + b' a\nx\0', 1, REFUSED, {}),
    ('size 007', '-t', b'C0644 0000000000000000000000000000007 a\n1234567\0', 3, OK, {'a': b'1234567'}),
    ('mode of three', '-t', b'C644 1 a\nx\0', 1, REFUSED, {}),
    ('mode of five', '-t', b'C04755 1 a\nx\0', 1, REFUSED, {}),
    ('mode with 8', '-t', b'C0648 1 a\nx\0', 1, REFUSED, {}),
    ('mode minus', '-t', b'C-644 1 a\nx\0', 1, REFUSED, {}),
    ('folder without -r', '-t', b'D0755 0 d\n', 1, REFUSED, {}),
    ('T negative', '-p -t', b'T-1 0 1 0\nC0644 1 a\nx\0', 1, REFUSED, {}),
    ('T with blank', '-p -t', b'T 1700000000 0 1700000000 0\n', 1, REFUSED, {}),
    ('T with more', '-p -t', b'T1 0 2 0 3\n', 1, REFUSED, {}),
    ('T short', '-p -t', b'T1 0 2\n', 1, REFUSED, {}),
    ('garbage', '-t', b'hello world\n', 1, REFUSED, {}),
    ('empty line', '-t', b'\n', 1, REFUSED, {}),
    ('stray NUL', '-t', b'\0C0644 1 a\nx\0', 1, REFUSED, {}),
    ('HTTP', '-t', b'GET / HTTP/1.0\r\n\r\n', 1, REFUSED, {}),
    ('status of another kind', '-t', b'C0644 1 a\nxQ', 2, EITHER, None),
    ('extra E', '-r -t', b'D0755 0 d\nE\nE\n', 4, EITHER, None),
    ('more after the extra E', '-r -t', b'D0755 0 d\nE\nE\nC0644 1 late\nx\0', 4, EITHER, None),
    ('records inside data', '-r -t', b'C0644 30 a\n' + b'E\nD0755 0 x\nC0644 1 z\nE\n\0\1\2ab\n' + b'\0', 3, OK, {'a': b'E\nD0755 0 x\nC0644 1 z\nE\n\0\1\2ab\n'}),
    ('warning between', '-r -t', b'\1no such file\nC0644 1 a\nx\0', 3, EITHER, {'a': b'x'}),
    ('long warning', '-r -t', b'\1' + b'w' * 3000 + b'\nC0644 1 a\nx\0', 1, EITHER, None),
    ('fatal', '-t', b'C0644 1 a\nx\0\2that is it\n', 3, EITHER, {'a': b'x'}),
    ('EOF in data', '-t', b'C0644 100 a\nonly some', 2, EITHER, None),
    ('EOF in a record', '-t', b'C0644 10', 1, EITHER, {}),
    ('EOF in a folder', '-r -t', b'D0755 0 d\nC0644 1 a\nx\0', 4, EITHER, {'d/a': b'x'}),
    ('2000 folders deep', '-r -t', b'D0755 0 x\n' * 2000, None, REFUSED, None),
    ('huge and then gone', '-t', b'C0644 9223372036854775807 a\nabc', 2, EITHER, None),
    ('setuid', '-t', b'C4755 1 a\nx\0', 3, OK, {'a': b'x'}),
    ('setuid with -p', '-p -t', b'T1 0 1 0\nC4755 1 a\nx\0', 4, OK, {'a': b'x'}),
    ('folder setgid', '-r -p -t', b'D2777 0 d\nC6755 1 a\nx\0E\n', 5, OK, {'d/a': b'x'}),
)

GATES = (
    ('raw-path', "  upload { block 'never' { name = {'*.never'} } }\n  download { }\n", "  on_block = 'stop'\n"),
    ('raw-held', "  upload { block 'm' { virus = {'*'} } }\n  download { block 'm' { virus = {'*'} } }\n", "  on_block = 'skip'\n"),
)


def gate_of(live, which):
    name, rules, more = next(g for g in GATES if g[0] == which)
    return live.gate(name, configuration.whole(live, name, configuration.policy(rules, more=more + '  idle_timeout = 5\n')))


def place(live, word):
    """A folder of the user's for one conversation."""
    path = f'{live.home}/t/{word}'
    os.makedirs(f'{live.home}/t', exist_ok=True)
    live.own(f'{live.home}/t')
    os.mkdir(path)
    live.own(path)
    return path


def in_step(client, data):
    """Sends record by record, in single bytes, and what follows only after an OK, as a real client does. Returns the replies it took."""
    heard = client.reply()
    while data and heard.endswith(b'\0'):
        record, newline, rest = data.partition(b'\n')
        if not newline or len(record) > 3000:
            break
        for i in range(len(record) + 1):
            client.say((record + newline)[i:i + 1])
        if record[:1] in (b'\1', b'\2'):
            data = rest
            continue
        answer = client.reply(3)
        heard += answer
        size = int(record.split(b' ')[1]) if record[:1] == b'C' and record.split(b' ')[1:2] and record.split(b' ')[1].isdigit() else 0
        data = rest
        if answer != b'\0':
            return heard
        if record[:1] == b'C':
            client.say(rest[:size + 1])
            data = rest[size + 1:]
            if len(rest) > size and rest[size:size + 1] == b'\0':
                heard += client.reply(15)
    client.say(data)
    return heard


def play(gate, row, slow):
    """What one row brings: complaints as sentences."""
    name, flags, data, zeros, end, files = row
    live = gate.world
    folder = place(live, world.unique('raw'))
    wrong = []
    with raw.Raw(gate, f'scp {flags} {folder}') as client:
        heard = in_step(client, data) if slow else client.say(data) or b''
        status, out, err = client.finish(20)
    out = heard + out
    body = out.lstrip(b'\0')
    n = len(out) - len(body)
    if status == 'timeout':
        wrong.append('does not end')
    # who sent data without waiting is let finish and hears the refusal after it: one OK more
    late = end == REFUSED and not slow and not data.endswith(b'\n')
    if zeros is not None and end != EITHER and n not in (zeros, zeros + late):
        wrong.append(f'{n} OKs instead of {zeros}')
    if end == EITHER and zeros is not None and n > zeros:
        wrong.append(f'{n} OKs, more than {zeros}')
    lines = [line + b'\n' for line in body.split(b'\n')[:-1]]
    if end == OK and (status != 0 or body):
        wrong.append('refused')
    if end == REFUSED and (status == 0 or len(lines) < 1 or len(lines) > (1 if zeros is not None else data.count(b'\n'))):
        wrong.append('not refused with one line')
    if (body and not body.endswith(b'\n')) or not all(talk.is_refusal(line.lstrip(b'\0')) for line in lines):
        wrong.append('not a proper refusal')
    for path, content in (files or {}).items():
        full = os.path.join(os.fsencode(folder), os.fsencode(path))
        if not os.path.isfile(full) or open(full, 'rb').read() != content:
            wrong.append(f'{path!r} is not what was sent')
        elif os.lstat(full).st_mode & 0o7000:
            wrong.append(f'{path!r} has mode {os.lstat(full).st_mode:o}')
    if files is not None:
        there = {k for k, v in tree.look(folder).items() if v[0] != 'folder'}
        if there != {os.fsencode(p) for p in files}:
            wrong.append(f'on disk: {there}')
    return [f'{name}{" in step" if slow else ""} at {gate.name}: {w}; status {status}, stdout {out[:300]!r}, stderr {err!r}' for w in wrong]


class Rows(unittest.TestCase):
    def rows(self, which, slow):
        gate = gate_of(world.THE, which)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda row: play(gate, row, slow), ROWS))
        for row, wrong in zip(ROWS, answers):
            with self.subTest(row=row[0]):
                self.assertEqual(wrong, [])

    def test_path_rules_at_once(self):
        self.rows('raw-path', False)

    def test_path_rules_in_step(self):
        self.rows('raw-path', True)

    def test_held_at_once(self):
        self.rows('raw-held', False)

    def test_held_in_step(self):
        self.rows('raw-held', True)


class Lockstep(unittest.TestCase):
    """Who may speak when."""

    def setUp(self):
        self.gate = gate_of(world.THE, 'raw-path')
        self.folder = place(world.THE, world.unique('step'))

    def open(self, command, gate=None):
        client = raw.Raw(gate or self.gate, command)
        self.addCleanup(client.__exit__)
        return client

    def test_one_reply_for_each_action(self):
        for which in ('raw-path', 'raw-held'):
            with self.subTest(gate=which):
                c = self.open(f'scp -r -t {self.folder}', gate_of(world.THE, which))
                self.assertEqual(c.reply(), b'\0')
                for said in (b'T1 0 1 0\n', b'D0755 0 d\n', b'T1 0 1 0\n', b'C0644 3 a\n', b'abc\0', b'C0644 0 b\n', b'\0', b'E\n'):
                    self.assertTrue(c.silent(0.05))
                    c.say(said)
                    self.assertEqual(c.reply(), b'\0', said)
                self.assertEqual(c.finish()[:2], (0, b''))

    def test_refused_name_then_next(self):
        gate = gate_of(world.THE, 'raw-held')
        c = self.open(f'scp -t {self.folder}', gate)
        self.assertEqual(c.reply(), b'\0')
        c.say(b'C0644 1 a\x07b\n')
        line = c.reply()
        self.assertTrue(talk.is_refusal(line), line)
        c.say(b'C0644 1 good\n')
        if line[:1] == b'\1':
            self.assertEqual(c.reply(), b'\0')
            c.say(b'x\0')
            self.assertEqual(c.reply(), b'\0')
            self.assertEqual(tree.look(self.folder)[b'good'][2], 1)
        self.assertNotEqual(c.finish()[0], 0)

    def test_refusal_ends_a_stopping_session(self):
        c = self.open(f'scp -t {self.folder}')
        self.assertEqual(c.reply(), b'\0')
        c.say(b'C0644 1 a.never\n')
        line = c.reply()
        self.assertTrue(talk.is_refusal(line), line)
        self.assertEqual(line[:1], b'\2')
        c.say(b'xC0644 1 b\nx\0')
        status, rest, _ = c.finish()
        self.assertNotEqual(status, 0)
        self.assertEqual(rest, b'')
        self.assertEqual(os.listdir(self.folder), [])

    def test_data_of_a_client_that_does_not_wait(self):
        """As go-scp: record, data and status in one go. What follows a refused record is data, whatever it looks like."""
        gate = gate_of(world.THE, 'raw-held')
        hidden = b'C0644 4 evil\nevil\0'
        c = self.open(f'scp -t {self.folder}', gate)
        self.assertEqual(c.reply(), b'\0')
        c.say(b'C0644 %d x\x07y\n' % len(hidden) + hidden + b'\0')
        status, out, _ = c.finish()
        self.assertNotEqual(status, 0)
        self.assertNotEqual(out, b'')
        records = audit.files(gate.sessions_about(os.path.basename(self.folder)))
        self.assertIn('blocked', [audit.outcome(r) for r in records])
        stored = os.listdir(self.folder)
        self.assertEqual(len(stored), len([r for r in records if audit.outcome(r) == 'allowed']), 'what was stored is recorded')

    def test_sink_waits_for_its_client(self):
        with open(f'{self.folder}/f', 'wb') as f:
            f.write(b'data')
        c = self.open(f'scp -f {self.folder}/f')
        self.assertTrue(c.silent(), 'nothing is said before the first byte of the client')
        c.say(b'\0')
        self.assertEqual(c.hear(10), b'C0644 4 f\n')
        self.assertTrue(c.silent(0.1))
        c.say(b'\0')
        self.assertEqual(c.hear(5), b'data\0')
        c.say(b'\0')
        self.assertEqual(c.finish()[:2], (0, b''))

    def test_acks_sent_ahead(self):
        for name in ('a', 'b'):
            with open(f'{self.folder}/{name}', 'wb') as f:
                f.write(name.encode() * 3)
        for which in ('raw-path', 'raw-held'):
            with self.subTest(gate=which):
                c = self.open(f'scp -f {self.folder}/a {self.folder}/b', gate_of(world.THE, which))
                c.say(bytes(5))
                status, out, _ = c.finish()
                self.assertEqual((status, out), (0, b'C0644 3 a\naaa\0C0644 3 b\nbbb\0'))

    def test_acks_sent_ahead_of_a_blocked_file(self):
        """What is held for the second file must not show in the first, which may still be under way to the client."""
        gate = gate_of(world.THE, 'raw-held')
        for size in (1000, 60000, 500000):
            with self.subTest(size=size):
                clean, infected = b'c' * size, (world.VIRUS * (size // len(world.VIRUS) + 1))[:size]
                for name, data in (('a', clean), ('b', infected)):
                    with open(f'{self.folder}/{name}', 'wb') as f:
                        f.write(data)
                c = self.open(f'scp -f {self.folder}/a {self.folder}/b', gate)
                c.say(bytes(6))
                time.sleep(0.5)
                status, out, _ = c.finish()
                self.assertNotEqual(status, 0)
                self.assertEqual(out.count(world.VIRUS), 0, 'blocked content got out')
                self.assertIn(clean, out)

    def test_client_refuses_a_download(self):
        with open(f'{self.folder}/f', 'wb') as f:
            f.write(b'data')
        for word in (b'\1no\n', b'\2no\n', b'rubbish\n'):
            with self.subTest(word=word):
                c = self.open(f'scp -f {self.folder}/f')
                c.say(b'\0')
                self.assertEqual(c.hear(10), b'C0644 4 f\n')
                c.say(word)
                status, out, _ = c.finish()
                self.assertNotIn(b'data', out)
                self.assertNotEqual(status, 'timeout')

    def test_idle(self):
        def one(said):
            with raw.Raw(self.gate, f'scp -t {self.folder}') as client:
                client.say(said)
                start = time.monotonic()
                client.hear(500, 20)
                return time.monotonic() - start
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for took in pool.map(one, (b'', b'C0644 10 a\n', b'C0644 10 a\nsome', b'C06')):
                self.assertLess(took, 15, 'a session in which nothing moves has to end')
                self.assertGreater(took, 2)

    def test_random_bytes(self):
        rng = random.Random(20)
        words = [b'C0644 ', b'D0755 ', b'T1 0 1 0\n', b'E\n', b'\0', b'\1x\n', b'\2', b'5 ', b'0 ', b'name', b'\n', b'..', b'/', b'99999999999', b'hello']

        def one(i):
            gate = gate_of(world.THE, GATES[i % 2][0])
            folder = place(world.THE, world.unique('fuzz'))
            data = b''.join(rng.choice(words) for _ in range(rng.randrange(1, 40)))
            with raw.Raw(gate, f'scp {"-r " * (i % 3 > 0)}-t {folder}') as c:
                c.say(data)
                status, out, _ = c.finish(20)
            bad = [] if status != 'timeout' and all(talk.is_refusal(line + b'\n') for line in out.replace(b'\0', b'').split(b'\n')[:-1]) else [(data, status, out)]
            return bad

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            self.assertEqual(sum(pool.map(one, range(60)), []), [])

    def test_nothing_was_made_elsewhere(self):
        self.assertEqual(sorted(os.listdir(f'{world.THE.base}/outside')), [])


