"""The cases that bare and gated sshd must answer alike: what lies where, and what the client is asked to do."""
import os

from stage import WHEN, noise

CASES = []
BIG = 64 << 20
SEVERAL, RECURSIVE, RAW, ODD = {'several'}, {'recursive'}, {'raw'}, {'odd'}


def case(ok=True, needs=(), times=False, late=False, only=None):
    """ok: what the bare sshd must give, None where clients differ. needs: what a client must be able to. times: compare them too.
    late: the refusal of the real scp that some clients do not look for once the data is sent (reference: curl, libssh)."""
    def add(function):
        CASES.append((function.__name__, function, ok, frozenset(needs), times, late, only))
        return function
    return add


def blocks(size, seed=7):
    block = bytearray(noise(seed, 1 << 20))
    for i in range(size >> 20):
        block[0:4] = i.to_bytes(4, 'big')
        yield bytes(block)


# -- uploads

@case()
def up_new_name(s):
    s.here('a.txt', b'hello\n', 0o640)
    s.up(['a.txt'], 'b.txt')


@case()
def up_same_name(s):
    s.here('a.txt', b'hello\n')
    s.up(['a.txt'], 'a.txt')


@case(needs={'message'})  # curl needs the full name
def up_into_folder(s):
    s.here('a.txt', noise(1, 70001))
    s.folder_there('in')
    s.up(['a.txt'], 'in')


@case()
def up_empty(s):
    s.here('empty', b'')
    s.up(['empty'], 'empty')


@case()
def up_big(s):
    s.here('big', blocks(BIG))
    s.up(['big'], 'big')


@case(times=True, needs={'times'})
def up_times(s):
    s.here('a', b'one', 0o750, WHEN)
    s.up(['a'], 'a', times=True)


@case(times=True, needs={'times'})
def up_times_over(s):
    s.here('a', b'one', 0o750, WHEN)
    s.there('a', b'older and longer', 0o600)
    s.up(['a'], 'a', times=True)


@case(needs=SEVERAL)
def up_several(s):
    for i in range(5):
        s.here(f'f{i}', noise(i, i * 10000))
    s.up([f'f{i}' for i in range(5)], '')


@case(needs=RECURSIVE)
def up_recursive(s):
    for i in range(300):
        s.here(f'd/{i % 7}/{i % 3}/f{i}', noise(i, i * 37), 0o600 if i % 2 else 0o644)
    s.here('d/empty-folder/x', b'')
    os.unlink(s.local + '/d/empty-folder/x')
    s.up(['d'], '', recursive=True)


@case(needs=RECURSIVE)
def up_recursive_new_name(s):
    s.here('d/a', b'1')
    s.here('d/e/b', b'2')
    s.up(['d'], 'new', recursive=True)


@case(needs={'recursive', 'times'}, times=True)
def up_recursive_times(s):
    s.here('d/a', b'1', 0o640, WHEN)
    s.here('d/e/b', b'2', 0o444, WHEN + 1)
    os.chmod(s.local + '/d/e', 0o750)
    os.utime(s.local + '/d/e', (WHEN, WHEN + 2))
    os.utime(s.local + '/d', (WHEN, WHEN + 3))
    s.up(['d'], '', recursive=True, times=True)


@case(needs=RECURSIVE)
def up_recursive_over(s):
    s.here('d/a', b'new')
    s.here('d/b', b'new')
    s.there('d/a', b'old and longer')
    s.there('d/keep', b'old')
    s.up(['d'], '', recursive=True)


@case()
def up_over_longer(s):
    s.here('a', b'short')
    s.there('a', noise(3, 100000), 0o664)
    s.up(['a'], 'a')


@case()
def up_over_shorter(s):
    s.here('a', noise(3, 100000))
    s.there('a', b'short', 0o600)
    s.up(['a'], 'a')


@case(ok=False, late=True)
def up_missing_parent(s):
    s.here('a', b'x')
    s.up(['a'], 'no/such/a')


@case(ok=None, needs={'message'}, late=True)
def up_missing_folder_slash(s):
    s.here('a', b'x')
    s.up(['a'], 'nosuch/')


@case(ok=False, needs=SEVERAL)
def up_one_of_several_missing(s):
    s.here('a', b'1')
    s.here('c', b'3')
    s.up(['a', 'b', 'c'], '')


@case(ok=False, late=True)
def up_unwritable_folder(s):
    s.here('a', b'x')
    s.folder_there('shut', 0o555)
    s.up(['a'], 'shut/a')


@case(ok=False, late=True)
def up_unwritable_file(s):
    s.here('a', b'x')
    s.there('a', b'keep me', 0o444)
    s.up(['a'], 'a')


