/* sys/places beside a child: what it opened is what was judged, and what it stored can go again. Downloads with a real scp -f. */
#include "sys_places_hand.h"

TestSuite(sys_places_child, .init = set_up, .fini = tear_down, .timeout = 60);

static struct place file_entry(const char *target, const char *name)
{
	begin(NULL);
	(void)places_target(&places, target);
	struct place place = places_entry(&places, 0, span_str(name), ENTRY_FILE);
	hand_start();
	return place;
}

static void entry_over(void)
{
	hand_stop();
	places_finish(&places);
}

Test(sys_places_child, pin_holds_what_was_judged)
{
	static const char *const rows[][3] = { /* target, name, what the child opens */
		{ "dir", "file", "root/dir/file" }, { "dir", "new", "root/dir/new" }, { "link-dir", "newer", "root/link-dir/newer" },
		{ "", "link-file", "root/link-file" },
		{ "link-file", "x", "root/link-file" }, { "newest", "x", "root/newest" }, { "", "hard", "root/hard" }, { "dir/..", "file", "root/dir/../file" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)file_entry(rows[i][0], rows[i][1]);
		cr_expect(!places_pin(&places, false), "row %zu: nothing is open yet", i);
		cr_expect(hand_does('w', in_base(rows[i][2])));
		cr_expect(places_pin(&places, false), "row %zu", i);
		entry_over();
	}
}

/* Libraries may keep a file of theirs open in front of scp's. */
Test(sys_places_child, pin_finds_the_file_behind_others)
{
	(void)file_entry("dir", "new");
	cr_expect(hand_does('r', "/etc/passwd") && hand_does('d', base) && hand_does('w', in_base("root/dir/new")));
	cr_expect(places_pin(&places, false));
	entry_over();
	(void)file_entry("dir", "new");
	cr_expect(hand_does('r', in_base("root/dir/new")) && hand_does('w', in_base("root/dir/other")));
	(void)places_pin(&places, false); /* either answer: no such scp exists; it must only end */
	entry_over();
}

Test(sys_places_child, pin_notices_every_change)
{
	/* another file by that name: the old one moved away */
	(void)file_entry("dir", "file");
	cr_assert_eq(rename("root/dir/file", "root/dir/old"), 0);
	cr_expect(hand_does('w', in_base("root/dir/file")));
	cr_expect(!places_pin(&places, false));
	entry_over();
	/* a link put in place of nothing */
	(void)file_entry("dir", "fresh");
	cr_assert_eq(symlink("../../outside/file", "root/dir/fresh"), 0);
	cr_expect(hand_does('w', in_base("root/dir/fresh")));
	cr_expect(!places_pin(&places, false));
	entry_over();
	/* a link put in place, and taken away again once the child is through */
	(void)file_entry("dir", "brief");
	cr_assert_eq(symlink("../../outside/file", "root/dir/brief"), 0);
	cr_expect(hand_does('w', in_base("root/dir/brief")));
	cr_assert_eq(unlink("root/dir/brief"), 0);
	make("root/dir/brief", "");
	cr_expect(!places_pin(&places, false));
	entry_over();
	/* a link that leads elsewhere than it did */
	(void)file_entry("", "link-file");
	cr_assert(unlink("root/link-file") == 0 && symlink("dir/old", "root/link-file") == 0);
	cr_expect(hand_does('w', in_base("root/link-file")));
	cr_expect(!places_pin(&places, false));
	entry_over();
	/* the child opened a folder, a FIFO, or nothing */
	(void)file_entry("dir", "none");
	cr_assert_eq(mkdir("root/dir/none", 0755), 0);
	cr_expect(hand_does('d', in_base("root/dir/none")));
	cr_expect(!places_pin(&places, false));
	entry_over();
	/* the file is gone again */
	(void)file_entry("dir", "gone");
	cr_expect(hand_does('w', in_base("root/dir/gone")));
	cr_assert_eq(unlink("root/dir/gone"), 0);
	cr_expect(!places_pin(&places, false));
	entry_over();
}

