"""Packet scripts that the shim must answer as the real sftp-server does. Each gets a session and a Talk, and gives what it learned as a list of values."""
import struct

import rawsftp as r
from stage import WHEN, noise

SCRIPTS = []


def script(times=False, held=True):
    """times: compare them, too. held: also before a policy that holds content."""
    def add(function):
        SCRIPTS.append((function.__name__, function, times, held))
        return function
    return add


class Talk:
    """A session before a folder: requests whose answers become values that do not depend on handles, numbers, users or folders."""

    def __init__(self, session, s, name):
        self.session, self.stage, self.d = session, s, f'{s.remote}/{name}'
        self.name, self.heard = name, []
        s.folder_there(name)

    def there(self, name, *what):
        self.stage.there(f'{self.name}/{name}', *what)

    def at(self, name):
        return f'{self.d}/{name}'.rstrip('/')

    def value(self, reply):
        if reply is None:
            return 'end'
        if reply.type == r.STATUS:
            return r.code(reply)
        if reply.type == r.HANDLE:
            return 'handle'
        if reply.type == r.DATA:
            return r.data(reply)
        if reply.type == r.ATTRS:
            flags = struct.unpack_from('>I', reply.body)[0]
            rest = reply.body[4:]
            if flags & 1:
                n, rest = rest[:8], rest[8:]
                flags = (flags, int.from_bytes(n, 'big'))
            return ('attrs', flags, rest[:12].hex())  # owner and mode; times are compared on the disk
        if reply.type == r.NAME:
            return sorted(n.replace(b'.' + self.stage.half.encode() + b'/', b'/') for n in r.names(reply))
        return (reply.type, len(reply.body))

    def note(self, reply):
        self.heard.append(self.value(reply))
        return reply

    def do(self, make, *words):
        return self.note(self.session.do(make, *words))

    def request(self, kind, *fields):
        return self.note(self.session.request(kind, *fields))

    def extended(self, name, *fields):
        return self.request(r.EXTENDED, name, *fields)

    def open(self, name, flags, attributes=r.attrs(mode=0o640)):
        """The handle; where there is none, one that nobody knows."""
        return self.may_open(name, flags, attributes) or b'none'

    def may_open(self, name, flags, attributes=r.attrs(mode=0o640)):
        reply = self.do(r.open_, self.at(name), flags, attributes)
        return r.handle(reply) if reply.type == r.HANDLE else None

    def attempt(self, exact, make, *words):
        """As do; where it is not exact, any refusal is as good as another."""
        reply = self.session.do(make, *words)
        value = self.value(reply)
        self.heard.append('refused' if not exact and reply.type == r.STATUS and value > r.EOF else value)

    def at_once(self, packets):
        self.session.say(b''.join(packets))
        self.heard.append([self.value(reply) for reply in self.session.answers(len(packets))])


def flags_table(existing):
    def run(t):
        for flags in range(64):
            name = f'f{flags:02x}'
            if existing:
                t.there(name, b'0123456789', 0o644)
            h = t.may_open(name, flags)
            if h:
                writes = bool(flags & r.F_WRITE)  # what a handle is not for, fails: with which code is no matter
                t.attempt(writes, r.write, h, 2, b'XY')
                t.attempt(flags & r.F_READ or not flags & r.F_WRITE, r.read, h, 0, 100)
                t.attempt(writes, r.write, h, 7, b'Z')
                t.do(r.close, h)
    return run


@script()
def open_flags_new(t):
    flags_table(False)(t)


@script()
def open_flags_existing(t):
    flags_table(True)(t)


@script()
def open_modes(t):
    for mode in (0o600, 0o644, 0o755, 0o100644, 0o777, 0o444):
        h = t.open(f'm{mode:o}', r.F_WRITE | r.F_CREAT, r.attrs(mode=mode))
        t.do(r.write, h, 0, b'x')
        t.do(r.close, h)
    h = t.open('none', r.F_WRITE | r.F_CREAT, r.attrs())
    t.do(r.close, h)


