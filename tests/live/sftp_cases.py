"""The SFTP cases that bare and gated sshd must answer alike: what lies where, and the jobs (sftp_clients.py) that a client is asked to do.

Each case has a folder of its own on either side: here and there put files into them, s.l and s.r name them. For a client that takes a list of commands all
its cases are one session, so no case may end it; those that shall are in ENDINGS, each in a session of its own.
"""
import os

import cases
from stage import WHEN, noise

CASES = []
SIZES = (1, 32767, 32768, 32769, 65535, 65536, 65537, 261119, 261120, 261121, 262144, 300000)
ODD_NAMES = ['a b', 'a"b', "a'b", '$HOME', 'x;y', '[q]', 'st*r', '?', '-dash', '--', '.dot', 'ümlaut', '\u65e5\u672c', 'q' * 200, '#x', 'a&b', '~tilde', '100%']

SLOW = frozenset(('put_new', 'put_over', 'put_big', 'put_failing', 'put_tree', 'put_attributes', 'get_big', 'get_failing', 'get_tree', 'get_attributes', 'rename',
                  'folders', 'rm'))  # for a client that takes long to begin
BRIEF = SLOW | {'put_and_get', 'put_small_tree', 'put_tree_attributes', 'put_tree_partly', 'get_small_tree', 'get_tree_attributes', 'get_through_links'}


class Case:
    def __init__(self, function, verbs, ok, times, light, held, without):
        self.name, self.function, self.verbs = function.__name__, function, frozenset(verbs.split())
        self.ok, self.times, self.light, self.held, self.without = ok, times, light, held, without

    def fits(self, client, heavy=True, held=False):
        """heavy: the client carries the heavy loads, too. held: the policy holds content, other passes have seen the rest."""
        if not client.takes(self.verbs) or client.name in self.without or not (heavy or self.light) or not (self.held or not held):
            return False
        return self.name in SLOW if client.slow else client.one_session or not held or self.name in BRIEF


def case(verbs, ok=True, times=False, light=True, held=True, without=()):
    """verbs: what a client must be able to do. ok: whether each job must succeed at the bare sshd, or one at least must fail; None: clients differ. times: compare
    them too. light: cheap enough for each client at each gate. held: the same before a policy that holds content."""
    def add(function):
        CASES.append(Case(function, verbs, ok, times, light, held, without))
        return function
    return add


class Place:
    """A case's folders on a stage."""

    def __init__(self, s, name):
        self.stage, self.l, self.r = s, name, f'{s.remote}/{name}'
        os.mkdir(f'{s.local}/{name}')
        s.folder_there(name)

    def here(self, name, *what):
        self.stage.here(f'{self.l}/{name}', *what)

    def there(self, name, *what):
        self.stage.there(f'{self.l}/{name}', *what)

    def folder_there(self, name, mode=None):
        self.stage.folder_there(f'{self.l}/{name}', mode)

    def link_there(self, target, name):
        self.stage.link_there(target, f'{self.l}/{name}')

    def put(self, name, new=None, verb='put'):
        return (verb, f'{self.l}/{name}', f'{self.r}/{new or name}')

    def get(self, name, new=None, verb='get'):
        return (verb, f'{self.r}/{name}', f'{self.l}/{new or name}')


# -- uploads

@case('put')
def put_new(s):
    s.here('a', b'hello\n', 0o640)
    return [s.put('a', 'b')]


@case('put')
def put_empty(s):
    s.here('empty')
    s.there('old', b'not empty', 0o600)
    return [s.put('empty'), s.put('empty', 'old')]


@case('put')
def put_over(s):
    s.here('short', b'short')
    s.here('long', noise(3, 100000))
    s.there('longer', noise(4, 90000), 0o664)
    s.there('shorter', b'old', 0o600)
    return [s.put('short', 'longer'), s.put('long', 'shorter')]


@case('put')
def put_sizes(s):
    for n in SIZES:
        s.here(f'n{n}', noise(n, n))
    return [s.put(f'n{n}') for n in SIZES]


@case('put', light=False)
def put_big(s):
    s.here('big', cases.blocks(cases.BIG))
    return [s.put('big')]


@case('put')
def put_modes(s):
    for mode in (0o600, 0o444, 0o755, 0o777, 0o400):
        s.here(f'm{mode:o}', b'x', mode)
    return [s.put(f'm{mode:o}') for mode in (0o600, 0o444, 0o755, 0o777, 0o400)]