/* The folder itself moves: the child follows names, we hold descriptors. */
Test(sys_places_child, pin_notices_a_folder_that_moved)
{
	(void)file_entry("dir", "file");
	cr_assert(rename("root/dir", "root/away") == 0 && mkdir("root/dir", 0755) == 0);
	cr_expect(hand_does('w', in_base("root/dir/file")));
	cr_expect(!places_pin(&places, false));
	entry_over();
	/* and a link is left where it was, so that the child finds the very same file */
	cr_assert_eq(mkdir("root/again", 0755), 0);
	(void)file_entry("again", "file");
	cr_assert(rename("root/again", "outside/again") == 0 && symlink("../outside/again", "root/again") == 0);
	cr_expect(hand_does('w', in_base("root/again/file")));
	cr_expect(!places_pin(&places, false), "what was judged as root/again/file is outside/again/file");
	entry_over();
	/* from one entry to the next */
	cr_assert_eq(mkdir("root/third", 0755), 0);
	(void)file_entry("third", "one");
	cr_expect(hand_does('w', in_base("root/third/one")));
	cr_expect(places_pin(&places, false));
	cr_expect(hand_does('c', ""));
	cr_assert(rename("root/third", "outside/third") == 0 && symlink("../outside/third", "root/third") == 0);
	(void)places_entry(&places, 0, span_str("two"), ENTRY_FILE);
	cr_expect(hand_does('w', in_base("root/third/two")));
	cr_expect(!places_pin(&places, false), "the second file lies outside");
	entry_over();
}

/* The real sink closes an empty file before anybody can look. */
Test(sys_places_child, pin_of_an_empty_file_that_is_closed_already)
{
	static const char *const names[] = { "file", "new" };
	for (int i = 0; i < 2; i++) {
		(void)file_entry("dir", names[i]);
		cr_expect_eq(places_pin(&places, true), false, "%s: nothing was made empty yet", names[i]);
		make(i == 0 ? "root/dir/file" : "root/dir/new", "");
		cr_expect(places_pin(&places, true));
		cr_expect(!places_pin(&places, false));
		entry_over();
	}
	make("root/file", "");
	(void)file_entry("", "link-file");
	cr_expect(places_pin(&places, true));
	entry_over();
	(void)file_entry("dir", "full");
	make("root/dir/full", "content");
	cr_expect(!places_pin(&places, true), "it is not empty");
	entry_over();
	(void)file_entry("dir", "swapped");
	cr_assert_eq(symlink("../../outside/empty", "root/dir/swapped"), 0);
	make("outside/empty", "");
	cr_expect(!places_pin(&places, true), "a link");
	entry_over();
	make("root/dir/file", "");
	(void)file_entry("dir", "file");
	cr_assert_eq(rename("root/dir/file", "root/dir/old"), 0);
	make("root/dir/file", "");
	cr_expect(!places_pin(&places, true), "another file");
	entry_over();
	(void)file_entry("dir", "late");
	cr_assert(rename("root/dir", "outside/dir") == 0 && symlink("../outside/dir", "root/dir") == 0);
	make("root/dir/late", "");
	cr_expect(!places_pin(&places, true), "its folder has moved");
	entry_over();
}

Test(sys_places_child, a_file_whose_name_says_deleted)
{
	(void)file_entry("dir", "x (deleted)");
	cr_expect(hand_does('w', in_base("root/dir/x (deleted)")));
	cr_expect(places_pin(&places, false));
	entry_over();
	(void)file_entry("dir", "y (deleted)");
	cr_expect(hand_does('w', in_base("root/dir/y")));
	cr_assert_eq(unlink("root/dir/y"), 0);
	cr_expect(!places_pin(&places, false));
	make("root/dir/y (deleted)", "");
	cr_expect(!places_pin(&places, false));
	entry_over();
}

Test(sys_places_child, a_mount_point_is_a_folder_like_others)
{
	if (mount("none", in_base("root/dir/sub"), "tmpfs", 0, "size=64k") < 0)
		cr_skip_test("no mounts here");
	begin(NULL);
	(void)places_target(&places, "dir");
	struct place place = places_entry(&places, 0, span_str("sub"), ENTRY_DIRECTORY);
	cr_expect_str_eq(shown(&place), "directory root/dir/sub");
	cr_expect(places_enter(&places, 1));
	place = places_entry(&places, 1, span_str("f"), ENTRY_FILE);
	hand_start();
	cr_expect(hand_does('w', in_base("root/dir/sub/f")));
	cr_expect(places_pin(&places, false));
	/* and one that is put over it is a change */
	cr_expect(hand_does('c', ""));
	(void)places_entry(&places, 1, span_str("g"), ENTRY_FILE);
	cr_assert_eq(mount("none", in_base("root/dir/sub"), "tmpfs", 0, "size=64k"), 0);
	cr_expect(hand_does('w', in_base("root/dir/sub/g")));
	cr_expect(!places_pin(&places, false));
	entry_over();
	cr_expect(umount2(in_base("root/dir/sub"), MNT_DETACH) == 0 && umount2(in_base("root/dir/sub"), MNT_DETACH) == 0);
}