@script()
def open_what_is_no_file(t):
    t.stage.folder_there(t.name + '/d')
    t.there('file', b'1')
    t.do(r.close, t.open('file', r.F_READ))
    for name in ('', 'd', 'file/x', 'missing/x', 'n' * 256):
        for flags in (r.F_READ, r.F_WRITE, r.F_WRITE | r.F_CREAT | r.F_TRUNC):
            if name in ('', 'd') and flags == r.F_READ:  # the real one opens a folder, and fails at the first READ
                continue
            h = t.may_open(name, flags)
            if h:
                t.do(r.read, h, 0, 10)
                t.do(r.close, h)


@script()
def write_out_of_order(t):
    whole = noise(1, 300000)
    h = t.open('a', r.F_WRITE | r.F_CREAT | r.F_TRUNC)
    pieces = list(range(0, 300000, 10000))
    order = pieces[1::2] + pieces[::2][::-1]
    t.at_once([r.write(i, h, at, whole[at:at + 10000]) for i, at in enumerate(order)] + [r.close(99, h)])


@script()
def write_sparse(t):
    h = t.open('a', r.F_WRITE | r.F_CREAT | r.F_TRUNC)
    t.at_once([r.write(1, h, 500000, b'far'), r.write(2, h, 70000, b'near'), r.close(3, h)])
    t.there('b', noise(2, 1000))
    h = t.open('b', r.F_WRITE)
    t.at_once([r.write(1, h, 200000, b'behind the end'), r.close(2, h)])


@script()
def write_overlapping(t):
    t.there('b', noise(2, 100000))
    for name, flags in (('a', r.F_WRITE | r.F_CREAT), ('b', r.F_WRITE)):
        h = t.open(name, flags)
        t.at_once([r.write(1, h, 0, noise(3, 50000)), r.write(2, h, 25000, noise(4, 50000)), r.write(3, h, 24999, b'!!'), r.write(4, h, 0, b''),
                   r.write(5, h, 74999, noise(5, 10)), r.close(6, h)])


@script()
def write_append(t):
    t.there('a', b'begin.')
    h = t.open('a', r.F_WRITE | r.F_APPEND)
    t.at_once([r.write(1, h, 0, b'one.'), r.write(2, h, 1, b'two.'), r.write(3, h, 100, b'three.'), r.close(4, h)])
    h = t.open('new', r.F_WRITE | r.F_APPEND | r.F_CREAT)
    t.at_once([r.write(1, h, 1000, b'one.'), r.write(2, h, 0, b'two.'), r.close(3, h)])


@script()
def write_many_at_once(t):
    whole = noise(6, 64 * 32768)
    h = t.open('a', r.F_WRITE | r.F_CREAT | r.F_TRUNC)
    t.at_once([r.write(i, h, i * 32768, whole[i * 32768:(i + 1) * 32768]) for i in range(64)] + [r.close(64, h)])
    h = t.open('a', r.F_READ)
    t.at_once([r.read(i, h, i * 32768, 32768) for i in range(70)] + [r.close(70, h)])


@script()
def numbers_twice(t):
    """A client may use one number for several requests under way."""
    h = t.open('a', r.F_WRITE | r.F_CREAT)
    t.session.say(b''.join([r.write(7, h, 0, b'a'), r.write(7, h, 1, b'b'), r.packet(r.STAT, 7, t.at('missing')), r.write(7, h, 2, b'c'), r.close(7, h)]))
    t.heard.append([(a.id, t.value(a)) for a in t.session.answers(5)])
    for number in (0, 0x7fffffff, 0xffffffff):
        reply = t.session.ask(r.packet(r.REALPATH, number, t.at('')))
        t.heard.append((reply.id == number, t.value(reply)))


@script()
def bytes_behind_the_data(t):
    """As rclone's library sends them: the buffer's rest, which is no content."""
    h = t.open('a', r.F_WRITE | r.F_CREAT)
    rest = b'rest' * 6000
    t.at_once([r.packet(r.WRITE, 1, r.string(h), r.u64(0), r.string(b'one.') + rest), r.packet(r.WRITE, 2, r.string(h), r.u64(4), r.string(b'two.') + b'\0'),
               r.packet(r.WRITE, 3, r.string(h), r.u64(8), r.string(b'') + rest), r.close(4, h)])


