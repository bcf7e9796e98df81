"""What policy does not forbid must look to SFTP clients as if there were no shim: same files, same words, same status as with the bare sshd."""
import concurrent.futures
import os
import re
import time
import unittest

import audit
import configuration
import sftp_cases
import sftp_clients
import stage
import tree
import world

ALL = ('scp', 'sftp', 'lftp', 'sshfs', 'rclone', 'paramiko', 'curl', 'psftp', 'pscp')
PASSES = (  # gate, configuration, its clients, those that carry heavy loads through it
    ('path', configuration.sftp_path, ALL, ALL),
    ('type', configuration.sftp_type, ('scp', 'sshfs'), ('scp',)),
    ('virus', configuration.sftp_virus, ('sftp', 'curl'), ('sftp',)),
)
STAMP = re.compile(rb'\b\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ')         # rclone's own clock
LISTED = re.compile(rb' [A-Z][a-z]{2} +\d+ +(\d\d:\d\d|\d{4}) ')   # psftp's ls
TROUBLE = re.compile(rb'(?i)failure|failed|denied|no such|not found|invalid|unable|could ?n.t|cannot|not a regular')
HELD = ('g1', 'g2')
UNSORTED = ('curl', 'rclone')                                      # say things in the order of the folder, or of their threads


def wanted(client, heavy=True, held=False):
    return [one for one in sftp_cases.CASES if one.fits(client, heavy, held)]


def plain(s, client, said):
    said = LISTED.sub(b' TIME ', STAMP.sub(b'', s.plain(said)))
    return b''.join(sorted(said.splitlines(True))) if client.name in UNSORTED else said


def alone(s, client, gate, chosen):
    """Jobs that are processes of their own: how each case fared."""
    for one, place, jobs in sftp_cases.prepare(s, chosen):
        answers, _ = client.work(gate, jobs, s.local)
        yield one, place, jobs, answers


def together(s, client, gate, chosen):
    made = sftp_cases.prepare(s, chosen)
    answers, _ = client.work(gate, [job for _, _, jobs in made for job in jobs], s.local)
    at = 0
    for one, place, jobs in made:
        yield one, place, jobs, answers[at:at + len(jobs)]
        at += len(jobs)


def perform(live, gate, client, half, chosen):
    """One half of the comparisons for a client: {case: what was said, what was left on both sides, how the records complain}."""
    s = stage.Stage(live, gate, client, f'sftp-{client.name}', half)
    began, found = time.monotonic(), {}
    for one, place, jobs, answers in (together if client.one_session else alone)(s, client, gate, chosen):
        found[one.name] = {
            'ended': len(answers) != len(jobs),
            'said': [(a.status, plain(s, client, a.said)) for a in answers],
            'remote': tree.look(place.r, one.times), 'local': tree.look(f'{s.local}/{place.l}', one.times),
            'transfers': transfers(s, jobs, answers),
        }
    found[''] = time.monotonic() - began
    if gate.gated:
        found['records'] = gate.sessions_about(f'{s.word}.{s.half}', 30)
    s.clear()
    return found


def transfers(s, jobs, answers):
    """What whole files arrived: (action, real path, hash), of jobs that say so and whose both ends stand unchanged since."""
    found = []
    for (verb, *words), answer in zip(jobs, answers):
        if verb in ('put', 'put-p', 'get', 'get-p') and answer.status == 0:
            a, b = (os.path.join(s.local, w) for w in words)
            if os.path.isfile(a) and os.path.isfile(b) and tree.digest(a) == tree.digest(b):
                found.append(('upload', os.path.realpath(b), tree.digest(a)) if verb.startswith('put') else ('download', os.path.realpath(a), tree.digest(a)))
    return found


class Outcomes:
    futures = None

    @classmethod
    def start(cls):
        live = world.THE
        cls.pool = concurrent.futures.ThreadPoolExecutor(4)
        cls.futures = {}
        live.stops.append(lambda: cls.pool.shutdown(wait=True, cancel_futures=True))
        everyone = sftp_clients.every(live)
        gates = [('b0', live.gate('bare'), ALL, ALL)]
        if live.shim:
            gates += [(f'g{i}', live.gate('sftp-' + name, text(live)), names, heavy) for i, (name, text, names, heavy) in enumerate(PASSES)]
        for client in everyone.values():
            for half, gate, names, heavy in gates:
                if client.name in names:
                    cls.futures[client.name, half] = cls.pool.submit(perform, live, gate, client, half, wanted(client, client.name in heavy, half in HELD))

    @classmethod
    def get(cls, client, half):
        if cls.futures is None:
            cls.start()
        return cls.futures[client, half].result()


class Bare(unittest.TestCase):
    """The cases themselves: what the bare sshd must do for a comparison to mean anything."""


class Transparent(unittest.TestCase):
    maxDiff = None


def skip_unmounted(test, client):
    if client == 'sshfs' and sftp_clients.Sshfs.usable():
        test.skipTest(sftp_clients.Sshfs.usable())


def bare_test(one, client):
    def test(self):
        skip_unmounted(self, client)
        result = Outcomes.get(client, 'b0')[one.name]
        self.assertFalse(result['ended'], result['said'])
        failed = [(status, said) for status, said in result['said'] if status or (status is None and TROUBLE.search(said))]
        if one.ok is True:
            self.assertEqual(failed, [])
        elif one.ok is False:
            self.assertNotEqual(failed, [])
    return test


def gated_test(one, client, half):
    def test(self):
        skip_unmounted(self, client)
        bare, all_gated = Outcomes.get(client, 'b0')[one.name], Outcomes.get(client, half)
        gated = all_gated[one.name]
        wrong = []
        if gated['said'] != bare['said']:
            wrong += ['said:'] + [f'  bare  {b}\n  gated {g}' for b, g in zip(bare['said'], gated['said']) if b != g]
        if len(gated['said']) != len(bare['said']):
            wrong.append(f'the session ended after {len(gated["said"])} jobs of {len(bare["said"])}')
        wrong += ['on the server, bare / gated: ' + d for d in tree.difference(bare['remote'], gated['remote'])]
        wrong += ['at the client, bare / gated: ' + d for d in tree.difference(bare['local'], gated['local'])]
        records = [(world.get(r, 'event.action'), os.fsdecode(audit.path(r)), audit.sha256(r)) for r in audit.files(all_gated['records'])
                   if audit.outcome(r) == 'allowed']
        # sshfs reads ahead in any order: then there is no hash of what was sent
        unread = {(action, path) for action, path, digest in records if digest is None}
        wrong += [f'not recorded: {t}' for t in gated['transfers'] if t not in records and not (client == 'sshfs' and t[0] == 'download' and t[:2] in unread)]
        if wrong:
            self.fail('\n'.join(wrong))
    return test


def install():
    for kind in sftp_clients.KINDS:
        for one in wanted(kind):
            setattr(Bare, f'test_{one.name}_{kind.name}', bare_test(one, kind.name))
        for i, (gate, _, names, heavy) in enumerate(PASSES):
            if kind.name in names:
                for one in wanted(kind, kind.name in heavy, f'g{i}' in HELD):
                    setattr(Transparent, f'test_{gate}_{one.name}_{kind.name}', gated_test(one, kind.name, f'g{i}'))


install()
