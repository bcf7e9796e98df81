"""Works through a list of operations for one client of sftp_clients.py, as a process of its own: nothing that a server does may hang the tests.

sftp_child.py paramiko PORT USER KEY, or sftp_child.py mounted FOLDER POINT SSHFS…; operations as JSON on stdin, one answer per line on stdout.
"""
import json
import os
import shutil
import subprocess
import sys
import warnings

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # about ciphers that are not used here
    import paramiko


def times(path):
    st = os.stat(path)
    return st.st_mode & 0o7777, (int(st.st_atime), int(st.st_mtime))


class Mounted:
    """sshfs: what any program does to files."""

    def __init__(self, folder, point, *sshfs):
        self.folder, self.point = folder, point
        done = subprocess.run(list(sshfs) + [point], capture_output=True, timeout=20, check=False)
        if done.returncode:
            raise OSError(0, 'sshfs: ' + done.stderr.decode('utf-8', 'replace').strip())

    def end(self):
        subprocess.run(['fusermount3', '-u', '-z', self.point], timeout=20, check=False)

    def at(self, path):
        assert path.startswith(self.folder + '/') or path == self.folder, path
        return self.point + path[len(self.folder):]

    def copy(self, source, target, keep=False):
        with open(source, 'rb') as a, open(target, 'wb', buffering=0) as b:
            while block := a.read(1 << 17):
                b.write(block)
            if keep:
                mode, when = times(source)
                os.fchmod(b.fileno(), mode)
                os.utime(target, when)

    def put(self, local, remote):
        self.copy(local, self.at(remote))

    def put_p(self, local, remote):
        self.copy(local, self.at(remote), True)

    def get(self, remote, local):
        self.copy(self.at(remote), local)

    def put_r(self, local, parent):
        shutil.copytree(local, self.at(parent) + '/' + os.path.basename(local), copy_function=self.copy, dirs_exist_ok=True)

    def get_r(self, remote, parent):
        shutil.copytree(self.at(remote), parent + '/' + os.path.basename(remote), copy_function=self.copy, dirs_exist_ok=True)

    def reput(self, local, remote):
        with open(local, 'rb') as a, open(self.at(remote), 'ab', buffering=0) as b:
            a.seek(b.tell())
            b.write(a.read())

    def patch(self, local, remote, offset):
        with open(local, 'rb') as a, open(self.at(remote), 'r+b', buffering=0) as b:
            b.seek(int(offset))
            b.write(a.read())

    def truncate(self, size, path):
        os.truncate(self.at(path), int(size))

    def rename(self, old, new):
        os.rename(self.at(old), self.at(new))

    rename_over = rename

    def link(self, old, new):
        os.link(self.at(old), self.at(new))

    def symlink(self, target, path):
        os.symlink(target, self.at(path))

    def chmod(self, mode, path):
        os.chmod(self.at(path), int(mode, 8))

    def mkdir(self, path):
        os.mkdir(self.at(path))

    def rmdir(self, path):
        os.rmdir(self.at(path))

    def rm(self, path):
        os.unlink(self.at(path))

    def ls(self, path):
        return sorted(os.listdir(self.at(path)))


class Paramiko:
    def __init__(self, port, user, key):
        self.link = paramiko.Transport(('127.0.0.1', int(port)))
        self.link.start_client(timeout=30)
        self.link.auth_publickey(user, paramiko.Ed25519Key.from_private_key_file(key))
        self.sftp = paramiko.SFTPClient.from_transport(self.link)
        self.sftp.get_channel().settimeout(60)

    def end(self):
        self.link.close()

    def put(self, local, remote):
        self.sftp.put(local, remote)

    def put_p(self, local, remote):
        mode, when = times(local)
        self.sftp.put(local, remote)
        self.sftp.chmod(remote, mode)
        self.sftp.utime(remote, when)

    def get(self, remote, local):
        self.sftp.get(remote, local)

    def put_r(self, local, parent):
        remote = parent + '/' + os.path.basename(local)
        try:
            self.sftp.mkdir(remote)
        except OSError:
            self.sftp.listdir(remote)  # it stands there already, or says why not
        for entry in sorted(os.listdir(local)):
            path = local + '/' + entry
            if os.path.isdir(path):
                self.put_r(path, remote)
            else:
                self.sftp.put(path, remote + '/' + entry)

    def get_r(self, remote, parent):
        local = parent + '/' + os.path.basename(remote)
        os.mkdir(local)
        for entry in self.sftp.listdir_attr(remote):
            path = remote + '/' + entry.filename
            if entry.longname.startswith('d'):
                self.get_r(path, local)
            else:
                self.sftp.get(path, local + '/' + entry.filename)

    def reput(self, local, remote):
        with open(local, 'rb') as a, self.sftp.open(remote, 'ab') as b:
            a.seek(b.stat().st_size)
            b.write(a.read())

    def patch(self, local, remote, offset):
        with open(local, 'rb') as a, self.sftp.open(remote, 'r+b') as b:
            b.seek(int(offset))
            b.write(a.read())

    def truncate(self, size, path):
        self.sftp.truncate(path, int(size))

    def rename(self, old, new):
        self.sftp.rename(old, new)

    def rename_over(self, old, new):
        self.sftp.posix_rename(old, new)

    def symlink(self, target, path):
        self.sftp.symlink(target, path)

    def chmod(self, mode, path):
        self.sftp.chmod(path, int(mode, 8))

    def mkdir(self, path):
        self.sftp.mkdir(path)

    def rmdir(self, path):
        self.sftp.rmdir(path)

    def rm(self, path):
        self.sftp.remove(path)

    def ls(self, path):
        return sorted(self.sftp.listdir(path))


def say(status, text):
    print(json.dumps([status, text]), flush=True)


def main():
    kind, rest = sys.argv[1], sys.argv[2:]
    try:
        worker = {'paramiko': Paramiko, 'mounted': Mounted}[kind](*rest)
    except (OSError, EOFError, paramiko.SSHException) as trouble:
        sys.exit(f'{type(trouble).__name__}: {trouble}')
    try:
        for verb, *words in json.load(sys.stdin):
            try:
                got = getattr(worker, verb.replace('-', '_'))(*words)
                say(0, '' if got is None else '\n'.join(got))
            except shutil.Error as trouble:
                say(1, '; '.join(sorted(os.path.basename(e[0]) + e[2].partition(":")[0] for e in trouble.args[0])))
            except (OSError, EOFError, paramiko.SSHException) as trouble:
                say(1, f'{type(trouble).__name__}: {getattr(trouble, "strerror", None) or trouble}')
    finally:
        worker.end()


main()