@case('put-p', times=True)
def put_attributes(s):
    for mode in (0o600, 0o444, 0o755, 0o777):
        s.here(f'm{mode:o}', noise(mode, mode * 100), mode, WHEN + mode)
    s.there('m755', b'older and longer' * 10000, 0o600)
    return [s.put(f'm{mode:o}', verb='put-p') for mode in (0o600, 0o444, 0o755, 0o777)]


@case('put', ok=None, without=('rclone',))
def put_odd_names(s):
    for name in ODD_NAMES:
        s.here(name, name.encode())
    return [s.put(name) for name in ODD_NAMES]


@case('put', ok=False)
def put_failing(s):
    s.here('a', noise(1, 70000))
    s.there('shut-file', b'keep', 0o444)
    s.folder_there('shut', 0o555)
    s.there('file', b'no folder')
    jobs = [s.put('a', 'shut-file'), s.put('a', 'shut/a'), s.put('a', 'file/a'), s.put('a', 'n' * 256), s.put('a', 'good')]
    return jobs


@case('put', ok=False, without=('rclone',))  # which makes the folders
def put_no_parent(s):
    s.here('a', noise(1, 70000))
    return [s.put('a', 'no/such'), s.put('a', 'good')]


@case('put', ok=False, without=('rclone', 'sftp'))  # sftp puts it into the folder
def put_onto_folder(s):
    s.here('a', b'x')
    s.there('a/a/inside', b'1')
    return [s.put('a')]


@case('put')
def put_twice(s):
    s.here('a', noise(1, 50000))
    s.here('b', noise(2, 40000))
    return [s.put('a', 'x'), s.put('b', 'x'), s.put('a', 'x'), s.put('a', 'y')]


@case('put get')
def put_and_get(s):
    s.here('a', noise(1, 50000))
    s.here('b', noise(2, 70000))
    return [s.put('a', 'x'), s.get('x', 'back1'), s.put('b', 'x'), s.get('x', 'back2')]


@case('put')
def put_through_links(s):
    s.here('a', noise(5, 1000))
    s.there('real', b'old, and longer than that' * 100)
    s.link_there('real', 'link')
    s.folder_there('real-folder')
    s.link_there('real-folder', 'folder')
    return [s.put('a', 'link'), s.put('a', 'folder/a')]


@case('put')
def put_untidy_paths(s):
    s.here('a', b'x')
    s.folder_there('d/e')
    return [s.put('a', './/d///a'), s.put('a', 'd/e/../b'), s.put('a', 'd/./e/./c')]


def tree_here(s, count, modes=(0o600, 0o644)):
    for i in range(count):
        s.here(f'd/{i % 7}/{i % 3}/f{i}', noise(i, i * 37), modes[i % 2])
    os.mkdir(f'{s.stage.local}/{s.l}/d/empty')


def tree_there(s, count):
    for i in range(count):
        s.there(f'd/{i % 7}/{i % 3}/f{i}', noise(i, i * 37), (0o600, 0o644)[i % 2])
    s.folder_there('d/empty')


@case('put-r', light=False)
def put_tree(s):
    tree_here(s, 300)
    return [('put-r', f'{s.l}/d', s.r)]


@case('put-r')
def put_small_tree(s):
    tree_here(s, 25)
    s.there('d/1/1/f1', b'was here', 0o640)
    s.there('d/keep', b'stays')
    return [('put-r', f'{s.l}/d', s.r)]


@case('put-rp', times=True)
def put_tree_attributes(s):
    s.here('d/a', b'1', 0o640, WHEN)
    s.here('d/e/b', b'2', 0o444, WHEN + 1)
    local = f'{s.stage.local}/{s.l}/d'
    os.chmod(local + '/e', 0o750)
    os.utime(local + '/e', (WHEN, WHEN + 2))
    os.utime(local, (WHEN, WHEN + 3))
    return [('put-rp', f'{s.l}/d', s.r)]


@case('put-r', ok=False)
def put_tree_partly(s):
    for name in 'abc':
        s.here(f'd/{name}', name.encode() * 1000)
        s.here(f'd/e/{name}', name.encode() * 1000)
    s.there('d/b', b'keep', 0o444)
    s.folder_there('d/e', 0o555)
    return [('put-r', f'{s.l}/d', s.r)]


@case('reput')
def reput_rest(s):
    whole = noise(6, 150000)
    s.here('a', whole)
    s.there('a', whole[:70001], 0o640)
    s.there('b', whole[:149999])
    return [s.put('a', verb='reput'), s.put('a', 'b', 'reput')]


@case('put reput')
def reput_own(s):
    whole = noise(6, 150000)
    s.here('part', whole[:100000])
    s.here('a', whole)
    return [s.put('part', 'a'), s.put('a', verb='reput')]


