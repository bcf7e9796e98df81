"""A clamd of our own making: honest about the archives that test for its alerts, and about files it says what and when it is told to."""
import os
import socket
import threading


class FakeClamd:
    """verdict: what it says of a file. hold: it waits for release() first. asked is set once it was asked about a file."""

    def __init__(self, path, verdict=b'OK', hold=False):
        self.verdict = verdict
        self.asked, self.go_on = threading.Event(), threading.Event()
        if not hold:
            self.go_on.set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(50)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.go_on.set()
        self.listener.close()

    def release(self):
        self.go_on.set()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer):
        try:
            with peer:
                asked, fds, _, _ = socket.recv_fds(peer, 65536, 4)
                if b'FILDES' in asked:
                    while not fds:
                        _, fds, _, _ = socket.recv_fds(peer, 16, 4)
                    for fd in fds:
                        os.close(fd)
                    self._answer(peer, b'fd[10]: ')
                elif b'INSTREAM' in asked:
                    content = self._stream(peer, asked.partition(b'INSTREAM\0')[2])
                    alert = self._alert(content)
                    if alert is not None:
                        peer.sendall(b'stream: ' + alert + b'\0')
                    else:
                        self._answer(peer, b'stream: ')
                elif b'PING' in asked:
                    peer.sendall(b'PONG\0')
        except OSError:
            pass

    def _answer(self, peer, head):
        self.asked.set()
        if self.go_on.wait(60):
            peer.sendall(head + self.verdict + b'\0')

    @staticmethod
    def _stream(peer, data):
        content = b''
        while True:
            while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], 'big'):
                more = peer.recv(65536)
                if not more:
                    return content
                data += more
            size = int.from_bytes(data[:4], 'big')
            if size == 0:
                return content
            content, data = content + data[4:4 + size], data[4 + size:]

    @staticmethod
    def _alert(content):
        """What a clamd with all alerts on and no limits says to the shim's test archives; None for all else."""
        if content[257:262] == b'ustar':
            return b'OK'
        if content.count(b'PK\3\4') > 1:
            return b'Heuristics.Limits.Exceeded.MaxRecursion FOUND'
        if content.startswith(b'PK\3\4') and content[6] & 1:
            return b'Heuristics.Encrypted.Zip FOUND'
        return None
