"""Whatever dies, at whatever moment: everything ends within seconds, nothing unjudged is left, and the record says how it ended."""
import os
import signal
import time
import unittest

import audit
import clients
import configuration
import fake_clamd
import raw
import samples
import stage
import world

BODY = "  upload { block 'm' { virus = {'*'} } }\n  download { block 'm' { virus = {'*'} } }\n"
PATH = "  upload { block 'never' { name = {'*.never'} } }\n  download { block 'never' { name = {'*.never'} } }\n"


class Ends(unittest.TestCase):
    """One after the other: each watches all processes of the session user."""

    @classmethod
    def setUpClass(cls):
        cls.live = world.THE

    def setUp(self):
        self.live.quiet()
        self.word = world.unique('end')
        self.folder = f'{self.live.home}/t/{self.word}'
        os.makedirs(f'{self.live.home}/t', exist_ok=True)
        self.live.own(f'{self.live.home}/t')
        os.mkdir(self.folder)
        self.live.own(self.folder)
        self.waste = self.left_in_tmp()

    def left_in_tmp(self):
        """Files of the session user's in the places where temporary files are made."""
        found = set()
        for place in ('/tmp', '/var/tmp', '/dev/shm', f'{self.live.base}/spool'):
            for name in os.listdir(place):
                try:
                    if os.lstat(f'{place}/{name}').st_uid == self.live.uid and not name.startswith('sshauth.') and name != 'spool':
                        found.add(f'{place}/{name}')
                except OSError:
                    pass
        return found

    def gate(self, name, body=BODY, more='', **whole):
        return self.live.gate(name, configuration.whole(self.live, name, configuration.policy(body, more=more), **whole))

    def both(self):
        return (self.gate('ends-held'), self.gate('ends-path', PATH), self.gate('ends-stream', BODY, "  delivery = 'stream'\n"))

    def open(self, gate, command, shared=False):
        client = raw.Raw(gate, command, shared)
        self.addCleanup(client.__exit__)
        return client

    def over(self, gate, seconds=8):
        """Nothing runs any more, nothing lies about, and the session's end is recorded."""
        self.live.quiet(seconds)
        self.assertEqual(self.left_in_tmp(), self.waste)
        records = gate.sessions_about(self.word)
        self.assertEqual(len(audit.ends(records)), len({world.get(r, 'session.id') for r in records}))
        return records

    def session(self, wanted):
        """Waits for a process of the session whose command line has that word."""
        return world.wait_for(f'a process {wanted}', 5, lambda: next((p for p, line, _ in self.live.processes() if wanted in line.split(' ')[0]), None))

    UP = (('greeting', b''), ('header', b'C0644 100'), ('after the header', b'C0644 3000000 f\n'), ('mid data', b'C0644 3000000 f\n' + b'x' * 1000000),
          ('before status', b'C0644 1000 f\n' + b'x' * 1000), ('in a folder', b'D0755 0 d\nC0644 1 a\nx\0'), ('second file', b'C0644 1 a\nx\0C0644 50 b\nx'))

    def test_client_killed_in_an_upload(self):
        for gate in self.both():
            for where, said in self.UP:
                with self.subTest(gate=gate.name, where=where):
                    client = self.open(gate, f'scp -r -t {self.folder}')
                    self.assertEqual(client.reply(), b'\0')
                    client.say(said)
                    time.sleep(0.15)
                    client.kill()
                    self.over(gate)
                    if gate.name == 'ends-held' and where != 'before status':  # the end in place of the status byte is what libssh2 sends
                        self.assertFalse(os.path.exists(f'{self.folder}/f'), 'held content is never seen')
                    for name in ('f', 'a', 'b'):
                        if os.path.exists(f'{self.folder}/{name}'):
                            os.unlink(f'{self.folder}/{name}')

    def test_client_killed_in_a_download(self):
        with open(f'{self.folder}/f', 'wb') as f:
            f.write(stage.noise(1, 8 << 20))
        for gate in self.both():
            for where, said, heard in (('greeting', b'', 0), ('record', b'\0', 5), ('mid data', b'\0\0', 200000)):
                with self.subTest(gate=gate.name, where=where):
                    client = self.open(gate, f'scp -f {self.folder}/f')
                    self.session('scp')
                    client.say(said)
                    client.hear(heard)
                    client.kill()
                    self.over(gate)

    def test_client_killed_during_a_scan(self):
        path = f'{self.live.base}/clamd-slow'
        clamd = fake_clamd.FakeClamd(path, hold=True)
        self.addCleanup(clamd.close)
        gate = self.gate('ends-slow', scanner=f"scanner {{{{\n  engine = 'clamd'\n  address = {{{{'unix:{path}'}}}}\n  timeout = 30\n}}}}\n")
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 1000 f\n' + b'x' * 1000 + b'\0')
        self.assertTrue(clamd.asked.wait(10))
        client.kill()
        start = time.monotonic()
        self.over(gate)
        self.assertLess(time.monotonic() - start, 4, 'a client that is gone is noticed while the scanner works')
        self.assertEqual(os.listdir(self.folder), [])

    def test_scanner_that_never_answers(self):
        path = f'{self.live.base}/clamd-never'
        clamd = fake_clamd.FakeClamd(path, hold=True)
        self.addCleanup(clamd.close)
        gate = self.gate('ends-never', scanner=f"scanner {{{{\n  engine = 'clamd'\n  address = {{{{'unix:{path}'}}}}\n  timeout = 2\n}}}}\n")
        self.fails_closed(gate)

    def test_scanner_down(self):
        gate = self.gate('ends-down', scanner=f"scanner {{{{\n  engine = 'clamd'\n  address = {{{{'unix:{self.live.base}/nobody-listens', 'tcp:127.0.0.1:9'}}}}\n"
                         "  timeout = 3\n}}\n")
        self.fails_closed(gate)

    def test_scanner_without_database(self):
        gate = self.gate('ends-empty', scanner=f"scanner {{{{\n  engine = 'libclamav'\n  database = '{self.live.base}/no-database'\n  timeout = 5\n}}}}\n")
        self.fails_closed(gate)

    def fails_closed(self, gate):
        with open(f'{self.folder}/good', 'wb') as f:
            f.write(b'old')
        self.live.own(f'{self.folder}/good')
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 5 good\nhello\0')
        status, out, _ = client.finish(25)
        self.assertNotIn(status, (0, 'timeout'))
        self.assertIn(b'\x02', out)
        with open(f'{self.folder}/good', 'rb') as f:
            self.assertEqual(f.read(), b'old')
        records = audit.files(self.over(gate))
        self.assertEqual([audit.outcome(r) for r in records], ['blocked'], records)
        self.assertTrue(set(audit.unscannable(records[0])) & {'scanner-down', 'timeout'}, records)

    def test_child_killed(self):
        for gate in self.both():
            with self.subTest(gate=gate.name):
                client = self.open(gate, f'scp -t {self.folder}')
                self.assertEqual(client.reply(), b'\0')
                os.kill(self.session('scp'), signal.SIGKILL)
                client.say(b'C0644 5 f\nhello\0')
                status, out, _ = client.finish()
                self.assertNotIn(status, (0, 'timeout'), out)
                self.over(gate)

    def test_child_killed_in_mid_data(self):
        gate = self.gate('ends-path', PATH)
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 5000000 f\n' + bytes(1000000))
        self.assertEqual(client.reply(), b'\0')
        os.kill(self.session('scp'), signal.SIGKILL)
        client.say(bytes(4000001))
        status, out, _ = client.finish()
        self.assertNotIn(status, (0, 'timeout'))
        self.assertNotEqual(out, b'\0', 'not an OK')
        self.over(gate)

    def test_child_killed_in_a_download(self):
        with open(f'{self.folder}/f', 'wb') as f:
            f.write(stage.noise(1, 8 << 20))
        gate = self.gate('ends-path', PATH)
        client = self.open(gate, f'scp -f {self.folder}/f')
        client.say(b'\0\0')
        client.hear(100000)
        os.kill(self.session('scp'), signal.SIGKILL)
        client.say(b'\0')
        status, out, _ = client.finish()
        self.assertNotIn(status, (0, 'timeout'))
        self.over(gate)

    def test_child_stopped(self):
        gate = self.gate('ends-stopped', PATH, more='  idle_timeout = 3\n')
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        os.kill(self.session('scp'), signal.SIGSTOP)
        client.say(b'C0644 5 f\nhello\0')
        start = time.monotonic()
        status, _, _ = client.finish(20)
        self.assertNotIn(status, (0, 'timeout'))
        self.assertLess(time.monotonic() - start, 15)
        self.over(gate)

    def test_inspector_killed(self):
        gate = self.gate('ends-held')
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 5 a\nhello\0')
        self.assertEqual((client.reply(), client.reply(20)), (b'\0', b'\0'))
        os.kill(self.session('inspector'), signal.SIGKILL)
        client.say(b'C0644 5 b\nworld\0')
        status, out, _ = client.finish(20)
        self.assertNotIn(status, ('timeout',))
        records = audit.files(self.over(gate))
        self.assertEqual(len(records), 2)
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(audit.name(r) for r in records if audit.outcome(r) == 'allowed'))
        self.assertEqual(status == 0, len(os.listdir(self.folder)) == 2, out)

    def test_inspector_stopped(self):
        gate = self.gate('ends-short', scanner=configuration.ENGINE.replace('60', '2'))
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 5 a\nhello\0')
        self.assertEqual((client.reply(), client.reply(20)), (b'\0', b'\0'))
        os.kill(self.session('inspector'), signal.SIGSTOP)
        client.say(b'C0644 5 b\nworld\0')
        status, _, _ = client.finish(20)
        self.assertNotIn(status, ('timeout', 0))
        self.over(gate)
        self.assertEqual(os.listdir(self.folder), ['a'])

    def test_shim_killed(self):
        for gate in self.both():
            with self.subTest(gate=gate.name):
                client = self.open(gate, f'scp -t {self.folder}')
                self.assertEqual(client.reply(), b'\0')
                client.say(b'C0644 5000000 f\n' + bytes(1000))
                os.kill(self.session('xferwarden'), signal.SIGKILL)
                self.live.quiet()
                self.assertEqual(self.left_in_tmp(), self.waste)
                self.assertNotEqual(client.finish()[0], 0)

    def test_shim_asked_to_end(self):
        for sig in (signal.SIGTERM, signal.SIGHUP):
            with self.subTest(sig=sig):
                gate = self.gate('ends-held')
                client = self.open(gate, f'scp -t {self.folder}')
                self.assertEqual(client.reply(), b'\0')
                os.kill(self.session('xferwarden'), sig)
                self.assertNotEqual(client.finish()[0], 0)
                self.live.quiet()

    def test_real_client_killed(self):
        gate = self.gate('ends-held')
        scp = clients.OpenSSH(self.live)
        scp.shared = False
        s = stage.Stage(self.live, gate, scp, self.word + 'x', 'gg')
        s.here('big', stage.noise(2, 48 << 20))
        done = world.run(['timeout', '-s', 'KILL', '0.7'] + scp.argv(gate, ['-l', '20000']) + ['big', f'{scp.at(gate)}:{s.remote}/'], cwd=s.local)
        self.assertNotEqual(done.status, 0)
        self.live.quiet()
        self.assertEqual(os.listdir(s.remote), [])
        self.assertEqual(self.left_in_tmp(), self.waste)

    def test_disk_full(self):
        """The target's file system and the spool's are full in turn; the sum of what is stored and what is said is the same."""
        small = f'{self.live.home}/small'
        os.makedirs(small, exist_ok=True)
        world.must(['mount', '-t', 'tmpfs', '-o', f'size=256k,mode=0755,uid={self.live.uid},gid={self.live.gid}', 'none', small])
        try:
            for gate in self.both():
                with self.subTest(gate=gate.name):
                    client = self.open(gate, f'scp -t {small}')
                    self.assertEqual(client.reply(), b'\0')
                    client.say(b'C0644 1000000 f-%s\n' % self.word.encode() + b'x' * 1000000 + b'\0')
                    status, out, _ = client.finish()
                    self.assertNotIn(status, (0, 'timeout'))
                    self.assertIn(b'No space left', out)
                    self.over(gate)
                    for name in os.listdir(small):
                        os.unlink(f'{small}/{name}')
            gate = self.gate('ends-spool', memory='64K', spool=small)
            client = self.open(gate, f'scp -t {self.folder}')
            self.assertEqual(client.reply(), b'\0')
            client.say(b'C0644 1000000 f\n' + b'x' * 1000000 + b'\0')
            status, out, _ = client.finish()
            self.assertNotIn(status, (0, 'timeout'))
            self.assertEqual(os.listdir(self.folder), [])
            self.assertEqual([audit.reason(r) for r in audit.files(self.over(gate))], ['spool'])
        finally:
            world.run(['umount', '-l', small])

    def test_larger_than_the_spool(self):
        gate = self.gate('ends-limit', memory='64K', limit='100K')
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 1000000 f\n')
        self.assertIn(client.reply()[:1], (b'\1', b'\2'), 'known before the data is sent')
        client.finish()
        self.assertIn([audit.reason(r) for r in audit.files(self.over(gate))], (['spool'], ['unscannable']))

    def test_spool_on_disk(self):
        gate = self.gate('ends-disk', memory='64K')
        data = samples.virus(at=1 << 20)
        client = self.open(gate, f'scp -t {self.folder}')
        self.assertEqual(client.reply(), b'\0')
        client.say(b'C0644 2000000 f\n' + b'y' * 2000000 + b'\0')
        self.assertEqual((client.reply(), client.reply(20)), (b'\0', b'\0'))
        client.say(b'C0644 %d g\n' % len(data) + data + b'\0')
        status, out, _ = client.finish()
        self.assertNotEqual(status, 0)
        self.assertIn(b'blocked by rule "m"', out)
        self.assertEqual(os.listdir(self.folder), ['f'])
        self.over(gate)

    # -- no record, no transfer

    def tiny(self, gate, limit):
        """An audit file on a file system with that much room."""
        room = f'{self.live.base}/audit/{gate}'
        os.makedirs(room, exist_ok=True)
        world.must(['mount', '-t', 'tmpfs', '-o', f'size={limit},mode=0755,uid={self.live.uid},gid={self.live.gid}', 'none', room])
        return room

    def test_audit_full(self):
        for on_failure in ('refuse', 'continue'):
            with self.subTest(on_failure=on_failure):
                name = f'ends-audit-{on_failure}'
                room = self.tiny(name, '8k')
                try:
                    gate = self.gate(name, PATH, audit=f'{room}/audit.jsonl', on_failure=on_failure)
                    with open(f'{room}/fill', 'wb') as f:
                        try:
                            f.write(bytes(1 << 20))
                        except OSError:
                            pass
                    with open(f'{self.folder}/f', 'wb') as f:
                        f.write(b'old')
                    self.live.own(f'{self.folder}/f')
                    client = self.open(gate, f'scp -t {self.folder}')
                    client.say(b'C0644 3 f\nnew\0')
                    status, out, _ = client.finish()
                    with open(f'{self.folder}/f', 'rb') as f:
                        stored = f.read()
                    if on_failure == 'refuse':
                        self.assertNotIn(status, (0, 'timeout'), out)
                        self.assertIn(b'record', out)
                    else:
                        self.assertEqual((status, stored), (0, b'new'), out)
                finally:
                    world.run(['umount', '-l', room])

    def test_audit_no_file(self):
        """Devices, links and folders are no audit files."""
        link = f'{self.live.base}/audit/link'
        os.symlink('/tmp/nowhere', link)
        for i, path in enumerate(('/dev/full', '/dev/null', link, self.live.base, '/no/such/folder/x')):
            with self.subTest(path=path):
                gate = self.gate(f'ends-noaudit{i}', PATH, audit=path)
                client = self.open(gate, f'scp -t {self.folder}')
                client.say(b'C0644 3 f\nnew\0')
                status, out, _ = client.finish()
                self.assertNotIn(status, (0, 'timeout'), out)
                self.assertEqual(os.listdir(self.folder), [])
        self.assertFalse(os.path.exists('/tmp/nowhere'))
