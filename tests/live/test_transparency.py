"""What policy does not forbid must look as if there were no shim: same files, same words, same exit status as with the bare sshd."""
import concurrent.futures
import re
import unittest

import audit
import cases
import clients
import configuration
import stage
import tree
import world

PASSES = (  # gate, configuration, the clients that go through it
    ('path', configuration.path_only, ('openssh', 'pscp', 'curl', 'scppy', 'libssh', 'dropbear')),
    ('content', configuration.content, ('openssh', 'pscp', 'curl', 'scppy', 'libssh')),
    ('stream', configuration.stream, ('openssh',)),
)
DROPBEAR = re.compile('^(up_(new_name|big|several|recursive|unwritable_file|missing_parent)|down_(one|big|recursive|missing))$')
OWN_WORDS = ('down_fifo',)  # refused by us before the real scp could say it
DIED = b'Protocol error: Illegal file descriptor format\n'  # pscp, after any warning that a record follows
NOT_LOOKING = ('curl', 'libssh')  # do not read the answer to their data


def wanted(one, client):
    name, _, _, needs, _, _, only = one
    if client.name == 'dropbear' and not DROPBEAR.match(name):
        return False
    return needs <= client.can and (only is None or client.name in only)


def perform(live, gate, client, one, half):
    """One half of a comparison: what was said, what was left on both sides."""
    name, function, _, _, times, _, _ = one
    s = stage.Stage(live, gate, client, f'{name}-{client.name}', half)
    function(s)
    folders = client.name != 'pscp'  # which keeps the times of files alone
    result = {'said': s.said(), 'remote': tree.look(s.remote, times, folders), 'local': tree.look(s.local, times, folders), 'status': [r.status for r in s.results]}
    if gate.gated:
        result['audit'] = audit.complaints(s, name.startswith('up_'))
    s.clear()
    return result


class Outcomes:
    """All halves of all cases, run a few at a time when the first is asked for."""
    futures = None

    @classmethod
    def start(cls):
        live = world.THE
        cls.pool = concurrent.futures.ThreadPoolExecutor(5)
        cls.futures = {}
        live.stops.append(lambda: cls.pool.shutdown(wait=True, cancel_futures=True))
        everyone = clients.every(live)
        gates = [('b0', live.gate('bare'), everyone)]
        if live.shim:
            for i, (name, text, names) in enumerate(PASSES):
                gates.append((f'g{i}', live.gate(name, text(live)), {n: everyone[n] for n in names}))
        for one in cases.CASES:
            for client in everyone.values():
                for half, gate, who in gates:
                    if client.name in who and wanted(one, client):
                        cls.futures[one[0], client.name, half] = cls.pool.submit(perform, live, gate, client, one, half)

    @classmethod
    def get(cls, *key):
        if cls.futures is None:
            cls.start()
        return cls.futures[key].result()


class Bare(unittest.TestCase):
    """The cases themselves: what the bare sshd must do for a comparison to mean anything."""


class Transparent(unittest.TestCase):
    maxDiff = None


def bare_test(one, name):
    def test(self):
        status = Outcomes.get(one[0], name, 'b0')['status']
        self.assertNotIn('timeout', status)
        if one[2] is True:
            self.assertEqual(set(status), {0}, Outcomes.get(one[0], name, 'b0')['said'])
        elif one[2] is False and name not in NOT_LOOKING:
            self.assertNotEqual(status, [0], Outcomes.get(one[0], name, 'b0')['said'])
    return test


def gated_test(one, name, half):
    def test(self):
        bare, gated = Outcomes.get(one[0], name, 'b0'), Outcomes.get(one[0], name, half)
        wrong = []
        if one[0] in OWN_WORDS or (one[5] and (name == 'libssh' or half != 'g0' and name in NOT_LOOKING)):
            pass
        elif DIED in bare['said'][0][2]:  # refusals come last for its sake, and it does not die; more arrives than without us
            for (status, out, err), with_us in zip(bare['said'], gated['said']):
                self.assertEqual((status, out), with_us[:2])
                self.assertLessEqual(set(err.replace(DIED, b'').splitlines()), set(with_us[2].splitlines()))
            self.assertEqual(gated['audit'], [])
            return
        elif gated['said'] != bare['said']:
            wrong += ['said:'] + [f'  bare  {b}\n  gated {g}' for b, g in zip(bare['said'], gated['said']) if b != g]
        wrong += ['on the server, bare / gated: ' + d for d in tree.difference(bare['remote'], gated['remote'])]
        if name == 'scppy' and one[0].startswith('down_') and bare['status'] != [0]:  # ends at the first refusal, and with us more comes before it
            gated = dict(gated, local={k: v for k, v in gated['local'].items() if k in bare['local']})
        wrong += ['at the client, bare / gated: ' + d for d in tree.difference(bare['local'], gated['local'])]
        wrong += ['audit: ' + a for a in gated['audit']]
        if wrong:
            self.fail('\n'.join(wrong))
    return test


def install():
    kinds = (clients.OpenSSH, clients.Pscp, clients.Curl, clients.Scppy, clients.Libssh, clients.Dropbear)
    for one in cases.CASES:
        for kind in kinds:
            if not wanted(one, kind):
                continue
            setattr(Bare, f'test_{one[0]}_{kind.name}', bare_test(one, kind.name))
            for i, (gate, _, names) in enumerate(PASSES):
                if kind.name in names:
                    setattr(Transparent, f'test_{gate}_{one[0]}_{kind.name}', gated_test(one, kind.name, f'g{i}'))


install()

