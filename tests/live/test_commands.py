"""What a session may ask for: the forms that real clients send, and the refusal of everything else."""
import os
import shlex
import unittest

import audit
import configuration
import raw
import rawsftp
import world

# Forms of an upload to the folder {d}; each then sends the same two records. Recorded from the clients named.
UPLOADS = (
    'scp -t {d}', 'scp -d -t {d}', 'scp -v -r -p -d -t {d}', 'scp -r -p -t {d}', 'scp -t -- {d}',  # OpenSSH
    "scp -t '{d}'", "scp -pt '{d}'",  # libssh2
    "scp -t  '{d}'", "scp -t -r '{d}'",  # libssh
    "scp -r -t '{d}'", 'scp -l 100000 -t {d}',  # scp.py
    'scp -qt "{d}"', "scp -q -t -r -p '{d}'", "scp -tpr '{d}'",  # Go
    'scp -vt {d}', 'scp -rvt {d}',  # packer
    'scp -t -v -r -p {d}', "scp -t -r -p '{d}'", 'scp -l100000 -t {d}',  # net-scp, sshj
    'scp -t -d "{d}"', 'scp -r -p -d -t "{d}"',  # SSH.NET
    'scp -d -r -p -t -- {d}',  # MINA
    '/usr/bin/scp -t {d}', ' scp  -t\t{d} ',
)

REFUSED = (
    '', ' ', 'id', 'sh', 'bash -i', '/bin/sh -c id', 'scp', 'scp -t', 'scp -f', 'scp -t a b', 'scp -t {d}/x -r', 'scp {d}/a {d}/b',
    'scp -S /bin/sh -t {d}', 'scp -o ProxyCommand=id -t {d}', 'scp -oProxyCommand=id -t {d}', 'scp -F /dev/null -t {d}', 'scp -J x -t {d}',
    'scp -D /bin/sh -t {d}', 'scp -i k -t {d}', 'scp -c none -t {d}', 'scp -P 22 -t {d}', 'scp -X a=b -t {d}', 'scp -1 -t {d}', 'scp -r a host:b',
    'scp -t {d}; touch {d}/pwned', 'scp -t {d} && touch {d}/pwned', 'scp -t {d} || touch {d}/pwned', 'scp -t {d} & touch {d}/pwned',
    'scp -t {d} | touch {d}/pwned', 'scp -t {d}\ntouch {d}/pwned', 'scp -t $(touch {d}/pwned)', 'scp -t `touch {d}/pwned`', 'scp -t "$(touch {d}/pwned)"',
    'scp -t "`touch {d}/pwned`"', 'scp -t $HOME', 'scp -t "$HOME"', 'scp -t {d} > {d}/pwned', 'scp -t {d} < /etc/passwd', 'scp -t ({d})',
    'scp -t {d} # x', "scp -t '{d}", 'scp -t "{d}', 'scp -t {d}\\', 'FOO=1 scp -t {d}', 'sudo scp -t {d}', 'exec scp -t {d}', './scp -t {d}',
    '{d}/scp -t {d}', '/usr/bin/../bin/scp -t {d}', 'scp -t -rf {d} x', 'scp -ft {d}', 'scp -t -f {d}', 'scp --help -t {d}',
    'rsync --server -vlogDtpre.iLsfxCIvu . {d}', "git-upload-pack '{d}'", 'ls -la {d}', "echo hi", 'test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server',
    'svnserve -t', 'borg serve', 'mosh-server new', 'scp -t ' + 'x' * 5000, 'scp -f ' + 'x ' * 2000, 'scp -t {d}/\x01', 'scp\x01 -t {d}', '-c id',
)

