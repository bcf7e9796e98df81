"""The rows of SFTP: bare is the real sftp-server, asked by OpenSSH's scp and sftp, or by sftpdrive.c on pipes. Uploads go where nothing stands, if the row does not say
otherwise: what was there is removed before the time is taken."""
import os
import shutil
import statistics
import struct
import subprocess

import world
from measure import FILES, GIB, MIB, NAMES, RELAY, SFTP_SERVER, SMALL, TYPE, openssl_sha256, pss

SCP, SFTP = ['scp', '-s', '-q'], ['sftp', '-q']
LISTINGS = 5   # in one session, so that the listing is most of the time
INIT, VERSION, OPEN, READ, WRITE, STATUS, HANDLE, DATA = 1, 2, 3, 5, 6, 101, 102, 103
CHUNK, OUTSTANDING, CHUNKS = 261120, 64, 400


def expect(folder, files, size):
    """A measurement counts only if the work was done."""
    names = os.listdir(folder)
    if len(names) != files or any(os.stat(f'{folder}/{name}').st_size != size for name in names):
        raise world.Trouble(f'{folder}: not {files} files of {size} bytes, but {len(names)} names: {sorted(names)[:5]}')


class Rows:
    # -- what is measured

    def sftp_up(self, files, size, one=False, again=False):
        def measure(conf):
            path = self.target() if again else self.empty_target()
            took = self.sftp_pipes('up', files, size, conf, path, one)
            expect(path, files, size)
            return took
        return measure

    def sftp_down(self, files, size, source, one=False):
        path = self.material(source)
        return lambda conf: self.sftp_pipes('down', files, size, conf, path, one)

    def sftp_list(self):
        path = self.material('files')
        return lambda conf: self.sftp_pipes('list', 20, FILES, conf, path, True)

    def sftp_ssh_up(self, source, files, size, again=False):
        path = self.material(source)

        def measure(conf):
            target = self.target() if again else self.empty_target()
            took = self.through_sshd(SCP, ['-r'] * (files > 1) + [path, f'HOST:{target}/'], conf)
            expect(f'{target}/{source}' if files > 1 else target, files, size)
            return took
        return measure

    def sftp_ssh_down(self, source, files, size):
        path = self.material(source)
        here = f'{self.live.base}/client/got'

        def measure(conf):
            shutil.rmtree(here, ignore_errors=True)
            os.mkdir(here)
            took = self.through_sshd(SCP, ['-r'] * (files > 1) + [f'HOST:{path}', f'{here}/'], conf)
            expect(f'{here}/{source}' if files > 1 else here, files, size)
            return took
        return measure

    def sftp_batch(self, *lines):
        batch = f'{self.live.base}/client/batch'

        def measure(conf):
            with open(batch, 'w') as f:
                f.write(''.join(line + '\n' for line in lines))
            return self.through_sshd(SFTP + ['-b', batch], ['HOST'], conf)
        return measure

    def plain(self):
        return self.conf('plain', NAMES)

    # -- on pipes

    def row_sftp_pipe_up(self, name):
        self.compare(name, '1 GiB up, SFTP, pipes, no content rule, no hash', self.sftp_up(1, GIB), self.plain())

    def row_sftp_pipe_down(self, name):
        self.compare(name, '1 GiB down, SFTP, pipes, the same', self.sftp_down(1, GIB, 'one'), self.plain())

    def row_sftp_pipe_up_sha(self, name):
        note = f", openssl takes {openssl_sha256(self.material('big')):.0f} ms for the hash alone"
        self.compare(name, '1 GiB up, SFTP, pipes, sha256', self.sftp_up(1, GIB), self.conf('sha', NAMES, sha256=True), note=note)

    def row_sftp_pipe_up_type(self, name):
        self.compare(name, '1 GiB up, SFTP, pipes, type rule', self.sftp_up(1, GIB), self.conf('type', TYPE))

    def row_sftp_pipe_up_hold(self, name):
        self.compare(name, '1 GiB up, SFTP, pipes, held in memory', self.sftp_up(1, GIB), self.fake())

    def row_sftp_pipe_files_up(self, name):
        self.compare(name, '10,000 x 1 KiB up, SFTP, pipes', self.sftp_up(FILES, SMALL), self.plain())

    def row_sftp_pipe_files_down(self, name):
        self.compare(name, '10,000 x 1 KiB down, SFTP, pipes', self.sftp_down(FILES, SMALL, 'files'), self.plain())

    def row_sftp_one_files_up(self, name):
        self.compare(name, 'the same up, all on one processor', self.sftp_up(FILES, SMALL, True), self.plain())

    def row_sftp_one_files_again(self, name):
        self.compare(name, 'the same where the files stand already', self.sftp_up(FILES, SMALL, True, True), self.plain())

    def row_sftp_one_files_down(self, name):
        self.compare(name, 'the same down', self.sftp_down(FILES, SMALL, 'files', True), self.plain())

    def row_sftp_one_list(self, name):
        self.compare(name, '10,000 names, 20 times, SFTP, pipes, one processor', self.sftp_list(), self.plain())

    def row_sftp_relay_files_up(self, name):
        self.compare(name, '10,000 x 1 KiB up by a relay that only copies, one processor', self.sftp_up(FILES, SMALL, True), RELAY)

    def row_sftp_relay_files_down(self, name):
        self.compare(name, 'the same down', self.sftp_down(FILES, SMALL, 'files', True), RELAY)

    def row_sftp_relay_list(self, name):
        self.compare(name, '10,000 names, 20 times, by the same relay', self.sftp_list(), RELAY)

    def row_sftp_start(self, name):
        def start(conf):
            words = [self.program('sftpdrive'), 'start', 100, 0, self.target(), self.live.uid, self.live.gid]
            return self.driven(words, SFTP_SERVER, conf, [SFTP_SERVER])[0] / 1e9
        self.compare_starts(name, 'start to VERSION, SFTP, pipes, 100 rules', start, self.hundred_rules(), self.rounds, 2)

    # -- memory

    def row_sftp_memory(self, name):
        gates = [Talk(self, self.fake()) for _ in range(3)]
        try:
            sizes = [gate.memory() for gate in gates]
            server = [gate.server_memory() for gate in gates]
        finally:
            for gate in gates:
                gate.close()
        size = statistics.median(sizes)
        self.report(name, 'memory of an idle SFTP session, PSS', f'{size} KiB', '', f'<= 350 KiB {"yes" if size <= 350 else "MISSED"}', '',
                    f'sftp-server {statistics.median(server)} KiB more')

    def row_sftp_memory_busy(self, name):
        path, conf, sizes = self.material('one'), self.plain(), {}
        for way in ('up', 'down'):
            gate = Talk(self, conf)
            try:
                sizes[way] = max(gate.upload(f'{self.empty_target()}/f0') if way == 'up' else gate.download(f'{path}/f0'))
            finally:
                gate.close()
        most = max(sizes.values())
        self.report(name, 'the most in a transfer of 100 MB', f'{most} KiB', '', f'<= 2048 KiB {"yes" if most <= 2048 else "MISSED"}', '',
                    f'up {sizes["up"]}, down {sizes["down"]} KiB; sftp-server not counted')

    # -- through sshd

    def row_sftp_ssh_up(self, name):
        self.compare(name, '1 GiB up, SFTP, sshd, no content rule, no hash', self.sftp_ssh_up('big', 1, GIB), self.plain(), 1.08, 1.35)

    def row_sftp_ssh_down(self, name):
        self.compare(name, '1 GiB down, SFTP, sshd, the same', self.sftp_ssh_down('big', 1, GIB), self.plain(), 1.08, 1.35)

    def row_sftp_ssh_up_sha(self, name):
        self.compare(name, '1 GiB up, SFTP, sshd, sha256', self.sftp_ssh_up('big', 1, GIB), self.conf('sha', NAMES, sha256=True), 1.15)

    def row_sftp_ssh_up_type(self, name):
        self.compare(name, '1 GiB up, SFTP, sshd, held, type rule', self.sftp_ssh_up('big', 1, GIB), self.conf('type', TYPE), 1.25)

    def row_sftp_ssh_up_hold(self, name):
        self.compare(name, '1 GiB up, SFTP, sshd, held in memory, a scanner that takes no time', self.sftp_ssh_up('big', 1, GIB), self.fake())

    def row_sftp_ssh_clamd(self, name):
        self.compare_scanned(name, '100 MiB up, SFTP, sshd, held, real clamd', self.sftp_ssh_up('hundred', 1, 100 * MIB), 1.05)

    def row_sftp_ssh_files_up(self, name):
        self.compare(name, '10,000 x 1 KiB up, SFTP, sshd', self.sftp_ssh_up('files', FILES, SMALL), self.plain(), 1.30, 1.50)

    def row_sftp_ssh_files_again(self, name):
        self.compare(name, 'the same where the files stand already', self.sftp_ssh_up('files', FILES, SMALL, True), self.plain())

    def row_sftp_ssh_files_down(self, name):
        self.compare(name, '10,000 x 1 KiB down, SFTP, sshd', self.sftp_ssh_down('files', FILES, SMALL), self.plain(), 1.30, 1.50)

    def row_sftp_ssh_relay_files_up(self, name):
        self.compare(name, 'the same up by a relay that only copies', self.sftp_ssh_up('files', FILES, SMALL), RELAY)

    def row_sftp_ssh_relay_files_down(self, name):
        self.compare(name, 'the same down by a relay that only copies', self.sftp_ssh_down('files', FILES, SMALL), RELAY)

    def row_sftp_ssh_list(self, name):
        measure = self.sftp_batch(*[f"ls -1 {self.material('files')}"] * LISTINGS, 'bye')
        self.compare(name, f'sftp ls of 10,000 names, {LISTINGS} times, sshd', measure, self.plain(), 1.15)

    def row_sftp_ssh_start(self, name):
        measure = self.sftp_batch('bye')
        self.compare_starts(name, 'an sftp session that says bye, sshd, 100 rules', lambda conf: measure(conf)[0], self.hundred_rules(), 5 * self.rounds, 2)