@case('reput', ok=None, without=('sshfs', 'paramiko'))
def reput_nothing_to_do(s):
    s.here('a', noise(1, 5000))
    s.there('a', noise(1, 5000))
    s.there('longer', noise(2, 6000))
    return [s.put('a', verb='reput'), s.put('a', 'longer', 'reput'), s.put('a', 'missing', 'reput')]


@case('patch')
def patch_in_place(s):
    s.here('p', b'PATCH')
    s.there('a', noise(1, 5000), 0o640)
    return [('patch', f'{s.l}/p', f'{s.r}/a', '2000'), ('patch', f'{s.l}/p', f'{s.r}/a', '4998'), ('patch', f'{s.l}/p', f'{s.r}/a', '90000')]


@case('truncate', ok=False)
def truncate(s):
    for name in 'abc':
        s.there(name, noise(1, 5000))
    return [('truncate', '100', f'{s.r}/a'), ('truncate', '70000', f'{s.r}/b'), ('truncate', '0', f'{s.r}/c'), ('truncate', '0', f'{s.r}/none')]


# -- downloads

@case('get')
def get_some(s):
    for n in (0,) + SIZES:
        s.there(f'n{n}', noise(n, n), 0o640)
    return [s.get(f'n{n}') for n in (0,) + SIZES]


@case('get', light=False)
def get_big(s):
    s.there('big', cases.blocks(cases.BIG))
    return [s.get('big')]


@case('get-p', times=True)
def get_attributes(s):
    for mode in (0o600, 0o444, 0o755):
        s.there(f'm{mode:o}', noise(mode, mode * 100), mode, WHEN + mode)
    return [s.get(f'm{mode:o}', verb='get-p') for mode in (0o600, 0o444, 0o755)]


@case('get', ok=None, without=('rclone',))
def get_odd_names(s):
    for name in ODD_NAMES:
        s.there(name, name.encode())
    return [s.get(name, f'f{i}') for i, name in enumerate(ODD_NAMES)]


@case('get', ok=False)
def get_failing(s):
    s.there('shut', b'secret', 0o000)
    s.there('closed/a', b'secret')
    s.folder_there('closed', 0o000)
    s.there('file', b'1')
    s.link_there('nosuch', 'dangling')
    s.link_there('loop', 'loop')
    return [s.get('missing'), s.get('shut'), s.get('closed/a', 'x'), s.get('file/a', 'y'), s.get('dangling'), s.get('loop'), s.get('file')]


@case('get', ok=False, without=('rclone', 'lftp', 'curl', 'psftp'))  # refused at OPEN, not at READ: these say which
def get_folder(s):
    s.there('d/a', b'1')
    return [s.get('d')]


@case('get')
def get_through_links(s):
    s.there('real/a', noise(1, 40000))
    s.link_there('real', 'folder')
    s.link_there('real/a', 'file')
    return [s.get('folder/a', 'a'), s.get('file')]


@case('get-r', light=False)
def get_tree(s):
    tree_there(s, 300)
    return [('get-r', f'{s.r}/d', s.l)]


@case('get-r', ok=False)
def get_small_tree(s):
    tree_there(s, 25)
    s.there('d/unreadable', b'secret', 0o000)
    return [('get-r', f'{s.r}/d', s.l)]


@case('get-rp', times=True)
def get_tree_attributes(s):
    s.there('d/a', b'1', 0o640, WHEN)
    s.there('d/e/b', b'2', 0o444, WHEN + 1)
    for name, when in (('d/e', WHEN + 2), ('d', WHEN + 3)):
        os.utime(f'{s.stage.remote}/{s.l}/{name}', (WHEN, when))
    return [('get-rp', f'{s.r}/d', s.l)]


@case('reget', ok=False)
def reget_rest(s):
    whole = noise(6, 150000)
    s.there('a', whole)
    s.here('a', whole[:70001])
    s.there('b', whole[:5000])
    s.here('b', whole[:5000])
    return [s.get('a', verb='reget'), s.get('b', verb='reget'), s.get('missing', verb='reget')]


# -- names

@case('rename', ok=False)
def rename(s):
    for name in ('a', 'b', 'c', 'd/x', 'd/e/y'):
        s.there(name, name.encode())
    s.folder_there('elsewhere')
    return [('rename', f'{s.r}/{a}', f'{s.r}/{b}') for a, b in (
        ('a', 'a2'), ('missing', 'm2'), ('b', 'elsewhere/b'), ('d', 'd2'), ('c', 'no/such/c'), ('a2', 'a3'))]