/* --- scrub --- */

static off_t size_of(const char *name)
{
	struct stat status;
	return lstat(name, &status) == 0 ? status.st_size : -1;
}

Test(sys_places_child, scrub_removes_what_is_new_and_empties_what_was_there)
{
	(void)file_entry("dir", "new");
	cr_expect(hand_does('w', in_base("root/dir/new")) && places_pin(&places, false));
	make("root/dir/new", "bad");
	cr_expect(places_scrub(&places));
	cr_expect_eq(size_of("root/dir/new"), -1);
	entry_over();
	(void)file_entry("dir", "file");
	cr_expect(hand_does('w', in_base("root/dir/file")) && places_pin(&places, false));
	cr_expect(places_scrub(&places));
	cr_expect_eq(size_of("root/dir/file"), 0);
	entry_over();
	(void)file_entry("", "link-file"); /* by a link: the file is emptied, the link stays */
	cr_expect(hand_does('w', in_base("root/link-file")) && places_pin(&places, false));
	cr_expect(places_scrub(&places));
	cr_expect(size_of("root/file") == 0 && size_of("root/link-file") > 0);
	entry_over();
}

Test(sys_places_child, scrub_touches_nothing_else)
{
	(void)file_entry("dir", "file"); /* swapped after the pin */
	cr_expect(hand_does('w', in_base("root/dir/file")) && places_pin(&places, false));
	cr_assert_eq(rename("root/dir/file", "root/dir/old"), 0);
	make("root/dir/file", "somebody's");
	cr_expect(!places_scrub(&places));
	cr_expect(size_of("root/dir/file") == 10 && size_of("root/dir/old") == 6);
	entry_over();
	(void)file_entry("dir", "new"); /* new, and swapped after the pin */
	cr_expect(hand_does('w', in_base("root/dir/new")) && places_pin(&places, false));
	cr_assert_eq(rename("root/dir/new", "root/dir/newer"), 0);
	make("root/dir/new", "somebody's");
	cr_expect(!places_scrub(&places));
	cr_expect_eq(size_of("root/dir/new"), 10);
	entry_over();
	(void)file_entry("dir", "link"); /* new, and a link since */
	cr_expect(hand_does('w', in_base("root/dir/link")) && places_pin(&places, false));
	cr_assert(unlink("root/dir/link") == 0 && symlink("../../outside/file", "root/dir/link") == 0);
	cr_expect(!places_scrub(&places));
	cr_expect(size_of("outside/file") == 3 && size_of("root/dir/link") > 0);
	entry_over();
	(void)file_entry("", "link-file"); /* the link leads elsewhere since */
	cr_expect(hand_does('w', in_base("root/link-file")) && places_pin(&places, false));
	cr_assert(unlink("root/link-file") == 0 && symlink("../outside/file", "root/link-file") == 0);
	cr_expect(!places_scrub(&places));
	cr_expect(size_of("outside/file") == 3 && size_of("root/file") == 4);
	entry_over();
	(void)file_entry("dir", "folder");
	cr_assert_eq(mkdir("root/dir/folder", 0755), 0);
	cr_expect(!places_scrub(&places));
	entry_over();
}

/* --- downloads: a real scp -f --- */

struct source {
	pid_t pid;
	int say, hear;
};

static struct source source;

