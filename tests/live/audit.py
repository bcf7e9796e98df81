"""What audit records must say. The names of ECS fields and our own are known here alone."""
import hashlib
import os

import tree
from world import get


EMPTY = hashlib.sha256(b'').hexdigest()


def files(records):
    return [r for r in records if get(r, 'event.action') in ('upload', 'download')]


def folders(records):
    return [r for r in records if get(r, 'event.action') in ('folder-upload', 'folder-download')]


def refusals(records):
    return [r for r in records if get(r, 'event.action') == 'command-refused']


def ends(records):
    return [r for r in records if get(r, 'event.action') == 'session-end']


def protocol(record):
    return get(record, 'network.protocol')


def operations(records, action):
    return [r for r in records if get(r, 'event.action') == action]


def path(record):
    """The path as bytes, recovered where it is not UTF-8."""
    raw = get(record, 'xferwarden.path_hex')
    return bytes.fromhex(raw) if raw else get(record, 'file.path').encode()


def name(record):
    return get(record, 'file.name')


def outcome(record):
    verdict = get(record, 'xferwarden.verdict')
    expected = 'success' if verdict == 'allowed' else 'failure'
    assert get(record, 'event.outcome') == expected, record
    return verdict


def reason(record):
    return get(record, 'event.reason')


def rule(record):
    return get(record, 'rule.name')


def ref(record):
    return get(record, 'xferwarden.ref')


def mime(record):
    return get(record, 'file.mime_type')


def virus(record):
    return get(record, 'xferwarden.virus') or ''


def watched(record):
    return get(record, 'xferwarden.watched') or []


def unscannable(record):
    return get(record, 'xferwarden.unscannable') or []


def sha256(record):
    return get(record, 'file.hash.sha256')


def size(record):
    return get(record, 'file.size')


def complaints(stage, up):
    """
    Every file that was stored or sent has exactly one record for each time it was, with the right hash; nothing else is said to have been. Returns
    sentences about what is not so.
    """
    records = stage.gate.sessions_about(f'{stage.word}.{stage.half}')
    allowed = [r for r in files(records) if outcome(r) == 'allowed']
    wrong = []
    for record in allowed:
        try:
            st = os.stat(path(record))
            if up and len(allowed) == len({path(r) for r in allowed}) and (sha256(record), size(record)) != (tree.digest(path(record)), st.st_size):
                wrong.append(f'not what is on disk: {record}')
        except OSError as trouble:
            wrong.append(f'{trouble}: {record}')
    refs = [ref(r) for r in files(records) + folders(records)]
    if None in refs or len(refs) != len(set(refs)):
        wrong.append(f'references missing or used twice: {sorted(map(str, refs))}')
    if up:
        stored = {os.path.join(os.path.realpath(os.fsencode(stage.remote)), n) for n in tree.changed(stage.remote, stage.before)}
        said = {path(r) for r in allowed}
        if len(stage.results) == 1 and stored != said:
            wrong.append(f'stored and not recorded: {sorted(stored - said)}; recorded and not stored: {sorted(said - stored)}')
    else:
        got = sorted(tree.digest(os.path.join(folder, n)) for folder, _, names in os.walk(os.fsencode(stage.local)) for n in names)
        said = sorted(sha256(r) for r in allowed)
        if stage.client.name == 'curl':  # hangs up on an empty file before its end was sent: recorded as lost, rightly
            got, said = ([d for d in digests if d != EMPTY] for digests in (got, said))
        if all(r.status == 0 for r in stage.results) and got != said:
            wrong.append(f'{len(got)} files arrived, {len(said)} are recorded, or their hashes differ')
    for end in ends(records):
        mine = [r for r in files(records) + folders(records) if get(r, 'session.id') == get(end, 'session.id')]
        for verdict in ('allowed', 'blocked', 'failed'):
            count, recorded = get(end, 'xferwarden.' + verdict), sum(outcome(r) == verdict for r in mine)
            # what a sender could not even announce fails without a record of its own
            if count < recorded or (count > recorded and verdict != 'failed'):
                wrong.append(f'the end says {count} {verdict}, there are {recorded} records')
    return wrong
