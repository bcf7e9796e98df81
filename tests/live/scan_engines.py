"""Both engines of the scan floor on content that ClamAV does not really look into, and on its own samples.

Each row is a file with a marker in it for which the database here has a signature. "Clean" is never the right answer. The engines: libclamav in the inspector, and a real clamd
of our own on a unix socket (FILDES) and on loopback TCP (INSTREAM), set as it should be and set as it usually is. Needs XFERWARDEN_BUILD; XFERWARDEN_LONG=1 adds the large rows.
"""
import ctypes
import gzip
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile
import zlib

sys.dont_write_bytecode = True

BUILD = os.environ.get('XFERWARDEN_BUILD', '')
LONG = os.environ.get('XFERWARDEN_LONG') == '1'
SAMPLES = '/usr/share/clamav-testfiles'
MARKER = b'XFERWARDEN-TEST-MARKER'
# Not stored in one piece, lest this file be taken for what it tests.
EICAR = b'X5O!P%@AP[4\\PZX54(P^)7CC)7}$' + b'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
MIB = 1 << 20
GOOD = {'AlertExceedsMax': 'yes', 'AlertEncrypted': 'yes', 'MaxFileSize': '2147483645', 'MaxScanSize': '16000M', 'StreamMaxLength': '2000M'}
DEBIAN = {'MaxFileSize': '25M', 'MaxScanSize': '100M', 'StreamMaxLength': '25M'}
BASE = None


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def path(name):
    return os.path.join(BASE, name)


def sparse(name, size, at):
    with open(path(name), 'wb') as f:
        f.truncate(size)
        f.seek(at)
        f.write(MARKER)


class Zip:
    """A zip written by hand, so that a member of many MiB is packed once and used often."""

    def __init__(self, name):
        self.f, self.index, self.count = open(path(name), 'wb'), b'', 0

    @staticmethod
    def pack(chunks):
        squeeze, crc, size, out = zlib.compressobj(1, zlib.DEFLATED, -15), 0, 0, b''
        for chunk in chunks:
            crc, size, out = zlib.crc32(chunk, crc), size + len(chunk), out + squeeze.compress(chunk)
        return out + squeeze.flush(), crc, size

    def add(self, packed, method=8):
        data, crc, size = packed
        name = b'm%06d' % self.count
        common = struct.pack('<5H3I2H', 20, 0, method, 0, 33, crc, len(data), size, len(name), 0)
        self.index += b'PK\1\2\x14\0' + common + struct.pack('<3H2I', 0, 0, 0, 0, self.f.tell()) + name
        self.f.write(b'PK\3\4' + common + name + data)
        self.count += 1

    def close(self):
        self.f.write(self.index + struct.pack('<4s4H2IH', b'PK\5\6', 0, 0, self.count, self.count, len(self.index), self.f.tell(), 0))
        self.f.close()


def zeros(mib, end=b''):
    return Zip.pack([bytes(MIB)] * mib + [end])


def members(name, *packed):
    z = Zip(name)
    for one in packed:
        z.add(one)
    z.close()


def deep(name, levels):
    data = b'text ' + MARKER
    for _ in range(levels):
        members('level', Zip.pack([data]))
        with open(path('level'), 'rb') as f:
            data = f.read()
    os.replace(path('level'), path(name))


