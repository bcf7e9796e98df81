"""The SFTP clients of this world, each behind one call: work(gate, jobs, cwd) does what a list of jobs says and tells what each came to.

A job is a tuple of words, the first a verb; remote paths are absolute, local ones are below cwd, all plain text that each client quotes as its user would:

    put L R, put-p L R (mode and times too), put-r L PARENT, put-rp L PARENT        get R L, get-p, get-r R PARENT, get-rp
    reput L R, reget R L          what is missing at the end of the other side's file
    patch L R OFFSET, truncate SIZE R
    rename A B, rename-over A B (replaces B), link A B, symlink TARGET PATH, cp A B
    chmod MODE R, mkdir R, rmdir R, rm R, ls R

Clients that take a list of commands do all jobs in one session.
"""
import json
import os
import re
import shlex
import shutil
import urllib.parse

import clients
import world as w

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = 'end-of-job'
BAD = b'job-failed\n'
FILES = {'put', 'get'}
TREES = {'put-r', 'get-r'}
KEEP = {'put-p', 'get-p', 'put-rp', 'get-rp'}
NAMES = {'rename', 'mkdir', 'rm', 'rmdir', 'ls'}


class Answer:
    """What became of one job: status 0, something else, or None where the client only says it in words."""

    def __init__(self, status, said):
        self.status, self.said = status, said

    def __repr__(self):
        return f'{self.status}: {self.said!r}'

    @property
    def good(self):
        return self.status == 0 or (self.status is None and not self.said)


class Sftp(clients.Client):
    can = frozenset()
    one_session = True
    slow = False    # takes long to begin, for each job: it gets fewer

    @classmethod
    def takes(cls, verbs):
        return set(verbs) <= cls.can

    def work(self, gate, jobs, cwd):
        """Answers, one for each job, and the exit status of the whole where there was one process; fewer answers if it ended before its time."""
        answers = []
        for verb, *words in jobs:
            done = self.run(self.command(gate, verb, words), cwd)
            answers.append(Answer(done.status, done.out + done.err))
        return answers, None


class Marked(Sftp):
    """One process that is told all jobs, and says a mark behind each."""

    def split(self, done, words=None):
        said = [part for part in done.out.split(MARK.encode() + b'\n')][:-1]
        return [Answer(1 if BAD in part else words, part.replace(BAD, b'')) for part in said]

    def plain(self, path):
        return './' + path if path.startswith('-') else path


def glob_quote(path):
    return re.sub(r'([\\*?\[\]{}~])', r'\\\1', path)


class Scp(Sftp):
    name = 'scp'
    can = frozenset(FILES | TREES | KEEP)
    one_session = False

    def command(self, gate, verb, words):
        flags = [f'-{c}' for c in verb.partition('-')[2]]
        source, target = words
        if verb.startswith('put'):
            ends = ['--', source, f'{self.at(gate)}:{target}']
        else:
            ends = ['--', f'{self.at(gate)}:{glob_quote(source)}', target]
        return ['scp', '-q'] + gate.ssh_options() + flags + ends


class OpenSSH(Marked):
    name = 'sftp'
    can = frozenset(FILES | TREES | KEEP | NAMES | {'reput', 'reget', 'link', 'symlink', 'cp', 'chmod', 'rename-over'})
    minus = '-'     # go on after an error

    def quote(self, path):
        return '"' + re.sub(r'(["\\])', r'\\\1', self.plain(path)) + '"'

    def line(self, verb, words):
        word, _, flags = verb.partition('-')
        if verb == 'rename-over':
            flags = ''
        if verb in TREES | {'put-rp', 'get-rp'}:
            words = [words[0], words[1] + '/' + os.path.basename(words[0])] if word == 'get' else [words[0], words[1] + '/']
        if verb == 'symlink':
            word, flags = 'ln', 's'
        elif verb == 'link':
            word = 'ln'
        elif verb == 'ls':
            flags = '1'
        return ' '.join([word] + [f'-{c}' for c in flags] + [w_ if verb == 'chmod' and w_ == words[0] else self.quote(w_) for w_ in words])

    def work(self, gate, jobs, cwd):
        script = ''.join(f'{self.minus}{self.line(verb, words)}\n!echo {MARK}\n' for verb, *words in jobs)
        done = self.run(['sh', '-c', 'exec "$@" 2>&1', 'sftp', 'sftp', '-b', '-'] + gate.ssh_options() + [self.at(gate)], cwd, data=script.encode())
        done.out = re.sub(rb'(?m)^sftp> .*\n', b'', done.out)
        return self.split(done), done.status


