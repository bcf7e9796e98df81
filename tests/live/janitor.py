"""Cleans up after a live run, however that run ended.

Started by world.py with a pipe on stdin. When the pipe ends (the run closed it, crashed or was killed) every server that the
run noted in BASE/run/*.pid is stopped, every process of the run's own user is killed, and the user, its files in /tmp and the
folder are removed.
"""
import glob
import os
import pwd
import signal
import subprocess
import sys
import time


def alive(pid, base):
    """True if pid is still the process that was noted: its command line names our folder."""
    try:
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            return base.encode() in f.read()
    except OSError:
        return False


def stop_servers(base):
    pids = []
    for name in glob.glob(glob.escape(base) + '/run/*.pid'):
        try:
            with open(name) as f:
                pids.append(int(f.read().split()[0]))
        except (OSError, ValueError, IndexError):
            continue
    for sig, wait in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 1.0)):
        pids = [p for p in pids if alive(p, base)]
        for pid in pids:
            try:
                os.kill(pid, sig)
            except ProcessLookupError:
                pass
        end = time.monotonic() + wait
        while time.monotonic() < end and any(alive(p, base) for p in pids):
            time.sleep(0.02)


def processes_of(uid):
    found = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            if os.stat('/proc/' + entry).st_uid == uid:
                found.append(int(entry))
        except OSError:
            pass
    return found


def kill_user(uid):
    for _ in range(50):
        pids = processes_of(uid)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)


def remove_login_notes(uid):
    """What sshd wrote for SSH_USER_AUTH and leaves where its connection is killed."""
    for name in glob.glob('/tmp/sshauth.*'):
        try:
            if os.lstat(name).st_uid == uid:
                os.unlink(name)
        except OSError:
            pass


def unmount(base):
    with open('/proc/self/mounts') as f:
        points = [line.split()[1] for line in f]
    for point in points:
        if point.startswith(base + '/'):
            subprocess.run(['umount', '-l', point], check=False)


def remove_user(user):
    for _ in range(40):
        done = subprocess.run(['userdel', user], capture_output=True, text=True)
        if done.returncode in (0, 6):
            return
        time.sleep(0.25)
    sys.stderr.write(f'janitor: user {user} could not be removed: {done.stderr}')


def main():
    base, user = sys.argv[1:3]
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(sig, signal.SIG_IGN)
    sys.stdin.buffer.read()
    stop_servers(base)
    try:
        uid = pwd.getpwnam(user).pw_uid
        kill_user(uid)
        remove_login_notes(uid)
        remove_user(user)
    except KeyError:
        pass
    unmount(base)
    if os.environ.get('XFERWARDEN_LIVE_KEEP') != '1':
        for _ in range(40):  # a run that was interrupted may still be writing
            subprocess.run(['rm', '-rf', '--one-file-system', base], check=False, stderr=subprocess.DEVNULL)  # nested too deep for shutil
            if not os.path.lexists(base):
                break
            time.sleep(0.5)


main()
