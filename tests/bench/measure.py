"""What measures: a transfer over plain pipes or through an sshd of our own, bare and gated in turn; material, configurations, and the medians of the ratios."""
import os
import shutil
import socket
import statistics
import subprocess
import time

import configuration
import fake_clamd
import test_samples
import world

HERE = os.path.dirname(os.path.abspath(__file__))
GIB, MIB = 1 << 30, 1 << 20
FILES, SMALL = 10000, 1024
SFTP_SERVER = '/usr/lib/openssh/sftp-server'

NAMES = "block 'never' { name = {'*.never'} }"
TYPE = "block 'programs' { type = {'application/x-dosexec'} }"
RELAY = 'relay'  # in a configuration's place: relay.c instead of the shim
SCAN = "block 'malware' { virus = {'*'} }"


class Measure:
    def __init__(self, live, rounds, only_relay=False):
        """only_relay: the relay that only copies stands in the shim's place in every row."""
        self.live, self.rounds, self.only_relay = live, rounds, only_relay
        self.results = []
        self.ready = set()
        for name, sources in (('scpdrive', ('scpdrive', 'drive')), ('sftpdrive', ('sftpdrive', 'drive')), ('relay', ('relay',)), ('reap', ('reap',))):
            world.must(['cc', '-O2', '-Wall', '-o', self.program(name)] + [f'{HERE}/{source}.c' for source in sources])

    def program(self, name):
        return f'{self.live.base}/bin/{name}'

    # -- configurations and material

    def conf(self, name, rules, sha256=False, scanner=None, more='', memory='2G'):
        if self.only_relay:
            return RELAY
        policy = configuration.policy(f'  upload {{\n{rules}\n  }}\n  download {{\n{rules}\n  }}\n', more=more)
        policy = policy.replace("protocols = {'scp'}", "protocols = {'scp', 'sftp'}")
        text = configuration.whole(self.live, name, policy, scanner=scanner, memory=memory, limit='4G', audit=f'{self.live.base}/audit/bench.jsonl')
        if not sha256:
            text = text.replace('sha256     = true', 'sha256     = false')
        path = f'{self.live.base}/conf/{name}.conf'
        with open(path, 'w') as f:
            f.write(text)
        os.chmod(path, 0o644)
        open(f'{self.live.base}/audit/bench.jsonl', 'w').close()
        self.live.own(f'{self.live.base}/audit/bench.jsonl')
        return path

    def clamd_conf(self, name, path):
        return self.conf(name, SCAN, scanner=f"scanner {{{{\n  engine = 'clamd'\n  address = {{{{'unix:{path}'}}}}\n  timeout = 120\n}}}}\n")

    def fake(self):
        path = f'{self.live.base}/clamd-fake'
        if not os.path.exists(path):
            fake_clamd.FakeClamd(path)
        return self.clamd_conf('hold', path)

    def hundred_rules(self):
        return self.conf('hundred', '\n'.join(f"    block 'rule{i}' {{ name = {{'*.a{i}', 'b{i}*', '*c{i}*'}} path = {{'x{i}/**'}} }}" for i in range(100)))

    def material(self, name):
        """A folder or file of the client's, also the download's source; made once."""
        path = f'{self.live.home}/{name}'
        if name in self.ready:
            return path
        if name == 'files':
            os.mkdir(path)
            for i in range(FILES):
                with open(f'{path}/f{i}', 'wb') as f:
                    f.write(b'%1023d\n' % i)
        elif name == 'one':
            os.mkdir(path)
            os.link(self.material('big'), f'{path}/f0')
        else:
            with open(path, 'wb') as f:
                block = os.urandom(MIB)
                for _ in range((GIB if name == 'big' else 100 * MIB) // MIB):
                    f.write(block)
        world.must(['chown', '-R', f'{self.live.uid}:{self.live.gid}', path])
        self.ready.add(name)
        return path

    def target(self):
        path = f'{self.live.home}/target'
        if not os.path.isdir(path):
            os.mkdir(path)
            self.live.own(path)
        return path

    def empty_target(self):
        shutil.rmtree(self.target())
        return self.target()

    # -- one measurement: (wall, CPU) in seconds

    def environment(self, request):
        return {'PATH': '/usr/bin:/bin', 'HOME': self.live.home, 'USER': self.live.user, 'SSH_CONNECTION': '127.0.0.1 1 127.0.0.1 2',
                'SSH_ORIGINAL_COMMAND': request}

    def command(self, conf, bare):
        """What is started: bare, or what stands in front of it."""
        return [self.program('relay')] + bare if conf == RELAY else [self.live.shim, '-f', conf] if conf else bare

    def driven(self, words, request, conf, bare, one=False):
        """Nanoseconds that a driver, called with these words, prints of a command on pipes. one: driver and command share one processor, which leaves out what waking up
        another one takes: that is most of the time of small packets, and differs from round to round."""
        pinned = ['taskset', '-c', str(max(os.sched_getaffinity(0)))] if one else []
        done = world.run(pinned + [str(w) for w in words] + self.command(conf, bare), env=self.environment(request), timeout=300)
        if done.status != 0:
            raise world.Trouble(f'{words}, {conf}: {done}')
        return [int(n) for n in done.out.split()]

    @staticmethod
    def seconds(numbers):
        return numbers[0] / 1e9, (numbers[1] + numbers[2]) / 1e9

    def pipes(self, verb, files, size, conf, path):
        """Client and scp on pipes, with the shim between them if there is a configuration."""
        flag = {'up': '-t', 'down': '-f'}[verb]
        recursive = '-r ' if files > 1 and verb == 'down' else ''
        return self.seconds(self.driven([self.program('scpdrive'), verb, files, size, self.live.uid, self.live.gid], f'scp {recursive}{flag} {path}', conf,
                                        ['/usr/bin/scp'] + recursive.split() + [flag, path]))

    def sftp_pipes(self, verb, count, size, conf, path, one=False):
        """The same with sftp-server: verb, count and size as sftpdrive has them."""
        return self.seconds(self.driven([self.program('sftpdrive'), verb, count, size, path, self.live.uid, self.live.gid], SFTP_SERVER, conf, [SFTP_SERVER], one))

    def through_sshd(self, client, arguments, conf):
        """A client over one connection to an "sshd -i" of our own, whose CPU time and that of all processes of the session is the server's."""
        name = os.path.basename(conf) if conf else 'bare'
        config = f'{self.live.base}/run/{name}.sshd'
        gate = f"{self.program('relay')} $SSH_ORIGINAL_COMMAND" if conf == RELAY else f'{self.live.shim} -f {conf}'
        with open(config, 'w') as f:
            f.write(world.SSHD.format(port=1, base=self.live.base, name=name, user=self.live.user, force=f'ForceCommand {gate}\n' if conf else ''))
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen(1)
            port = listener.getsockname()[1]
            with open(f'{self.live.base}/keys/known', 'w') as f:
                f.write(''.join(f'[127.0.0.1]:{port} {kind} {key}\n' for kind, key in self.live.host_keys))
            options = ['-F', 'none', '-i', f'{self.live.base}/keys/user', '-P', str(port), '-c', 'aes128-gcm@openssh.com']
            for option in (f'UserKnownHostsFile={self.live.base}/keys/known', 'GlobalKnownHostsFile=none', 'BatchMode=yes', 'LogLevel=ERROR',
                           'KexAlgorithms=curve25519-sha256'):
                options += ['-o', option]
            words = [w.replace('HOST', f'{self.live.user}@127.0.0.1') for w in arguments]
            began = time.monotonic()
            child = subprocess.Popen(client + options + words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            peer, _ = listener.accept()
            with peer:
                server = subprocess.Popen([self.program('reap'), '/usr/sbin/sshd', '-i', '-f', config, '-E', f'{self.live.base}/run/{name}.log'], stdin=peer, stdout=peer)
        said = child.stderr.read()
        child.stderr.close()
        status = child.wait(300)
        wall = time.monotonic() - began
        _, _, usage = os.wait4(server.pid, 0)
        server.returncode = 0
        if status != 0:
            raise world.Trouble(f'{client} {words}, {conf}: status {status}, {said!r}')
        return wall, usage.ru_utime + usage.ru_stime

    # -- one row

    def compare(self, name, title, measure, conf, wall_goal=None, cpu_goal=None, note=''):
        """measure(conf or None) in turn; one round before that counts for nothing."""
        measure(None), measure(conf)
        pairs = []
        for i in range(self.rounds):
            order = (None, conf) if i % 2 == 0 else (conf, None)
            got = {c: measure(c) for c in order}
            pairs.append((got[None], got[conf]))
        walls = [g[0] / b[0] for b, g in pairs]
        wall = statistics.median(walls)
        cpu = statistics.median(g[1] / b[1] for b, g in pairs)
        base, cpu_base = (statistics.median(b[i] for b, _ in pairs) * 1000 for i in (0, 1))
        self.report(name, title, f'{wall:.2f}', f'{cpu:.2f}', self.goal(wall, wall_goal), self.goal(cpu, cpu_goal),
                    f'bare {base:.0f} ms, CPU {cpu_base:.0f} ms; wall {min(walls):.2f} to {max(walls):.2f}{note}')

    def compare_scanned(self, name, title, measure, wall_goal):
        """100 MiB held and scanned by a real clamd, against the bare transfer and the scan of that file alone."""
        clamd = test_samples.Clamd(self.live, 'DisableCache yes\n')
        try:
            conf, path = self.clamd_conf('clamd', clamd.path), self.material('hundred')
            measure(None), measure(conf)
            rounds = []
            for _ in range(self.rounds):
                rounds.append((measure(None)[0], fildes(clamd.path, path), measure(conf)[0]))
        finally:
            clamd.close()
        ratio = statistics.median(g / (b + s) for b, s, g in rounds)
        bare, scan = (statistics.median(r[i] for r in rounds) * 1000 for i in (0, 1))
        self.report(name, title, f'{ratio:.2f}', '', self.goal(ratio, wall_goal), '', f'bare {bare:.0f} ms, the scan alone {scan:.0f} ms')

    def compare_starts(self, name, title, start, conf, rounds, goal):
        """start(conf or None): seconds; the median of the differences in ms."""
        gaps, base = [], []
        for i in range(rounds):
            times = {c: start(c) for c in ((None, conf) if i % 2 == 0 else (conf, None))}
            base.append(times[None])
            gaps.append(times[conf] - times[None])
        gap = statistics.median(gaps) * 1000
        self.report(name, title, f'{gap:+.2f} ms', '', f'<= +{goal:.2f} ms {"yes" if gap <= goal else "MISSED"}', '', f'bare {statistics.median(base) * 1000:.2f} ms')

    @staticmethod
    def goal(value, goal):
        return '' if goal is None else f'<= {goal:.2f} {"yes" if value <= goal else "MISSED"}'

    def report(self, *columns):
        self.results.append(columns)
        print('  '.join(columns), flush=True)


def pss(pid):
    with open(f'/proc/{pid}/smaps_rollup') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('Pss:'))


def openssl_sha256(path):
    """Milliseconds that the hash alone takes."""
    took = []
    for _ in range(3):
        began = time.monotonic()
        world.must(['openssl', 'dgst', '-sha256', path])
        took.append(time.monotonic() - began)
    return min(took) * 1000


def fildes(path, file):
    """Seconds that clamd takes for this file, asked with its descriptor."""
    with socket.socket(socket.AF_UNIX) as s, open(file, 'rb') as f:
        s.connect(path)
        began = time.monotonic()
        s.sendall(b'zFILDES\0')
        socket.send_fds(s, [b'\0'], [f.fileno()])
        answer = s.recv(1000)
        took = time.monotonic() - began
    if not answer.endswith(b': OK\0'):
        raise world.Trouble(f'clamd: {answer!r}')
    return took
