"""One table: each kind of rule, each client, up and down. A row has one verdict, whatever the client speaks: the record says it, and the disk shows it."""
import concurrent.futures
import functools
import os
import shlex
import unittest

import audit
import configuration
import samples
import sftp_clients
import stage
import tree
import world

OLD = b'the old one, which stands\n'
DEAF = ('curl', 'pscp', 'sshfs')  # do not look at the answer to CLOSE


class Row:
    def __init__(self, name, content, rule=None, reason=None, watched=(), mode=0o644, late=False):
        self.name, self.content, self.rule, self.watched, self.mode, self.late = name, content, rule, list(watched), mode, late
        self.reason = reason or (rule and 'rule')
        self.outcome = 'blocked' if self.reason else 'allowed'


@functools.lru_cache(None)
def secret():
    return samples.encrypted_zip(world.THE.base + '/tmp')


def rows(up):
    """late: the content decides, so the answer may come as late as the one to CLOSE."""
    return [
        Row('fine.txt', samples.text()),
        Row('empty.txt', b''),
        Row('page.png', samples.png()),
        Row('a.odd', samples.text(), watched=['odd']),
        Row('fine.zip', samples.zipped(('a.txt', samples.text())), watched=['archives']),
        Row('exact.txt', b'x' * (1 << 20)),
        Row('shell.php' if up else 'my.key', samples.php(), 'scripts' if up else 'keys'),
        Row('logs/x.txt', samples.text(), 'logs'),
        Row('tool', samples.program(), 'executables', late=True),
        Row('cat.jpg', samples.png(), 'disguised', late=True),
        Row('v.txt', samples.virus(), 'malware', late=True),
        Row('v.zip', samples.zipped(('readme.txt', samples.text()), ('in.txt', samples.virus())), 'malware', watched=['archives'], late=True),
        Row('bigger.txt', b'x' * ((1 << 20) + 1), 'huge', late=True),
        Row('secret.zip', secret(), 'unseen', watched=['archives'], late=True),
        Row('../private/x.txt', samples.text(), reason='not-allowed'),
    ]


class LegacyScp(sftp_clients.Scp):
    """scp -O: the other protocol."""
    name = 'scp-O'

    def command(self, gate, verb, words):
        source, target = words
        ends = [source, f'{self.at(gate)}:{shlex.quote(target)}'] if verb.startswith('put') else [f'{self.at(gate)}:{shlex.quote(source)}', target]
        return ['scp', '-O', '-q', '-T'] + gate.ssh_options() + [f'-{c}' for c in verb.partition('-')[2]] + ['--'] + ends


ANNOUNCE = ('scp-O', 'scp', 'sftp')                                             # say the mode with the file
CHANGE = ('sftp', 'lftp', 'sshfs', 'paramiko', 'curl', 'psftp')                 # have a chmod
KINDS = (LegacyScp,) + sftp_clients.KINDS


class Played:
    """All rows of one direction by one client, in as few sessions as it can."""

    def __init__(self, live, gate, client, direction):
        self.live, self.gate, self.client, self.up = live, gate, client, direction == 'up'
        self.s = stage.Stage(live, gate, client, f'table-{client.name}-{direction}', 'gg')
        self.rows = {row.name: row for row in rows(self.up)}
        self.folders = ('new',) if client.slow or not self.up else ('new', 'old')
        self.jobs, self.answers = [], {}
        for folder in self.folders:
            for sub in ('public_html/logs', 'private'):
                self.s.folder_there(f'{folder}/{sub}')
                os.makedirs(f'{self.s.local}/{folder}/{sub}')
            for row in self.rows.values():
                self.set(folder, row)
        self.modes()
        answers, _ = client.work(gate, [job for _, job in self.jobs], self.s.local)
        self.answers = {key: answer for (key, _), answer in zip(self.jobs, answers)}
        self.records = gate.sessions_about(f'{self.s.word}.{self.s.half}', 60)
        self.remote, self.local = tree.look(self.s.remote), tree.look(self.s.local)

    def place(self, folder, row):
        return os.path.normpath(f'{folder}/public_html/{row.name}')

    def set(self, folder, row):
        place = self.place(folder, row)
        if self.up:
            self.s.here(place, row.content, row.mode)
            if folder == 'old':
                self.s.there(place, OLD)
            self.jobs.append(((folder, row.name), ('put', place, f'{self.s.remote}/{place}')))
        else:
            self.s.there(place, row.content, row.mode)
            self.jobs.append(((folder, row.name), ('get', f'{self.s.remote}/{place}', place)))

    def modes(self):
        """The mode comes with the file, or in a request of its own."""
        where = 'new/public_html'
        if self.up and self.client.name in ANNOUNCE:
            self.rows['run.txt'] = Row('run.txt', samples.text(), 'runnable', mode=0o755)
            self.set('new', self.rows['run.txt'])
        elif not self.up:
            self.rows['run.txt'] = Row('run.txt', samples.text(), 'runnable', mode=0o755)
            self.set('new', self.rows['run.txt'])
        if self.up and self.client.name in CHANGE:
            self.s.there(f'{where}/changed.txt', OLD)
            for name, mode in (('chmod', '755'), ('chmod-fine', '600')):
                self.jobs.append(((name, 'changed.txt'), ('chmod', mode, f'{self.s.remote}/{where}/changed.txt')))

    def of(self, folder, row):
        """The records about one row's file."""
        path = os.fsencode(os.path.realpath(f'{self.s.remote}/{self.place(folder, row)}'))
        return [r for r in audit.files(self.records) if audit.path(r) == path]