@case(ok=False, needs=SEVERAL, late=True)
def up_unwritable_among_several(s):
    for name in 'abc':
        s.here(name, name.encode() * 10)
    s.there('b', b'keep me', 0o444)
    s.up(['a', 'b', 'c'], '')


@case(ok=False, needs={'message'}, late=True)
def up_file_onto_folder(s):
    s.here('x', b'1')
    s.folder_there('x')
    s.there('x/x/inside', b'2')
    s.up(['x'], 'x')


@case(ok=False, needs=RECURSIVE)
def up_folder_onto_file(s):
    s.here('d/a', b'1')
    s.there('d', b'a file')
    s.up(['d'], 'd', recursive=True)


@case(ok=False, needs=RECURSIVE)
def up_subfolder_onto_file(s):
    s.here('d/e/a', b'1')
    s.here('d/f', b'2')
    s.there('d/e', b'a file')
    s.up(['d'], '', recursive=True)


@case(ok=False, needs={'folder-flag'})  # pscp prints the message or its end of file, whichever comes first
def up_several_onto_file(s):
    s.here('a', b'1')
    s.here('b', b'2')
    s.there('target', b'a file')
    s.up(['a', 'b'], 'target')


@case(ok=False, needs={'folder-flag'})
def up_folder_flag_missing(s):
    s.here('a', b'1')
    s.up(['a'], 'nosuch', folder=True)


@case(needs={'folder-flag'})
def up_folder_flag(s):
    s.here('a', b'1')
    s.folder_there('in')
    s.up(['a'], 'in', folder=True)


ODD_NAMES = ["a b", "it's", 'say "hi"', '[x]*?', '$HOME', '`id`', ';id', '~', '\\back\\', 'grüße', '%n%s', '#x', '{a,b}', ' lead', 'trail ', '&&', '<>|']


@case(needs=ODD)
def up_odd_target_name(s):
    for i, name in enumerate(ODD_NAMES):
        s.here(f'f{i}', name.encode())
        s.up([f'f{i}'], name)


@case(ok=None, needs={'odd', 'several'})
def up_odd_source_names(s):
    names = ODD_NAMES + ['-rf', '--', 'new\nline', 'x' * 255]
    for name in names:
        s.here(name, name.encode())
    s.up(['./' + n for n in names], '')


@case(ok=None, needs={'odd', 'several', 'folder-flag'})
def up_bytes_name(s):
    s.here(b'\xff\xfe.bin', b'1')
    s.here(b'\xc3(.bin', b'2')
    s.up([b'./\xff\xfe.bin', b'./\xc3(.bin'], '')


@case(needs=RAW)
def up_tilde(s):
    s.here('a', b'x')
    s.up(['a'], '~/t/' + os.path.basename(s.remote) + '/a', raw=True)


@case(needs=RAW)
def up_relative(s):
    s.here('a', b'x')
    s.up(['a'], 't/' + os.path.basename(s.remote), raw=True)


@case(needs=RAW)
def up_glob_target(s):
    s.here('a', b'x')
    s.folder_there('only-one')
    s.up(['a'], s.remote + '/only-*', raw=True)


@case(needs=RAW)
def up_quoted_raw(s):
    s.here('a', b'x')
    s.up(['a'], "'" + s.remote + '/a b"c\'"\\ d"', raw=True)


@case(needs={'message'})
def up_through_folder_link(s):
    s.here('a', b'x')
    s.folder_there('real')
    s.link_there('real', 'link')
    s.up(['a'], 'link')


@case()
def up_through_file_link(s):
    s.here('a', b'new')
    s.there('real', b'old, longer')
    s.link_there('real', 'link')
    s.up(['a'], 'link')


@case(ok=False, needs={'recursive', 'raw'})
def up_recursive_with_oddities(s):
    s.here('d/a', b'1')
    os.mkfifo(s.local + '/d/fifo')
    os.symlink('/no/such/target', s.local + '/d/dangling')
    s.here('d/z', b'2')
    s.up(['d'], '', recursive=True)


@case(ok=None, needs={'recursive'})  # libssh's user would have to see to it
def up_folder_without_r(s):
    s.here('a', b'1')
    s.here('d/x', b'2')
    s.up(['a', 'd'], '')


@case(needs={'times'})
def up_modes(s):
    for mode in (0o600, 0o444, 0o755, 0o777, 0o400):
        s.here(f'm{mode:o}', b'x', mode)
    for mode in (0o600, 0o444, 0o755, 0o777, 0o400):
        s.up([f'm{mode:o}'], '', times=True)


# -- downloads

@case()
def down_one(s):
    s.there('a.txt', b'hello\n', 0o640)
    s.down(['a.txt'], 'b.txt')


@case()
def down_empty(s):
    s.there('empty', b'')
    s.down(['empty'], 'empty')