@case('rename', ok=False, without=('rclone',))
def rename_onto(s):
    for name in 'abcd':
        s.there(name, name.encode())
    s.folder_there('empty')
    s.there('full/x', b'1')
    return [('rename', f'{s.r}/{a}', f'{s.r}/{b}') for a, b in (('a', 'b'), ('c', 'c'), ('d', 'empty'), ('empty', 'full'), ('full', 'd'))]


@case('rename-over')
def rename_over(s):
    s.there('a', b'new')
    s.there('b', b'old', 0o640)
    return [('rename-over', f'{s.r}/a', f'{s.r}/b')]


@case('put rename')
def put_and_rename(s):
    s.here('a', noise(1, 80000))
    return [s.put('a', 'a.part'), ('rename', f'{s.r}/a.part', f'{s.r}/a'), s.put('a', 'a.part'), ('rename', f'{s.r}/a.part', f'{s.r}/b')]


@case('link', ok=False)
def link(s):
    s.there('a', b'1')
    s.there('b', b'2')
    s.folder_there('d')
    return [('link', f'{s.r}/{a}', f'{s.r}/{b}') for a, b in (('a', 'a2'), ('a', 'b'), ('missing', 'm'), ('d', 'd2'), ('a', 'no/such'))]


@case('symlink', ok=False)
def symlink(s):
    s.there('a', b'1')
    s.folder_there('d')
    return [('symlink', target, f'{s.r}/{name}') for target, name in (('a', 'l1'), ('../a', 'd/l2'), ('missing', 'l3'), ('a', 'a'), ('a', 'no/such'))]


@case('cp', ok=False, held=False)  # copy-data is not offered there
def cp(s):
    s.there('a', noise(1, 100000), 0o640)
    s.there('b', noise(2, 200000))
    s.there('shut', b'keep', 0o444)
    return [('cp', f'{s.r}/{a}', f'{s.r}/{b}') for a, b in (('a', 'a2'), ('a', 'b'), ('missing', 'm'), ('a', 'shut'), ('a', 'no/such'))]


@case('chmod', ok=False)
def chmod(s):
    s.there('a', b'1')
    s.folder_there('d')
    return [('chmod', '600', f'{s.r}/a'), ('chmod', '755', f'{s.r}/a'), ('chmod', '700', f'{s.r}/d'), ('chmod', '600', f'{s.r}/missing')]


@case('mkdir rmdir', ok=False)
def folders(s):
    s.there('full/x', b'1')
    s.there('file', b'1')
    s.folder_there('empty')
    return [('mkdir', f'{s.r}/{n}') for n in ('new', 'new', 'file', 'new/deeper', 'file/x')] + [
        ('rmdir', f'{s.r}/{n}') for n in ('empty', 'missing', 'file', 'new/deeper')]


@case('rmdir', ok=False, without=('rclone', 'lftp'))
def rmdir_full(s):
    s.there('full/x', b'1')
    return [('rmdir', f'{s.r}/full')]


@case('rm', ok=False)
def rm(s):
    for name in ('a', 'b', 'shut/c', 'd/x'):
        s.there(name, b'1')
    s.there('read-only', b'1', 0o444)
    s.link_there('b', 'link')
    s.folder_there('shut', 0o555)
    return [('rm', f'{s.r}/{n}') for n in ('a', 'missing', 'shut/c', 'd', 'read-only', 'link')]


@case('ls', ok=False)
def ls(s):
    for name in ('a', '.hidden', 'd/x', 'ü b', 'z'):
        s.there('top/' + name, b'1', 0o640, WHEN)
    s.link_there('a', 'top/link')
    s.folder_there('top/empty')
    s.there('top/closed/x', b'1')
    s.folder_there('top/closed', 0o000)
    return [('ls', f'{s.r}/top{n}') for n in ('', '/empty', '/missing', '/closed', '/a')]


@case('ls', light=False)
def ls_many(s):
    for i in range(1000):
        s.there(f'd/file-{i}', b'', 0o644, WHEN)
    return [('ls', f'{s.r}/d')]


@case('put get rename rm', ok=None)
def a_day(s):
    """The same names over and over, as an editor or a backup does."""
    for i in range(3):
        s.here(f'v{i}', noise(i, 20000 * i + 100))
    jobs = []
    for i in range(3):
        jobs += [s.put(f'v{i}', 'doc.tmp'), ('rm', f'{s.r}/doc'), ('rename', f'{s.r}/doc.tmp', f'{s.r}/doc'), s.get('doc', f'back{i}')]
    return jobs


def prepare(s, chosen):
    """Sets the stage: [(case, place, jobs)]."""
    made = []
    for one in chosen:
        place = Place(s, one.name)
        made.append((one, place, one.function(place)))
    return made