class Lftp(Marked):
    name = 'lftp'
    can = frozenset(FILES | TREES | NAMES | {'reput', 'reget', 'chmod', 'symlink'})

    def quote(self, path):
        return '"' + re.sub(r'(["\\])', r'\\\1', self.plain(path)) + '"'

    def line(self, verb, words):
        q = [self.quote(x) for x in words]
        return {
            'put': lambda: f'put {q[0]} -o {q[1]}',
            'reput': lambda: f'put -c {q[0]} -o {q[1]}',
            'get': lambda: f'get {q[0]} -o {q[1]}',
            'reget': lambda: f'get -c {q[0]} -o {q[1]}',
            'put-r': lambda: f'mirror -R --no-umask {q[0]} {self.quote(words[1] + "/")}',
            'get-r': lambda: f'mirror {q[0]} {self.quote(words[1] + "/")}',
            'rename': lambda: f'mv {q[0]} {q[1]}',
            'symlink': lambda: f'ln -s {q[0]} {q[1]}',
            'chmod': lambda: f'chmod {words[0]} {q[1]}',
            'ls': lambda: f'cls -1 --sort=name {self.quote(words[0] + "/")}',
        }.get(verb, lambda: f'{verb} {q[0]}')()

    def work(self, gate, jobs, cwd):
        ssh = ' '.join(shlex.quote(x) for x in ['ssh', '-a', '-x'] + gate.ssh_options())
        script = f'set sftp:connect-program {self.quote(ssh)}\nset net:max-retries 1\nset net:timeout 60\nset xfer:clobber yes\nset cmd:interactive no\n'
        script += f'set xfer:log no\nset xfer:verify no\nopen -u {self.live.user}, sftp://127.0.0.1\n'
        for verb, *words in jobs:
            script += f'{self.line(verb, words)} || !echo {BAD.decode()}!echo {MARK}\n'
        done = self.run(['sh', '-c', 'exec "$@" 2>&1', 'lftp', 'lftp', '--norc', '-f', '/dev/stdin'], cwd, data=script.encode())
        return self.split(done, 0), done.status


class Psftp(Marked):
    name = 'psftp'
    can = frozenset(FILES | TREES | NAMES | {'reput', 'reget', 'chmod'})

    def quote(self, path):
        return '"' + self.plain(path).replace('"', '""') + '"'

    def key(self, gate):
        prints = [x for p in self.live.host_prints for x in ('-hostkey', p)]
        return ['-batch', '-noagent', '-P', str(gate.port), '-i', f'{self.live.base}/keys/user.ppk'] + prints

    def line(self, verb, words):
        word, _, flags = verb.partition('-')
        if flags == 'r':
            words = [words[0], words[1] + '/' + os.path.basename(words[0])]
        word = {'rename': 'mv', 'rm': 'del'}.get(word, word)
        quoted = [x if verb == 'chmod' and x == words[0] else self.quote(x) for x in words]
        return ' '.join([word] + ['-r'] * (flags == 'r') + quoted)

    def work(self, gate, jobs, cwd):
        os.makedirs(f'{self.live.base}/tmp/psftp', exist_ok=True)
        path = f'{self.live.base}/tmp/psftp/{w.unique("script")}'
        with open(path, 'w') as f:
            f.writelines(f'{self.line(verb, words)}\n!echo {MARK}\n' for verb, *words in jobs)
        done = self.run(['sh', '-c', 'exec "$@" 2>&1', 'psftp', 'stdbuf', '-oL', 'psftp', '-b', path, '-be'] + self.key(gate) + [self.at(gate)], cwd)
        os.unlink(path)
        done.out = re.sub(rb'(?m)^psftp> .*\n', b'', done.out.replace(b'\r', b''))
        return self.split(done), done.status


class Pscp(Psftp):
    name = 'pscp'
    slow = True
    can = frozenset(FILES | TREES | {'put-p', 'get-p'})
    one_session = False

    def work(self, gate, jobs, cwd):
        return Sftp.work(self, gate, jobs, cwd)

    def command(self, gate, verb, words):
        flags = [f'-{c}' for c in verb.partition('-')[2]]
        remote = f'{self.at(gate)}:' + (words[1] if verb.startswith('put') else glob_quote(words[0]))
        words[0] = './' + words[0] if words[0].startswith('-') else words[0]
        ends = [words[0], remote] if verb.startswith('put') else [remote, words[1]]
        return ['pscp', '-sftp', '-q', '-unsafe'] + self.key(gate) + flags + ends


class Curl(Sftp):
    name = 'curl'
    can = frozenset(FILES | NAMES | {'reput', 'reget', 'chmod', 'symlink'})

    def url(self, gate, path):
        return f'sftp://{self.at(gate)}:{gate.port}' + urllib.parse.quote(path)

    def quote(self, path):
        return '"' + re.sub(r'(["\\])', r'\\\1', path) + '"'

    def piece(self, gate, verb, words):
        q = [self.quote(x) for x in words]
        if verb in ('put', 'reput'):
            return ['-C', '-'] * (verb == 'reput') + ['-T', words[0], self.url(gate, words[1])]
        if verb in ('get', 'reget'):
            return ['-C', '-'] * (verb == 'reget') + ['-o', words[1], self.url(gate, words[0])]
        if verb == 'ls':
            return ['-l', self.url(gate, words[0] + '/')]
        if verb == 'symlink':
            command = f'ln {q[0]} {q[1]}'
        elif verb == 'chmod':
            command = f'chmod {words[0]} {q[1]}'
        else:
            command = ' '.join([verb] + q)
        return ['-I', '-Q', command, self.url(gate, '/')]

    def work(self, gate, jobs, cwd):
        k = self.live.base + '/keys/user_pem'
        argv = ['curl']
        for i, (verb, *words) in enumerate(jobs):
            argv += ['--next'] * (i > 0) + ['-s', '-g', '-k', '--max-time', '100', '--key', k, '--pubkey', k + '.pub', '-w', MARK + ' %{exitcode} %{errormsg}\n']
            argv += self.piece(gate, verb, words)
        done = self.run(argv, cwd)
        parts = re.split(rb'%s (\d+) ?(.*)\n' % MARK.encode(), done.out)
        answers = []
        for said, status, why in zip(parts[0::3], parts[1::3], parts[2::3]):
            answers.append(Answer(int(status), said if status == b'0' else why))
        return answers, done.status


