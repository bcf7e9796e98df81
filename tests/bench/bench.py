"""What the shim costs: every row runs bare and gated in turn on a tmpfs; printed are medians of the ratios of each round.

bench.py BUILD [-n ROUNDS] [row...]; without rows all. The build must be without sanitizers to mean anything.
"""
import argparse
import os
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + '/../live')

import configuration  # noqa: E402
import fake_clamd  # noqa: E402
import test_samples  # noqa: E402
import world  # noqa: E402

GIB, MIB = 1 << 30, 1 << 20
FILES, SMALL = 10000, 1024

NAMES = "block 'never' { name = {'*.never'} }"
TYPE = "block 'programs' { type = {'application/x-dosexec'} }"
RELAY = 'relay'  # in a configuration's place: relay.c instead of the shim
SCAN = "block 'malware' { virus = {'*'} }"


class Bench:
    def __init__(self, live, rounds):
        self.live, self.rounds = live, rounds
        self.drive = f'{live.base}/bin/scpdrive'
        self.relay = f'{live.base}/bin/relay'
        for program in (self.drive, self.relay):
            world.must(['cc', '-O2', '-Wall', '-o', program, f'{HERE}/{os.path.basename(program)}.c'])
        self.results = []
        self.ready = set()

    # -- configurations and material

    def conf(self, name, rules, sha256=False, scanner=None, more='', memory='2G'):
        text = configuration.whole(self.live, name, configuration.policy(f'  upload {{\n{rules}\n  }}\n  download {{\n{rules}\n  }}\n', more=more),
                                   scanner=scanner, memory=memory, limit='4G', audit=f'{self.live.base}/audit/bench.jsonl')
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

    # -- one measurement: (wall, CPU) in seconds

    def pipes(self, verb, files, size, conf, path):
        """Client and scp on pipes, with the shim between them if there is a configuration."""
        flag = {'up': '-t', 'down': '-f'}[verb]
        recursive = '-r ' if files > 1 and verb == 'down' else ''
        bare = ['/usr/bin/scp'] + recursive.split() + [flag, path]
        command = [self.relay] + bare if conf == RELAY else [self.live.shim, '-f', conf] if conf else bare
        env = {'PATH': '/usr/bin:/bin', 'HOME': self.live.home, 'USER': self.live.user, 'SSH_CONNECTION': '127.0.0.1 1 127.0.0.1 2',
               'SSH_ORIGINAL_COMMAND': f'scp {recursive}{flag} {path}'}
        done = world.run([self.drive, verb, str(files), str(size), str(self.live.uid), str(self.live.gid)] + command, env=env, timeout=300)
        if done.status != 0:
            raise world.Trouble(f'{command}: {done}')
        numbers = [int(n) / 1e9 for n in done.out.split()]
        return numbers if verb == 'start' else (numbers[0], numbers[1] + numbers[2])

    def through_sshd(self, arguments, conf):
        """scp over one connection to an "sshd -i" of our own, whose CPU time and that of all it waited for is the server's."""
        name = os.path.basename(conf) if conf else 'bare'
        config = f'{self.live.base}/run/{name}.sshd'
        with open(config, 'w') as f:
            force = f'ForceCommand {self.live.shim} -f {conf}\n' if conf else ''
            f.write(world.SSHD.format(port=1, base=self.live.base, name=name, user=self.live.user, force=force))
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
            client = subprocess.Popen(['scp', '-O', '-q'] + options + words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            peer, _ = listener.accept()
            with peer:
                server = subprocess.Popen(['/usr/sbin/sshd', '-i', '-f', config, '-E', f'{self.live.base}/run/{name}.log'], stdin=peer, stdout=peer)
        said = client.stderr.read()
        client.stderr.close()
        status = client.wait(300)
        wall = time.monotonic() - began
        _, _, usage = os.wait4(server.pid, 0)
        server.returncode = 0
        if status != 0:
            raise world.Trouble(f'scp {words}: status {status}, {said!r}')
        return wall, usage.ru_utime + usage.ru_stime

    # -- rows

    def compare(self, name, title, measure, conf, wall_goal=None, cpu_goal=None, note=''):
        """measure(conf or None) in turn; one round before that counts for nothing."""
        measure(None), measure(conf)
        pairs = []
        for i in range(self.rounds):
            order = (None, conf) if i % 2 == 0 else (conf, None)
            got = {c: measure(c) for c in order}
            pairs.append((got[None], got[conf]))
        wall = statistics.median(g[0] / b[0] for b, g in pairs)
        cpu = statistics.median(g[1] / b[1] for b, g in pairs)
        base = statistics.median(b[0] for b, _ in pairs)
        self.report(name, title, f'{wall:.2f}', f'{cpu:.2f}', self.goal(wall, wall_goal), self.goal(cpu, cpu_goal), f'bare {base * 1000:.0f} ms{note}')

    @staticmethod
    def goal(value, goal):
        return '' if goal is None else f'<= {goal:.2f} {"yes" if value <= goal else "MISSED"}'

    def report(self, *columns):
        self.results.append(columns)
        print('  '.join(columns), flush=True)

    def pipe_row(self, verb, files, size, source=None):
        def measure(conf):
            path = self.target() if verb == 'up' else self.material(source)
            return self.pipes(verb, files, size, conf, path)
        return measure

    def ssh_up(self, source, recursive=False):
        path = self.material(source)

        def measure(conf):
            return self.through_sshd(['-r'] * recursive + [path, f'HOST:{self.target()}/'], conf)
        return measure

    def ssh_down(self, source, recursive=False):
        path = self.material(source)
        here = f'{self.live.base}/client/got'

        def measure(conf):
            os.makedirs(here, exist_ok=True)
            return self.through_sshd(['-r'] * recursive + [f'HOST:{path}', here], conf)
        return measure

    def fake(self):
        path = f'{self.live.base}/clamd-fake'
        if not os.path.exists(path):
            fake_clamd.FakeClamd(path)
        return self.clamd_conf('hold', path)

    def row_pipe_up(self, name):
        self.compare(name, '1 GiB up, pipes, no content rule, no hash', self.pipe_row('up', 1, GIB), self.conf('plain', NAMES), 1.10)

    def row_pipe_down(self, name):
        self.compare(name, '1 GiB down, pipes, the same', self.pipe_row('down', 1, GIB, 'big'), self.conf('plain', NAMES), 1.20)

    def row_pipe_up_sha(self, name):
        path = self.material('big')
        took = []
        for _ in range(3):
            began = time.monotonic()
            world.must(['openssl', 'dgst', '-sha256', path])
            took.append(time.monotonic() - began)
        self.compare(name, '1 GiB up, pipes, sha256', self.pipe_row('up', 1, GIB), self.conf('sha', NAMES, sha256=True),
                     note=f', openssl takes {min(took) * 1000:.0f} ms for the hash alone')

    def row_pipe_up_type(self, name):
        self.compare(name, '1 GiB up, pipes, type rule', self.pipe_row('up', 1, GIB), self.conf('type', TYPE), 1.15)

    def row_pipe_up_hold(self, name):
        self.compare(name, '1 GiB up, pipes, held in memory', self.pipe_row('up', 1, GIB), self.fake())

    def row_pipe_files_up(self, name):
        self.compare(name, '10,000 x 1 KiB up, pipes', self.pipe_row('up', FILES, SMALL), self.conf('plain', NAMES), 1.30)

    def row_pipe_files_down(self, name):
        self.compare(name, '10,000 x 1 KiB down, pipes', self.pipe_row('down', FILES, SMALL, 'files'), self.conf('plain', NAMES), 1.40)

    def row_relay_files_up(self, name):
        self.compare(name, 'the same up by a relay that only copies', self.pipe_row('up', FILES, SMALL), RELAY)

    def row_relay_files_down(self, name):
        self.compare(name, 'the same down by a relay that only copies', self.pipe_row('down', FILES, SMALL, 'files'), RELAY)

    def row_start(self, name):
        rules = '\n'.join(f"    block 'rule{i}' {{ name = {{'*.a{i}', 'b{i}*', '*c{i}*'}} path = {{'x{i}/**'}} }}" for i in range(100))
        conf = self.conf('hundred', rules)
        self.target()
        gaps, base = [], []
        for _ in range(self.rounds):
            times = {}
            for c in (None, conf):
                times[c] = self.start_once(c)
            base.append(times[None])
            gaps.append(times[conf] - times[None])
        gap = statistics.median(gaps) * 1000
        self.report(name, 'start to the first byte, pipes, 100 rules', f'+{gap:.2f} ms', '', f'<= +1.50 ms {"yes" if gap <= 1.5 else "MISSED"}', '',
                    f'bare {statistics.median(base) * 1000:.2f} ms')

    def start_once(self, conf):
        command = [self.live.shim, '-f', conf] if conf else ['/usr/bin/scp', '-t', self.target()]
        env = {'PATH': '/usr/bin:/bin', 'HOME': self.live.home, 'USER': self.live.user, 'SSH_CONNECTION': '127.0.0.1 1 127.0.0.1 2',
               'SSH_ORIGINAL_COMMAND': f'scp -t {self.target()}'}
        return int(world.must([self.drive, 'start', '100', '0', str(self.live.uid), str(self.live.gid)] + command, env=env)) / 1e9

    def row_memory(self, name):
        conf = self.fake()
        env = {'PATH': '/usr/bin:/bin', 'HOME': self.live.home, 'USER': self.live.user, 'SSH_ORIGINAL_COMMAND': f'scp -t {self.target()}'}
        shims = [subprocess.Popen([self.live.shim, '-f', conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, user=self.live.uid, group=self.live.gid,
                                  extra_groups=[]) for _ in range(3)]
        try:
            for shim in shims:
                if shim.stdout.read(1) != b'\0':
                    raise world.Trouble('no greeting')
            sizes = [pss(shim.pid) for shim in shims]
            others = [line for _, line, _ in self.live.processes() if 'inspector' in line]
        finally:
            for shim in shims:
                shim.stdin.close()
                shim.wait(10)
                shim.stdout.close()
        size = statistics.median(sizes)
        self.report(name, 'memory of an idle session, PSS', f'{size} KiB', '', f'<= 300 KiB {"yes" if size <= 300 else "MISSED"}', '',
                    f'{len(others)} inspectors running')

    def row_ssh_up(self, name):
        self.compare(name, '1 GiB up, sshd, no content rule, no hash', self.ssh_up('big'), self.conf('plain', NAMES), 1.05, 1.15)

    def row_ssh_down(self, name):
        self.compare(name, '1 GiB down, sshd, the same', self.ssh_down('big'), self.conf('plain', NAMES), 1.08, 1.20)

    def row_ssh_up_sha(self, name):
        self.compare(name, '1 GiB up, sshd, sha256', self.ssh_up('big'), self.conf('sha', NAMES, sha256=True), 1.15)

    def row_ssh_up_type(self, name):
        self.compare(name, '1 GiB up, sshd, type rule', self.ssh_up('big'), self.conf('type', TYPE), 1.08)

    def row_ssh_up_hold(self, name):
        self.compare(name, '1 GiB up, sshd, held in memory', self.ssh_up('big'), self.fake(), 1.30, 1.80)

    def row_ssh_files_up(self, name):
        self.compare(name, '10,000 x 1 KiB up, sshd', self.ssh_up('files', True), self.conf('plain', NAMES), 1.15)

    def row_ssh_files_down(self, name):
        self.compare(name, '10,000 x 1 KiB down, sshd', self.ssh_down('files', True), self.conf('plain', NAMES), 1.20)

    def row_ssh_clamd(self, name):
        """100 MiB held and scanned by a real clamd, against the bare transfer and the scan of that file alone."""
        clamd = test_samples.Clamd(self.live, 'DisableCache yes\n')
        try:
            conf, path, measure = self.clamd_conf('clamd', clamd.path), self.material('hundred'), self.ssh_up('hundred')
            measure(None), measure(conf)
            rounds = []
            for _ in range(self.rounds):
                rounds.append((measure(None)[0], fildes(clamd.path, path), measure(conf)[0]))
        finally:
            clamd.close()
        ratio = statistics.median(g / (b + s) for b, s, g in rounds)
        bare, scan = (statistics.median(r[i] for r in rounds) * 1000 for i in (0, 1))
        self.report(name, '100 MiB up, sshd, held, real clamd', f'{ratio:.2f}', '', self.goal(ratio, 1.05), '', f'bare {bare:.0f} ms, the scan alone {scan:.0f} ms')


def pss(pid):
    with open(f'/proc/{pid}/smaps_rollup') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('Pss:'))


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


def table(rows):
    head = ('row', 'what', 'wall', 'CPU', 'wall goal', 'CPU goal', '')
    widths = [max(len(r[i]) for r in [head] + rows) for i in range(len(head))]
    print()
    for row in [head] + rows:
        print('  '.join(c.ljust(w) for c, w in zip(row, widths)).rstrip())


def main():
    names = [n[4:].replace('_', '-') for n in vars(Bench) if n.startswith('row_')]
    parser = argparse.ArgumentParser(description='ratios of gated to bare transfers')
    parser.add_argument('build')
    parser.add_argument('-n', type=int, default=7, help='rounds (default 7)')
    parser.add_argument('row', nargs='*', help=', '.join(names))
    options = parser.parse_intermixed_args()
    unknown = set(options.row) - set(names)
    if unknown:
        parser.error(f'no such row: {", ".join(sorted(unknown))}; there are {", ".join(names)}')
    os.environ['XFERWARDEN_BUILD'] = options.build
    os.environ.setdefault('XFERWARDEN_LIVE_DIR', '/dev/shm')
    world.die_politely()
    live = world.World()
    try:
        if not live.shim:
            sys.exit('no finished build there')
        if b'libasan' in world.run(['ldd', live.shim]).out:
            print('this build has sanitizers: the numbers say nothing')
        bench = Bench(live, options.n)
        for name in options.row or names:
            getattr(bench, 'row_' + name.replace('-', '_'))(name)
        table(bench.results)
    except world.Trouble as trouble:
        sys.exit(f'benchmark: {trouble}')
    finally:
        live.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
