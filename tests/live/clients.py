"""The scp clients of this world, each behind the same two calls.

up(gate, sources, target) and down(gate, sources, target) run in the folder cwd and give a world.Result. Remote paths are plain text:
each client quotes as it does by itself, those that leave it to their user get it done with the user's shell's rules.
"""
import os
import shlex
import shutil
import subprocess
import urllib.parse

import world as w

HERE = os.path.dirname(os.path.abspath(__file__))


def text(path):
    return os.fsdecode(path)


class Client:
    name = ''
    can = frozenset()  # 'recursive', 'times', 'several', 'odd' names, 'raw' remote text (globs, ~), 'message'

    def __init__(self, live):
        self.live = live
        self.home = f'{live.base}/client/.home-{self.name}'
        os.makedirs(self.home, exist_ok=True)

    def env(self):
        return {'PATH': '/usr/bin:/bin', 'HOME': self.home, 'LC_ALL': 'C.UTF-8'}

    def at(self, gate):
        return f'{self.live.user}@127.0.0.1'

    def run(self, argv, cwd, timeout=120, data=None):
        return w.run(argv, cwd=cwd, env=self.env(), timeout=timeout, data=data)

    def quote(self, path):
        return shlex.quote(text(path))


class OpenSSH(Client):
    name = 'openssh'
    can = frozenset(('recursive', 'times', 'several', 'odd', 'raw', 'message', 'folder-flag'))
    shared = True

    def argv(self, gate, flags):
        return ['scp', '-O', '-q'] + gate.ssh_options(self.shared) + flags

    def flags(self, recursive, times, folder):
        return ['-r'] * recursive + ['-p'] * times + ['-d'] * folder

    def up(self, gate, sources, target, cwd, recursive=False, times=False, folder=False, raw=False):
        target = text(target) if raw else self.quote(target)
        return self.run(self.argv(gate, self.flags(recursive, times, folder)) + ['--'] + sources + [f'{self.at(gate)}:{target}'], cwd)

    def down(self, gate, sources, target, cwd, recursive=False, times=False, folder=False, raw=False):
        flags = self.flags(recursive, times, folder)
        remote = [f'{self.at(gate)}:' + (text(s) if raw else self.quote(s)) for s in sources]
        if not raw and any(self.quote(s) != text(s) for s in sources):
            flags.append('-T')  # its check of names does not know the quotes that it needs itself
        return self.run(self.argv(gate, flags) + ['--'] + remote + [target], cwd)


class Dropbear(OpenSSH):
    """OpenSSH's scp engine over dropbear's client: Debian ships dbclient without its scp."""
    name = 'dropbear'

    def __init__(self, live):
        super().__init__(live)
        self.program = f'{self.home}/ssh'
        with open(self.program, 'w') as f:
            f.write(f'''#!/bin/sh
port=22 user=
while [ $# -gt 0 ]; do
	case $1 in
	-p) port=$2; shift 2 ;;
	-l) user=$2; shift 2 ;;
	--) shift; break ;;
	-o) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
host=$1; shift
exec dbclient -i {live.base}/keys/user.dropbear -y -y -T -p "$port" -l "$user" "$host" "$@" 2>"$0.$$.err"
''')
        os.chmod(self.program, 0o755)

    def argv(self, gate, flags):
        return ['scp', '-O', '-q', '-S', self.program, '-P', str(gate.port)] + flags


class Pscp(Client):
    name = 'pscp'
    can = frozenset(('recursive', 'times', 'several', 'raw', 'message'))

    def argv(self, gate, flags):
        prints = [x for p in self.live.host_prints for x in ('-hostkey', p)]
        return ['pscp', '-scp', '-batch', '-q', '-unsafe', '-noagent', '-P', str(gate.port), '-i', f'{self.live.base}/keys/user.ppk'] + prints + flags

    def up(self, gate, sources, target, cwd, recursive=False, times=False, raw=False):
        flags = ['-r'] * recursive + ['-p'] * times
        target = text(target) if raw else self.quote(target)
        return self.run(self.argv(gate, flags) + sources + [f'{self.at(gate)}:{target}'], cwd)

    def down(self, gate, sources, target, cwd, recursive=False, times=False, raw=False):
        if len(sources) > 1:  # it takes one remote word; the server splits it
            sources = [' '.join(self.quote(s) for s in sources)]
            raw = True
        flags = ['-r'] * recursive + ['-p'] * times
        return self.run(self.argv(gate, flags) + [f'{self.at(gate)}:' + (text(s) if raw else self.quote(s)) for s in sources] + [target], cwd)


class Curl(Client):
    name = 'curl'
    can = frozenset(('odd',))

    def argv(self, gate):
        k = self.live.base + '/keys/user_pem'
        return ['curl', '-sS', '-k', '--max-time', '100', '--key', k, '--pubkey', k + '.pub']

    def url(self, gate, path):
        return f'scp://{self.at(gate)}:{gate.port}' + urllib.parse.quote(os.fsencode(path))

    def up(self, gate, sources, target, cwd):
        assert len(sources) == 1
        return self.run(self.argv(gate) + ['-T', sources[0], self.url(gate, target)], cwd)

    def down(self, gate, sources, target, cwd):
        assert len(sources) == 1
        return self.run(self.argv(gate) + ['-o', target, self.url(gate, sources[0])], cwd)


class Scppy(Client):
    name = 'scppy'
    can = frozenset(('recursive', 'times', 'several', 'odd', 'message'))

    def argv(self, gate, verb, flags):
        return ['/usr/bin/python3', f'{HERE}/scppy_client.py', verb] + flags + [str(gate.port), self.live.user, f'{self.live.base}/keys/user']

    def up(self, gate, sources, target, cwd, recursive=False, times=False):
        return self.run(self.argv(gate, 'up', ['-r'] * recursive + ['-p'] * times) + [target] + sources, cwd)

    def down(self, gate, sources, target, cwd, recursive=False, times=False):
        return self.run(self.argv(gate, 'down', ['-r'] * recursive + ['-p'] * times) + [target] + sources, cwd)


class Libssh(Client):
    name = 'libssh'
    can = frozenset(('several', 'odd', 'message'))

    def __init__(self, live):
        super().__init__(live)
        self.program = f'{self.home}/libssh_scp'
        w.must(['cc', '-O1', '-Wall', '-Wno-deprecated-declarations', '-o', self.program, f'{HERE}/libssh_scp.c', '-lssh'])

    def argv(self, gate, verb):
        return [self.program, verb, str(gate.port), self.live.user, f'{self.live.base}/keys/user']

    def up(self, gate, sources, target, cwd):
        return self.run(self.argv(gate, 'up') + [target] + sources, cwd)

    def down(self, gate, sources, target, cwd):
        assert len(sources) == 1
        return self.run(self.argv(gate, 'down') + [target] + sources, cwd)


NEEDS = {'openssh': 'scp', 'dropbear': 'dbclient', 'pscp': 'pscp', 'curl': 'curl', 'libssh': 'cc', 'scppy': '/usr/bin/python3'}


def every(live):
    """All clients by name. One that is not installed is an error: a run that leaves some out must not look complete."""
    found = {}
    for kind in (OpenSSH, Pscp, Curl, Scppy, Libssh, Dropbear):
        if not shutil.which(NEEDS[kind.name]):
            raise w.Trouble(f'{NEEDS[kind.name]} is not installed')
        found[kind.name] = kind(live)
    check = subprocess.run(['/usr/bin/python3', '-c', 'import paramiko, scp'], capture_output=True, check=False)
    if check.returncode:
        raise w.Trouble('python3-paramiko and python3-scp are not installed')
    return found