def make_rows():
    marked = Zip.pack([b'text ', MARKER])
    sparse('24', 24 * MIB, 23 * MIB)
    sparse('26', 26 * MIB, 25 * MIB)
    sparse('101-end', 101 * MIB, 101 * MIB - 100)
    sparse('101-front', 101 * MIB, 4096)
    sparse('2058', 2058 * MIB, 8192)
    members('zip', marked)
    members('zip-110', zeros(110, MARKER))
    members('zip-sum', *[zeros(60)] * 9, marked)
    members('zip-many', *[Zip.pack([b'%d' % i]) for i in range(10050)], marked)
    deep('zip-deep', 20)
    with open(path('plain'), 'wb') as f:
        f.write(b'text ' * 500 + MARKER + b' text' * 500)  # long enough to be packed
    for tool in (['zip', '-q', '-P', 'secret', path('zip-encrypted.zip')], ['7z', 'a', '-bso0', '-psecret', path('7z-encrypted.7z')],
                 ['7z', 'a', '-bso0', '-psecret', '-mhe=on', path('7z-hidden.7z')], ['7z', 'a', '-bso0', path('whole.7z')],
                 ['7z', 'a', '-bso0', '-tzip', '-mm=lzma', path('zip-lzma.zip')]):
        subprocess.run(tool + [path('plain')], check=True, stdin=subprocess.DEVNULL)
    for whole, broken, cut in (('zip', 'zip-broken', 22), ('whole.7z', '7z-broken', 4), (f'{SAMPLES}/clam.cab', 'cab-broken', 4)):
        with open(path(whole), 'rb') as f:
            data = f.read()
        with open(path(broken), 'wb') as f:
            f.write(data[:-cut])
    for name, front, archive in (('behind-zip', b'X', 'zip'), ('behind-zip-encrypted', b'X', 'zip-encrypted.zip'), ('behind-zip-lzma', bytes(512), 'zip-lzma.zip'),
                                ('behind-7z', b'X', 'whole.7z'), ('behind-7z-hidden', b'X', '7z-hidden.7z'), ('behind-7z-broken', b'GIF89a', '7z-broken'),
                                ('ogg-zip', b'OggS', 'zip'), ('gz-7z', gzip.compress(b'text'), 'whole.7z')):
        with open(path(archive), 'rb') as f, open(path(name), 'wb') as out:
            out.write(front + f.read())
    with open(path('behind-rar'), 'wb') as f:  # RAR 5: the archive's header, and the end
        f.write(b'#!/bin/sh\nexit 0\nRar!\x1a\7\1\0' + b''.join(struct.pack('<I', zlib.crc32(block)) + block for block in (b'\3\1\0\0', b'\3\5\0\0')))
    z = Zip('zip-huge')
    z.add((b'\3\0', 0, 2000 * MIB + 1))
    z.close()
    with open(path('both.zip'), 'wb') as out, open(path('zip-encrypted.zip'), 'rb') as f:
        out.write(f.read())
    with zipfile.ZipFile(path('both.zip'), 'a') as z:
        z.writestr('open', b'text ' + MARKER)
    with open(path('eicar'), 'wb') as f:
        f.write(EICAR)
    with open(path('clean'), 'wb') as f:
        f.write(b'nothing to see\n')
    if LONG:
        members('zip-2001', zeros(1999, MARKER))


# What an engine that is set as it should be has to say: unscannable words, virus ("-": none), and the largest size a row needs.
ROWS = {
    'clean': ('-', '-'),
    'eicar': ('-', 'Test.Eicar.UNOFFICIAL'),
    'plain': ('-', 'Test.Marker.UNOFFICIAL'),
    '24': ('-', 'Test.Marker.UNOFFICIAL'),
    '26': ('-', 'Test.Marker.UNOFFICIAL'),
    '101-end': ('-', 'Test.Marker.UNOFFICIAL'),
    '101-front': ('-', 'Test.Marker.UNOFFICIAL'),
    'zip': ('-', 'Test.Marker.UNOFFICIAL'),
    'zip-110': ('-', 'Test.Marker.UNOFFICIAL'),
    'zip-sum': ('-', 'Test.Marker.UNOFFICIAL'),
    'zip-encrypted.zip': ('encrypted', '-'),
    '7z-encrypted.7z': ('encrypted', '-'),
    '7z-hidden.7z': ('encrypted', '-'),
    'zip-deep': ('too-deep', '-'),
    'zip-many': ('too-deep', '-'),
    'zip-broken': ('damaged', '-'),
    '7z-broken': ('damaged', '-'),
    'cab-broken': ('damaged', 'Test.Clam.UNOFFICIAL'),
    'zip-lzma.zip': ('damaged', '-'),
    'behind-zip': ('-', 'Test.Marker.UNOFFICIAL'),
    'behind-zip-encrypted': ('encrypted', '-'),
    'behind-zip-lzma': ('damaged', '-'),
    'behind-7z': ('-', 'Test.Marker.UNOFFICIAL'),
    'behind-7z-hidden': ('encrypted', '-'),
    'behind-7z-broken': ('damaged', '-'),
    'behind-rar': ('scanner-blind', '-'),
    'ogg-zip': ('scanner-blind', '-'),
    'gz-7z': ('scanner-blind', '-'),
    'zip-huge': ('too-large', '-'),
    '2058': ('too-large', '-'),
    'both.zip': ('encrypted', 'Test.Marker.UNOFFICIAL'),
}


