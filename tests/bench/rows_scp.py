"""The rows of SCP: bare is the real scp in server mode."""
import os
import statistics
import subprocess

import world
from measure import FILES, GIB, NAMES, RELAY, SMALL, TYPE, openssl_sha256, pss

CLIENT = ['scp', '-O', '-q']


class Rows:
    def pipe_row(self, verb, files, size, source=None):
        def measure(conf):
            path = self.target() if verb == 'up' else self.material(source)
            return self.pipes(verb, files, size, conf, path)
        return measure

    def ssh_up(self, source, recursive=False):
        path = self.material(source)

        def measure(conf):
            return self.through_sshd(CLIENT, ['-r'] * recursive + [path, f'HOST:{self.target()}/'], conf)
        return measure

    def ssh_down(self, source, recursive=False):
        path = self.material(source)
        here = f'{self.live.base}/client/got'

        def measure(conf):
            os.makedirs(here, exist_ok=True)
            return self.through_sshd(CLIENT, ['-r'] * recursive + [f'HOST:{path}', here], conf)
        return measure

    def row_pipe_up(self, name):
        self.compare(name, '1 GiB up, pipes, no content rule, no hash', self.pipe_row('up', 1, GIB), self.conf('plain', NAMES), 1.10)

    def row_pipe_down(self, name):
        self.compare(name, '1 GiB down, pipes, the same', self.pipe_row('down', 1, GIB, 'big'), self.conf('plain', NAMES), 1.20)

    def row_pipe_up_sha(self, name):
        note = f", openssl takes {openssl_sha256(self.material('big')):.0f} ms for the hash alone"
        self.compare(name, '1 GiB up, pipes, sha256', self.pipe_row('up', 1, GIB), self.conf('sha', NAMES, sha256=True), note=note)

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
        path = self.target()

        def start(conf):
            return self.driven([self.program('scpdrive'), 'start', 100, 0, self.live.uid, self.live.gid], f'scp -t {path}', conf, ['/usr/bin/scp', '-t', path])[0] / 1e9
        self.compare_starts(name, 'start to the first byte, pipes, 100 rules', start, self.hundred_rules(), self.rounds, 1.5)

    def row_memory(self, name):
        command = self.command(self.fake(), ['/usr/bin/scp', '-t', self.target()])
        shims = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment(f'scp -t {self.target()}'), user=self.live.uid,
                                  group=self.live.gid, extra_groups=[]) for _ in range(3)]
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
        self.compare_scanned(name, '100 MiB up, sshd, held, real clamd', self.ssh_up('hundred'), 1.05)