static void source_start(const char *options, const char *path)
{
	char *argv[8] = { (char *)(uintptr_t)"scp", (char *)(uintptr_t)"-f" }, *const envp[] = { (char *)(uintptr_t)"LANG=C", NULL };
	int to[2], from[2], n = 2;
	if (options)
		argv[n++] = (char *)(uintptr_t)options;
	argv[n++] = (char *)(uintptr_t)"--";
	argv[n] = (char *)(uintptr_t)path;
	cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	struct spawn spawn = { .program = "/usr/bin/scp", .argv = argv, .envp = envp, .in = to[0], .out = from[1], .err = 2,
				.extra = -1, .cwd = places.start, .ruleset = -1 };
	source.pid = spawn_run(&spawn);
	cr_assert_gt(source.pid, 0);
	close(to[0]);
	close(from[1]);
	source.say = to[1];
	source.hear = from[0];
	places_child(&places, source.pid);
	cr_assert_eq(fd_write_all(source.say, "", 1), 0);
}

static void source_stop(void)
{
	fd_close(&source.say);
	fd_close(&source.hear);
	(void)spawn_reap(source.pid, 0);
	places_child(&places, 0);
}

/* Its next line; empty at the end. */
static const char *source_line(void)
{
	static char line[1200];
	size_t n = 0;
	while (n < sizeof(line) - 1 && fd_read_all(source.hear, line + n, 1) == 0 && line[n] != '\n')
		n++;
	line[n] = '\0';
	return line;
}

static void source_go(void)
{
	cr_assert_eq(fd_write_all(source.say, "", 1), 0);
}

/* Skips the content and its status, and answers it. */
static void source_content(size_t n)
{
	char scrap[64];
	cr_assert(n < sizeof(scrap));
	source_go();
	cr_assert_eq(fd_read_all(source.hear, scrap, n + 1), 0);
	source_go();
}

Test(sys_places_child, opened_tells_what_scp_sends)
{
	static const char *const rows[][3] = { /* operand, name in the record, place */
		{ "file", "file", "file root/file" },
		{ "dir/file", "file", "file root/dir/file" },
		{ "link-dir/file", "file", "file root/dir/file" },
		{ "link-file", "link-file", "file root/file asked link-file" },
		{ "link-out-file", "link-out-file", "file outside/file outside" },
		{ "link-out/file", "file", "file outside/file outside" },
		{ "hard", "hard", "file root/hard" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char wanted[64];
		begin(NULL);
		source_start(NULL, rows[i][0]);
		const char *line = source_line();
		snprintf(wanted, sizeof(wanted), " %s", rows[i][1]);
		cr_expect(line[0] == 'C' && strstr(line, wanted) != NULL, "%s", line);
		struct place place = places_opened(&places, 0, span_str(rows[i][1]), ENTRY_FILE);
		struct place copy = place;
		if (place.outside)
			copy.asked.n = 0;
		cr_expect_str_eq(shown(&copy), rows[i][2], "%s: %s", rows[i][0], shown(&copy));
		expect_consistent(&place, rows[i][0]);
		source_stop();
		places_finish(&places);
	}
}

/* Depth by depth, folders and files, the same name again and again. */
Test(sys_places_child, opened_tells_nested_folders_apart)
{
	char path[512] = "root/x", stack[16][64], wanted[600];
	cr_assert_eq(mkdir(path, 0755), 0);
	for (int i = 0; i < 4; i++) {
		snprintf(wanted, sizeof(wanted), "%s/file", path);
		make(wanted, "abc");
		snprintf(wanted, sizeof(wanted), "%s/x", path);
		memcpy(path, wanted, sizeof(path));
		cr_assert_eq(mkdir(path, 0755), 0);
	}
	begin(NULL);
	source_start("-r", "x");
	unsigned depth = 0, folders = 0, files = 0;
	for (const char *line; (line = source_line())[0] != '\0';) {
		const char *name = strrchr(line, ' ');
		size_t at = (size_t)snprintf(wanted, sizeof(wanted), "%s root", line[0] == 'D' ? "directory" : "file");
		for (unsigned i = 0; i < depth; i++)
			at += (size_t)snprintf(wanted + at, sizeof(wanted) - at, "/%s", stack[i]);
		if (line[0] == 'D' || line[0] == 'C') {
			struct place place = places_opened(&places, depth, span_str(name + 1), line[0] == 'D' ? ENTRY_DIRECTORY : ENTRY_FILE);
			snprintf(wanted + at, sizeof(wanted) - at, "/%s", name + 1);
			cr_expect_str_eq(shown(&place), wanted, "%s at depth %u: %s, not %s", line, depth, shown(&place), wanted);
		}
		if (line[0] == 'C') {
			files++;
			source_content(3);
			continue;
		}
		if (line[0] == 'D') {
			snprintf(stack[depth++], sizeof(stack[0]), "%s", name + 1);
			folders++;
		} else {
			depth--;
		}
		source_go();
	}
	cr_expect(folders == 5 && files == 4 && depth == 0, "%u folders, %u files", folders, files);
	source_stop();
}

Test(sys_places_child, opened_notices_every_change)
{
	begin(NULL);
	source_start(NULL, "file"); /* replaced */
	cr_expect_eq(source_line()[0], 'C');
	cr_assert_eq(rename("root/file", "root/moved"), 0);
	struct place place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "file root/moved asked file"); /* judged as what it is now, and as what was asked for */
	make("root/file", "other");
	cr_assert_eq(unlink("root/moved"), 0);
	place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_eq(place.kind, PLACE_LOST);
	make("root/moved (deleted)", "bait");
	place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_eq(place.kind, PLACE_LOST);
	source_stop();
	source_start(NULL, "dir/file"); /* its folder goes outside */
	cr_expect_eq(source_line()[0], 'C');
	cr_assert_eq(rename("root/dir", "outside/dir"), 0);
	place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "file outside/dir/file outside");
	source_stop();
	source_start(NULL, "file"); /* no scp any more */
	cr_expect_eq(source_line()[0], 'C');
	kill(source.pid, SIGKILL);
	place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	(void)spawn_reap(source.pid, 1000);
	place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_eq(place.kind, PLACE_LOST);
	source.pid = fork();
	if (source.pid == 0)
		_exit(0);
	source_stop();
}

