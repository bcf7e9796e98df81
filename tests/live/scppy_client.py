"""scp.py (python3-scp over python3-paramiko) as a command: up|down [-r] [-p] PORT USER KEY TARGET SOURCE..."""
import os
import sys

import paramiko
import scp


def main():
    verb, rest = sys.argv[1], sys.argv[2:]
    recursive, times = '-r' in rest[:2], '-p' in rest[:2]
    rest = [r for i, r in enumerate(rest) if i > 1 or r not in ('-r', '-p')]
    port, user, key, target = int(rest[0]), rest[1], rest[2], rest[3]
    sources = [os.fsencode(s) for s in rest[4:]]
    ssh = paramiko.SSHClient()
    ssh.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    ssh.connect('127.0.0.1', port, user, key_filename=key, allow_agent=False, look_for_keys=False, timeout=30, banner_timeout=60, auth_timeout=60)
    try:
        with scp.SCPClient(ssh.get_transport(), socket_timeout=60) as client:
            if verb == 'up':
                client.put(sources if len(sources) > 1 else sources[0], os.fsencode(target), recursive=recursive, preserve_times=times)
            else:
                client.get(sources if len(sources) > 1 else sources[0], os.fsencode(target), recursive=recursive, preserve_times=times)
    except (scp.SCPException, OSError) as trouble:
        sys.stderr.write(f'{type(trouble).__name__}: {trouble}\n')
        return 1
    finally:
        ssh.close()
    return 0


sys.exit(main())