class Table(unittest.TestCase):
    maxDiff = None
    futures = None

    @classmethod
    def setUpClass(cls):
        if Table.futures is None:
            live = world.THE
            gate = live.gate('table', configuration.table(live))
            pool = concurrent.futures.ThreadPoolExecutor(4)
            live.stops.append(lambda: pool.shutdown(wait=True, cancel_futures=True))
            secret()  # once, before there are threads
            everyone = dict(sftp_clients.every(live), **{'scp-O': LegacyScp(live)})
            Table.futures = {(name, direction): pool.submit(Played, live, gate, client, direction) for direction in ('up', 'down')
                             for name, client in everyone.items()}

    def played(self, client, direction):
        if (client, direction) not in self.futures:
            self.skipTest(sftp_clients.Sshfs.usable())
        return self.futures[client, direction].result()

    def check_record(self, p, folder, row):
        records = p.of(folder, row)
        said = {(audit.outcome(r), audit.reason(r), audit.rule(r)) for r in records if not (audit.outcome(r) == 'allowed' and audit.rule(r) == 'site')}
        said |= {('allowed', None, None) for r in records if audit.outcome(r) == 'allowed' and audit.rule(r) == 'site'}
        self.assertEqual(said, {(row.outcome, row.reason, row.rule)}, f'{folder} {row.name}: {records}')
        self.assertEqual({audit.protocol(r) for r in records}, {'scp' if p.client.name == 'scp-O' else 'sftp'})
        self.assertEqual({r['event.action'] if 'event.action' in r else world.get(r, 'event.action') for r in records}, {'upload' if p.up else 'download'})
        self.assertEqual({tuple(audit.watched(r)) for r in records}, {tuple(row.watched)}, f'{folder} {row.name}')
        if row.outcome == 'allowed':
            digest = samples.digest(row.content)
            self.assertIn((digest, len(row.content)), {(audit.sha256(r), audit.size(r)) for r in records}, f'{folder} {row.name}')

    def check_told(self, p, folder, row):
        answer = p.answers.get((folder, row.name))
        self.assertIsNotNone(answer, f'{folder} {row.name}: the session ended before')
        if row.outcome == 'allowed':
            self.assertIn(answer.status, (0, None), f'{folder} {row.name}: {answer}')
        elif not (row.late and p.client.name in DEAF):
            self.assertTrue(answer.status or (answer.status is None and answer.said), f'{folder} {row.name}: the client was not told: {answer}')

    def check(self, client, direction):
        p = self.played(client, direction)
        for folder in p.folders:
            for row in p.rows.values():
                if (folder, row.name) not in p.answers and row.name == 'run.txt':
                    continue
                with self.subTest(folder=folder, row=row.name):
                    self.check_told(p, folder, row)
                    self.check_record(p, folder, row)
                    self.check_disk(p, folder, row)
        for session in {world.get(r, 'session.id') for r in p.records}:
            refs = [audit.ref(r) for r in audit.files(p.records) if world.get(r, 'session.id') == session]
            self.assertEqual(len(refs), len(set(refs)), refs)

    def check_disk(self, p, folder, row):
        place = os.fsencode(p.place(folder, row))
        if p.up:
            content = row.content if row.outcome == 'allowed' else OLD if folder == 'old' else None
            left = p.remote.get(place)
        else:
            content, left = row.content, p.local.get(place)
            if row.outcome != 'allowed':
                self.assertIn(left and left[2], (None, 0), 'something of it arrived')
                return
        if content is None:
            self.assertIsNone(left, 'it must not be there')
        else:
            self.assertIsNotNone(left, 'it is not there')
            self.assertEqual(left[2:4], (len(content), samples.digest(content)))

    def check_chmod(self, client):
        p = self.played(client, 'up')
        answer = p.answers['chmod', 'changed.txt']
        self.assertTrue(answer.status or (answer.status is None and answer.said), f'not told: {answer}')
        self.assertEqual(p.remote[b'new/public_html/changed.txt'][1], '0o600', 'the second chmod is the one that is permitted')
        path = os.fsencode(os.path.realpath(f'{p.s.remote}/new/public_html/changed.txt'))
        said = [(audit.outcome(r), audit.rule(r)) for r in audit.operations(p.records, 'attributes') if audit.path(r) == path]
        self.assertIn(('blocked', 'runnable'), said)
        self.assertIn('allowed', [outcome for outcome, _ in said])

    def test_rclone_that_wants_to_run_programs(self):
        """It asks for a shell's words and for hashes first; refused, and it does its work without."""
        live = world.THE
        client = sftp_clients.Rclone(live)
        client.probes = True
        s = stage.Stage(live, live.gate('table', configuration.table(live)), client, world.unique('probes'), 'gg')
        s.folder_there('public_html')
        s.here('fine.txt', samples.text())
        before = len(audit.refusals(s.gate.records()))
        answers, _ = client.work(s.gate, [('put', 'fine.txt', f'{s.remote}/public_html/fine.txt')], s.local)
        self.assertEqual(answers[0].status, 0, answers)
        self.assertEqual(tree.digest(f'{s.remote}/public_html/fine.txt'), samples.digest(samples.text()))
        commands = [world.get(r, 'process.command_line') for r in audit.refusals(s.gate.records())[before:]]
        self.assertIn('md5sum', commands)

    def test_nothing_is_left_behind(self):
        for (client, direction) in self.futures:
            p = self.played(client, direction)
            self.assertEqual([n for n in p.remote if b'.xferwarden' in n], [], client)


def install():
    for kind in KINDS:
        for direction in ('up', 'down'):
            setattr(Table, f'test_{direction}_{kind.name}', lambda self, c=kind.name, d=direction: self.check(c, d))
        if kind.name in CHANGE:
            setattr(Table, f'test_chmod_{kind.name}', lambda self, c=kind.name: self.check_chmod(c))


install()