@script()
def two_files_at_once(t):
    a, b = (t.open(n, r.F_WRITE | r.F_CREAT) for n in 'ab')
    t.at_once([p for i in range(10) for p in (r.write(i, a, i * 1000, noise(i, 1000)), r.write(i, b, i * 1000, noise(i + 50, 1000)))])
    t.do(r.close, b)
    t.do(r.close, a)


@script()
def two_handles_one_after_another(t):
    t.there('f', b'0123456789')
    a = t.open('f', r.F_WRITE)
    t.do(r.write, a, 0, b'AAA')
    t.do(r.close, a)
    b = t.open('f', r.F_WRITE)
    t.do(r.write, b, 7, b'BBB')
    t.do(r.close, b)


@script()
def sizes_by_handle(t):
    t.there('a', noise(1, 100000))
    h = t.open('a', r.F_WRITE | r.F_READ)
    for size in (50000, 120000, 0, 10):
        t.request(r.FSETSTAT, r.string(h), r.attrs(size=size))
        t.request(r.FSTAT, r.string(h))
    t.do(r.write, h, 4, b'abc')
    t.do(r.read, h, 0, 20)
    t.do(r.close, h)
    h = t.open('scp', r.F_WRITE | r.F_CREAT)  # as scp does
    t.at_once([r.write(1, h, 0, b'hello'), r.packet(r.FSETSTAT, 2, r.string(h), r.attrs(size=5)), r.close(3, h)])


@script(times=True)
def attributes_by_handle(t):
    h = t.open('a', r.F_WRITE | r.F_CREAT)
    t.at_once([r.write(1, h, 0, b'hello'), r.packet(r.FSETSTAT, 2, r.string(h), r.attrs(mode=0o604, times=(WHEN, WHEN + 5))), r.close(3, h)])


@script()
def attributes_by_a_handle_to_read(t):
    t.there('b', b'hello')
    h = t.open('b', r.F_READ)
    t.request(r.FSETSTAT, r.string(h), r.attrs(mode=0o600))
    t.do(r.close, h)


@script(times=True)
def attributes_by_name(t):
    t.there('a', noise(1, 5000), 0o640, WHEN)
    t.there('shut', b'1', 0o444, WHEN)
    for name in ('a', 'missing', ''):
        t.request(r.SETSTAT, t.at(name), r.attrs(mode=0o700))
    t.request(r.SETSTAT, t.at('a'), r.attrs())
    t.request(r.SETSTAT, t.at('a'), r.attrs(size=100, mode=0o600, times=(WHEN, WHEN + 7)))
    t.request(r.SETSTAT, t.at('shut'), r.attrs(size=0, times=(WHEN, WHEN)))
    t.extended('lsetstat@openssh.com', t.at('a'), r.attrs(times=(WHEN, WHEN + 9)))


@script()
def reading(t):
    t.there('a', noise(1, 300000))
    t.there('empty', b'')
    h = t.open('a', r.F_READ)
    for offset, count in ((0, 10), (299990, 100), (300000, 1), (10 ** 9, 1), (2 ** 63 - 1, 10), (150000, 1000), (0, 261120), (38880, 261120)):
        t.do(r.read, h, offset, count)
    t.attempt(False, r.write, h, 0, b'x')
    t.do(r.close, h)
    h = t.open('empty', r.F_READ)
    t.do(r.read, h, 0, 10)
    t.do(r.close, h)


@script()
def handles_of_another_kind(t):
    t.there('d/a', b'1')
    h = t.open('d/a', r.F_READ)
    t.request(r.READDIR, r.string(h))
    folder = r.handle(t.request(r.OPENDIR, t.at('d')))
    t.attempt(False, r.read, folder, 0, 10)
    t.attempt(False, r.write, folder, 0, b'x')
    t.request(r.FSTAT, r.string(h))
    t.do(r.close, h)
    t.do(r.close, folder)


