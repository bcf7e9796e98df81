"""What an attack found, a test for each: clients that never read, a full spool, files that open a door by another name, the server's own files, signals."""
import concurrent.futures
import fcntl
import os
import shutil
import signal
import subprocess
import time
import unittest

import audit
import channel
import configuration
import fake_clamd
import loginshell
import talk
import test_ends
import world

VIRUS_RULE = "{ block 'm' { virus = {'*'} } }"
SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ


class Attack(unittest.TestCase):
    """One after the other: each watches all processes of the session user. Whether anything is left is asked as in test_ends."""

    @classmethod
    def setUpClass(cls):
        cls.live = world.THE

    setUp, left_in_tmp, over, session, open = (getattr(test_ends.Ends, name) for name in ('setUp', 'left_in_tmp', 'over', 'session', 'open'))

    def gate(self, name, body, more='', root='%h', sha256=True, **whole):
        text = configuration.whole(self.live, name, configuration.policy(body, root=root, more=more), **whole)
        return self.live.gate(name, text if sha256 else text.replace('sha256     = true', 'sha256     = false'))

    def deaf(self, gate, command):
        client = channel.Channel(gate, command)
        self.addCleanup(client.close)
        return client

    def put(self, path, data=b''):
        with open(path, 'wb') as f:
            f.write(data)
        self.live.own(path)

    def folder_at(self, path):
        """A folder of the user's that goes with the test."""
        os.mkdir(path)
        self.live.own(path)
        self.addCleanup(shutil.rmtree, path)
        return path

    def tight(self, name, size):
        """A file system with that much room."""
        room = self.folder_at(f'{self.live.base}/{name}')
        world.must(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=0755,uid={self.live.uid},gid={self.live.gid}', 'none', room])
        self.addCleanup(world.run, ['umount', '-l', room])
        return room

    def reasons(self, records):
        return sorted((audit.name(r), audit.outcome(r), audit.reason(r)) for r in audit.files(records))

    def end_of(self, records):
        ends = audit.ends(records)
        self.assertEqual(len(ends), 1, records)
        return ends[0]


def processor(pid):
    """Seconds that a process has used."""
    with open(f'/proc/{pid}/stat', 'rb') as f:
        fields = f.read().rpartition(b')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def heard_to_the_end(client, seconds):
    """All that comes, without a word from here, and how long it took until the other side ended; None: it did not."""
    start = time.monotonic()
    got = client.hear(1 << 24, seconds)
    took = time.monotonic() - start
    return got, took if took < seconds else None


class Silence(Attack):
    """Clients that say nothing, or never read."""

    def expect_given_up(self, gate):
        """The shim waits without working, and goes after its idle timeout of 3 s."""
        shim = self.session('xferwarden')
        time.sleep(0.7)
        before = processor(shim)
        time.sleep(1)
        self.assertLess(processor(shim) - before, 0.2, 'seconds of processor time in one second of waiting')
        records = self.over(gate, 10)
        end = self.end_of(records)
        self.assertEqual(world.get(end, 'event.outcome'), 'failure')
        self.assertIn(audit.reason(end), ('timeout', 'client-gone'))
        return records

    def test_download_that_is_never_read(self):
        names = {f'f{i:03}' for i in range(300)}
        for name in names:
            self.put(f'{self.folder}/{name}', b'x' * 20000)
        gate = self.gate('attack-deaf', '  upload { }\n  download { }\n', '  idle_timeout = 3\n')
        self.deaf(gate, f'scp -r -f {self.folder}').say(bytes(1000))
        files = audit.files(self.expect_given_up(gate))
        outcomes = [audit.outcome(r) for r in files]
        self.assertLess(outcomes.count('allowed'), len(names))
        self.assertLessEqual(len(outcomes) - outcomes.count('allowed'), 1, 'only one was under way')

    def test_replies_that_are_never_read(self):
        gate = self.gate('attack-deaf', '  upload { }\n  download { }\n', '  idle_timeout = 3\n')
        self.deaf(gate, f'scp -t {self.folder}').fill(b'T0 0 0 0\n' * 4096)
        self.assertEqual(audit.files(self.expect_given_up(gate)), [])

    def test_operands_that_are_all_refused(self):
        """In skip mode, and the client does not say that it listens."""
        gate = self.gate('attack-skip', '  upload { }\n  download { }\n', "  on_block = 'skip'\n  idle_timeout = 2\n")
        rows = ('/etc/passwd', '/etc/passwd /etc/group', f'{self.live.base}/keys/{self.word}')
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
            clients = [self.open(gate, f'scp -f {row}') for row in rows]
            for row, (got, took) in zip(rows, pool.map(lambda client: heard_to_the_end(client, 15), clients)):
                with self.subTest(row=row):
                    self.assertIsNotNone(took, 'the session waits for ever')
                    self.assertTrue(talk.is_refusal(got), got)
        for client in clients:
            self.assertNotEqual(client.finish()[0], 0)
        self.live.quiet()
        records = self.over(gate)
        self.assertEqual([(audit.outcome(r), audit.reason(r)) for r in audit.files(records)], [('blocked', 'outside-root')])

    def direct(self, gate, command, pipe):
        """The shim without sshd: its output is a pipe of that many bytes, which nobody reads."""
        def become():
            os.setgroups([])
            os.setgid(self.live.gid)
            os.setuid(self.live.uid)
        shim = subprocess.Popen([self.live.shim, '-f', gate.conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd='/',
                                preexec_fn=become, env={'SSH_ORIGINAL_COMMAND': command, 'SSH_CONNECTION': '192.0.2.7 5000 198.51.100.1 22',
                                                        'ASAN_OPTIONS': f'log_path={self.live.base}/asan/log:detect_leaks=0',
                                                        'UBSAN_OPTIONS': f'log_path={self.live.base}/asan/log:print_stacktrace=1'})
        fcntl.fcntl(shim.stdout, SET_PIPE_SIZE, pipe)
        return shim

    def test_letters_that_wait_at_the_end(self):
        """Seven refusals and the end of a folder wait for a client that does not read; then time is up, or a signal comes, and one thing more is to be said."""
        # where exactly its queue is full depends on what came before: the size of that is varied, by less than what the eight take
        os.mkdir(f'{self.folder}/d')
        for i in range(7):
            self.put(f'{self.folder}/d/b{i}.php', b'x')
        for i in range(3):
            self.put(f'{self.folder}/f{i}', b'x' * 20000)
        gate = self.gate('attack-letters', "  download { block 'scripts' { name = {'*.php'} } }\n", "  on_block = 'skip'\n  idle_timeout = 2\n")

        def one(row):
            size, sig = row
            pad = f'{self.folder}/pad{size}'
            shim = self.direct(gate, f'scp -r -f {self.folder}/f0 {self.folder}/f1 {self.folder}/f2 {pad} {self.folder}/d', 4096)
            shim.stdin.write(bytes(200))
            shim.stdin.flush()
            time.sleep(1)
            if sig:
                shim.send_signal(sig)
            time.sleep(2)  # now it reads after all: else the last words are waited for
            try:
                words = shim.communicate(timeout=8)[1]
            except subprocess.TimeoutExpired:
                shim.kill()
                shim.communicate()
                return 'timeout'
            return shim.returncode, words

        sizes = range(7600, 11200, 400)
        for size in sizes:
            self.put(f'{self.folder}/pad{size}', b'p' * size)
        rows = [(size, sig) for size in sizes for sig in (None, signal.SIGTERM)]
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
            self.assertEqual({row: end for row, end in zip(rows, pool.map(one, rows)) if end != (1, b'')}, {})
        records = self.over(gate)
        ends = audit.ends(records)
        self.assertEqual(len(ends), len(rows))
        blocked = [world.get(end, 'xferwarden.blocked') for end in ends]
        self.assertIn(7, blocked, 'no queue was full at the right moment')
        self.assertEqual(sum(blocked), sum(audit.outcome(r) == 'blocked' for r in audit.files(records)))


class Room(Attack):
    """A spool's folder that is full: a refusal, at once, and for that file only."""
    RULES = f'  upload {VIRUS_RULE}\n  download {VIRUS_RULE}\n'

    def gates(self, spool):
        for delivery in ('hold', 'stream'):
            for sha256 in (True, False):
                yield self.gate(f'attack-full-{delivery}-{sha256}', self.RULES, f"  delivery = '{delivery}'\n  on_block = 'skip'\n  idle_timeout = 20\n",
                                sha256=sha256, memory='64K', spool=spool)

    def test_upload(self):
        for gate in self.gates(self.tight('attack-full', '512k')):
            with self.subTest(gate=gate.name):
                client = self.open(gate, f'scp -t {self.folder}')
                client.say(b'C0644 2000000 big\n' + b'b' * 2000000 + b'\0')
                self.assertEqual(client.hear(2), b'\0\0')
                answer = client.reply(8)
                self.assertTrue(talk.is_refusal(answer), answer or 'the session hangs')
                self.assertEqual(answer[:1], b'\1')
                client.say(b'C0644 2 ok\nok\0')
                self.assertEqual(client.hear(2, 20), b'\0\0')
                self.assertEqual(client.finish()[:2], (1, b''))
                self.assertEqual(os.listdir(self.folder), ['ok'])
                os.unlink(f'{self.folder}/ok')
                records = self.over(gate)
                mine = [r for r in records if world.get(r, 'session.id') == world.get(records[-1], 'session.id')]
                self.assertEqual(self.reasons(mine), [('big', 'blocked', 'spool'), ('ok', 'allowed', None)])

    def test_download(self):
        self.put(f'{self.folder}/big', b'b' * 2000000)
        self.put(f'{self.folder}/ok', b'ok')
        for gate in self.gates(self.tight('attack-full', '512k')):
            with self.subTest(gate=gate.name):
                client = self.open(gate, f'scp -f {self.folder}/big {self.folder}/ok')
                client.say(bytes(8))
                got, took = heard_to_the_end(client, 15)
                self.assertIsNotNone(took, 'the session hangs')
                self.assertIn(b'C0644 2 ok\nok\0', got)
                self.assertNotIn(b'b' * 1000000, got)
                self.assertEqual(client.finish()[0], 1)
                records = self.over(gate)
                self.assertEqual(self.reasons(records), [('big', 'blocked', 'spool'), ('ok', 'allowed', None)])

    def test_one_session_does_not_hold_up_another(self):
        gate = self.gate('attack-crowd', self.RULES, "  on_block = 'skip'\n  idle_timeout = 20\n", memory='64K', spool=self.tight('attack-crowd', '1m'))
        first = self.open(gate, f'scp -t {self.folder}')
        first.say(b'C0644 1500000 fill\n' + b'f' * 900000)
        self.assertEqual(first.hear(2), b'\0\0')
        for _ in range(2):
            victim = self.open(gate, f'scp -t {self.folder}')
            victim.say(b'C0644 300000 v\n' + b'v' * 300000 + b'\0')
            self.assertEqual(victim.hear(2), b'\0\0')
            answer = victim.reply(8)
            self.assertTrue(talk.is_refusal(answer), answer or 'it waits for the other')
            victim.say(b'C0644 2 small\nok\0')
            self.assertEqual(victim.hear(2, 20), b'\0\0')
            self.assertEqual(victim.finish()[0], 1)
        first.say(b'f' * 600000 + b'\0')
        self.assertTrue(talk.is_refusal(first.reply(8)))
        self.assertEqual(first.finish()[0], 1)
        self.over(gate)
        self.assertEqual(os.listdir(self.folder), ['small'])


class Doors(Attack):
    """Files that somebody reads at login, and files that are the server's own, by names that do not say so."""

    def setUp(self):
        super().setUp()
        self.home = self.live.home

    def in_home(self, name):
        """A path in the home for this test only."""
        path = f'{self.home}/{name}'
        self.assertFalse(os.path.lexists(path), path)
        self.addCleanup(lambda: shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.path.lexists(path) and os.unlink(path))
        return path

    def link(self, to, name):
        os.symlink(to, self.in_home(name))
        self.live.own(f'{self.home}/{name}')

    def folders(self, *names):
        for name in names:
            path = f'{self.home}/{name}'
            if '/' not in name:
                self.in_home(name)
            os.mkdir(path)
            self.live.own(path)

    def say_all(self, gate, row):
        """One upload in lockstep, as long as it is let. The replies after the greeting, or that if it refuses. A name that ends with a slash is a folder's."""
        target, *names = row
        client = self.open(gate, f'scp -r -t {target}', shared=True)
        replies = []
        greeting = client.reply()
        for name in names if greeting == b'\0' else ():
            client.say(b'D0755 0 %s\n' % name.rstrip('/').encode() if name.endswith('/') else b'C0644 5 %s\n' % name.encode())
            replies.append(client.reply())
            if replies[-1] != b'\0':
                break
            if not name.endswith('/'):
                client.say(b'evil\n\0')
                replies.append(client.reply(20))
        client.finish()
        return replies or [greeting]

    def homely(self):
        """A home as people have them who keep what is read at login elsewhere."""
        self.folders('dotfiles', 'dotssh', 'pub', '.config', '.config/containers', '.config/containers/systemd')
        self.link('dotfiles/bashrc', '.bashrc')
        self.link('dotssh', '.ssh')
        self.link('.ssh', 'way')
        self.link('dotfiles/none', '.zshrc')
        for name in ('dotfiles/bashrc', '.profile', 'pub/free'):
            if '/' not in name:
                self.in_home(name)
            self.put(f'{self.home}/{name}', b'good\n')
        os.link(f'{self.home}/.profile', f'{self.home}/pub/hard')
        for name in ('.pam_mount.conf.xml', '.bash_completion', '.Ssh', '.Bashrc', '.PROFILE'):
            self.in_home(name)

    def test_login_files_that_are_not_there_yet(self):
        """A link leads to where they will be: what it names is one of them as soon as it is made."""
        self.folders('dotfiles', 'dotconfig')
        for to, name in (('dotfiles/none', '.zshrc'), ('dotssh', '.ssh'), ('dotconfig', '.config'), ('gone/far', '.local')):
            self.link(to, name)
        for name in ('dotssh', 'gone'):
            self.in_home(name)
        gate = self.gate('attack-login', f'  upload {VIRUS_RULE}\n', "  on_block = 'skip'\n")
        rows = (('dotfiles', 'none'), ('dotfiles/none', 'x'), ('.', 'dotssh/'), ('dotssh', 'x'), ('.config', 'fish/'), ('.config/fish', 'x/'), ('dotconfig', 'systemd/'),
                ('.', 'dotconfig/', 'environment.d/'), ('.config/autostart', 'x'), ('.', 'gone/', 'far/', 'share/', 'fish/'))
        for row in rows:
            with self.subTest(row=row):
                replies = self.say_all(gate, row)
                self.assertTrue(talk.is_refusal(replies[-1]), replies)
                self.assertIn(b'read at login', replies[-1])
        self.assertEqual(self.say_all(gate, ('.config', 'git/', 'config')), [b'\0'] * 3)
        self.live.quiet()

    LOGIN = (('.bashrc', 'x'), ('.', '.bashrc'), ('dotfiles', 'bashrc'), ('dotfiles/bashrc', 'x'), ('.', 'dotfiles/', 'bashrc'),
             ('pub/../dotfiles', 'bashrc'), ('.ssh', 'authorized_keys'), ('.ssh/authorized_keys', 'x'), ('dotssh', 'rc'), ('dotssh/rc', 'x'), ('way', 'rc'),
             ('.', 'dotssh/', 'rc'), ('dotssh', 'sub/'), ('.profile', 'x'), ('pub', 'hard'), ('pub/hard', 'x'), ('.', 'pub/', 'hard'),
             ('.', '.Ssh/'), ('.', '.Bashrc'), ('.', '.PROFILE'), ('.', '.pam_mount.conf.xml'), ('.', '.bash_completion'),
             ('.config/containers/systemd', 'x.container'), ('.config', 'containers/', 'systemd/'))

    def test_login_files(self):
        self.homely()
        gate = self.gate('attack-login', f'  upload {VIRUS_RULE}\n', "  on_block = 'skip'\n")
        before = {path: open(path, 'rb').read() for folder, _, names in os.walk(self.home) for path in (f'{folder}/{n}' for n in names) if os.path.exists(path)}
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for row, replies in zip(self.LOGIN, pool.map(lambda row: self.say_all(gate, row), self.LOGIN)):
                with self.subTest(row=row):
                    self.assertTrue(talk.is_refusal(replies[-1]), replies)
                    self.assertIn(b'read at login', replies[-1])
        for row in (('.zshrc', 'x'), ('.', '.zshrc')):  # leads nowhere: what it names would be made
            self.assertTrue(talk.is_refusal(self.say_all(gate, row)[-1]), row)
        self.assertEqual(self.say_all(gate, ('pub', 'free')), [b'\0'] * 2, 'and others can be written')
        self.assertEqual(self.say_all(gate, ('dotfiles', 'notes')), [b'\0'] * 2, 'also beside one')
        self.live.quiet()
        before[f'{self.home}/pub/free'] = before[f'{self.home}/dotfiles/notes'] = b'evil\n'
        after = {path: open(path, 'rb').read() for folder, _, names in os.walk(self.home) for path in (f'{folder}/{n}' for n in names) if os.path.exists(path)}
        self.assertEqual(after, before)
        records = audit.files(gate.records()) + audit.folders(gate.records())
        self.assertEqual(sum(audit.reason(r) == 'login-file' and audit.outcome(r) == 'blocked' for r in records), len(self.LOGIN))

    def test_login_files_that_are_lifted(self):
        """Then also where the link leads."""
        self.homely()
        gate = self.gate('attack-lifted', f'  upload {VIRUS_RULE}\n', "  on_block = 'skip'\n  login_files = {'.bashrc'}\n")
        for row in (('.', '.bashrc'), ('dotfiles', 'bashrc')):
            self.assertEqual(self.say_all(gate, row), [b'\0'] * 2, row)
        self.assertTrue(talk.is_refusal(self.say_all(gate, ('dotssh', 'rc'))[-1]))

    def test_audit_file_below_root(self):
        log = f'{self.folder}/log'
        os.mkdir(log)
        self.live.own(log)
        trail = f'{log}/audit.jsonl'
        for path in (trail, f'{log}/other'):
            self.put(path, b'')
        os.chmod(trail, 0o640)
        os.symlink('audit.jsonl', f'{log}/alias')
        os.link(trail, f'{self.folder}/twin')
        gate = self.gate('attack-audit', f'  upload {VIRUS_RULE}\n  download {{ }}\n', "  on_block = 'skip'\n", audit=trail)
        gate.audit = trail
        inode = os.stat(trail).st_ino
        rows = ((log, 'audit.jsonl'), (trail, 'x'), (log, 'alias'), (f'{log}/alias', 'x'), (self.folder, 'twin'), (f'{self.folder}/twin', 'x'),
                (self.folder, 'log/', 'audit.jsonl'))
        for row in rows:
            with self.subTest(up=row):
                target, *names = row
                replies = self.say_all(gate, (target, *names))
                self.assertTrue(talk.is_refusal(replies[-1]), replies)
        for path in (trail, f'{log}/alias', f'{self.folder}/twin', f'{log}/audit.*', f'-r {self.folder}'):
            with self.subTest(down=path):
                client = self.open(gate, f'scp -f {path}', shared=True)
                client.say(bytes(20))
                status, out, _ = client.finish()
                self.assertEqual(status, 1)
                self.assertNotIn(b'session-start', out)
                self.assertEqual(b'C0644 0 other\n' in out, path.startswith('-r'), out)
        records = self.over(gate)
        self.assertEqual((os.stat(trail).st_ino, len(audit.ends(records))), (inode, len(rows) + 5))
        blocked = [r for r in audit.files(records) if audit.outcome(r) == 'blocked']
        self.assertEqual({audit.reason(r) for r in blocked}, {'reserved'})
        self.assertGreaterEqual(len(blocked), len(rows) + 5)

    def test_scratch_of_another_session(self):
        """Where root is wide enough to hold /tmp: what an inspector unpacks, and what sshd wrote about the key, are out of reach."""
        gate = self.gate('attack-scratch', f'  upload {VIRUS_RULE}\n  download {{ }}\n', "  on_block = 'skip'\n", root='/tmp')
        mine = self.folder_at(f'/tmp/{self.word}')
        first = self.open(gate, f'scp -t {mine}')
        first.say(b'C0644 3 a\nabc\0')
        self.assertEqual(first.hear(3, 20), bytes(3))
        scratch = [path for path in self.left_in_tmp() - self.waste if '/xferwarden-scratch-' in path]
        self.assertEqual(len(scratch), 1, 'the scratch folder of the one session')
        notes = [f'/tmp/{name}' for name in os.listdir('/tmp') if name.startswith('sshauth.') and os.stat(f'/tmp/{name}').st_uid == self.live.uid]
        self.assertNotEqual(notes, [], "sshd's note about the key")
        rows = ((scratch[0], 'evil'), (f'{scratch[0]}/evil', 'x'), (scratch[0], 'sub/'), ('/tmp', f'{os.path.basename(scratch[0])}/', 'evil'),
                ('/tmp', os.path.basename(notes[0])), (notes[0], 'x'))
        for row in rows:
            with self.subTest(up=row):
                replies = self.say_all(gate, row)
                self.assertTrue(talk.is_refusal(replies[-1]), replies)
        for path in (f'-r {scratch[0]}', '-r "/tmp/xferwarden-scratch-*"', notes[0], '"/tmp/sshauth.*"'):
            with self.subTest(down=path):
                client = self.open(gate, f'scp -f {path}')
                client.say(bytes(30))
                status, out, _ = client.finish()
                self.assertNotIn(status, (0, 'timeout'))
                self.assertFalse({b'C', b'D'} & {line[:1] for line in out.split(b'\n')}, out)
        self.assertEqual(os.listdir(scratch[0]), [])
        self.assertEqual(first.finish()[0], 0)
        self.live.quiet()
        self.assertEqual(os.listdir(mine), ['a'])
        self.assertFalse(os.path.exists(scratch[0]))


class Signals(Attack):
    """What ends a process ends a session in order: nothing unjudged stays, and the records say so."""
    RULES = f'  upload {VIRUS_RULE}\n  download {VIRUS_RULE}\n'

    def streaming(self, say, hear):
        """A file in the middle of being streamed: what is infected in it stands on the disk."""
        data = world.VIRUS + b'#' * 1000000
        say(b'C0644 %d evil\n' % len(data) + data[:900000])
        self.assertEqual(hear(2), b'\0\0')
        world.wait_for('some of the file on disk', 5, lambda: os.path.exists(f'{self.folder}/evil') and os.path.getsize(f'{self.folder}/evil') > 100000)

    def expect_nothing_unjudged(self, records, end):
        for name in os.listdir(self.folder):
            with open(f'{self.folder}/{name}', 'rb') as f:
                self.assertNotIn(world.VIRUS, f.read(), name)
        self.assertFalse(os.path.exists(f'{self.folder}/evil'))
        self.assertEqual(self.reasons(records), [('evil', 'failed', end)])
        self.assertEqual(audit.reason(self.end_of(records)), end)

    def test_stream_upload(self):
        gate = self.gate('attack-signal', self.RULES, "  delivery = 'stream'\n")
        top = self.folder
        for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(sig=sig):
                self.word = world.unique('signal')
                self.folder = f'{top}/{self.word}'
                os.mkdir(self.folder)
                self.live.own(self.folder)
                client = self.open(gate, f'scp -t {self.folder}')
                self.streaming(client.say, client.hear)
                os.kill(self.session('xferwarden'), sig)
                got, took = heard_to_the_end(client, 10)
                self.assertIsNotNone(took)
                self.assertTrue(talk.is_refusal(got), got)
                self.assertEqual(client.finish()[0], 1)
                self.expect_nothing_unjudged(self.over(gate), 'stopped')

    def test_while_the_scanner_works(self):
        path = f'{self.live.base}/clamd-attack'
        clamd = fake_clamd.FakeClamd(path, hold=True)
        self.addCleanup(clamd.close)
        gate = self.gate('attack-scanning', self.RULES, scanner=f"scanner {{{{\n  engine = 'clamd'\n  address = {{{{'unix:{path}'}}}}\n  timeout = 60\n}}}}\n")
        client = self.open(gate, f'scp -t {self.folder}')
        client.say(b'C0644 4 evil\nevil\0')
        self.assertEqual(client.hear(2), b'\0\0')
        self.assertTrue(clamd.asked.wait(10))
        os.kill(self.session('xferwarden'), signal.SIGTERM)
        self.assertTrue(talk.is_refusal(client.reply()))
        self.assertEqual(client.finish()[0], 1)
        self.expect_nothing_unjudged(self.over(gate), 'stopped')

    def test_download(self):
        gate = self.gate('attack-signal', self.RULES, "  delivery = 'stream'\n")
        self.put(f'{self.folder}/f', b'f' * (8 << 20))
        client = self.open(gate, f'scp -f {self.folder}/f')
        client.say(b'\0\0')
        self.assertEqual(len(client.hear(200000)), 200000)
        os.kill(self.session('xferwarden'), signal.SIGTERM)
        self.assertEqual(client.finish()[0], 1)
        records = self.over(gate)
        self.assertEqual(self.reasons(records), [('f', 'failed', 'stopped')])
        self.assertEqual(audit.reason(self.end_of(records)), 'stopped')

    def test_client_asks_for_one(self):
        """sshd hands a client's "signal" request to a login shell without forced command; KILL is among those that it knows."""
        text = configuration.whole(self.live, 'attack-shell', configuration.policy(self.RULES, more="  delivery = 'stream'\n"))
        gate = loginshell.LoginShell(self.live, 'attack-shell', text)
        top = self.folder
        for name in ('KILL', 'TERM', 'HUP', 'INT'):
            with self.subTest(signal=name):
                self.word = world.unique('shell')
                self.folder = f'{top}/{self.word}'
                os.mkdir(self.folder)
                self.live.own(self.folder)
                client = self.deaf(gate, f'scp -t {self.folder}')
                self.streaming(client.say, client.hear)
                client.signal(name)
                self.expect_nothing_unjudged(self.over(gate), 'client-gone')
        client = self.open(gate, f'scp -t {self.folder}')
        client.say(b'C0644 4 good\ngood\0')
        self.assertEqual(client.finish()[:2], (0, bytes(3)))
        self.assertEqual(os.listdir(self.folder), ['good'])
