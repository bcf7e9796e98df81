"""Where a path really leads: outside root, to what is no file, to what is read at login. All of it is refused, by name and by record."""
import functools
import os
import socket
import stat
import subprocess
import unittest

import audit
import clients
import configuration
import raw
import stage
import tree
import world

GATES = (
    ('at-path', "  upload { block 'never' { name = {'*.never'} } }\n  download { }\n"),
    ('at-held', "  upload { block 'm' { virus = {'*'} } }\n  download { block 'm' { virus = {'*'} } }\n"),
)


def at_each_gate(test):
    @functools.wraps(test)
    def run(self):
        for name, body in GATES:
            gate = self.live.gate(name, configuration.whole(self.live, name, configuration.policy(body)))
            with self.subTest(gate=name):
                test(self, stage.Stage(self.live, gate, self.scp, world.unique('to'), 'gg'))
    return run


class Targets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        cls.scp = clients.OpenSSH(cls.live)

    def refused(self, s, done, reason, told=True):
        self.assertEqual(done.status, 1, done)
        if told:
            self.assertIn(b'xferwarden: ', done.err)
        reasons = [audit.reason(r) for r in s.gate.sessions_about(f'{s.word}.{s.half}') if audit.reason(r)]
        self.assertIn(reason, reasons)

    @at_each_gate
    def test_outside(self, s):
        os.mkdir(s.beyond)
        self.live.own(s.beyond)
        s.here(s.word + '.txt', b'x')
        for target in (s.beyond.encode(), s.beyond.encode() + b'/x', b'/tmp/' + s.word.encode(), b'../../../outside/' + os.path.basename(s.beyond).encode()):
            with self.subTest(target=target):
                self.refused(s, s.up([s.word + '.txt'], target), 'outside-root')
        self.assertEqual(os.listdir(s.beyond), [])
        self.assertFalse(os.path.exists('/tmp/' + s.word))

    @at_each_gate
    def test_outside_down(self, s):
        os.mkdir(s.beyond)
        with open(s.beyond + '/f', 'wb') as f:
            f.write(b'secret')
        s.link_there(s.beyond + '/f', 'link')
        s.link_there(s.beyond, 'folder')
        for source in (s.beyond.encode() + b'/f', b'link', b'folder/f', b'../../../outside/' + os.path.basename(s.beyond).encode() + b'/f'):
            with self.subTest(source=source):
                self.refused(s, s.down([source], 'x'), 'outside-root')
        self.assertEqual(s.down(['/etc/passwd'], 'x').status, 1)
        self.assertEqual(os.listdir(s.local), [])

    @at_each_gate
    def test_link_out_of_root(self, s):
        os.mkdir(s.beyond)
        self.live.own(s.beyond)
        with open(s.beyond + '/f', 'wb') as f:
            f.write(b'keep')
        os.chmod(s.beyond + '/f', 0o666)
        s.link_there(s.beyond, 'folder')
        s.link_there(s.beyond + '/f', 'file')
        s.here('f', b'new')
        for target in ('folder', 'folder/f', 'folder/new', 'file'):
            with self.subTest(target=target):
                self.refused(s, s.up(['f'], target), 'outside-root')
        self.assertEqual(os.listdir(s.beyond), ['f'])
        with open(s.beyond + '/f', 'rb') as f:
            self.assertEqual(f.read(), b'keep')

    @at_each_gate
    def test_recursive_through_a_link_out(self, s):
        os.mkdir(s.beyond)
        self.live.own(s.beyond)
        s.link_there(s.beyond, 'd')
        s.here('d/f', b'new')
        self.assertEqual(s.up(['d'], '', recursive=True).status, 1)
        self.assertEqual(os.listdir(s.beyond), [])
        with open(s.beyond + '/secret', 'wb') as f:
            f.write(b'secret')
        s.there('tree/a', b'1')
        s.link_there(s.beyond, 'tree/out')
        done = s.down(['tree'], recursive=True)
        self.assertEqual(done.status, 1, done)
        self.assertNotIn(b'secret', b''.join(os.fsencode(n) for _, _, names in os.walk(s.local) for n in names))

    @at_each_gate
    def test_no_regular_file(self, s):
        s.here('x', b'data')
        os.mkfifo(s.remote + '/fifo')
        os.mknod(s.remote + '/null', 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        with socket.socket(socket.AF_UNIX) as listener:
            os.chdir(s.remote)
            listener.bind('socket')
            os.chdir('/')
        s.link_there('nowhere', 'dangling')
        s.link_there('fifo', 'to-fifo')
        for name in ('fifo', 'null', 'socket', 'to-fifo'):
            self.live.own(s.remote + '/' + name)
        for name in ('fifo', 'null', 'socket', 'dangling', 'to-fifo'):
            with self.subTest(name=name):
                self.refused(s, s.up(['x'], name), 'not-a-file')
        self.assertFalse(os.path.lexists(s.remote + '/nowhere'))
        for name in ('fifo', 'null', 'socket', 'dangling', 'to-fifo'):
            with self.subTest(down=name):
                self.assertEqual(s.down([name], 'y').status, 1)
        self.assertEqual(os.listdir(s.local), ['x'])

    @at_each_gate
    def test_kernel_names(self, s):
        s.here('x', b'data')
        for target in ('/dev/stdout', '/dev/null', '/proc/self/fd/1', '/proc/self/x', '/dev/shm/' + s.word, '/sys/x', '/dev/tcp/127.0.0.1/1'):
            with self.subTest(target=target):
                done = s.up(['x'], target)
                self.assertEqual(done.status, 1, done)
                self.assertNotIn(b'data', done.out)
        for source in ('/proc/self/environ', '/proc/self/maps', '/dev/zero', '/proc/self/root/etc/passwd'):
            with self.subTest(source=source):
                self.assertEqual(s.down([source], 'y').status, 1)
        self.assertEqual(os.listdir(s.local), ['x'])
        self.assertFalse(os.path.exists('/dev/shm/' + s.word))

    def test_kernel_names_even_where_root_is_all(self):
        gate = self.live.gate('at-slash', configuration.whole(self.live, 'at-slash', configuration.policy('  upload { }\n  download { }\n', root='/')))
        s = stage.Stage(self.live, gate, self.scp, world.unique('to'), 'gg')
        s.here('x', b'data')
        for target in ('/dev/stdout', '/dev/null', '/proc/self/fd/1', '/dev/fd/2'):
            with self.subTest(target=target):
                done = s.up(['x'], target)
                self.assertEqual(done.status, 1, done)
        for source in ('/proc/self/environ', '/proc/self/status', '/dev/zero'):
            with self.subTest(source=source):
                self.assertEqual(s.down([source], 'y').status, 1)
        self.assertEqual(s.up(['x'], 'x').status, 0)
        self.assertEqual(s.down(['/etc/hostname'], 'y').status, 0)

    LOGIN = ('.bashrc', '.profile', '.bash_profile', '.bash_login', '.bash_logout', '.zshenv', '.cshrc', '.pam_environment', '.ssh/authorized_keys', '.ssh/rc',
             '.ssh/environment', '.config/fish/config.fish', '.rhosts', '.k5login', '.forward', '.ssh/new/deep')

    @at_each_gate
    def test_login_files(self, s):
        for folder in ('.ssh', '.config', '.config/fish', '.ssh/new'):
            os.makedirs(f'{self.live.home}/{folder}', exist_ok=True)
            self.live.own(f'{self.live.home}/{folder}')
        s.link_there(self.live.home, 'home')
        s.here('x', s.word.encode())
        before = tree.stamps(self.live.home)
        for name in self.LOGIN:
            for target in (f'~/{name}', name, f'./t/../{name}', f'{s.remote}/home/{name}'):
                with self.subTest(target=target):
                    self.assertEqual(s.up(['x'], target, raw=True).status, 1)
        self.assertEqual([n for n in tree.changed(self.live.home, before) if not n.startswith(b't/')], [])
        reasons = {audit.reason(r) for r in audit.files(s.gate.records()) if audit.outcome(r) == 'blocked'}
        self.assertIn('login-file', reasons)

    @at_each_gate
    def test_login_files_by_recursion(self, s):
        s.here('.ssh/authorized_keys', b'ssh-ed25519 AAAA x')
        s.here('.config/fish/config.fish', b'x')
        s.here('.ssh/ok', b'x')
        before = tree.stamps(self.live.home)
        self.assertEqual(s.up(['.ssh'], '~', raw=True, recursive=True).status, 1)
        self.assertEqual(s.up(['.config'], '~', raw=True, recursive=True).status, 1)
        self.assertEqual([n for n in tree.changed(self.live.home, before) if not n.startswith(b't/')], [])

    @at_each_gate
    def test_login_names_elsewhere_are_names(self, s):
        s.here('.bashrc', b'x')
        self.assertEqual(s.up(['.bashrc'], '').status, 0)
        self.assertEqual(os.listdir(s.remote), ['.bashrc'])

    def test_login_file_lifted(self):
        gate = self.live.gate('lifted', configuration.whole(self.live, 'lifted', configuration.policy('  upload { }\n', more="  login_files = {'.forward'}\n")))
        s = stage.Stage(self.live, gate, self.scp, world.unique('to'), 'gg')
        s.here('x', b'x')
        try:
            self.assertEqual(s.up(['x'], '.forward', raw=True).status, 0)
            self.assertEqual(s.up(['x'], '.profile', raw=True).status, 1)
        finally:
            if os.path.exists(self.live.home + '/.forward'):
                os.unlink(self.live.home + '/.forward')

    @at_each_gate
    def test_switching_links(self, s):
        """A folder that turns into a link to the outside and back, as fast as it can, while files are sent into it: none gets out."""
        os.mkdir(s.beyond)
        self.live.own(s.beyond)
        s.folder_there('in')
        os.rename(s.remote + '/in', s.remote + '/real')
        for name, target in (('a', 'real'), ('b', s.beyond)):
            s.link_there(target, name)
        s.link_there('real', 'in')
        switch = f'cd {s.remote} && for i in $(seq 1 3000); do ln -sfn real n && mv -T n in; ln -sfn {s.beyond} n && mv -T n in; done'
        child = subprocess.Popen(['setpriv', f'--reuid={self.live.uid}', f'--regid={self.live.gid}', '--clear-groups', 'timeout', '60', 'sh', '-c', switch])
        try:
            rounds = 0
            while child.poll() is None and rounds < 40:
                rounds += 1
                with raw.Raw(s.gate, f'scp -t {s.remote}/in') as client:
                    client.say(b'C0644 5 f%d\nhello\0' % rounds)
                    client.finish()
        finally:
            child.kill()
            child.wait()
        self.assertEqual(os.listdir(s.beyond), [])
