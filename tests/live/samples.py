"""Contents that rules are about."""
import gzip
import hashlib
import io
import os
import zipfile

import world


def program():
    """An ELF executable as the loader takes it."""
    with open('/bin/true', 'rb') as f:
        return f.read()


def jpeg():
    return bytes.fromhex('ffd8ffe000104a46494600010100000100010000ffdb004300') + bytes(64) + bytes.fromhex('ffd9')


def png():
    return (bytes.fromhex('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489'
                          '0000000d49444154789c6360000002000001e221bc330000000049454e44ae426082'))


def php():
    return b'<?php system($_GET["c"]); ?>\n'


def text(lines=200):
    return b''.join(b'line %d of an ordinary text file\n' % i for i in range(lines))


def virus(size=0, at=0):
    """The marker that the live tests' own signature looks for, inside plain text."""
    before = text(1 + at // 30)
    body = before + world.VIRUS + b'\n'
    return body + b'x' * max(0, size - len(body))


def zipped(*members):
    """A zip of (name, bytes)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, data in members:
            z.writestr(name, data)
    return out.getvalue()


def gzipped(data):
    return gzip.compress(data, mtime=0)


def encrypted_zip(folder):
    """A zip with a password, by Info-ZIP."""
    with open(folder + '/secret.txt', 'wb') as f:
        f.write(virus())
    world.must(['zip', '-q', '-P', 'password', 'secret.zip', 'secret.txt'], cwd=folder)
    with open(folder + '/secret.zip', 'rb') as f:
        data = f.read()
    os.unlink(folder + '/secret.txt')
    os.unlink(folder + '/secret.zip')
    return data


def digest(data):
    return hashlib.sha256(data).hexdigest()
