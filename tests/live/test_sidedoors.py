"""Ways round the policy, tried on purpose: what a rule forbids must not come into being in two harmless steps either."""
import os
import stat
import unittest

import audit
import clients
import configuration
import rawsftp as r
import samples
import sftp_clients
import stage
import tree
import world

OLD = b'the old one, which stands\n'
MARKER = samples.virus()
HALF = len(MARKER) - 20  # amid the marker
W, C, T, A, R = r.F_WRITE, r.F_CREAT, r.F_TRUNC, r.F_APPEND, r.F_READ
PLACES = 'public_html'


def rename(number, old, new):
    return r.packet(r.RENAME, number, old, new)


def rename_over(number, old, new):
    return r.extended(number, 'posix-rename@openssh.com', old, new)


def hard_link(number, old, new):
    return r.extended(number, 'hardlink@openssh.com', old, new)


def symbolic_link(number, old, new):
    return r.packet(r.SYMLINK, number, os.path.basename(old), new)


class Doors(unittest.TestCase):
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        cls.live = world.THE
        cls.gate = cls.live.gate('table', configuration.table(cls.live))

    def setUp(self):
        self.s = stage.Stage(self.live, self.gate, clients.Client(self.live), world.unique('door'), 'aa')
        self.s.folder_there(PLACES)
        self.d = f'{self.s.remote}/{PLACES}'

    def tearDown(self):
        self.s.clear()

    def session(self):
        session = r.Pipes(self.gate)
        self.addCleanup(session.__exit__)
        return session.greet()

    def there(self, name, content=OLD, mode=0o644):
        self.s.there(f'{PLACES}/{name}', content, mode)

    def content(self, name):
        with open(f'{self.d}/{name}', 'rb') as f:
            return f.read()

    def names(self):
        return sorted(os.listdir(self.d))

    def records(self):
        return self.gate.sessions_about(os.path.basename(self.s.remote), 20)

    def denied(self, reply, rule=None):
        self.assertEqual(r.code(reply), r.DENIED, reply)
        if rule:
            self.assertIn(b'rule "%s"' % rule.encode(), r.text(reply))

    def fine(self, reply):
        self.assertEqual(r.code(reply), r.OK, r.text(reply) if reply.type == r.STATUS else reply)

    def end(self, session, status=None):
        got, rest, err = session.finish()
        self.assertEqual(rest, [])
        if status is not None:
            self.assertEqual(got, status, err)

    def put(self, session, name, content, flags=W | C | T):
        return session.put(f'{self.d}/{name}', content, flags)[-1]

    # -- names

    def test_another_name_later(self):
        """An upload under a harmless name, and the final name by each request that gives one; in the same session and in the next."""
        for make in (rename, rename_over, hard_link, symbolic_link):
            for again in (False, True):
                with self.subTest(make=make.__name__, another_session=again):
                    session = self.session()
                    self.assertEqual(self.put(session, 'harmless.txt', samples.text()), r.OK)
                    if again:
                        self.end(session, 0)
                        session = self.session()
                    with session:
                        renames = make in (rename, rename_over)  # a link is refused wherever a rule would tell the two names apart
                        self.denied(session.do(make, f'{self.d}/harmless.txt', f'{self.d}/shell.php'), 'scripts' if renames else None)
                        self.denied(session.do(make, f'{self.d}/harmless.txt', f'{self.d}/logs/x.txt'), 'logs' if renames else None)
                        self.denied(session.do(make, f'{self.d}/harmless.txt', f'{self.s.remote}/x.txt'))
                        self.end(session, 1)
                    self.assertEqual((self.names(), os.listdir(self.s.remote)), (['harmless.txt'], [PLACES]))
        for action, count in (('rename', 12), ('hard-link', 6), ('symbolic-link', 6)):
            said = [audit.outcome(x) for x in audit.operations(self.records(), action)]
            self.assertEqual(said, ['blocked'] * count, action)

    def test_another_name_for_the_content(self):
        """What a name says must fit the content it is given to, in whatever order they come."""
        with self.session() as session:
            self.assertEqual(self.put(session, 'page.png', samples.png()), r.OK)
            for make in (rename, rename_over, hard_link):
                self.denied(session.do(make, f'{self.d}/page.png', f'{self.d}/page.jpg'), None if make is hard_link else 'disguised')
            self.there('other.jpg', samples.jpeg())
            self.denied(session.do(rename_over, f'{self.d}/page.png', f'{self.d}/other.jpg'), 'disguised')
            self.fine(session.do(rename, f'{self.d}/page.png', f'{self.d}/same.png'))
            self.end(session, 1)
        self.assertEqual(self.names(), ['other.jpg', 'same.png'])
        self.assertEqual(self.content('other.jpg'), samples.jpeg())

    def test_what_was_there_before(self):
        """Content that came by another road gets no new name if the rules forbid it there."""
        self.there('v.bin', samples.virus())
        with self.session() as session:
            for make in (rename, rename_over, hard_link):
                self.denied(session.do(make, f'{self.d}/v.bin', f'{self.d}/v2.txt'), None if make is hard_link else 'malware')
            self.end(session, 1)
        self.assertEqual(self.names(), ['v.bin'])

    def test_folders_with_forbidden_names(self):
        with self.session() as session:
            self.denied(session.request(r.MKDIR, f'{self.d}/logs', r.attrs()), 'logs')
            self.fine(session.request(r.MKDIR, f'{self.d}/harmless', r.attrs()))
            self.assertEqual(self.put(session, 'harmless/x.txt', samples.text()), r.OK)
            for make in (rename, rename_over):
                self.denied(session.do(make, f'{self.d}/harmless', f'{self.d}/logs'), 'logs')
            self.end(session, 1)
        self.assertEqual(self.names(), ['harmless'])

    def test_folder_whose_files_get_forbidden_paths(self):
        """A folder's new name is a new path for all that is in it."""
        os.mkdir(f'{self.s.remote}/private')
        self.live.own(f'{self.s.remote}/private')
        with self.session() as session:
            self.fine(session.request(r.MKDIR, f'{self.d}/site', r.attrs()))
            self.assertEqual(self.put(session, 'site/x.txt', samples.text()), r.OK)
            self.denied(session.do(rename, f'{self.d}/site', f'{self.s.remote}/private/site'))
            self.denied(session.do(rename_over, f'{self.d}/site', f'{self.s.remote}/elsewhere'))
            self.end(session, 1)
        self.assertEqual(os.listdir(f'{self.d}/site'), ['x.txt'])

    def test_through_a_link(self):
        """The name that counts is where a link leads."""
        self.there('shell.php', OLD)
        self.s.link_there('shell.php', f'{PLACES}/harmless.txt')
        self.s.folder_there(f'{PLACES}/logs')
        self.s.link_there('logs', f'{PLACES}/open')
        with self.session() as session:
            self.denied(session.do(r.open_, f'{self.d}/harmless.txt', W), 'scripts')
            self.denied(session.do(r.open_, f'{self.d}/harmless.txt', W | C | T), 'scripts')
            self.denied(session.do(r.open_, f'{self.d}/open/x.txt', W | C), 'logs')
            self.denied(session.request(r.SETSTAT, f'{self.d}/harmless.txt', r.attrs(size=0)), 'scripts')
            self.end(session, 1)
        self.assertEqual((self.content('shell.php'), os.listdir(f'{self.d}/logs')), (OLD, []))

    # -- content in pieces

    def test_second_handle(self):
        """A clean CLOSE says nothing about what another handle writes later."""
        with self.session() as session:
            one, two = (session.open(f'{self.d}/a.txt', W | C) for _ in range(2))
            session.do(r.write, one, 0, samples.text())
            self.fine(session.do(r.close, one))
            session.do(r.write, two, 0, samples.virus())
            self.denied(session.do(r.close, two), 'malware')
            self.end(session, 1)
        self.assertEqual(self.content('a.txt'), samples.text())

    def test_two_halves_by_two_handles(self):
        with self.session() as session:
            one, two = (session.open(f'{self.d}/a.txt', W | C) for _ in range(2))
            session.do(r.write, one, 0, MARKER[:HALF])
            session.do(r.write, two, HALF, MARKER[HALF:])
            codes = [r.code(session.do(r.close, h)) for h in (one, two)]
            self.end(session)
        self.assertNotIn(world.VIRUS, self.content('a.txt') if 'a.txt' in self.names() else b'')
        self.assertEqual(codes[0], r.OK, 'half of it is harmless')

    def test_two_halves_by_two_sessions(self):
        with self.session() as a, self.session() as b:
            one, two = (x.open(f'{self.d}/a.txt', W | C) for x in (a, b))
            a.do(r.write, one, 0, MARKER[:HALF])
            b.do(r.write, two, HALF, MARKER[HALF:])
            a.do(r.close, one)
            b.do(r.close, two)
            self.end(a)
            self.end(b)
        self.assertNotIn(world.VIRUS, self.content('a.txt') if 'a.txt' in self.names() else b'')

    def test_reopened(self):
        """Clean and closed; opened again, and the rest is written: at the end, in the middle, appended, also in another session."""
        for flags, offset, clean in ((W, HALF, MARKER[:HALF]), (W | A, 0, MARKER[:HALF]), (W, 100, MARKER.replace(world.VIRUS, b'?' * len(world.VIRUS)))):
            for again in (False, True):
                with self.subTest(flags=flags, offset=offset, again=again):
                    session = self.session()
                    self.assertEqual(self.put(session, 'a.txt', clean), r.OK)
                    if again:
                        self.end(session, 0)
                        session = self.session()
                    with session:
                        h = session.open(f'{self.d}/a.txt', flags)
                        session.do(r.write, h, offset, MARKER[HALF:] if offset != 100 else world.VIRUS)
                        self.denied(session.do(r.close, h), 'malware')
                        self.end(session, 1)
                    self.assertEqual(self.content('a.txt'), clean)

    def test_same_name_twice_in_a_session(self):
        with self.session() as session:
            self.assertEqual([self.put(session, 'a.txt', c) for c in (samples.text(), samples.virus(), samples.text(7))], [r.OK, r.DENIED, r.OK])
            self.end(session, 1)
        self.assertEqual(self.content('a.txt'), samples.text(7))

    def test_written_again_after_it_was_judged(self):
        """The head is rewritten once the type was told from it."""
        body = samples.text(20000)
        self.assertGreater(len(body), 300000)
        with self.session() as session:
            h = session.open(f'{self.d}/a', W | C | T)
            for at in range(0, len(body), 32768):
                self.fine(session.do(r.write, h, at, body[at:at + 32768]))
            program = samples.program()
            for at in range(0, len(program), 32768):
                session.do(r.write, h, at, program[at:at + 32768])
            self.denied(session.do(r.close, h), 'executables')
            self.end(session, 1)
        self.assertEqual(self.names(), [])

    def test_closed_never(self):
        """The connection ends before CLOSE: the file that stood there stands, nothing new is there."""
        self.there('old.txt')
        with self.session() as session:
            for name in ('old.txt', 'new.txt'):
                h = session.open(f'{self.d}/{name}', W | C | T)
                self.fine(session.do(r.write, h, 0, samples.virus()))
            self.end(session, 1)
        self.assertEqual((self.names(), self.content('old.txt')), (['old.txt'], OLD))
        self.assertEqual({audit.name(x): audit.outcome(x) for x in audit.files(self.records())}, {'old.txt': 'blocked', 'new.txt': 'blocked'})

    # -- sizes

    def test_size_by_request(self):
        self.there('a.txt')
        with self.session() as session:
            self.denied(session.request(r.SETSTAT, f'{self.d}/a.txt', r.attrs(size=2 << 20)), 'huge')
            h = session.open(f'{self.d}/a.txt', W)
            self.fine(session.do(r.write, h, 0, b'new'))
            codes = [r.code(session.request(r.FSETSTAT, r.string(h), r.attrs(size=2 << 20))), r.code(session.do(r.close, h))]
            self.assertIn(r.DENIED, codes)
            h = session.open(f'{self.d}/sparse.txt', W | C)
            codes = [r.code(session.do(r.write, h, 10 ** 10, b'x')), r.code(session.do(r.close, h))]
            self.assertIn(r.DENIED, codes)
            self.end(session, 1)
        self.assertEqual((self.names(), self.content('a.txt')), (['a.txt'], OLD))

    def test_truncated_into_something_else(self):
        """What is left after a cut is content that nobody judged: here the marker ends in the middle of a longer, harmless word."""
        for way in ('setstat', 'fsetstat', 'truncate-and-write'):
            with self.subTest(way=way):
                self.there('a.txt', samples.virus() + b'x' * 1000)
                with self.session() as session:
                    if way == 'setstat':
                        self.denied(session.request(r.SETSTAT, f'{self.d}/a.txt', r.attrs(size=len(samples.virus()))), 'malware')
                    else:
                        h = session.open(f'{self.d}/a.txt', W)
                        if way == 'truncate-and-write':
                            session.do(r.write, h, 0, b'L')
                        session.request(r.FSETSTAT, r.string(h), r.attrs(size=len(samples.virus())))
                        self.denied(session.do(r.close, h), 'malware')
                    self.end(session, 1)
                self.assertEqual(self.content('a.txt'), samples.virus() + b'x' * 1000)

    # -- copies

    def test_copy_data(self):
        self.there('page.png', samples.png())
        self.there('half.txt', MARKER[HALF:])
        with self.session() as session:
            if 'copy-data' not in session.extensions():
                reply = session.request(r.EXTENDED, 'copy-data', r.string(b'x'), r.u64(0), r.u64(0), r.string(b'y'), r.u64(0))
                self.assertNotIn(r.code(reply), (None, r.OK), 'what is not offered is not served')
            source, target = session.open(f'{self.d}/page.png', R), session.open(f'{self.d}/page.jpg', W | C)
            copied = r.code(session.request(r.EXTENDED, 'copy-data', r.string(source), r.u64(0), r.u64(0), r.string(target), r.u64(0)))
            if copied == r.OK:
                self.denied(session.do(r.close, target), 'disguised')
            half, whole = session.open(f'{self.d}/half.txt', R), session.open(f'{self.d}/whole.txt', W | C)
            session.do(r.write, whole, 0, MARKER[:HALF])
            copied = r.code(session.request(r.EXTENDED, 'copy-data', r.string(half), r.u64(0), r.u64(0), r.string(whole), r.u64(HALF)))
            if copied == r.OK:
                self.denied(session.do(r.close, whole), 'malware')
            self.end(session)
        left = {n: self.content(n) for n in self.names()}
        self.assertEqual(left.get('page.jpg', b''), b'')
        self.assertNotIn(world.VIRUS, left.get('whole.txt', b''))

    # -- races

    def test_two_sessions_one_name(self):
        """Whoever closes last: the clean content is what stands, never the other, never a mixture."""
        for last in ('clean', 'bad'):
            with self.subTest(last=last):
                self.there('a.txt')
                with self.session() as clean, self.session() as bad:
                    handles = {s: s.open(f'{self.d}/a.txt', W | C | T) for s in (clean, bad)}
                    for at in range(0, 200000, 20000):
                        clean.do(r.write, handles[clean], at, samples.text(1000)[:20000])
                        bad.do(r.write, handles[bad], at, (samples.virus() + samples.text(1000))[:20000])
                    order = (bad, clean) if last == 'clean' else (clean, bad)
                    codes = {s: r.code(s.do(r.close, handles[s])) for s in order}
                    self.assertEqual((codes[clean], codes[bad]), (r.OK, r.DENIED))
                    self.end(clean, 0)
                    self.end(bad, 1)
                self.assertEqual(self.content('a.txt'), samples.text(1000)[:20000] * 10)
                self.assertEqual(self.names(), ['a.txt'])

    def test_name_taken_meanwhile(self):
        """A file of that name appears between OPEN and CLOSE: one of the two contents stands whole."""
        with self.session() as session:
            h = session.open(f'{self.d}/a.txt', W | C)
            session.do(r.write, h, 0, samples.text())
            self.there('a.txt', OLD)
            session.do(r.close, h)
            self.end(session)
        self.assertIn(self.content('a.txt'), (OLD, samples.text()))
        self.assertEqual(self.names(), ['a.txt'])

    def test_name_becomes_a_link_out(self):
        """A link out of root appears where the file is to be stored: it is not followed."""
        beyond = f'{self.live.base}/outside/{world.unique("race")}'
        with open(beyond, 'wb') as f:
            f.write(OLD)
        self.live.own(beyond)
        with self.session() as session:
            h = session.open(f'{self.d}/a.txt', W | C)
            session.do(r.write, h, 0, samples.text())
            os.symlink(beyond, f'{self.d}/a.txt')
            self.live.own(f'{self.d}/a.txt')
            session.do(r.close, h)
            self.end(session)
        with open(beyond, 'rb') as f:
            self.assertEqual(f.read(), OLD)

    # -- modes

    def test_no_set_id(self):
        """setuid and its like come by no request."""
        with self.session() as session:
            for i, mode in enumerate((0o4644, 0o2644, 0o1644, 0o104644)):
                h = r.handle(session.do(r.open_, f'{self.d}/f{i}', W | C, r.attrs(mode=mode)))
                session.request(r.FSETSTAT, r.string(h), r.attrs(mode=mode))
                session.do(r.close, h)
                session.request(r.SETSTAT, f'{self.d}/f{i}', r.attrs(mode=mode))
                session.request(r.EXTENDED, 'lsetstat@openssh.com', f'{self.d}/f{i}', r.attrs(mode=mode))
                session.request(r.MKDIR, f'{self.d}/d{i}', r.attrs(mode=mode))
            self.end(session)
        self.assertGreaterEqual(len(self.names()), 4)
        for name in self.names():
            self.assertEqual(stat.S_IMODE(os.lstat(f'{self.d}/{name}').st_mode) & 0o7000, 0, name)

    def test_mode_by_each_request(self):
        self.there('a.txt', mode=0o640)
        with self.session() as session:
            h = session.open(f'{self.d}/a.txt', W)
            replies = [session.request(r.SETSTAT, f'{self.d}/a.txt', r.attrs(mode=0o755)),
                       session.request(r.EXTENDED, 'lsetstat@openssh.com', f'{self.d}/a.txt', r.attrs(mode=0o755))]
            codes = [r.code(session.request(r.FSETSTAT, r.string(h), r.attrs(mode=0o755))), r.code(session.do(r.close, h))]
            for reply in replies:
                self.denied(reply, 'runnable')
            self.assertIn(r.DENIED, codes)
            reply = session.do(r.open_, f'{self.d}/new.txt', W | C, r.attrs(mode=0o755))
            if reply.type == r.HANDLE:
                reply = session.do(r.close, r.handle(reply))
            self.denied(reply, 'runnable')
            self.end(session, 1)
        self.assertEqual((self.names(), stat.S_IMODE(os.stat(f'{self.d}/a.txt').st_mode)), (['a.txt'], 0o640))

    def test_owner_stays(self):
        self.there('a.txt')
        with self.session() as session:
            session.request(r.SETSTAT, f'{self.d}/a.txt', r.attrs(owner=(self.live.uid, 0)))
            self.end(session)
        self.assertEqual(os.stat(f'{self.d}/a.txt').st_gid, self.live.gid)

    # -- what people use

    def test_with_the_clients_that_people_have(self):
        """The same two steps by those who take a list of commands."""
        for kind in (sftp_clients.OpenSSH, sftp_clients.Lftp, sftp_clients.Paramiko, sftp_clients.Psftp, sftp_clients.Curl, sftp_clients.Sshfs, sftp_clients.Rclone):
            if kind is sftp_clients.Sshfs and kind.usable():
                continue
            with self.subTest(client=kind.name):
                client, d = kind(self.live), f'{PLACES}/{kind.name}'
                self.s.folder_there(d)
                self.s.here(f'{kind.name}.txt', samples.text())
                at = f'{self.s.remote}/{d}'
                jobs = [('put', f'{kind.name}.txt', f'{at}/a.txt'), ('rename', f'{at}/a.txt', f'{at}/shell.php'), ('link', f'{at}/a.txt', f'{at}/hard.php'),
                        ('symlink', 'a.txt', f'{at}/soft.php'), ('symlink', '/etc/passwd', f'{at}/out.txt'), ('cp', f'{at}/a.txt', f'{at}/copy.php')]
                jobs = [job for job in jobs if client.takes(job[:1])]
                answers, _ = client.work(self.gate, jobs, self.s.local)
                self.assertEqual(len(answers), len(jobs), answers)
                self.assertTrue(answers[0].good or client.name == 'psftp', answers)
                for job, answer in zip(jobs[1:], answers[1:]):
                    self.assertTrue(answer.status or (answer.status is None and answer.said), (job, answer))
                self.assertEqual(os.listdir(at), ['a.txt'])