class Rclone(Sftp):
    name = 'rclone'
    slow = True
    probes = False  # runs programs on the server, for hashes; each is a session of its own
    can = frozenset(FILES | TREES | NAMES | {'rename-over'})
    one_session = False

    def command(self, gate, verb, words):
        rc = ['rclone', '--config', '', '--retries', '1', '--low-level-retries', '1', '--sftp-host', '127.0.0.1', '--sftp-port', str(gate.port), '--sftp-user',
              self.live.user, '--sftp-key-file', f'{self.live.base}/keys/user', '--sftp-known-hosts-file', gate.known_hosts, '--ignore-times'] + ['--sftp-shell-type', 'none'] * (not self.probes)
        far = [':sftp:' + x for x in words]
        return rc + {
            'put': lambda: ['copyto', './' + words[0], far[1]],
            'get': lambda: ['copyto', far[0], './' + words[1]],
            'put-r': lambda: ['copy', '--create-empty-src-dirs', './' + words[0], far[1] + '/' + os.path.basename(words[0])],
            'get-r': lambda: ['copy', '--create-empty-src-dirs', far[0], './' + words[1] + '/' + os.path.basename(words[0])],
            'rename': lambda: ['moveto', far[0], far[1]],
            'rename-over': lambda: ['moveto', far[0], far[1]],
            'mkdir': lambda: ['mkdir', far[0]],
            'rmdir': lambda: ['rmdir', far[0]],
            'rm': lambda: ['deletefile', far[0]],
            'ls': lambda: ['lsf', far[0]],
        }[verb]()


class Child(Sftp):
    """A session in sftp_child.py."""

    def work(self, gate, jobs, cwd):
        done = self.run(['/usr/bin/python3', f'{HERE}/sftp_child.py'] + self.words(gate), cwd, data=json.dumps(jobs).encode())
        answers = [Answer(status, text.encode('utf-8', 'surrogateescape')) for status, text in map(json.loads, done.out.splitlines())]
        if done.status and not answers:
            return [Answer(1, done.err) for _ in jobs], done.status
        return answers, done.status


class Paramiko(Child):
    name = 'paramiko'
    can = frozenset(FILES | TREES | NAMES | {'put-p', 'reput', 'patch', 'truncate', 'rename-over', 'symlink', 'chmod'})

    def words(self, gate):
        return ['paramiko', str(gate.port), self.live.user, f'{self.live.base}/keys/user']


class Sshfs(Child):
    name = 'sshfs'
    can = frozenset(FILES | TREES | NAMES | {'put-p', 'reput', 'patch', 'truncate', 'rename-over', 'link', 'symlink', 'chmod'})

    def words(self, gate):
        point = f'{self.live.base}/client/{w.unique("mnt")}'
        os.mkdir(point)
        ssh = ' '.join(['ssh'] + gate.ssh_options())
        return ['mounted', self.live.home, point, 'sshfs', '-o', f'ssh_command={ssh}', f'{self.at(gate)}:{self.live.home}']

    @classmethod
    def usable(cls):
        """None, or why nothing can be mounted here."""
        try:
            os.close(os.open('/dev/fuse', os.O_RDWR))
        except OSError as trouble:
            return f'sshfs: /dev/fuse: {trouble.strerror}'
        return None


KINDS = (Scp, OpenSSH, Lftp, Sshfs, Rclone, Paramiko, Curl, Psftp, Pscp)
PROGRAMS = {'scp': 'scp', 'sftp': 'sftp', 'lftp': 'lftp', 'sshfs': 'sshfs', 'rclone': 'rclone', 'paramiko': '/usr/bin/python3', 'curl': 'curl', 'psftp': 'psftp', 'pscp': 'pscp'}


def every(live):
    """All clients by name. One that is not installed is an error; where nothing can be mounted sshfs is missing."""
    found = {}
    for kind in KINDS:
        if not shutil.which(PROGRAMS[kind.name]):
            raise w.Trouble(f'{PROGRAMS[kind.name]} is not installed')
        if kind is not Sshfs or Sshfs.usable() is None:
            found[kind.name] = kind(live)
    return found