class Clamd:
    def __init__(self, name, options, database=None):
        self.socket, self.log = path(f'{name}.sock'), path(f'{name}.log')
        with socket.socket() as s:
            s.bind(('127.0.0.1', 0))
            self.port = s.getsockname()[1]
        lines = {'LocalSocket': self.socket, 'TCPSocket': self.port, 'TCPAddr': '127.0.0.1', 'DatabaseDirectory': database or path('database'), 'Foreground': 'yes', 'User': 'root',
                 'TemporaryDirectory': BASE, **options}
        with open(path(f'{name}.conf'), 'w') as f:
            f.writelines(f'{key} {value}\n' for key, value in lines.items())
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(['timeout', '300', 'clamd', '-c', path(f'{name}.conf')], stdout=log, stderr=log, preexec_fn=die_with_parent)
        until = time.monotonic() + 20
        while not self.answers():
            if time.monotonic() > until or self.process.poll() is not None:
                with open(self.log, errors='replace') as f:
                    raise RuntimeError(f'clamd does not start: {f.read()}')
            time.sleep(0.05)

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=5) as s:
                s.sendall(b'zPING\0')
                return s.recv(10) == b'PONG\0'
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(20)


class Finding:
    def __init__(self, line):
        self.known, self.unscannable, self.type, self.virus, *detail = line.split(None, 4)
        self.detail = detail[0] if detail else ''

    def __repr__(self):
        return f'{self.unscannable} {self.type} {self.virus} ({self.detail})'


def scan(engine, where, names, need='scan', timeout=60, memory=None):
    env = dict(os.environ, SCAN_FILE_SCRATCH=path('scratch'))
    if memory:
        env['SCAN_FILE_MEMORY'] = str(memory)
    run = subprocess.run([f'{BUILD}/tests/live/scan_file', f'{BUILD}/src/inspector/inspector', engine, where, str(timeout), need] + [path(n) for n in names],
                         stdout=subprocess.PIPE, text=True, timeout=200, env=env)
    lines = run.stdout.splitlines()
    if run.returncode != 0 or len(lines) != len(names):
        raise RuntimeError(f'scan_file: status {run.returncode}: {run.stdout}')
    return dict(zip(names, map(Finding, lines)))


def setUpModule():
    global BASE
    if not os.path.exists(f'{BUILD}/tests/live/scan_file'):
        raise RuntimeError('XFERWARDEN_BUILD names no folder with tests/live/scan_file')
    BASE = tempfile.mkdtemp(prefix='xferwarden-engines-')
    os.mkdir(path('database'))
    os.mkdir(path('empty'))
    os.mkdir(path('scratch'))
    os.mkdir(path('spoilt'))
    with open(path('spoilt/x.ndb'), 'w') as f:
        f.write('this:is:no:signature\n')
    with open(path('database/test.ndb'), 'w') as f:
        for name, content in (('Test.Marker', MARKER), ('Test.Eicar', EICAR), ('Test.Clam', b'USER32.DLL\0CLAMessageBoxA')):
            f.write(f'{name}:0:*:{content.hex()}\n')
    with open(path('database/test.hdb'), 'w') as f:
        import hashlib
        with open(f'{SAMPLES}/clam.pdf', 'rb') as sample:
            data = sample.read()
        f.write(f'{hashlib.md5(data).hexdigest()}:{len(data)}:Test.Whole\n')
    make_rows()


def tearDownModule():
    if BASE:
        shutil.rmtree(BASE)


class Rows(unittest.TestCase):
    def check(self, found, expected):
        for name, (unscannable, virus) in expected.items():
            with self.subTest(row=name):
                self.assertEqual((found[name].unscannable, found[name].virus), (unscannable, virus), found[name])

    def check_never_clean(self, found):
        for name, finding in found.items():
            with self.subTest(row=name):
                self.assertFalse(finding.unscannable == '-' and finding.virus == '-', finding)


