"""One client before one gate, in folders of its own on both sides."""
import os
import random
import re
import shutil

import tree

WHEN = 1234567890  # a time that no run sets by chance


def noise(seed, size):
    """Bytes that no archiver and no magic knows; the head is fixed, chance would make it a COM program now and then."""
    return (b'noise\n\xff\0' + random.Random(seed).randbytes(size))[:size]


class Stage:
    """local: the client's folder; remote: the same on the server, owned by the session's user. half is two letters, so that paths are equally long."""

    def __init__(self, live, gate, client, word, half):
        self.live, self.gate, self.client, self.word, self.half = live, gate, client, word, half
        self.local = f'{live.base}/client/{word}.{half}'
        self.remote = f'{live.home}/t/{word}.{half}'
        self.beyond = f'{live.base}/outside/{word}.{half}'
        os.makedirs(self.local)
        os.makedirs(f'{live.home}/t', exist_ok=True)
        live.own(f'{live.home}/t')
        os.makedirs(self.remote)
        live.own(self.remote)
        self.results = []

    def _write(self, path, data, mode, when):
        with open(path, 'wb') as f:
            if isinstance(data, (bytes, bytearray)):
                f.write(data)
            else:
                for block in data:
                    f.write(block)
        os.chmod(path, mode)
        if when is not None:
            os.utime(path, (when, when))

    def here(self, name, data=b'', mode=0o644, when=None):
        """A file of the client's."""
        path = os.path.join(os.fsencode(self.local), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._write(path, data, mode, when)
        return path

    def there(self, name, data=b'', mode=0o644, when=None):
        """A file that is on the server already."""
        path = os.path.join(os.fsencode(self.remote), os.fsencode(name))
        self.folder_there(os.path.dirname(path))
        self._write(path, data, mode, when)
        self.live.own(path)
        return path

    def folder_there(self, name, mode=None):
        path = os.path.join(os.fsencode(self.remote), os.fsencode(name))
        step = os.fsencode(self.remote)
        for part in os.path.relpath(path, step).split(b'/'):
            step = os.path.join(step, part)
            if not os.path.isdir(step):
                os.mkdir(step, 0o755)
                self.live.own(step)
        if mode is not None:
            os.chmod(path, mode)
        return path

    def link_there(self, target, name):
        path = os.path.join(os.fsencode(self.remote), os.fsencode(name))
        os.symlink(target, path)
        self.live.own(path)

    def clear(self):
        """Gives the room back."""
        if os.environ.get('XFERWARDEN_LIVE_KEEP') != '1':
            for folder in (self.local, self.remote):
                shutil.rmtree(folder, ignore_errors=True)

    def up(self, sources, target='', **how):
        """target is below remote unless it is absolute, or raw text for the remote shell."""
        if not how.get('raw'):
            target = os.path.join(os.fsencode(self.remote), os.fsencode(target)).rstrip(b'/') + (b'/' if os.fsencode(target).endswith(b'/') else b'')
        self.before = tree.stamps(self.remote)
        done = self.client.up(self.gate, sources, target, cwd=self.local, **how)
        self.results.append(done)
        return done

    def down(self, sources, target='.', **how):
        if not how.get('raw'):
            sources = [os.path.join(os.fsencode(self.remote), os.fsencode(s)) for s in sources]
        done = self.client.down(self.gate, sources, target, cwd=self.local, **how)
        self.results.append(done)
        return done

    def said(self):
        """What the clients said and how they ended, without what may differ from gate to gate."""
        return [(r.status, self.plain(r.out), self.plain(r.err)) for r in self.results]

    def plain(self, words):
        words = words.replace(f'{self.word}.{self.half}'.encode(), self.word.encode())
        words = re.sub(rb'(?s)^(SCPException: [^\n]*\n).*', rb'\1', words)  # it adds whatever shared its read
        words = re.sub(rb' \(ref [0-9a-f]+-[0-9]+\)', b'', words)
        return re.sub(rb':%d\b' % self.gate.port, b':PORT', words)
