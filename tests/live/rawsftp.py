"""An SFTP client that says exactly what it is told to, packet by packet, and reads what comes back packet by packet.

Over pipes: Pipes(argv, …) starts the shim or the real sftp-server as the session's user. Through sshd: Remote(gate).
"""
import collections
import os
import select
import signal
import struct
import subprocess
import time

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, \
    SYMLINK = range(1, 21)
EXTENDED, STATUS, HANDLE, DATA, NAME, ATTRS, REPLY = 200, 101, 102, 103, 104, 105, 201
OK, EOF, NO_SUCH_FILE, DENIED, FAILURE, BAD_MESSAGE, UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
F_READ, F_WRITE, F_APPEND, F_CREAT, F_TRUNC, F_EXCL = 1, 2, 4, 8, 16, 32
PACKET_MAX = 262144
SERVER = '/usr/lib/openssh/sftp-server'

Packet = collections.namedtuple('Packet', 'type id body')


def u32(n):
    return struct.pack('>I', n)


def u64(n):
    return struct.pack('>Q', n)


def string(data):
    data = os.fsencode(data)
    return u32(len(data)) + data


def attrs(size=None, mode=None, times=None, owner=None):
    flags = (size is not None) | (owner is not None) << 1 | (mode is not None) << 2 | (times is not None) << 3
    return (u32(flags) + (u64(size) if size is not None else b'') + (u32(owner[0]) + u32(owner[1]) if owner else b'')
            + (u32(mode) if mode is not None else b'') + (u32(times[0]) + u32(times[1]) if times else b''))


def frame(payload):
    return u32(len(payload)) + payload


def packet(kind, number, *fields):
    """A request; fields: bytes are put as they are, str as strings of the protocol, numbers as u32."""
    body = b''.join(f if isinstance(f, bytes) else u32(f) if isinstance(f, int) else string(f) for f in fields)
    return frame(bytes([kind]) + u32(number) + body)


def init(version=3):
    return frame(bytes([INIT]) + u32(version))


def open_(number, path, flags, attributes=u32(0)):
    return packet(OPEN, number, path, flags, attributes)


def write(number, handle, offset, data):
    return packet(WRITE, number, string(handle), u64(offset), string(data))


def read(number, handle, offset, count):
    return packet(READ, number, string(handle), u64(offset), count)


def close(number, handle):
    return packet(CLOSE, number, string(handle))


def extended(number, name, *fields):
    return packet(EXTENDED, number, name, *fields)


def take(body, at=0):
    """A string of the protocol at this place: (bytes, where the next field is)."""
    n = struct.unpack_from('>I', body, at)[0]
    return body[at + 4:at + 4 + n], at + 4 + n


def code(reply):
    """Of a STATUS its number; of any other reply None."""
    return struct.unpack_from('>I', reply.body)[0] if reply and reply.type == STATUS else None


def text(reply):
    return take(reply.body, 4)[0]


def handle(reply):
    assert reply is not None and reply.type == HANDLE, f'no handle: {reply}, {text(reply) if reply and reply.type == STATUS else ""}'
    return take(reply.body)[0]


def data(reply):
    return take(reply.body)[0] if reply.type == DATA else None


def size(reply):
    flags, n = struct.unpack_from('>IQ', reply.body)
    return n if reply.type == ATTRS and flags & 1 else None


def names(reply):
    """The names of a NAME reply."""
    count, found, at = struct.unpack_from('>I', reply.body)[0], [], 4
    for _ in range(count):
        name, at = take(reply.body, at)
        _, at = take(reply.body, at)
        flags = struct.unpack_from('>I', reply.body, at)[0]
        at += 4 + 8 * (flags & 1) + 8 * (flags >> 1 & 1) + 4 * (flags >> 2 & 1) + 8 * (flags >> 3 & 1)
        found.append(name)
    return found


