"""A client that says exactly what it is told to: bytes in and out of one exec request, by way of ssh's own stdin and stdout."""
import os
import select
import signal
import subprocess
import time


class Raw:
    def __init__(self, gate, command, shared=True):
        self.gate = gate
        self.child = subprocess.Popen(['ssh'] + gate.ssh_options(shared) + ['-T', f'{gate.world.user}@127.0.0.1', '--', command], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        os.set_blocking(self.child.stdout.fileno(), False)
        self.heard = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.kill()
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            try:
                pipe.close()
            except OSError:
                pass

    def kill(self):
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def say(self, data):
        """Sends; a server that has hung up is not an error here, its answer is judged later."""
        try:
            self.child.stdin.write(data)
            self.child.stdin.flush()
        except BrokenPipeError:
            pass

    def close(self):
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass

    def hear(self, count, seconds=10):
        """Exactly count bytes; fewer if the other side ended or the time is up."""
        end = time.monotonic() + seconds
        while len(self.heard) < count:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                break
            block = os.read(self.child.stdout.fileno(), 65536)
            if not block:
                break
            self.heard += block
        got, self.heard = self.heard[:count], self.heard[count:]
        return got

    def reply(self, seconds=10):
        """One reply: b'\\0', or the code byte with its line."""
        first = self.hear(1, seconds)
        if first in (b'', b'\0'):
            return first
        line = first
        while not line.endswith(b'\n'):
            more = self.hear(1, seconds)
            if not more:
                break
            line += more
        return line

    def silent(self, seconds=0.3):
        """True if nothing comes for that long."""
        got = self.hear(1, seconds)
        self.heard = got + self.heard
        return not got

    def finish(self, seconds=15):
        """Half-closes, reads to the end: (exit status, the rest of stdout, stderr). Status 'timeout' if it does not end."""
        self.close()
        rest, end = b'', time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0:
                self.kill()
                return 'timeout', self.heard + rest, b''
            if select.select([self.child.stdout], [], [], left)[0]:
                block = os.read(self.child.stdout.fileno(), 65536)
                if not block:
                    break
                rest += block
        try:
            status = self.child.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            return 'timeout', self.heard + rest, b''
        rest, self.heard = self.heard + rest, b''
        return status, rest, self.child.stderr.read()