@case()
def down_big(s):
    s.there('big', blocks(BIG))
    s.down(['big'], 'big')


@case(times=True, needs={'times'})
def down_times(s):
    s.there('a', b'one', 0o750, WHEN)
    s.down(['a'], 'a', times=True)


@case(needs={'several', 'message', 'recursive'})
def down_several(s):
    for i in range(5):
        s.there(f'f{i}', noise(i, i * 10000))
    s.down([f'f{i}' for i in range(5)])


@case(needs=RECURSIVE)
def down_recursive(s):
    for i in range(300):
        s.there(f'd/{i % 7}/{i % 3}/f{i}', noise(i, i * 37), 0o600 if i % 2 else 0o644)
    s.folder_there('d/empty-folder')
    s.down(['d'], recursive=True)


@case(needs={'recursive', 'times'}, times=True)
def down_recursive_times(s):
    s.there('d/a', b'1', 0o640, WHEN)
    s.there('d/e/b', b'2', 0o444, WHEN + 1)
    os.utime(s.remote + '/d/e', (WHEN, WHEN + 2))
    os.utime(s.remote + '/d', (WHEN, WHEN + 3))
    s.down(['d'], recursive=True, times=True)


@case(ok=False)
def down_missing(s):
    s.down(['nosuch'], 'x')


@case(ok=False, needs={'several', 'message', 'recursive'})
def down_one_of_several_missing(s):
    s.there('a', b'1')
    s.there('c', b'3')
    s.down(['a', 'b', 'c'])


@case(ok=False)
def down_unreadable(s):
    s.there('a', b'secret', 0o000)
    s.down(['a'], 'x')


@case(ok=None, needs=RECURSIVE)
def down_recursive_unreadable(s):
    for name in ('d/a', 'd/e/b', 'd/f/c'):
        s.there(name, name.encode())
    s.there('d/e/shut', b'secret', 0o000)
    s.folder_there('d/closed', 0o000)
    s.down(['d'], recursive=True)


@case(ok=None)
def down_folder_without_r(s):
    s.there('d/a', b'1')
    s.down(['d'], 'x')


@case(ok=None)
def down_fifo(s):
    os.mkfifo(s.remote + '/fifo')
    s.live.own(s.remote + '/fifo')
    s.down(['fifo'], 'x')


@case(needs=RAW)
def down_glob(s):
    for name in ('a.txt', 'b.txt', 'c.bin', '.d.txt'):
        s.there(name, name.encode())
    s.down([s.remote + '/*.txt'], raw=True)


@case(ok=False, needs=RAW)
def down_glob_no_match(s):
    s.there('a', b'1')
    s.down([s.remote + '/*.none'], raw=True)


@case(needs=RAW)
def down_glob_deep(s):
    for name in ('x1/a', 'x2/a', 'y/a'):
        s.there(name, name.encode())
    s.there('x1/[a]', b'literal')
    s.down([s.remote + '/x1/\\[a]'], raw=True)


@case(needs={'raw', 'recursive'})
def down_glob_folders(s):
    for name in ('x1/a', 'x2/b', 'y/c'):
        s.there(name, name.encode())
    s.down([s.remote + '/x[12]'], raw=True, recursive=True)


@case(needs=RAW)
def down_tilde(s):
    s.there('a', b'x')
    s.down(['~/t/' + os.path.basename(s.remote) + '/a'], raw=True)


@case(needs=RAW)
def down_relative(s):
    s.there('a', b'x')
    s.down(['t/' + os.path.basename(s.remote) + '/a'], raw=True)


@case(needs=ODD)
def down_odd_names(s):
    for i, name in enumerate(ODD_NAMES):
        s.there(name, name.encode())
        s.down([name], f'f{i}')


@case(needs={'odd', 'recursive'}, ok=None)
def down_recursive_odd(s):
    for name in ODD_NAMES + ['-rf', '--', 'x' * 255]:
        s.there('d/' + name, name.encode())
    s.down(['d'], recursive=True)


@case(needs={'odd', 'folder-flag'}, ok=None)
def down_bytes_name(s):
    s.there(b'\xff\xfe.bin', b'1')
    s.down([b'\xff\xfe.bin'])


@case(needs=RECURSIVE)
def down_recursive_link(s):
    s.there('real/a', b'1')
    s.there('d/b', b'2')
    s.link_there('../real', 'd/link')
    s.link_there('b', 'd/filelink')
    s.down(['d'], recursive=True)


@case()
def down_through_link(s):
    s.there('real', b'1')
    s.link_there('real', 'link')
    s.down(['link'], 'x')


@case(ok=False, needs=RECURSIVE)
def down_dangling(s):
    s.there('d/a', b'1')
    s.link_there('nosuch', 'd/dangling')
    s.there('d/z', b'2')
    s.down(['d'], recursive=True)
