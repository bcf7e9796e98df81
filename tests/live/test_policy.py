"""What policy forbids: the client is told why, nothing of it is stored or sent, what stood there stands, and the record says so."""
import concurrent.futures
import hashlib
import os
import unittest

import audit
import clients
import configuration
import samples
import stage
import talk
import tree
import world

RULES = '''
  upload {
    block 'scripts'     { name = {'*.php', '*.phtml', '.htaccess'} message = 'no scripts here' }
    block 'logs'        { path = {'**/logs/**'} ignore_case = true }
    block 'executables' { type = {'application/x-executable', 'application/x-pie-executable', 'application/x-sharedlib', 'application/x-dosexec'} }
    block 'disguised'   { type_mismatch = true }
    block 'malware'     { virus = {'*'} }
    block 'huge'        { larger_than = '4M' }
    watch 'archives'    { type = {'application/zip'} }
    watch 'odd'         { name = {'*.odd'} }
  }
  download {
    block 'private'     { name = {'*.key'} }
    block 'programs'    { type = {'application/x-executable', 'application/x-pie-executable', 'application/x-sharedlib'} }
    block 'infected'    { virus = {'*'} }
  }
'''


class Policy(unittest.TestCase):
    """One session each; the stage's word is the test's name."""
    serial = 0

    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        cls.scp = clients.OpenSSH(cls.live)

    def stage(self, name, body=RULES, more='', **whole):
        text = configuration.whole(self.live, name, configuration.policy(body, more=more), **whole)
        Policy.serial += 1
        return stage.Stage(self.live, self.live.gate(name, text), self.scp, f'{self.id().rpartition(".")[2]}-{Policy.serial}', 'gg')

    def hold(self):
        return self.stage('hold')

    def skip(self):
        return self.stage('skip', more="  on_block = 'skip'\n")

    def stream(self):
        return self.stage('stream-rules', more="  delivery = 'stream'\n  on_block = 'skip'\n")

    def record(self, s, name, outcome, reason=None, rule=None):
        """The one record of that file, after checking what it says."""
        found = [r for r in audit.files(s.gate.sessions_about(f'{s.word}.{s.half}')) if audit.name(r) == name]
        self.assertEqual(len(found), 1, f'records of {name}: {found}')
        self.assertEqual((audit.outcome(found[0]), audit.reason(found[0]), audit.rule(found[0])), (outcome, reason, rule), found[0])
        return found[0]

    def blocked(self, s, done, name, rule, words=None):
        """The client failed, was told, and the record has the reference it was given."""
        self.assertEqual(done.status, 1, done)
        told = [line for line in done.err.split(b'\n') if os.fsencode(name) in line]
        self.assertEqual(len(told), 1, done)
        self.assertIn(words or b'blocked by rule "%s"' % rule.encode(), told[0])
        record = self.record(s, name, 'blocked', 'rule', rule)
        self.assertEqual(talk.ref(told[0]), audit.ref(record), told)
        return record

    # -- uploads, held

    def test_name_stops(self):
        s = self.hold()
        for name in ('a.txt', 'shell.php', 'z.txt'):
            s.here(name, samples.text())
        done = s.up(['a.txt', 'shell.php', 'z.txt'])
        self.blocked(s, done, 'shell.php', 'scripts', b'no scripts here')
        self.assertEqual(sorted(tree.look(s.remote)), [b'', b'a.txt'])
        self.record(s, 'a.txt', 'allowed')

    def test_name_skips(self):
        s = self.skip()
        for name in ('a.txt', 'shell.php', 'z.txt'):
            s.here(name, samples.text())
        done = s.up(['a.txt', 'shell.php', 'z.txt'])
        self.blocked(s, done, 'shell.php', 'scripts', b'no scripts here')
        self.assertEqual(sorted(tree.look(s.remote)), [b'', b'a.txt', b'z.txt'])

    def test_recursive_skips_one(self):
        s = self.skip()
        for i in range(40):
            s.here(f'd/{i % 4}/f{i}.txt', samples.text(i))
        s.here('d/2/bad.php', samples.php())
        s.here('d/3/bad.jpg', samples.program())
        done = s.up(['d'], recursive=True)
        self.blocked(s, done, 'bad.php', 'scripts', b'no scripts here')
        self.record(s, 'bad.jpg', 'blocked', 'rule', 'executables')
        wanted = tree.look(s.local)
        del wanted[b'd/2/bad.php'], wanted[b'd/3/bad.jpg']
        self.assertEqual(tree.difference({k: v for k, v in wanted.items() if k}, {k: v for k, v in tree.look(s.remote).items() if k}), [])
        self.assertEqual(len([r for r in audit.files(s.gate.sessions_about(s.word)) if audit.outcome(r) == 'allowed']), 40)

    def test_folder_by_path(self):
        s = self.skip()
        s.here('d/Logs/x', b'1')
        s.here('d/keep/x', b'2')
        done = s.up(['d'], recursive=True)
        self.assertEqual(done.status, 1, done)
        self.assertEqual(sorted(tree.look(s.remote)), [b'', b'd', b'd/keep', b'd/keep/x'])

    def test_program(self):
        s = self.hold()
        s.here('tool', samples.program())
        self.blocked(s, s.up(['tool']), 'tool', 'executables')
        self.assertEqual(list(tree.look(s.remote)), [b''])

    def test_disguised(self):
        s = self.skip()
        s.here('cat.jpg', samples.png())
        s.here('dog.jpg', samples.jpeg())
        done = s.up(['cat.jpg', 'dog.jpg'])
        record = self.blocked(s, done, 'cat.jpg', 'disguised')
        self.assertEqual(audit.mime(record), 'image/png')
        self.assertEqual(sorted(tree.look(s.remote)), [b'', b'dog.jpg'])

    def test_program_as_picture(self):
        s = self.hold()
        s.here('cat.jpg', samples.program())
        done = s.up(['cat.jpg'])
        self.assertEqual(done.status, 1)
        self.assertEqual(list(tree.look(s.remote)), [b''])

    def test_virus_in_zip(self):
        s = self.hold()
        data = samples.zipped(('readme.txt', samples.text()), ('in.txt', samples.virus()))
        s.here('pack.zip', data)
        record = self.blocked(s, s.up(['pack.zip']), 'pack.zip', 'malware')
        self.assertIn(world.VIRUS_NAME, audit.virus(record))
        self.assertEqual(audit.watched(record), ['archives'])
        self.assertEqual(audit.sha256(record), hashlib.sha256(data).hexdigest())
        self.assertEqual(list(tree.look(s.remote)), [b''])

    def test_virus_at_the_end(self):
        s = self.hold()
        s.here('long.txt', samples.virus(at=3 << 20))
        self.blocked(s, s.up(['long.txt']), 'long.txt', 'malware')
        self.assertEqual(list(tree.look(s.remote)), [b''])

    def test_good_file_stands(self):
        s = self.hold()
        s.here('report.txt', samples.virus())
        s.there('report.txt', b'the good one\n', 0o640, stage.WHEN)
        before = tree.look(s.remote, times=True), tree.stamps(s.remote)
        self.blocked(s, s.up(['report.txt']), 'report.txt', 'malware')
        self.assertEqual((tree.look(s.remote, times=True), tree.stamps(s.remote)), before)

    def test_size(self):
        s = self.hold()
        s.here('big.txt', b'x' * (4 << 20))
        s.here('bigger.txt', b'x' * ((4 << 20) + 1))
        self.assertEqual(s.up(['big.txt']).status, 0)
        self.blocked(s, s.up(['bigger.txt']), 'bigger.txt', 'huge')
        self.assertEqual(sorted(tree.look(s.remote)), [b'', b'big.txt'])

    def test_watch(self):
        s = self.hold()
        s.here('a.odd', samples.text())
        s.here('fine.zip', samples.zipped(('a', b'1')))
        self.assertEqual(s.up(['a.odd', 'fine.zip']).status, 0)
        self.assertEqual(audit.watched(self.record(s, 'a.odd', 'allowed')), ['odd'])
        self.assertEqual(audit.watched(self.record(s, 'fine.zip', 'allowed')), ['archives'])

    def test_hash_and_type_of_the_allowed(self):
        s = self.hold()
        data = {'a.txt': samples.text(), 'b.png': samples.png(), 'empty': b''}
        for name, content in data.items():
            s.here(name, content)
        self.assertEqual(s.up(list(data)).status, 0)
        for name, content in data.items():
            record = self.record(s, name, 'allowed')
            self.assertEqual(audit.sha256(record), hashlib.sha256(content).hexdigest())
            self.assertEqual(audit.size(record), len(content))
        self.assertEqual(audit.mime(self.record(s, 'b.png', 'allowed')), 'image/png')

    def test_encrypted_is_not_clean(self):
        s = self.hold()
        s.here('secret.zip', samples.encrypted_zip(s.local))
        done = s.up(['secret.zip'])
        self.assertEqual(done.status, 1, done)
        self.record(s, 'secret.zip', 'blocked', 'unscannable')
        self.assertEqual(list(tree.look(s.remote)), [b''])

    def test_encrypted_may_be_accepted(self):
        s = self.stage('encrypted', more="  accept_unscannable = {'encrypted'}\n")
        s.here('secret.zip', samples.encrypted_zip(s.local))
        self.assertEqual(s.up(['secret.zip']).status, 0)
        self.record(s, 'secret.zip', 'allowed')

    def test_setuid_is_masked(self):
        s = self.hold()
        for mode in (0o4755, 0o2755, 0o1777):
            s.here(f'm{mode:o}.txt', b'x', mode)
            self.assertEqual(s.up([f'm{mode:o}.txt'], times=True).status, 0)
            self.assertEqual(os.stat(f'{s.remote}/m{mode:o}.txt').st_mode & 0o7777, mode & 0o777)

    def test_every_client_is_told(self):
        for name, client in clients.every(self.live).items():
            for data, file, rule in ((samples.virus(), 'v.txt', 'malware'), (samples.php(), 's.php', None)):
                with self.subTest(client=name, file=file):
                    s = self.hold()
                    s.client = client
                    s.here(file, data)
                    done = s.up([file], file)
                    if rule is None or name not in ('curl', 'libssh'):  # these do not read the answer to their data
                        self.assertNotEqual(done.status, 0, done)
                        if name not in ('curl',):
                            self.assertIn(b'xferwarden: ' + file.encode(), done.err + done.out)
                    self.assertEqual(list(tree.look(s.remote)), [b''])
                    self.record(s, file, 'blocked', 'rule', rule or 'scripts')

    # -- allow rules, directions

    def test_allow(self):
        body = "  upload { allow 'site' { path = {'t/*/public_html/**'} message = 'only public_html is writable' } }\n"
        s = self.stage('allow', body)
        s.folder_there('public_html')
        s.here('a', b'1')
        self.assertEqual(s.up(['a'], 'public_html/a').status, 0)
        done = s.up(['a'], 'b')
        self.assertEqual(done.status, 1)
        self.assertEqual(sorted(tree.look(s.remote)), [b'', b'public_html', b'public_html/a'])
        self.record(s, 'b', 'blocked', 'not-allowed')

    def test_direction_not_named(self):
        s = self.stage('up-only', '  upload { }\n')
        s.there('a', b'1')
        done = s.down(['a'], 'x')
        self.assertEqual(done.status, 1)
        self.assertEqual(os.listdir(s.local), [])

    def test_no_policy(self):
        text = configuration.whole(self.live, 'nobody', "policy 'other' {\n  user = {'nobody-else'}\n  root = '%h'\n  upload { }\n}\n")
        s = stage.Stage(self.live, self.live.gate('nobody', text), self.scp, 'no_policy', 'gg')
        s.here('a', b'1')
        done = s.up(['a'], 'a')
        self.assertEqual(done.status, 1)
        self.assertEqual(list(tree.look(s.remote)), [b''])

    # -- downloads, held

    def down_blocked(self, s, name, rule):
        self.blocked(s, s.down([name], 'x'), name, rule)
        self.assertEqual(os.listdir(s.local), [])

    def test_down_name(self):
        s = self.hold()
        s.there('my.key', b'secret')
        self.down_blocked(s, 'my.key', 'private')

    def test_down_type(self):
        s = self.hold()
        s.there('tool', samples.program())
        self.down_blocked(s, 'tool', 'programs')

    def test_down_virus(self):
        s = self.hold()
        s.there('v.zip', samples.zipped(('a', samples.virus())))
        self.down_blocked(s, 'v.zip', 'infected')

    def test_down_by_wildcard(self):
        """Its matches are names out of a folder, which is listing it."""
        for words, got in (("'stat'", []), ("'list', 'stat'", ['a1', 'a2'])):
            s = self.stage(f'wild-{len(got)}', '  download { }\n', more=f"  operations = {{{words}}}\n")
            for name in ('a1', 'a2', 'b'):
                s.there(name, b'1')
            done = s.down([f'{s.remote}/a*'], raw=True)
            with self.subTest(operations=words):
                self.assertEqual((done.status, sorted(os.listdir(s.local))), (0 if got else 1, got), done)
                s.down(['b'])
                self.assertIn('b', os.listdir(s.local))

    def test_down_recursive_skips(self):
        s = self.skip()
        for name in ('a.txt', 'e/b.txt', 'z.txt'):
            s.there('d/' + name, samples.text())
        s.there('d/e/my.key', b'secret')
        s.there('d/v.txt', samples.virus())
        done = s.down(['d'], recursive=True)
        self.blocked(s, done, 'my.key', 'private')
        self.assertEqual(sorted(tree.look(s.local)), [b'', b'd', b'd/a.txt', b'd/e', b'd/e/b.txt', b'd/z.txt'])
        for name in ('a.txt', 'b.txt', 'z.txt'):
            self.record(s, name, 'allowed')

    # -- streams

    def test_stream_pads_and_scrubs(self):
        s = self.stream()
        body = samples.virus(at=2 << 20, size=3 << 20)
        s.here('long.txt', body)
        s.here('next.txt', samples.text())
        done = s.up(['long.txt', 'next.txt'])
        self.blocked(s, done, 'long.txt', 'malware')
        left = tree.look(s.remote)
        self.assertIn(b'next.txt', left)
        self.assertIn(left.get(b'long.txt', ('file', '', 0))[2], (0,), 'something was left of it')

    def test_stream_down_pads(self):
        s = self.stream()
        body = samples.virus(at=2 << 20, size=3 << 20)
        s.there('long.txt', body)
        done = s.down(['long.txt'], 'x')
        self.blocked(s, done, 'long.txt', 'infected')
        with open(s.local + '/x', 'rb') as f:
            got = f.read()
        self.assertEqual(len(got), len(body))
        self.assertTrue(got.endswith(bytes(1024)))
        self.assertNotEqual(got, body)

    def test_stream_type_is_known_at_the_head(self):
        s = self.stream()
        s.here('tool', samples.program() + bytes(3 << 20))
        s.there('tool', b'old')
        self.blocked(s, s.up(['tool']), 'tool', 'executables')
        with open(s.remote + '/tool', 'rb') as f:
            self.assertEqual(f.read(), b'old', 'the head was held, so nothing had to be scrubbed')


class Parallel(unittest.TestCase):
    """Sessions at the same time do not mix their records."""

    def test_many(self):
        live = world.THE
        gate = live.gate('hold', configuration.whole(live, 'hold', configuration.policy(RULES)))
        scp = clients.OpenSSH(live)

        def one(i):
            s = stage.Stage(live, gate, scp, f'parallel-{i}', 'gg')
            data = stage.noise(i, 5000 + i)
            s.here('f.bin', data)
            s.here('g.php', b'x')
            return s, data, s.up(['f.bin', 'g.php'])

        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            for s, data, done in pool.map(one, range(20)):
                self.assertEqual(done.status, 1, done)
                records = audit.files(gate.sessions_about(f'{s.word}.{s.half}'))
                self.assertEqual(len(records), 2, records)
                self.assertEqual(audit.sha256(next(r for r in records if audit.name(r) == 'f.bin')), hashlib.sha256(data).hexdigest())