class Embedded(Rows):
    """libclamav in the inspector."""

    def tearDown(self):
        self.assertEqual(os.listdir(path('scratch')), [], 'the scratch folder is gone')

    def test_rows(self):
        self.check(scan('libclamav', path('database'), list(ROWS)), ROWS)

    def test_type_and_virus_in_one_answer(self):
        found = scan('libclamav', path('database'), ['zip', 'plain'], need='type+scan')
        self.assertEqual([(f.known, f.type, f.virus) for f in found.values()],
                         [('TS', 'application/zip', 'Test.Marker.UNOFFICIAL'), ('TS', 'text/plain', 'Test.Marker.UNOFFICIAL')])

    def test_little_time(self):
        found = scan('libclamav', path('database'), ['zip-sum'], timeout=1)
        self.assertIn('timeout', found['zip-sum'].unscannable, found)

    def test_little_memory(self):
        found = scan('libclamav', path('database'), ['zip-110', 'plain'], memory=8 * MIB)
        self.assertNotEqual(found['zip-110'].unscannable, '-')
        self.assertEqual(found['zip-110'].virus, '-')

    def test_only_the_front(self):
        with open(path('front'), 'wb') as f:
            f.write(b'harmless text\n' * 10 + MARKER)
        found = scan('libclamav', path('database'), ['front', 'front:140', 'front:162'])
        self.assertEqual([f.virus for f in found.values()], ['Test.Marker.UNOFFICIAL', '-', 'Test.Marker.UNOFFICIAL'])
        self.assertEqual({f.unscannable for f in found.values()}, {'-'})

    def test_no_database(self):
        for folder, why in (('empty', 'no signatures there (run freshclam)'), ('nonexistent', 'No such file or directory'), ('spoilt', 'Malformed database')):
            found = scan('libclamav', path(folder), ['clean'])['clean']
            self.assertEqual((found.unscannable, found.virus), ('scanner-down', '-'), found)
            self.assertEqual(found.detail, f'libclamav: {path(folder)}: {why}')

    @unittest.skipUnless(LONG, 'XFERWARDEN_LONG=1')
    def test_large_member(self):
        found = scan('libclamav', path('database'), ['zip-2001'], timeout=150, memory=3 << 30)
        self.assertEqual(found['zip-2001'].virus, 'Test.Marker.UNOFFICIAL', found)


class Daemon(Rows):
    """A clamd that is set as it should be."""

    @classmethod
    def setUpClass(cls):
        cls.clamd = Clamd('good', GOOD)

    @classmethod
    def tearDownClass(cls):
        cls.clamd.close()

    def test_rows_by_descriptor(self):
        self.check(scan('clamd', f'unix:{self.clamd.socket}', list(ROWS)), ROWS)
        with open(self.clamd.log, errors='replace') as f:
            self.assertIn(path('plain') + ': Test.Marker', f.read(), 'by descriptor: clamd sees the file itself')

    def test_rows_by_stream(self):
        rows = {name: right for name, right in ROWS.items() if LONG or name not in ('zip-sum', 'zip-many')}
        self.check(scan('clamd', f'tcp:127.0.0.1:{self.clamd.port}', list(rows)), rows)

    def test_next_address(self):
        found = scan('clamd', f'unix:{BASE}/nobody,tcp:127.0.0.1:{self.clamd.port}', ['plain', 'clean'], need='type+scan')
        self.assertEqual([(f.unscannable, f.virus, f.type) for f in found.values()], [('-', 'Test.Marker.UNOFFICIAL', 'text/plain'), ('-', '-', 'text/plain')])

    def test_killed(self):
        clamd = Clamd('killed', GOOD)
        clamd.close()
        found = scan('clamd', f'unix:{clamd.socket},tcp:127.0.0.1:{clamd.port}', ['clean'])['clean']
        self.assertEqual(found.unscannable, 'scanner-down', found)

    def test_stopped(self):
        clamd = Clamd('stopped', GOOD)
        child = int(subprocess.check_output(['pgrep', '-P', str(clamd.process.pid)]))
        os.kill(child, signal.SIGSTOP)
        try:
            start = time.monotonic()
            found = scan('clamd', f'unix:{clamd.socket}', ['clean'], timeout=2)['clean']
            self.assertEqual(found.unscannable, 'scanner-down', found)
            self.assertLess(time.monotonic() - start, 4)
        finally:
            os.kill(child, signal.SIGCONT)
            clamd.close()


