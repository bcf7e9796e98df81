"""A hostile client on the SFTP gate: two steps, two handles or two sessions that are each harmless, and what comes of them together."""
import os
import shutil
import stat
import threading
import unittest

import clients
import configuration
import rawsftp as r
import samples
import stage
import world
from test_sidedoors import rename, rename_over, symbolic_link

W, C, T, A, R, X = r.F_WRITE, r.F_CREAT, r.F_TRUNC, r.F_APPEND, r.F_READ, r.F_EXCL
MARKER = samples.virus()
HALF = len(MARKER) - 20
SCRIPT = b'#!/bin/sh\necho hello\n' * 3


def combined(live):
    """Rules of which no half matches alone."""
    return configuration.whole(live, 'attack-combined', configuration.both('''
  upload {
    block 'runs'  { mode = '0111'  type = {'text/x-shellscript'} }
    block 'heavy' { mode = '0111'  larger_than = '100K' }
    block 'worse' { virus = {'*'}  larger_than = '200K' }
    block 'long'  { name = {'*.txt'}  larger_than = '64K' }
  }
  download { }
'''))


def scanned(live):
    return configuration.whole(live, 'attack-scanned', configuration.both("  upload { block 'malware' { virus = {'*'} } }\n  download { }\n"))


def streamed(live):
    return configuration.whole(live, 'attack-streamed', configuration.both("  upload { block 'malware' { virus = {'*'} } }\n  download { }\n",
                                                                          more="  delivery = 'stream'\n"))


def plain(live):
    return configuration.whole(live, 'attack-plain', configuration.both("  upload { block 'never' { name = {'*.never'} } }\n  download { }\n"))


class Attack(unittest.TestCase):
    maxDiff = 2000
    rules = staticmethod(plain)

    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        cls.gate = cls.live.gate(f'attack-{cls.rules.__name__}', cls.rules(cls.live))

    def setUp(self):
        self.s = stage.Stage(self.live, self.gate, clients.Client(self.live), world.unique('attack'), 'aa')
        self.d = self.s.remote

    def tearDown(self):
        self.s.clear()

    def session(self):
        session = r.Pipes(self.gate)
        self.addCleanup(session.__exit__)
        return session.greet()

    def content(self, name):
        with open(f'{self.d}/{name}', 'rb') as f:
            return f.read()

    def mode(self, name):
        return stat.S_IMODE(os.stat(f'{self.d}/{name}').st_mode)

    def denied(self, reply, rule=None):
        self.assertEqual(r.code(reply), r.DENIED, reply)
        if rule:
            self.assertIn(b'rule "%s"' % rule.encode(), r.text(reply))

    def fine(self, reply):
        self.assertEqual(r.code(reply), r.OK, r.text(reply) if reply.type == r.STATUS else reply)


