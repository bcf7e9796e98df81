"""ClamAV's own samples (package clamav-testfiles) with a signature of ours: what clamscan detects the shim blocks, by either engine."""
import os
import subprocess
import time
import unittest

import audit
import clients
import configuration
import stage
import world

FOLDER = '/usr/share/clamav-testfiles'
BODY = "  upload { block 'm' { virus = {'*'} } }\n"
MORE = "  on_block = 'skip'\n  accept_unscannable = {'encrypted', 'too-large', 'too-deep', 'damaged', 'timeout'}\n"


class Samples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        if not os.path.isdir(FOLDER):
            raise world.Trouble('clamav-testfiles is not installed')
        cls.names = sorted(os.listdir(FOLDER))
        done = world.run(['clamscan', '--no-summary', '-i', '-r', f'--database={cls.live.base}/db', FOLDER], timeout=120)
        cls.detected = {os.path.basename(line.split(b': ')[0].decode()) for line in done.out.splitlines() if line.endswith(b' FOUND')}

    def upload(self, gate):
        s = stage.Stage(self.live, gate, clients.OpenSSH(self.live), world.unique('samples'), 'gg')
        done = s.client.up(gate, [f'{FOLDER}/{n}' for n in self.names], s.remote, cwd=s.local)
        self.assertEqual(done.status, 1, done)
        records = audit.files(gate.sessions_about(f'{s.word}.{s.half}', 60))
        self.assertEqual(sorted(audit.name(r) for r in records), self.names)
        blocked = {audit.name(r) for r in records if audit.outcome(r) == 'blocked' and audit.rule(r) == 'm'}
        self.assertEqual(self.detected - blocked, set(), 'clamscan detects them')
        self.assertEqual(set(os.listdir(s.remote)), {audit.name(r) for r in records if audit.outcome(r) == 'allowed'})

    def test_clamscan_itself(self):
        self.assertGreater(len(self.detected), 15, self.detected)

    def test_inspector(self):
        self.upload(self.live.gate('samples', configuration.whole(self.live, 'samples', configuration.policy(BODY, more=MORE))))

    def test_clamd(self):
        clamd = Clamd(self.live)
        try:
            for name, address in (('samples-unix', f'unix:{clamd.path}'), ('samples-tcp', f'tcp:127.0.0.1:{clamd.port}'),
                                  ('samples-second', f"unix:/no/such/socket', 'unix:{clamd.path}")):
                with self.subTest(address=address):
                    scanner = f"scanner {{{{\n  engine = 'clamd'\n  address = {{{{'{address}'}}}}\n  timeout = 60\n}}}}\n"
                    self.upload(self.live.gate(name, configuration.whole(self.live, name, configuration.policy(BODY, more=MORE), scanner=scanner)))
        finally:
            clamd.close()


class Clamd:
    """A real clamd on our signatures, reachable by socket and port, that says so when it did not look."""

    def __init__(self, live, more=''):
        self.path, self.port = f'{live.base}/clamd.socket', world.free_port()
        config = f'{live.base}/run/clamd.conf'
        with open(config, 'w') as f:
            f.write(f'''Foreground yes
DatabaseDirectory {live.base}/db
LocalSocket {self.path}
LocalSocketMode 666
TCPSocket {self.port}
TCPAddr 127.0.0.1
TemporaryDirectory {live.base}/tmp
PidFile {live.base}/run/clamd.pid
AlertExceedsMax yes
AlertEncrypted yes
AlertEncryptedArchive yes
AlertEncryptedDoc yes
MaxFileSize 2000M
MaxScanSize 4000M
StreamMaxLength 2000M
MaxThreads 4
{more}''')
        with open(f'{live.base}/run/clamd.log', 'wb') as log:
            self.child = subprocess.Popen(['timeout', '-k', '5', str(world.RUN_LIMIT), 'clamd', '-c', config], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        world.wait_for('clamd listens', 60, lambda: os.path.exists(self.path) or self.child.poll() is not None)
        if self.child.poll() is not None:
            with open(f'{live.base}/run/clamd.log') as log:
                raise world.Trouble('clamd does not start: ' + log.read())
        time.sleep(0.1)

    def close(self):
        self.child.terminate()
        self.child.wait(20)