class Session:
    """One conversation with self.child, a process with pipes."""
    patience = float(os.environ.get('XFERWARDEN_LIVE_PATIENCE', 20))

    def __init__(self, child):
        self.child = child
        self.heard = b''
        self.version = None
        self.next = 100
        os.set_blocking(child.stdout.fileno(), False)

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

    def say(self, words):
        """Sends; a server that has hung up is not an error here, its answer is judged later. What it does not take in time is not sent."""
        fd, end = self.child.stdin.fileno(), time.monotonic() + self.patience
        os.set_blocking(fd, False)
        view = memoryview(words)
        while view:
            ready = select.select([self.child.stdout], [fd], [], max(0, end - time.monotonic()))
            if not ready[0] and not ready[1]:
                raise AssertionError(f'{len(view)} bytes were not taken in {self.patience} s')
            try:
                if ready[1]:
                    view = view[os.write(fd, view[:65536]):]
                elif not self._more():
                    return
            except BrokenPipeError:
                return

    def _more(self):
        block = os.read(self.child.stdout.fileno(), 1 << 18)
        self.heard += block
        return bool(block)

    def hear(self):
        """The next packet; None at the end of what the server says, or if it says nothing for too long (then silent is set)."""
        end = time.monotonic() + self.patience
        while len(self.heard) < 4 or len(self.heard) < 4 + struct.unpack_from('>I', self.heard)[0]:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.child.stdout], [], [], left)[0]:
                raise AssertionError(f'no answer in {self.patience} s; so far {self.heard[:40]!r}')
            if not self._more():
                assert not self.heard, f'ended within a packet: {self.heard[:40]!r}'
                return None
        n = struct.unpack_from('>I', self.heard)[0]
        assert n >= 5, f'no packet: {self.heard[:40]!r}'
        body, self.heard = self.heard[4:4 + n], self.heard[4 + n:]
        return Packet(body[0], struct.unpack_from('>I', body, 1)[0], body[5:])

    def ask(self, words):
        self.say(words)
        return self.hear()

    def answers(self, count):
        return [self.hear() for _ in range(count)]

    def greet(self):
        self.version = self.ask(init())
        assert self.version and self.version.type == VERSION and self.version.id == 3, self.version
        return self

    def extensions(self):
        found, at = {}, 0
        while at < len(self.version.body):
            name, at = take(self.version.body, at)
            found[name.decode()], at = take(self.version.body, at)
        return found

    def number(self):
        self.next += 1
        return self.next

    def do(self, make, *words):
        """One request made by make(number, …), and its answer, which must bear the number."""
        number = self.number()
        reply = self.ask(make(number, *words))
        assert reply is not None and reply.id == number, f'answer to {number}: {reply}'
        return reply

    def request(self, kind, *fields):
        return self.do(lambda number: packet(kind, number, *fields))

    def open(self, path, flags, attributes=u32(0)):
        return handle(self.do(open_, path, flags, attributes))

    def put(self, path, content, flags=F_WRITE | F_CREAT | F_TRUNC):
        """A whole file, all sent at once: the codes of OPEN, the writes and CLOSE; None for OPEN is a handle."""
        reply = self.do(open_, path, flags)
        if reply.type != HANDLE:
            return [code(reply)]
        h = handle(reply)
        pieces = [write(1000 + i, h, at, content[at:at + 32768]) for i, at in enumerate(range(0, len(content), 32768))]
        self.say(b''.join(pieces) + close(999, h))
        return [None] + [code(r) for r in self.answers(len(pieces) + 1)]

    def get(self, path):
        """All of a file, or the code of the first refusal."""
        reply = self.do(open_, path, F_READ)
        if reply.type != HANDLE:
            return code(reply)
        h, got = handle(reply), b''
        while True:
            reply = self.do(read, h, len(got), 32768)
            if reply.type != DATA:
                break
            got += data(reply)
        self.do(close, h)
        return got if code(reply) == EOF else code(reply)

    def half_close(self):
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass

    def finish(self):
        """Half-closes, and reads to the end: (exit status, packets that still came, stderr)."""
        self.half_close()
        rest = []
        while (reply := self.hear()) is not None:
            rest.append(reply)
        try:
            status = self.child.wait(self.patience)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f'does not end within {self.patience} s') from late
        return status, rest, self.child.stderr.read()


def environment(live, request=SERVER):
    return {'HOME': live.home, 'USER': live.user, 'LOGNAME': live.user, 'PATH': '/usr/bin:/bin', 'SSH_CONNECTION': '127.0.0.1 1 127.0.0.1 2',
            'SSH_ORIGINAL_COMMAND': request, 'ASAN_OPTIONS': f'log_path={live.base}/asan/log:detect_leaks=0',
            'UBSAN_OPTIONS': f'log_path={live.base}/asan/log:print_stacktrace=1'}


class Pipes(Session):
    """The shim before a gate's configuration, or the real server where the gate is bare, without sshd between."""

    def __init__(self, gate):
        live = gate.world
        argv = [live.shim, '-f', gate.conf] if gate.gated else [SERVER]
        super().__init__(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=live.home, user=live.uid,
                                          group=live.gid, extra_groups=[], env=environment(live), start_new_session=True))


class Remote(Session):
    """Through sshd, by its subsystem."""

    def __init__(self, gate, shared=True):
        super().__init__(subprocess.Popen(['ssh'] + gate.ssh_options(shared) + ['-T', '-s', f'{gate.world.user}@127.0.0.1', 'sftp'],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True))