class Careless(Rows):
    """A clamd as it usually is: its "OK" is never passed on as clean, whatever it was given."""

    def against(self, name, options, rows, words, by=('unix', 'tcp')):
        clamd = Clamd(name, options)
        try:
            for way in by:
                chosen = rows if way == 'unix' or LONG else [row for row in rows if row in self.STREAMED]
                found = scan('clamd', f'unix:{clamd.socket}' if way == 'unix' else f'tcp:127.0.0.1:{clamd.port}', chosen)
                self.check_never_clean(found)
                for row, finding in found.items():
                    with self.subTest(row=row, way=way):
                        self.assertTrue(finding.virus != '-' or set(finding.unscannable.split(',')) & words, finding)
        finally:
            clamd.close()

    ALL = [name for name in ROWS if LONG or name not in ('zip-sum', 'zip-many', '101-front')]
    STREAMED = ('clean', 'plain', '26', '101-end', 'zip-110', 'zip-deep', '7z-encrypted.7z')

    def test_upstream_defaults(self):
        self.against('upstream', {}, self.ALL, {'scanner-blind', 'too-large', 'encrypted', 'damaged'})

    def test_debian(self):
        self.against('debian', DEBIAN, self.ALL, {'scanner-blind', 'too-large', 'encrypted', 'damaged'})

    def test_alerts_but_small_files(self):
        self.against('small', {**GOOD, 'MaxFileSize': '25M'}, self.ALL, {'scanner-blind', 'too-large', 'too-deep', 'encrypted', 'damaged'})

    def test_one_alert_missing(self):
        self.against('deaf', {**GOOD, 'AlertExceedsMax': 'no'}, ['clean', 'zip-deep', 'zip-many'], {'scanner-blind'})
        self.against('trusting', {**GOOD, 'AlertEncrypted': 'no'}, ['clean', '7z-encrypted.7z', 'zip-encrypted.zip'], {'scanner-blind'})

    def test_the_settings_are_named(self):
        right = {**GOOD, 'MaxFileSize': '2000M', 'MaxScanSize': '4000M'}
        for number, (options, detail) in enumerate((
                (DEBIAN, 'AlertEncrypted is off, AlertExceedsMax is off; needed, too: MaxFileSize 2000M, MaxScanSize 4000M'),
                ({**DEBIAN, 'AlertExceedsMax': 'yes', 'AlertEncrypted': 'yes'}, 'MaxScanSize is not above 2000M; needed, too: MaxFileSize 2000M'),
                ({**right, 'MaxScanSize': '2000M', 'AlertEncrypted': 'no'},
                 'AlertEncrypted is off, MaxScanSize is not above 2000M; needed, too: MaxFileSize 2000M'),
                ({**right, 'MaxFileSize': '1999M'}, 'MaxFileSize is below 2000M'),
                (right, ''))):
            clamd = Clamd(f'named{number}', options)
            try:
                found = scan('clamd', f'unix:{clamd.socket}', ['clean'])['clean']
            finally:
                clamd.close()
            with self.subTest(options=options):
                self.assertEqual(found.detail.partition('clamd.conf: ')[2], detail)
                self.assertEqual(found.unscannable, 'scanner-blind' if detail else '-')

    def test_little_time(self):
        self.against('hasty', {**GOOD, 'MaxScanTime': '50'}, ['24', '26', '101-end', 'zip-110'], {'timeout', 'too-large', 'scanner-blind'}, by=('unix',))


class Samples(Rows):
    """ClamAV's own: what clamscan detects with this database, both engines detect."""

    def test_samples(self):
        names = sorted(f'{SAMPLES}/{n}' for n in os.listdir(SAMPLES) if stat.S_ISREG(os.stat(f'{SAMPLES}/{n}').st_mode))
        run = subprocess.run(['clamscan', '--no-summary', '-d', path('database'), SAMPLES], stdout=subprocess.PIPE, text=True)
        detected = {line.split(': ')[0] for line in run.stdout.splitlines() if line.endswith(' FOUND')}
        self.assertGreater(len(detected), 40)
        clamd = Clamd('samples', GOOD)
        try:
            for engine, where in (('libclamav', path('database')), ('clamd', f'unix:{clamd.socket}'), ('clamd', f'tcp:127.0.0.1:{clamd.port}')):
                found = scan(engine, where, names)
                with self.subTest(engine=engine, where=where):
                    self.assertEqual({n for n, f in found.items() if f.virus != '-'} & detected, detected)
                    self.assertIn('Test.', found[f'{SAMPLES}/clam.pdf'].virus)
        finally:
            clamd.close()


if __name__ == '__main__':
    unittest.main(verbosity=2)
