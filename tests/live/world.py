"""The world a live test runs in: a folder, an unprivileged user, keys, and real sshd instances on loopback.

One World serves a whole run. A Gate is one sshd: bare, or with the shim as ForceCommand on a configuration of its own.
"""
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
VIRUS_NAME, VIRUS = 'Live.Test.Marker', b'xferwarden-live-test-marker-' + b'7d1f0c95'  # our own: harmless, in no official database
SAMPLE_NAME, SAMPLE = 'Live.Test.Sample', bytes.fromhex('bb711040 0033c050 508bf353 5350b029 40300466 ac79f9ba')  # the code of clam.exe
THE = None  # the World of this run, set by main.py
RUN_LIMIT = 1500  # seconds after which a forgotten server ends by itself


class Trouble(Exception):
    """The world itself could not be built; no verdict about the program under test."""


class Result:
    """What a client left: exit status, stdout, stderr (bytes), seconds."""

    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def __repr__(self):
        return f'status {self.status}, stdout {self.out!r}, stderr {self.err!r}'


def run(argv, timeout=90, cwd=None, env=None, data=None):
    """Runs argv to its end, or kills its process group after timeout seconds (status 'timeout')."""
    start = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL if data is None else subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, cwd=cwd, env=env, start_new_session=True)
    try:
        out, err = child.communicate(data, timeout=timeout)
        status = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        status = 'timeout'
    return Result(status, out, err, time.monotonic() - start)


def must(argv, **more):
    done = run(argv, **more)
    if done.status != 0:
        raise Trouble(f'{argv}: {done}')
    return done.out


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(what, seconds, condition, pause=0.02):
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'after {seconds} s still not: {what}')
        time.sleep(pause)


def roomy():
    """Memory where there is enough of it, so that no disk decides how long a run takes."""
    try:
        st = os.statvfs('/dev/shm')
        if st.f_bavail * st.f_frsize > 2 << 30:
            return '/dev/shm'
    except OSError:
        pass
    return '/tmp'


SSHD = '''\
Port {port}
ListenAddress 127.0.0.1
HostKey {base}/keys/host_ed25519
HostKey {base}/keys/host_rsa
PidFile {base}/run/{name}.pid
AuthorizedKeysFile {base}/keys/authorized
AllowUsers {user}
AuthenticationMethods publickey
StrictModes no
UsePAM no
PrintMotd no
LogLevel ERROR
MaxStartups 400
MaxSessions 400
LoginGraceTime 60
ExposeAuthInfo yes
DisableForwarding yes
PermitTunnel no
X11Forwarding no
AllowAgentForwarding no
PermitTTY no
PermitUserRC no
PermitUserEnvironment no
Subsystem sftp /usr/lib/openssh/sftp-server
SetEnv ASAN_OPTIONS=log_path={base}/asan/log:detect_leaks=0 UBSAN_OPTIONS=log_path={base}/asan/log:print_stacktrace=1
{force}'''


