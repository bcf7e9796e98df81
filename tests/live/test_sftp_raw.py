"""SFTP packet by packet: what the real server answers, and what a hostile client sends."""
import os
import struct
import unittest

import audit
import clients
import configuration
import rawsftp as r
import samples
import sftp_scripts
import stage
import tree
import world

HELD = '''
  upload {
    block 'scripts'  { name = {'*.php'} }
    block 'programs' { type = {'application/x-executable', 'application/x-pie-executable', 'application/x-sharedlib'} }
    block 'malware'  { virus = {'*'} }
    block 'huge'     { larger_than = '20M' }
  }
  download {
    block 'programs' { type = {'application/x-executable', 'application/x-pie-executable', 'application/x-sharedlib'} }
    block 'malware'  { virus = {'*'} }
  }
'''


def held(live):
    return live.gate('raw-sftp-held', configuration.whole(live, 'raw-sftp-held', configuration.both(HELD)))


def play(live, gate, name, function, times, how=r.Pipes):
    """One script in one session: (what was learned, what is on disk, exit status)."""
    s = stage.Stage(live, gate, clients.Client(live), world.unique(f'raw-{name}'), 'aa')
    with how(gate) as session:
        session.greet()
        t = sftp_scripts.Talk(session, s, name)
        function(t)
        status, rest, err = session.finish()
    assert rest == [], rest
    left = tree.look(f'{s.remote}/{name}', times)
    word = s.word.encode()
    s.clear()
    return [plain(v, word) for v in t.heard], left, status, err


def plain(value, word):
    if isinstance(value, bytes):
        return value.replace(word, b'FOLDER')
    if isinstance(value, (list, tuple)):
        return type(value)(plain(v, word) for v in value)
    return value


class Bare(unittest.TestCase):
    """The scripts themselves: the real server answers the same by pipes and through sshd, and not everything is an error."""

    def test_scripts(self):
        live = world.THE
        gate = live.gate('bare')
        for name, function, times, _ in sftp_scripts.SCRIPTS:
            with self.subTest(script=name):
                pipes, left, status, _ = play(live, gate, name, function, times)
                remote, left_too, _, _ = play(live, gate, name, function, times, r.Remote)
                self.assertEqual(pipes, remote)
                self.assertEqual(tree.difference(left, left_too), [])
                self.assertEqual(status, 0)
                self.assertTrue(any(v == 0 or not isinstance(v, int) for v in pipes), pipes)


class Scripts(unittest.TestCase):
    maxDiff = 4000


def scripts_test(name, function, times, too):
    def test(self):
        live = world.THE
        bare, left, _, _ = play(live, live.gate('bare'), name, function, times)
        for gate in [live.gate('sftp-path', configuration.sftp_path(live))] + [held(live)] * too:
            with self.subTest(gate=gate.name):
                gated, left_too, status, err = play(live, gate, name, function, times)
                wrong = [f'answer {i}: {b!r:.200} / {g!r:.200}' for i, (b, g) in enumerate(zip(bare, gated)) if b != g]
                wrong += tree.difference(left, left_too)
                if wrong:
                    self.fail('bare / gated: ' + '\n'.join(wrong[:20]) + f'\n{len(wrong)} in all; {err}')
                self.assertEqual(len(bare), len(gated))
                self.assertIn(status, (0, 1), err)
    return test


for _one in sftp_scripts.SCRIPTS:
    setattr(Scripts, 'test_' + _one[0], scripts_test(*_one))