BODY = '  upload { }\n  download { }\n'


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        cls.gate = cls.live.gate('commands', configuration.whole(cls.live, 'commands', configuration.policy(BODY)))

    def folder(self):
        path = f'{self.live.home}/t/{world.unique("cmd")}'
        os.makedirs(f'{self.live.home}/t', exist_ok=True)
        self.live.own(f'{self.live.home}/t')
        os.mkdir(path)
        self.live.own(path)
        return path

    def test_forms_of_clients(self):
        for form in UPLOADS:
            with self.subTest(form=form):
                d = self.folder()
                with raw.Raw(self.gate, form.format(d=d)) as client:
                    client.say(b'C0644 5 a\nhello\0')
                    status, out, _ = client.finish()
                self.assertEqual((status, out, os.listdir(d)), (0, bytes(3), ['a']))

    def test_refused(self):
        for form in REFUSED:
            with self.subTest(form=form):
                d = self.folder()
                command = form.format(d=d)
                with raw.Raw(self.gate, command) as client:
                    client.say(b'C0644 5 a\nhello\0')
                    status, out, err = client.finish()
                self.assertNotIn(status, (0, 'timeout'), (out, err))
                self.assertNotIn(b'\0', out, 'nothing is accepted')
                self.assertNotEqual(out.strip() + err.strip(), b'', 'a reason is given')
                self.assertEqual(os.listdir(d), [])
                if d in command and len(command) < 4000:
                    records = self.gate.sessions_about(os.path.basename(d))
                    self.assertEqual(len(audit.refusals(records)) + len(audit.files(records)), 1, records)

    def test_shell_request(self):
        done = self.gate.ssh(None, data=b'id\n')
        self.assertNotEqual(done.status, 0)
        self.assertNotIn(b'uid=', done.out)
        self.assertNotEqual(done.err, b'')

    def test_sftp_request(self):
        done = world.run(['sftp', '-b', '-'] + self.gate.ssh_options() + [f'{self.live.user}@127.0.0.1'], data=b'ls\n', timeout=20)
        self.assertNotIn(done.status, (0, 'timeout'))
        with rawsftp.Remote(self.gate) as session:
            session.say(rawsftp.init() + rawsftp.packet(rawsftp.STAT, 5, '/') + rawsftp.packet(rawsftp.REALPATH, 6, '.'))
            status, replies, _ = session.finish()
        self.assertNotEqual(status, 0)
        self.assertEqual([(p.type, p.id) for p in replies], [(rawsftp.VERSION, 3), (rawsftp.STATUS, 5), (rawsftp.STATUS, 6)])
        self.assertEqual({rawsftp.code(p) for p in replies[1:]}, {rawsftp.DENIED}, 'each request is told why')
        self.assertIn(b'xferwarden: ', rawsftp.text(replies[1]))

    def test_environment_is_not_believed(self):
        """A shell request whose client sets SSH_ORIGINAL_COMMAND itself; sshd takes it only where AcceptEnv says so, as here it does not."""
        done = world.run(['ssh'] + self.gate.ssh_options(False) + ['-o', 'SetEnv=SSH_ORIGINAL_COMMAND="scp -f /etc/passwd"', '-T', f'{self.live.user}@127.0.0.1'],
                         data=b'\0\0\0\0')
        self.assertNotEqual(done.status, 0)
        self.assertNotIn(b'root:', done.out)

    def test_as_a_login_shell(self):
        """sshd calls a login shell with -c and the request; no ForceCommand is needed. The installed configuration is the one that counts."""
        shim, ctl = f'{self.live.base}/bin/xferwarden', f'{self.live.base}/bin/xferwardenctl'
        conf = world.must([ctl, '--help']).decode().partition('The configuration is ')[2].split()[0]
        shelf = os.path.dirname(os.path.dirname(conf))
        if shelf == '/etc' or not os.path.isdir(shelf):
            self.skipTest(f'{shelf} cannot be covered for a moment')
        d = self.folder()
        env = {'HOME': self.live.home, 'USER': self.live.user, 'PATH': '/usr/bin:/bin', 'SSH_CONNECTION': '127.0.0.1 1 127.0.0.1 2'}
        cover = f'mount -t tmpfs none {shelf} && mkdir {os.path.dirname(conf)} && install -m 644 {self.gate.conf} {conf} && exec "$@"'
        run_as = ['unshare', '-m', 'sh', '-c', cover, 'sh', 'setpriv', f'--reuid={self.live.uid}', f'--regid={self.live.gid}', '--clear-groups', '--']
        done = world.run(run_as + [shim, '-c', f'scp -t {shlex.quote(d)}'], data=b'C0644 2 a\nhi\0', env=env)
        self.assertEqual((done.status, done.out, os.listdir(d)), (0, bytes(3), ['a']), done)
        for request in ('id', 'sh', ''):
            done = world.run(run_as + [shim, '-c', request], env=env)
            self.assertNotEqual(done.status, 0)
            self.assertNotIn(b'uid', done.out)
        done = world.run(run_as + [shim, '-f', self.gate.conf, '-c', f'scp -t {shlex.quote(d)}'], env=env)
        self.assertNotEqual(done.status, 0, 'a login shell is never called with both')

    def test_configuration_in_doubt(self):
        """A file that others may write, or with a mistake in it, permits nothing."""
        def spoil_mode(gate):
            os.chmod(gate.conf, 0o666)

        def spoil_owner(gate):
            self.live.own(gate.conf)

        def spoil_text(gate):
            with open(gate.conf, 'a') as f:
                f.write('policy {\n')

        for i, spoil in enumerate((spoil_mode, spoil_owner, spoil_text, lambda gate: os.unlink(gate.conf))):
            with self.subTest(i=i):
                gate = self.live.gate(f'doubt{i}', configuration.whole(self.live, f'doubt{i}', configuration.policy(BODY)))
                spoil(gate)
                d = self.folder()
                with raw.Raw(gate, f'scp -t {d}') as client:
                    client.say(b'C0644 5 a\nhello\0')
                    status, out, _ = client.finish()
                self.assertNotIn(status, (0, 'timeout'))
                self.assertNotIn(b'\0', out)
                self.assertEqual(os.listdir(d), [])