/* Another file is open besides: what scp has at a guessed number is not taken for granted. */
Test(sys_places_child, opened_finds_the_file_behind_others)
{
	begin(NULL);
	hand_start();
	cr_expect(hand_does('r', "/etc/passwd") && hand_does('r', in_base("root/file")));
	struct place place = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "file root/file");
	entry_over();
	begin(NULL);
	hand_start();
	struct place none = places_opened(&places, 0, span_str("file"), ENTRY_FILE);
	cr_expect_eq(none.kind, PLACE_LOST);
	cr_expect(hand_does('d', in_base("root/dir")));
	none = places_opened(&places, 0, span_str("dir"), ENTRY_FILE);
	cr_expect_eq(none.kind, PLACE_LOST);
	entry_over();
}

/* One upload to a real scp -t; the status for the parent is 0 if the pin held. */
static int upload_is_pinned(void)
{
	char words[][4] = { "scp", "-t", "--", "dir" };
	char *argv[] = { words[0], words[1], words[2], words[3], NULL }, *envp[] = { NULL };
	int to[2], from[2];
	char byte;
	begin(NULL);
	(void)places_target(&places, "dir");
	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return 2;
	struct spawn spawn = { .program = "/usr/bin/scp", .argv = argv, .envp = envp, .in = to[0], .out = from[1], .err = 2,
				.extra = -1, .cwd = places.start, .ruleset = -1 };
	pid_t pid = spawn_run(&spawn);
	places_child(&places, pid); /* at once, as the shim does: exec may not be all done */
	struct place place = places_entry(&places, 0, span_str("mine"), ENTRY_FILE);
	bool told = fd_read_all(from[0], &byte, 1) == 0 && byte == 0 && fd_write_all(to[1], "C0644 5 mine\n", 13) == 0 && fd_read_all(from[0], &byte, 1) == 0;
	bool pinned = told && byte == 0 && !place.hopeless && places_pin(&places, false);
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
	(void)spawn_reap(pid, 1000);
	places_finish(&places);
	return pinned ? 0 : 1;
}

/* The shim is an ordinary user's process that nobody may trace; while the child is in exec its descriptors look like root's. */
Test(sys_places_child, pin_holds_for_a_user_whose_process_cannot_be_traced)
{
	cr_assert_eq(chmod(in_base("root/dir"), 0777), 0);
	pid_t user = fork();
	if (user == 0) {
		bool became = setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0;
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		int wrong = became ? 0 : 100;
		for (int i = 0; i < 40 && became; i++)
			wrong += upload_is_pinned() != 0;
		_exit(wrong);
	}
	int status = 0;
	cr_assert_eq(waitpid(user, &status, 0), user);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d of 40 were not pinned", WEXITSTATUS(status));
}