class Hostile(unittest.TestCase):
    """No packet may bring the shim out of step: it answers, or it ends the session and says so."""

    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        cls.gate = held(cls.live)

    def setUp(self):
        self.s = stage.Stage(self.live, self.gate, clients.Client(self.live), world.unique('rawh'), 'aa')
        self.d = self.s.remote

    def tearDown(self):
        self.s.clear()

    def session(self, how=r.Pipes):
        return how(self.gate).greet()

    def records(self):
        return self.gate.sessions_about(os.path.basename(self.d), 20)

    def ends(self, before, words, after=b''):
        """The session ends at these words, without an answer to them or to what follows; status not 0."""
        with r.Pipes(self.gate) as session:
            session.say(before)
            if before:
                session.hear()
            session.say(words + after)
            status, rest, err = session.finish()
        self.assertNotEqual(status, 0, (words[:40], err))
        self.assertEqual([p for p in rest if p.type != r.STATUS or r.code(p) == r.OK], [], words[:40])
        return rest

    def test_before_init(self):
        mkdir = r.packet(r.MKDIR, 1, f'{self.d}/made', r.attrs())
        for words in (mkdir, r.packet(r.STAT, 1, self.d), r.extended(1, 'limits@openssh.com'), b'SSH-2.0-x\r\n' * 3, bytes(9)):
            self.ends(b'', words, r.init() + mkdir)
        self.assertEqual(os.listdir(self.d), [])

    def test_second_init(self):
        self.ends(r.init(), r.init(2), r.packet(r.MKDIR, 1, f'{self.d}/made', r.attrs()))
        self.assertEqual(os.listdir(self.d), [])

    def test_versions(self):
        for version in (3, 4, 6, 0xffffffff):
            with r.Pipes(self.gate) as session:
                self.assertEqual(session.ask(r.init(version)).id, 3, version)
        with r.Pipes(self.gate) as session:  # extensions in INIT are a client's good right
            self.assertEqual(session.ask(r.frame(bytes([1]) + r.u32(3) + r.string('x@example.org') + r.string('1'))).type, r.VERSION)
        for version in (0, 1, 2):
            with r.Pipes(self.gate) as session:
                session.say(r.init(version))
                status, rest, _ = session.finish()
                self.assertTrue(status != 0 or [p.type for p in rest] == [r.VERSION], (version, status, rest))

    def test_malformed(self):
        path, handle = r.string(f'{self.d}/x'), r.string(b'\0' * 8)
        bad = {
            'length 0': r.u32(0),
            'too long': r.u32(r.PACKET_MAX + 1) + bytes([r.WRITE]) + bytes(100),
            'far too long': r.u32(0xffffffff) + bytes([r.WRITE]) + bytes(100),
            'no number': r.frame(bytes([r.STAT])),
            'half a number': r.frame(bytes([r.STAT, 0, 0])),
            'no path': r.packet(r.STAT, 1),
            'path longer than packet': r.packet(r.STAT, 1, r.u32(1000) + b'/x'),
            'path of 4 GiB': r.packet(r.STAT, 1, r.u32(0xffffffff) + b'/x'),
            'NUL in a path': r.packet(r.STAT, 1, r.string(f'{self.d}/a\0b')),
            'OPEN without flags': r.packet(r.OPEN, 1, path),
            'OPEN without attributes': r.packet(r.OPEN, 1, path, r.u32(1) + b'\0\0'),
            'attributes cut short': r.packet(r.SETSTAT, 1, path, r.u32(1) + bytes(4)),
            'WRITE longer than packet': r.packet(r.WRITE, 1, handle, r.u64(0), r.u32(100) + b'x'),
            'READ without length': r.packet(r.READ, 1, handle, r.u64(0)),
            'RENAME with one path': r.packet(r.RENAME, 1, path),
            'handle too long': r.packet(r.CLOSE, 1, r.string(b'h' * 257)),
            'extended without a name': r.packet(r.EXTENDED, 1),
            'copy-data cut short': r.extended(1, 'copy-data', handle, r.u64(0)),
        }
        for about, words in bad.items():
            with self.subTest(bad=about):
                self.ends(r.init(), words, r.packet(r.MKDIR, 2, f'{self.d}/made', r.attrs()))
                self.assertEqual(os.listdir(self.d), [])

    def test_cut_anywhere(self):
        """The client goes away within a packet."""
        words = r.open_(1, f'{self.d}/cut', r.F_WRITE | r.F_CREAT)
        for n in (1, 3, 4, 5, 8, 9, 13, len(words) - 1):
            with r.Pipes(self.gate) as session:
                session.greet()
                session.say(words[:n])
                status, rest, _ = session.finish()
            self.assertEqual((rest, status in (0, 1)), ([], True))
        self.assertEqual(os.listdir(self.d), [])

    def test_byte_by_byte(self):
        with self.session() as session:
            for byte in r.open_(1, f'{self.d}/a', r.F_WRITE | r.F_CREAT):
                session.say(bytes([byte]))
            h = r.handle(session.hear())
            for byte in r.write(2, h, 0, b'hello') + r.close(3, h):
                session.say(bytes([byte]))
            self.assertEqual([r.code(a) for a in session.answers(2)], [0, 0])
            self.assertEqual(session.finish()[0], 0)
        with open(f'{self.d}/a', 'rb') as f:
            self.assertEqual(f.read(), b'hello')

    def test_unknown_requests(self):
        """Each is answered in its turn, and the next one is understood."""
        with self.session() as session:
            for kind in list(range(21, 101)) + list(range(106, 200)) + list(range(202, 256)) + [2, 0]:
                reply = session.request(kind, b'anything at all')
                self.assertEqual(r.code(reply), r.UNSUPPORTED, kind)
            for name in ('', 'x', 'posix-rename@openssh.org', 'check-file', 'vendor-id', 'n' * 1000):
                self.assertEqual(r.code(session.request(r.EXTENDED, name, b'\0\xff' * 20)), r.UNSUPPORTED, name)
            for kind in (r.STATUS, r.HANDLE, r.DATA, r.NAME, r.ATTRS, r.REPLY):
                self.assertEqual(r.code(session.request(kind, b'whatever')), r.UNSUPPORTED, kind)
            self.assertEqual(session.request(r.STAT, self.d).type, r.ATTRS)
            self.assertEqual(session.finish()[0], 0)

    def test_handles_are_ours(self):
        with self.session() as one, self.session() as two:
            h = one.open(f'{self.d}/a', r.F_WRITE | r.F_CREAT)
            near = [bytes([*h[:-1], h[-1] ^ 1]), h[:-1], h + b'\0', r.u32(0), r.u32(1), b'\0' * 8, b'x']
            for wrong in near:
                for reply in (one.do(r.write, wrong, 0, b'guess'), one.do(r.read, wrong, 0, 5), one.request(r.FSTAT, r.string(wrong)), one.do(r.close, wrong)):
                    self.assertIn(r.code(reply), (r.FAILURE, r.NO_SUCH_FILE), wrong)
            self.assertIn(r.code(two.do(r.write, h, 0, b'other')), (r.FAILURE, r.NO_SUCH_FILE))
            one.do(r.write, h, 0, b'mine')
            one.do(r.close, h)
            b = one.open(f'{self.d}/b', r.F_WRITE | r.F_CREAT)
            self.assertNotEqual(h, b, 'a handle is not given twice')
            self.assertIn(r.code(one.do(r.write, h, 0, b'stale')), (r.FAILURE, r.NO_SUCH_FILE))
            one.do(r.close, b)
        self.assertEqual([os.stat(f'{self.d}/{n}').st_size for n in 'ab'], [4, 0])

    def test_close_and_end_in_one_segment(self):
        """The real server forgets what it has not looked at yet when its input ends; here it is done."""
        for how in (r.Pipes, r.Remote):
            for name, content, there in (('good.txt', samples.text(), True), ('v.txt', samples.virus(), False)):
                with self.subTest(how=how.__name__, name=name):
                    with self.session(how) as session:
                        h = session.open(f'{self.d}/{name}', r.F_WRITE | r.F_CREAT)
                        session.say(r.write(1, h, 0, content) + r.close(2, h))
                        status, rest, _ = session.finish()
                    self.assertEqual([r.code(p) for p in rest], [0, 0 if there else r.DENIED])
                    self.assertEqual((status == 0, os.listdir(self.d)), (there, [name] * there))
                    if there:
                        os.unlink(f'{self.d}/{name}')

    def test_end_with_open_handles(self):
        """What was never closed is judged all the same, or nothing of it is kept: no half-judged file ever."""
        with self.session() as session:
            for name, content in (('good.txt', samples.text()), ('v.txt', samples.virus()), ('tool', samples.program()), ('empty.txt', b'')):
                h = session.open(f'{self.d}/{name}', r.F_WRITE | r.F_CREAT | r.F_TRUNC)
                if content:
                    session.do(r.write, h, 0, content[:200000])
            status, _, _ = session.finish()
        self.assertEqual(status, 1)
        self.assertEqual(sorted(set(os.listdir(self.d)) - {'good.txt', 'empty.txt'}), [])
        outcomes = {audit.name(x): (audit.outcome(x), audit.rule(x)) for x in audit.files(self.records())}
        self.assertEqual(sorted(outcomes), ['empty.txt', 'good.txt', 'tool', 'v.txt'])
        self.assertEqual((outcomes['v.txt'], outcomes['tool']), (('blocked', 'malware'), ('blocked', 'programs')))
        for name in ('good.txt', 'empty.txt'):
            self.assertEqual(outcomes[name][0] == 'allowed', os.path.exists(f'{self.d}/{name}'), name)

    def test_killed_client(self):
        with self.session(r.Remote) as session:
            h = session.open(f'{self.d}/v.txt', r.F_WRITE | r.F_CREAT)
            session.do(r.write, h, 0, samples.virus())
            session.kill()
        records = audit.files(self.records())
        self.assertEqual([audit.name(x) for x in records], ['v.txt'])
        self.assertNotEqual(audit.outcome(records[0]), 'allowed')
        self.assertEqual(os.listdir(self.d), [])

    def test_refusal_amid_writes(self):
        """64 writes under way when the content turns out to be forbidden: each is answered, the session goes on, nothing stays."""
        body = samples.program()
        body += bytes(64 * 32768 - len(body))
        with self.session() as session:
            h = session.open(f'{self.d}/tool', r.F_WRITE | r.F_CREAT | r.F_TRUNC)
            session.say(b''.join(r.write(i, h, i * 32768, body[i * 32768:(i + 1) * 32768]) for i in range(64)) + r.close(64, h))
            replies = session.answers(65)
            self.assertEqual([a.id for a in replies], list(range(65)))
            codes = [r.code(a) for a in replies]
            self.assertLessEqual(set(codes), {r.OK, r.DENIED})
            self.assertIn(r.DENIED, codes)
            first = codes.index(r.DENIED)
            self.assertLess(first, 64, 'it is said while the client still looks: some ignore the answer to CLOSE')
            self.assertEqual(set(codes[first:64]), {r.DENIED}, 'and from then on for each write')
            self.assertIn(b'blocked by rule "programs"', r.text(replies[first]))
            self.assertEqual(session.put(f'{self.d}/good.txt', samples.text()), [None, 0, 0])
            self.assertEqual(session.finish()[0], 1)
        self.assertEqual(os.listdir(self.d), ['good.txt'])
        outcomes = {audit.name(x): audit.outcome(x) for x in audit.files(self.records())}
        self.assertEqual(outcomes, {'tool': 'blocked', 'good.txt': 'allowed'})

    def test_nothing_is_seen_before_the_verdict(self):
        with self.session() as session:
            with open(f'{self.d}/old.txt', 'wb') as f:
                f.write(b'the old one')
            self.live.own(f'{self.d}/old.txt')
            new, old = (session.open(f'{self.d}/{n}.txt', r.F_WRITE | r.F_CREAT | r.F_TRUNC) for n in ('new', 'old'))
            for h in (new, old):
                for at in range(0, 1 << 20, 32768):
                    session.do(r.write, h, at, samples.text(1000)[:32768])
            with open(f'{self.d}/old.txt', 'rb') as f:
                self.assertEqual(f.read(), b'the old one')
            self.assertNotIn('new.txt', os.listdir(self.d))
            marker = samples.virus()
            for h in (new, old):
                session.do(r.write, h, 1 << 20, marker)
                self.assertEqual(r.code(session.do(r.close, h)), r.DENIED)
            session.finish()
        self.assertEqual(os.listdir(self.d), ['old.txt'])
        with open(f'{self.d}/old.txt', 'rb') as f:
            self.assertEqual(f.read(), b'the old one')

    def test_questions_without_listening(self):
        """More answers than anything between can keep, by a client that does not read before it has asked all: no deadlock, none lost."""
        self.s.there('a', stage.noise(1, 200000))
        with self.session() as session:
            h = session.open(f'{self.d}/a', r.F_READ)
            count = 2000
            session.say(b''.join(r.packet(r.STAT, i, self.d) if i % 2 else r.read(i, h, 0, 32768) for i in range(count)))
            for i in range(count):
                reply = session.hear()
                self.assertEqual((reply.id, reply.type), (i, r.ATTRS if i % 2 else r.DATA))
            self.assertEqual(session.finish()[0], 0)

    def test_many_handles(self):
        """There is an end to them, and it is said; closing one makes room."""
        with self.session() as session:
            mine = []
            for i in range(2000):
                reply = session.do(r.open_, f'{self.d}/f{i}', r.F_WRITE | r.F_CREAT)
                if reply.type != r.HANDLE:
                    self.assertEqual(r.code(reply), r.FAILURE)
                    break
                mine.append(r.handle(reply))
            self.assertGreaterEqual(len(mine), 64)
            self.assertLess(len(mine), 2000)
            session.do(r.close, mine.pop())
            mine.append(session.open(f'{self.d}/one-more', r.F_WRITE | r.F_CREAT))
            for h in mine:
                self.assertEqual(r.code(session.do(r.close, h)), r.OK)
            self.assertEqual(session.finish()[0], 0 if not self.refused() else 1)
        self.assertIn('one-more', os.listdir(self.d))

    def refused(self):
        return [x for x in audit.files(self.records()) if audit.outcome(x) != 'allowed']

    def test_limits_are_kept(self):
        with self.session() as session:
            limits = struct.unpack('>QQQQ', session.request(r.EXTENDED, 'limits@openssh.com').body)
            packet, reads, writes, handles = limits
            self.assertTrue(32768 <= reads <= packet <= r.PACKET_MAX and 32768 <= writes <= packet, limits)
            h = session.open(f'{self.d}/a', r.F_WRITE | r.F_READ | r.F_CREAT)
            self.assertEqual(r.code(session.do(r.write, h, 0, stage.noise(1, writes))), r.OK)
            self.assertEqual(r.code(session.do(r.close, h)), r.OK)
            h = session.open(f'{self.d}/a', r.F_READ)
            got = r.data(session.do(r.read, h, 0, 0xffffffff))
            self.assertEqual(got, stage.noise(1, writes)[:len(got)])
            self.assertGreater(len(got), 0)
            self.assertLessEqual(handles, 4096)
            self.assertEqual(session.finish()[0], 0)

    def test_extensions_are_known(self):
        """Nothing is offered that is not judged here."""
        with self.session() as session:
            offered = set(session.extensions())
        known = {'posix-rename@openssh.com', 'hardlink@openssh.com', 'statvfs@openssh.com', 'fstatvfs@openssh.com', 'fsync@openssh.com', 'lsetstat@openssh.com',
                 'limits@openssh.com', 'expand-path@openssh.com', 'copy-data', 'home-directory', 'users-groups-by-id@openssh.com'}
        self.assertEqual(offered - known, set())
        self.assertIn('limits@openssh.com', offered)

    def test_no_way_out_of_root(self):
        """Every request that bears a path, with paths that lead out: none of them is served, and nothing outside changes."""
        beyond = f'{self.live.base}/outside/{world.unique("out")}'
        os.mkdir(beyond)
        with open(beyond + '/secret', 'wb') as f:
            f.write(b'secret')
        for path in (beyond, beyond + '/secret'):
            self.live.own(path)
        self.s.link_there(beyond, 'door')
        self.s.link_there(beyond + '/secret', 'door-file')
        self.s.there('mine', b'1')
        before = tree.look(beyond, times=True)
        up = '../' * 20 + beyond.lstrip('/')
        outs = [beyond, up, self.d + '/' + up] + [f'{self.d}/{way}door' for way in ('', './/', 'mine/../', 'missing/../', 'mine/x/../../', 'folder/../', 'folder/no/../../')]
        self.s.folder_there('folder')
        with self.session() as session:
            for out in outs:
                for path in (out + '/secret', out + '/new', out):
                    for reply in (session.do(r.open_, path, flags) for flags in (r.F_READ, r.F_WRITE, r.F_WRITE | r.F_CREAT | r.F_TRUNC, r.F_CREAT)):
                        self.assertEqual(reply.type, r.STATUS, path)
                        self.assertNotEqual(r.code(reply), r.OK)
                    for kind, fields in ((r.STAT, (path,)), (r.OPENDIR, (path,)), (r.MKDIR, (out + '/x', r.attrs())), (r.SETSTAT, (path, r.attrs(mode=0o777))),
                                         (r.SETSTAT, (path, r.attrs(size=0))), (r.RENAME, (f'{self.d}/mine', out + '/y')), (r.RENAME, (path + '/', f'{self.d}/got'))):
                        self.refused_reply(session.request(kind, *fields), (kind, path))
                    for name, fields in (('posix-rename@openssh.com', (f'{self.d}/mine', out + '/y')), ('hardlink@openssh.com', (path, f'{self.d}/got')),
                                         ('hardlink@openssh.com', (f'{self.d}/mine', out + '/z')), ('statvfs@openssh.com', (path,))):
                        self.refused_reply(session.request(r.EXTENDED, name, *fields), (name, path))
                for kind in (r.REMOVE, r.RMDIR):
                    self.refused_reply(session.request(kind, out + '/secret'), (kind, out))
                self.refused_reply(session.request(r.LSTAT, out + '/secret'), out)
                self.refused_reply(session.request(r.READLINK, out + '/secret'), out)
            for path in (f'{self.d}/door-file',):
                for flags in (r.F_READ, r.F_WRITE):
                    self.refused_reply(session.do(r.open_, path, flags), path)
                self.refused_reply(session.request(r.SETSTAT, path, r.attrs(size=0)), path)
            for target in (beyond, '/etc/passwd', '../' * 30 + 'etc/passwd'):
                self.refused_reply(session.request(r.SYMLINK, target, f'{self.d}/new-door'), target)
            session.finish()
        self.assertEqual(tree.difference(before, tree.look(beyond, times=True)), [])
        self.assertEqual(sorted(os.listdir(self.d)), ['door', 'door-file', 'folder', 'mine'])

    def refused_reply(self, reply, about):
        self.assertEqual(reply.type, r.STATUS, about)
        self.assertNotEqual(r.code(reply), r.OK, about)