ACCESS = {  # setting: what it permits of the requests below, in their order
    'read-only':   {'list', 'stat', 'read'},
    'upload-only': {'list', 'stat', 'write', 'replace', 'mkdir', 'rename', 'remove', 'attributes'},
    'drop-box':    {'write'},
}


class Access(unittest.TestCase):
    """The simple settings, request by request."""

    def requests(self, d):
        return {
            'list': lambda s: s.request(r.OPENDIR, d),
            'stat': lambda s: s.request(r.STAT, f'{d}/a.txt'),
            'read': lambda s: s.do(r.open_, f'{d}/a.txt', R),
            'mkdir': lambda s: s.request(r.MKDIR, f'{d}/new', r.attrs()),
            'rename': lambda s: s.do(rename, f'{d}/b.txt', f'{d}/b2.txt'),
            'remove': lambda s: s.request(r.REMOVE, f'{d}/c.txt'),
            'attributes': lambda s: s.request(r.SETSTAT, f'{d}/d.txt', r.attrs(mode=0o600)),
            'link': lambda s: s.do(hard_link, f'{d}/a.txt', f'{d}/hard.txt'),
            'symlink': lambda s: s.do(symbolic_link, f'{d}/a.txt', f'{d}/soft.txt'),
        }

    def test_settings(self):
        live = world.THE
        for setting, permitted in ACCESS.items():
            name = f'access-{setting}'
            body = '  download { }\n' if setting == 'read-only' else '  upload { }\n'
            gate = live.gate(name, configuration.whole(live, name, configuration.policy(body, more=f"  access = '{setting}'\n", protocols=configuration.BOTH)))
            s = stage.Stage(live, gate, clients.Client(live), world.unique('access'), 'aa')
            for letter in 'abcd':
                s.there(f'{letter}.txt', OLD)
            before = tree.look(s.remote)
            with r.Pipes(gate).greet() as session:
                for word, ask in self.requests(s.remote).items():
                    with self.subTest(setting=setting, request=word):
                        reply = ask(session)
                        served = reply.type != r.STATUS or r.code(reply) == r.OK
                        self.assertEqual(served, word in permitted, reply)
                with self.subTest(setting=setting, request='write'):
                    codes = session.put(f'{s.remote}/new.txt', samples.text())
                    self.assertEqual(codes, [None, 0, 0] if 'write' in permitted else [r.DENIED])
                with self.subTest(setting=setting, request='replace'):
                    codes = session.put(f'{s.remote}/a.txt', samples.text())
                    with open(f'{s.remote}/a.txt', 'rb') as f:
                        self.assertEqual(f.read() == samples.text(), 'replace' in permitted)
                    if setting == 'drop-box':  # kept under a name of its own
                        self.assertEqual(codes, [None, 0, 0])
                        self.assertEqual(len([n for n in os.listdir(s.remote) if n.startswith('a')]), 2, os.listdir(s.remote))
                session.finish()
            if setting == 'read-only':
                self.assertEqual(tree.difference(before, tree.look(s.remote)), [])
            s.clear()