class World:
    def __init__(self):
        if os.geteuid() != 0:
            raise Trouble('live tests start sshd and add a user: they need root')
        self.gates = {}
        self.stops = []  # called before all is taken down
        self.lock = threading.Lock()
        self.base = tempfile.mkdtemp(prefix='xwlive-', dir=os.environ.get('XFERWARDEN_LIVE_DIR') or roomy())
        os.chmod(self.base, 0o755)
        self.user = f'xwtest{os.getpid()}'
        for name, mode in (('run', 0o700), ('keys', 0o755), ('bin', 0o755), ('conf', 0o755), ('audit', 0o755), ('db', 0o755),
                           ('asan', 0o1777), ('client', 0o700), ('tmp', 0o700), ('masters', 0o700)):
            os.mkdir(f'{self.base}/{name}', mode)
            os.chmod(f'{self.base}/{name}', mode)
        self.janitor = subprocess.Popen(['/usr/bin/python3', f'{HERE}/janitor.py', self.base, self.user], stdin=subprocess.PIPE,
                                        start_new_session=True)
        try:
            self._user()
            self._keys()
            self._programs()
            self._signatures()
        except BaseException:
            self.close()
            raise

    def close(self):
        for stop in self.stops:
            stop()
        self.janitor.stdin.close()
        try:
            self.janitor.wait(120)
        except subprocess.TimeoutExpired:
            sys.stderr.write('the janitor is still cleaning up; it goes on by itself\n')

    def _user(self):
        self.home = f'{self.base}/home'
        for _ in range(20):
            done = run(['useradd', '-M', '-U', '-d', self.home, '-s', '/bin/sh', '-p', '*', self.user])
            if done.status == 0:
                break
            time.sleep(0.5)
        else:
            raise Trouble(f'useradd: {done}')
        entry = pwd.getpwnam(self.user)
        self.uid, self.gid = entry.pw_uid, entry.pw_gid
        for path, mode in ((self.home, 0o755), (f'{self.base}/outside', 0o755), (f'{self.base}/spool', 0o700)):
            os.mkdir(path)
            os.chmod(path, mode)
            os.chown(path, self.uid, self.gid)
        os.makedirs('/run/sshd', mode=0o755, exist_ok=True)

    def _keys(self):
        k = self.base + '/keys'
        for name, kind in (('host_ed25519', ['ed25519']), ('host_rsa', ['rsa', '-b', '2048']), ('user', ['ed25519']),
                           ('user_pem', ['ecdsa', '-m', 'PEM'])):
            must(['ssh-keygen', '-q', '-N', '', '-C', name, '-f', f'{k}/{name}', '-t'] + kind)
        with open(f'{k}/authorized', 'w') as f:
            for name in ('user', 'user_pem'):
                f.write(open(f'{k}/{name}.pub').read())
        self.host_keys = [open(f'{k}/{name}.pub').read().split()[:2] for name in ('host_ed25519', 'host_rsa')]
        if shutil.which('puttygen'):
            must(['puttygen', f'{k}/user', '-O', 'private', '-o', f'{k}/user.ppk'])
            self.host_prints = [must(['ssh-keygen', '-l', '-f', f'{k}/{name}.pub']).split()[1].decode() for name in ('host_ed25519', 'host_rsa')]
        if shutil.which('dropbearkey'):
            must(['/usr/lib/dropbear/dropbearconvert', 'openssh', 'dropbear', f'{k}/user', f'{k}/user.dropbear'])

    def _signatures(self):
        with open(f'{self.base}/db/live.ndb', 'w') as f:
            f.write(f'{VIRUS_NAME}:0:*:{VIRUS.hex()}\n')
            f.write(f'{SAMPLE_NAME}:0:*:{SAMPLE.hex()}\n')
        os.chmod(f'{self.base}/db/live.ndb', 0o644)

    def _programs(self):
        build = os.environ.get('XFERWARDEN_BUILD')
        self.shim = None
        if not build:
            return
        # copies: the build folder may be closed to the user, and may be rebuilt while the tests run
        for name, place in (('xferwarden', 'shim'), ('inspector', 'inspector'), ('inspector-clamav', 'inspector'), ('xferwardenctl', 'ctl')):
            source = f'{build}/src/{place}/{name}'
            if os.path.exists(source):
                shutil.copy(source, f'{self.base}/bin/{name}')
                os.chmod(f'{self.base}/bin/{name}', 0o755)
        if os.path.exists(f'{self.base}/bin/xferwarden'):
            self.shim = f'{self.base}/bin/xferwarden'

    def own(self, path):
        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def gate(self, name, conf=None):
        """The gate of that name: made on first use; conf is its configuration's text, None for a bare sshd."""
        with self.lock:
            if name not in self.gates:
                self.gates[name] = Gate(self, name, conf)
            return self.gates[name]

    def processes(self):
        """Processes of the session user that are not sshd's own, as (pid, command line, state). What has ended and
        only waits for sshd or init to reap it is theirs."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                if os.stat('/proc/' + pid).st_uid != self.uid:
                    continue
                with open(f'/proc/{pid}/stat', 'rb') as f:
                    state, parent = f.read().rpartition(b')')[2].split()[:2]
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    line = f.read().replace(b'\0', b' ').decode('utf-8', 'replace').strip()
                if state == b'Z' and parent == b'1':
                    continue
                if state == b'Z':
                    with open(f'/proc/{parent.decode()}/comm', 'rb') as f:
                        if f.read().strip() == b'sshd':
                            continue
            except OSError:
                continue
            if not line.startswith('sshd:'):
                found.append((int(pid), line, state.decode()))
        return found

    def quiet(self, seconds=8):
        """Waits until no process of a session is left; AssertionError names those that stay."""
        end = time.monotonic() + seconds
        while True:
            left = self.processes()
            if not left:
                return
            if time.monotonic() > end:
                raise AssertionError(f'{seconds} s after the end these still run: {left}')
            time.sleep(0.03)

    def sanitizer_logs(self):
        logs = {}
        for name in os.listdir(f'{self.base}/asan'):
            with open(f'{self.base}/asan/{name}', errors='replace') as f:
                logs[name] = f.read()
        return logs


class Gate:
    inside = []  # words in front of the server's command line

    def __init__(self, world, name, conf):
        self.world, self.name = world, name
        self.audit = f'{world.base}/audit/{name}.jsonl'
        self.conf = f'{world.base}/conf/{name}.conf'
        force = ''
        if conf is not None:
            if not world.shim:
                raise Trouble('no shim: set XFERWARDEN_BUILD to a build folder')
            self.write_conf(conf)
            open(self.audit, 'w').close()
            os.chmod(self.audit, 0o640)
            world.own(self.audit)
            force = f'ForceCommand {world.shim} -f {self.conf}\n'
        self.gated = conf is not None
        for _ in range(5):
            if self._start(force):
                break
        else:
            raise Trouble(f'sshd {name} does not start: ' + open(f'{world.base}/run/{name}.log', errors='replace').read())
        self.known_hosts = f'{world.base}/keys/known_{self.port}'
        with open(self.known_hosts, 'w') as f:
            for kind, key in world.host_keys:
                f.write(f'[127.0.0.1]:{self.port} {kind} {key}\n')
        self.master = f'{world.base}/masters/{self.port}'
        self.master_lock = threading.Lock()
        self.master_up = False
        self.read_lock, self.read, self.read_to = threading.Lock(), [], 0

    def write_conf(self, text):
        with open(self.conf + '.new', 'w') as f:
            f.write(text)
        os.chmod(self.conf + '.new', 0o644)
        os.rename(self.conf + '.new', self.conf)

    def _start(self, force):
        world, name = self.world, self.name
        self.port = free_port()
        config, pid_file = f'{world.base}/run/{name}.sshd', f'{world.base}/run/{name}.pid'
        with open(config, 'w') as f:
            f.write(SSHD.format(port=self.port, base=world.base, name=name, user=world.user, force=force))
        # "timeout" ends a server whose run was lost together with its janitor
        self.server = subprocess.Popen(['timeout', '-k', '5', str(RUN_LIMIT)] + self.inside + ['/usr/sbin/sshd', '-D', '-f', config, '-E',
                                        f'{world.base}/run/{name}.log'], stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 10
        while time.monotonic() < end and self.server.poll() is None:
            if os.path.exists(pid_file):
                try:
                    socket.create_connection(('127.0.0.1', self.port), 1).close()
                    return True
                except OSError:
                    pass
            time.sleep(0.02)
        return False

    def ssh_options(self, shared=True):
        """Options for ssh and scp alike; shared: over one authenticated connection that stays open."""
        w = self.world
        options = ['-F', 'none', '-i', f'{w.base}/keys/user', '-o', f'UserKnownHostsFile={self.known_hosts}', '-o', 'GlobalKnownHostsFile=none',
                   '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', 'LogLevel=ERROR',
                   '-o', 'KexAlgorithms=curve25519-sha256', '-o', f'Port={self.port}']
        if not shared:
            return options + ['-o', 'ControlPath=none']
        with self.master_lock:
            if not self.master_up:
                must(['ssh'] + options + ['-o', f'ControlPath={self.master}', '-o', 'ControlMaster=yes', '-o', 'ControlPersist=600', '-N', '-f',
                      f'{w.user}@127.0.0.1'])
                with open(f'{w.base}/run/master-{self.port}.pid', 'w') as f:
                    check = run(['ssh'] + options + ['-o', f'ControlPath={self.master}', '-O', 'check', 'x'])
                    f.write(check.err.decode().partition('pid=')[2].partition(')')[0])
                self.master_up = True
        return options + ['-o', f'ControlPath={self.master}', '-o', 'ControlMaster=no']

    def ssh(self, command, shared=True, **more):
        return run(['ssh'] + self.ssh_options(shared) + ['-T', f'{self.world.user}@127.0.0.1'] + ([command] if command is not None else []), **more)

    def records(self):
        """All audit records so far, oldest first. A line that is not one JSON object is an error."""
        with self.read_lock:
            with open(self.audit, 'rb') as f:
                f.seek(self.read_to)
                text = f.read()
            end = text.rfind(b'\n') + 1  # what follows is being written
            self.read_to += end
            for line in text[:end].decode('utf-8', 'strict').split('\n')[:-1]:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise AssertionError(f'not an object: {line!r}')
                self.read.append((line, record))
            return [record for _, record in self.read]

    def sessions_about(self, text, seconds=6):
        """The records of the sessions whose records mention text, once each of them has ended."""
        def ended():
            records = self.records()
            ids = {get(r, 'session.id') for line, r in list(self.read) if text in line}
            mine = [r for r in records if get(r, 'session.id') in ids]
            ends = {get(r, 'session.id') for r in mine if get(r, 'event.action') in ('session-end', 'command-refused')}
            return mine if ids and ids == ends else None
        return wait_for(f'ended sessions about {text!r} in the audit file', seconds, ended, 0.05)


def get(record, name):
    """A field by its dotted name, however the objects are nested; None if it is missing."""
    if name in record:
        return record[name]
    head = name
    while '.' in head:
        head = head.rpartition('.')[0]
        if isinstance(record.get(head), dict):
            return get(record[head], name[len(head) + 1:])
    return None


def unique(word):
    return f'{word}-{secrets.token_hex(4)}'


def die_politely():
    """Turns the usual signals into an exit that runs the finally blocks."""
    def leave(number, _frame):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)