class Talk:
    """A client of one session on pipes that looks how much memory the other side has: all processes of the session but sftp-server."""

    def __init__(self, bench, conf):
        self.asked = 0
        live = bench.live
        self.child = subprocess.Popen(bench.command(conf, [SFTP_SERVER]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=bench.environment(SFTP_SERVER),
                                      user=live.uid, group=live.gid, extra_groups=[])
        self.put(INIT, struct.pack('>I', 3))
        if self.get()[0] != VERSION:
            raise world.Trouble('no VERSION')

    def close(self):
        self.child.stdin.close()
        self.child.wait(20)
        self.child.stdout.close()

    def put(self, kind, body):
        if kind != INIT:
            self.asked += 1
            body = struct.pack('>I', self.asked) + body
        self.child.stdin.write(struct.pack('>IB', len(body) + 1, kind) + body)
        self.child.stdin.flush()

    def get(self):
        head = self.child.stdout.read(4)
        if len(head) < 4:
            raise world.Trouble('the session ended')
        body = self.child.stdout.read(struct.unpack('>I', head)[0])
        return body[0], body[5:]

    def open(self, path, flags):
        self.put(OPEN, struct.pack('>I', len(path)) + path.encode() + struct.pack('>III', flags, 4, 0o644))
        kind, body = self.get()
        if kind != HANDLE:
            raise world.Trouble(f'{path}: no handle: {kind} {body!r}')
        return body

    def busy(self, ask, kind, size):
        """Memory seen while requests are under way, as many as a client keeps open. Each is answered with kind and that many bytes or more."""
        sizes = []
        for i in range(CHUNKS + OUTSTANDING):
            if i >= OUTSTANDING:
                answer = self.get()
                if answer[0] != kind or len(answer[1]) < size or kind == STATUS and answer[1][:4] != bytes(4):
                    raise world.Trouble(f'answer of type {answer[0]}, {len(answer[1])} bytes')
            if i < CHUNKS:
                ask(i * CHUNK)
            if i % 8 == 0:
                sizes.append(self.memory())
        return sizes

    def upload(self, path):
        handle = self.open(path, 2 | 8)
        return self.busy(lambda at: self.put(WRITE, handle + struct.pack('>QI', at, CHUNK) + bytes(CHUNK)), STATUS, 4)

    def download(self, path):
        handle = self.open(path, 1)
        return self.busy(lambda at: self.put(READ, handle + struct.pack('>QI', at, CHUNK)), DATA, 4 + CHUNK)

    def _processes(self):
        left = [self.child.pid]
        while left:
            pid = left.pop()
            yield pid, os.path.basename(os.readlink(f'/proc/{pid}/exe'))
            with open(f'/proc/{pid}/task/{pid}/children') as f:
                left += [int(word) for word in f.read().split()]

    def memory(self):
        return sum(pss(pid) for pid, program in self._processes() if program != 'sftp-server')

    def server_memory(self):
        return sum(pss(pid) for pid, program in self._processes() if program == 'sftp-server')