@script()
def listing(t):
    for i in range(250):
        t.there(f'd/{i:03d}', b'')
    folder = r.handle(t.request(r.OPENDIR, t.at('d')))
    found = []
    while (reply := t.session.request(r.READDIR, r.string(folder))).type == r.NAME:
        found += r.names(reply)
    t.heard.append((sorted(found), r.code(reply)))
    t.request(r.READDIR, r.string(folder))
    t.do(r.close, folder)
    for name in ('missing', 'd/000'):
        t.request(r.OPENDIR, t.at(name))


@script()
def names(t):
    for name in ('a', 'b', 'c', 'd/x'):
        t.there(name, name.encode())
    t.request(r.RENAME, t.at('a'), t.at('a2'))
    t.request(r.RENAME, t.at('b'), t.at('c'))
    t.request(r.RENAME, t.at('missing'), t.at('m2'))
    t.request(r.RENAME, t.at('d'), t.at('d2'))
    t.extended('posix-rename@openssh.com', t.at('b'), t.at('c'))
    t.extended('posix-rename@openssh.com', t.at('missing'), t.at('c'))
    t.extended('hardlink@openssh.com', t.at('c'), t.at('hard'))
    t.extended('hardlink@openssh.com', t.at('c'), t.at('hard'))
    t.request(r.SYMLINK, 'c', t.at('soft'))
    t.request(r.READLINK, t.at('soft'))
    t.request(r.READLINK, t.at('c'))
    for kind in (r.STAT, r.LSTAT, r.REALPATH):
        for name in ('soft', 'c', 'missing', 'd2/../c', 'missing/x'):
            t.request(kind, t.at(name))
    t.request(r.REMOVE, t.at('soft'))
    t.request(r.REMOVE, t.at('missing'))
    t.request(r.REMOVE, t.at('d2'))
    t.request(r.RMDIR, t.at('d2'))
    t.request(r.RMDIR, t.at('c'))
    t.request(r.MKDIR, t.at('new'), r.attrs(mode=0o750))
    t.request(r.MKDIR, t.at('new'), r.attrs(mode=0o750))
    t.request(r.MKDIR, t.at('plain'), r.attrs())
    t.request(r.MKDIR, t.at('no/such'), r.attrs())


@script(held=False)  # there it is not offered
def copies(t):
    t.there('a', noise(1, 100000))
    a, b = t.open('a', r.F_READ), t.open('b', r.F_WRITE | r.F_CREAT)
    for at, count, to in ((0, 1000, 0), (500, 0, 2000), (99999, 100, 0), (200000, 10, 0)):
        t.extended('copy-data', r.string(a), r.u64(at), r.u64(count), r.string(b), r.u64(to))
    t.do(r.close, a)
    t.do(r.close, b)


@script()
def other_extensions(t):
    t.there('a', b'1')
    h = t.open('a', r.F_READ | r.F_WRITE)
    t.extended('fsync@openssh.com', r.string(h))
    reading = t.open('a', r.F_READ)
    t.extended('fstatvfs@openssh.com', r.string(reading))
    t.do(r.close, reading)
    t.extended('statvfs@openssh.com', t.at('a'))
    t.extended('statvfs@openssh.com', t.at('missing'))
    t.extended('expand-path@openssh.com', t.at('a'))
    t.extended('no-such-extension@example.org', b'whatever')
    t.do(r.close, h)


@script()
def stale_handles(t):
    """A handle that was closed is nobody's, also when another file was opened since."""
    t.there('a', b'first')
    t.there('b', b'second')
    a = t.open('a', r.F_WRITE | r.F_READ)
    t.do(r.close, a)
    for make, words in ((r.read, (a, 0, 10)), (r.write, (a, 0, b'STALE')), (r.close, (a,))):
        t.heard.append(t.session.do(make, *words).type == r.STATUS and t.session.do(make, *words).type == r.STATUS)
    t.request(r.FSTAT, r.string(b'\0\0\0\x77'))
