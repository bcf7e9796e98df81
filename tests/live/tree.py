"""Folders as values: what is there, with bytes, modes and times, so that two can be compared."""
import hashlib
import os
import stat


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def look(root, times=False, folder_times=True):
    """{relative name (bytes): description}; b'' is root itself, always without its time. Links are not followed."""
    root = os.fsencode(root)
    found = {}

    def note(path, name):
        st = os.lstat(path)
        mode = stat.S_IMODE(st.st_mode)
        when = (int(st.st_mtime),) if times and name else ()
        if stat.S_ISREG(st.st_mode):
            found[name] = ('file', oct(mode), st.st_size, digest(path)) + when
        elif stat.S_ISDIR(st.st_mode):
            found[name] = ('folder', oct(mode)) + (when if folder_times else ())
            for entry in sorted(os.listdir(path)):
                note(path + b'/' + entry, name + b'/' + entry if name else entry)
        elif stat.S_ISLNK(st.st_mode):
            found[name] = ('link', os.readlink(path))
        else:
            found[name] = ('other', oct(st.st_mode))

    if os.path.lexists(root):
        note(root, b'')
    return found


def changed(root, before):
    """Regular files below root that are new or were touched since before = stamps(root)."""
    return {name for name, stamp in stamps(root).items() if before.get(name) != stamp}


def stamps(root):
    root = os.fsencode(root)
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            st = os.lstat(folder + b'/' + name)
            if stat.S_ISREG(st.st_mode):
                found[os.path.relpath(folder + b'/' + name, root)] = (st.st_ino, st.st_ctime_ns)
    return found


def difference(a, b):
    """Lines that say how b differs from a; empty if it does not."""
    lines = []
    for name in sorted(set(a) | set(b)):
        if a.get(name) != b.get(name):
            lines.append(f'{name!r}: {a.get(name)} / {b.get(name)}')
    return lines