class TestCombined(Attack):
    rules = staticmethod(combined)

    def test_mode_given_to_content_later(self):
        """A rule about mode and content: the content comes first, harmless with its mode, and then the mode."""
        for name, content, rule in (('a', SCRIPT, 'runs'), ('b', b'x' * 200000, 'heavy')):
            for way in (r.SETSTAT, 'lsetstat@openssh.com', r.FSETSTAT, 'writing'):
                with self.subTest(rule=rule, way=way), self.session() as session:
                    path = f'{self.d}/{name}'
                    if os.path.exists(path):
                        os.unlink(path)
                    self.assertEqual(session.put(path, content)[-1], r.OK)
                    if way == r.SETSTAT:
                        self.denied(session.request(way, path, r.attrs(mode=0o755)), rule)
                    elif way in (r.FSETSTAT, 'writing'):
                        h = session.open(path, R if way == r.FSETSTAT else W)
                        codes = [r.code(session.request(r.FSETSTAT, r.string(h), r.attrs(mode=0o755))), r.code(session.do(r.close, h))]
                        self.assertIn(r.DENIED, codes)
                    else:
                        self.denied(session.request(r.EXTENDED, way, path, r.attrs(mode=0o755)), rule)
                    self.assertEqual(self.mode(name), 0o644)

    def test_mode_that_stands_there(self):
        """What OPEN says of the mode of a file that is there has no effect, so it says nothing."""
        with self.session() as session:
            self.s.there('a', b'harmless\n', 0o755)
            h = r.handle(session.do(r.open_, f'{self.d}/a', W | C | T, r.attrs(mode=0o644)))
            session.do(r.write, h, 0, SCRIPT)
            self.denied(session.do(r.close, h), 'runs')
        self.assertEqual(self.content('a'), b'harmless\n')


    def test_rule_that_wakes_late(self):
        """A rule about content has no question until the mode, or the size, is there; by then the content has gone on."""
        script, bad = SCRIPT + b'# more\n' * 30000, MARKER + b'\n' * 300000
        for name, content, attributes in (('s', script, r.attrs(mode=0o755)), ('v', bad, None), ('w', bad, r.attrs(size=400000)), ('t', script, r.attrs(mode=0o755))):
            with self.subTest(name=name), self.session() as session:
                if name == 't':
                    self.s.there(name, b'stands\n')
                h = r.handle(session.do(r.open_, f'{self.d}/{name}', W | C, r.attrs(mode=0o644)))
                for at in range(0, len(content), 32768):
                    session.do(r.write, h, at, content[at:at + 32768])
                codes = [r.code(session.request(r.FSETSTAT, r.string(h), attributes))] if attributes else []
                codes.append(r.code(session.do(r.close, h)))
                self.assertIn(r.DENIED, codes)
            self.assertFalse(os.path.exists(f'{self.d}/{name}') and self.content(name) != b'stands\n')


def alone(live):
    return configuration.whole(live, 'attack-alone', configuration.both("""
  upload { block 'runs' { mode = '0111'  type = {'text/x-shellscript'} } }
  download { }
"""))


class TestAlone(Attack):
    rules = staticmethod(alone)

    def test_mode_that_wakes_a_rule(self):
        """Only with the mode does the rule ask for the type; by then the content is with the child."""
        script = SCRIPT + b'# more\n' * 30000
        for name, size, there in (('a', 1000, False), ('b', len(script), False), ('c', 1000, True), ('d', len(script), True)):
            with self.subTest(name=name), self.session() as session:
                if there:
                    self.s.there(name, b'stands\n')
                h = r.handle(session.do(r.open_, f'{self.d}/{name}', W | C, r.attrs(mode=0o644)))
                for at in range(0, size, 32768):
                    session.do(r.write, h, at, script[at:min(size, at + 32768)])
                codes = [r.code(session.request(r.FSETSTAT, r.string(h), r.attrs(mode=0o755))), r.code(session.do(r.close, h))]
                self.assertIn(r.DENIED, codes)
            self.assertEqual(os.path.exists(f'{self.d}/{name}'), there)
            self.assertTrue(not there or self.content(name) == b'stands\n')


class TestScanned(Attack):
    rules = staticmethod(scanned)

    def test_halves_over_a_file_that_was_read_before(self):
        """The second handle has seen the old first half, and brings the second; the first one has written its half meanwhile."""
        for sessions in (1, 2):
            for order in ((0, 1), (1, 0)):
                with self.subTest(sessions=sessions, order=order), self.session() as a, self.session() as b:
                    self.s.there('a.bin', b'.' * len(MARKER))
                    two = b if sessions == 2 else a
                    h1, h2 = a.open(f'{self.d}/a.bin', W), two.open(f'{self.d}/a.bin', W)
                    a.do(r.write, h1, 0, MARKER[:HALF])
                    two.do(r.write, h2, HALF, MARKER[HALF:])
                    for i in order:
                        (a, two)[i].do(r.close, (h1, h2)[i])
                    self.assertNotIn(world.VIRUS, self.content('a.bin'))


class TestStreamed(Attack):
    rules = staticmethod(streamed)

    def test_folder_moved_while_content_streams(self):
        """What was passed on before its verdict goes, wherever its folder is by then."""
        with self.session() as a, self.session() as b:
            self.s.folder_there('in')
            h = a.open(f'{self.d}/in/a.bin', W | C)
            for at in range(0, 20 * 32768, 32768):
                self.fine(a.do(r.write, h, at, b'.' * 32768))
            self.fine(a.do(r.write, h, 20 * 32768, MARKER))
            moved = r.code(b.do(rename, f'{self.d}/in', f'{self.d}/out'))
            self.assertEqual(r.code(a.do(r.close, h)), r.DENIED)
        for folder, _, names in os.walk(self.d):
            for name in names:
                with open(f'{folder}/{name}', 'rb') as f:
                    self.assertNotIn(world.VIRUS, f.read(), f'{folder}/{name}, moved: {moved}')


class TestLogin(Attack):
    """root is the home: what is read at login may not come into being in two steps."""

    def tearDown(self):
        for name in ('.config', '.local', 'cfg', 'p'):
            path = f'{self.live.home}/{name}'
            if os.path.islink(path):
                os.unlink(path)
            shutil.rmtree(path, ignore_errors=True)
        super().tearDown()

    def prepare(self, session, top, below):
        path = f'{self.live.home}/{top}'
        for part in [''] + below.split('/')[:-1]:
            path = f'{path}/{part}'.rstrip('/')
            session.request(r.MKDIR, path, r.attrs())
        self.assertEqual(session.put(f'{self.live.home}/{top}/{below}', b'harmless here\n')[-1], r.OK)

    def test_link_to_what_becomes_a_login_folder(self):
        for link, below in (('.config', 'fish/config.fish'), ('.local', 'share/fish/x.fish'), ('.config', 'systemd/user/x.service')):
            for way in ('symlink', 'rename a link', 'rename over'):
                with self.subTest(link=link, way=way), self.session() as session:
                    self.prepare(session, 'cfg', below)
                    target = f'{self.live.home}/{link}'
                    if way == 'symlink':
                        session.request(r.SYMLINK, 'cfg', target)
                    else:
                        session.request(r.SYMLINK, 'cfg', f'{self.live.home}/p')
                        session.do(rename if way == 'rename a link' else rename_over, f'{self.live.home}/p', target)
                    self.assertFalse(os.path.exists(f'{target}/{below}'))
                self.tearDown()
                self.setUp()


class TestRaces(Attack):
    TRIES = 6000

    def test_rename_into_a_folder_that_is_swapped(self):
        """A folder that was looked at is a link to the home a moment later: what is renamed into it would be a file that is read at login."""
        home, stop = self.live.home, threading.Event()
        os.makedirs(f'{home}/.ssh')
        self.live.own(f'{home}/.ssh')
        self.addCleanup(shutil.rmtree, f'{home}/.ssh')
        self.s.folder_there('b/.ssh')
        with self.session() as a, self.session() as b:
            b.request(r.SYMLINK, home, f'{self.d}/l')

            def swap():
                while not stop.is_set():
                    for old, new in (('b', 'b2'), ('l', 'b'), ('b', 'l'), ('b2', 'b')):
                        b.do(rename_over, f'{self.d}/{old}', f'{self.d}/{new}')
            thread = threading.Thread(target=swap)
            thread.start()
            moved = 0
            try:
                a.put(f'{self.d}/x', b'ssh-ed25519 AAAA key\n')
                for _ in range(self.TRIES):
                    if r.code(a.do(rename_over, f'{self.d}/x', f'{self.d}/b/.ssh/authorized_keys')) == r.OK:
                        moved += 1
                        a.put(f'{self.d}/x', b'ssh-ed25519 AAAA key\n')
                    if os.listdir(f'{home}/.ssh'):
                        break
            finally:
                stop.set()
                thread.join()
        self.assertEqual(os.listdir(f'{home}/.ssh'), [])
        self.assertGreater(moved, 0, 'none met the folder')
