/* sys/places: names against a world of links, odd files and hands that change it meanwhile. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/places.h"
#include "sys/spawn.h"

enum { STRANGER = 54321 };

static char base[PATH_BYTES_MAX];
static struct places places;

static void make(const char *name, const char *content)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(fd_write_all(fd, content, strlen(content)), 0);
	close(fd);
}

static void make_socket(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", name);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
}

static void set_up(void)
{
	static const char *const links[][2] = {
		{ "file", "link-file" }, { "dir", "link-dir" }, { "../outside", "link-out" }, { "../outside/file", "link-out-file" }, { "nowhere", "dangling" },
		{ "../outside/nowhere", "dangling-out" }, { "loop", "loop" }, { "link-file", "link-link" }, { "fifo", "link-fifo" }, { "/dev/null", "link-device" },
	};
	char name[] = "/tmp/places-XXXXXX";
	umask(022);
	cr_assert(mkdtemp(name));
	cr_assert(realpath(name, base));
	cr_assert_eq(chmod(base, 0755), 0);
	cr_assert_eq(chdir(base), 0);
	cr_assert(mkdir("root", 0755) == 0 && mkdir("root/dir", 0755) == 0 && mkdir("root/dir/sub", 0755) == 0 && mkdir("outside", 0755) == 0);
	make("root/file", "file");
	make("root/dir/file", "in dir");
	make("outside/file", "out");
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		char at[64];
		snprintf(at, sizeof(at), "root/%s", links[i][1]);
		cr_assert_eq(symlink(links[i][0], at), 0);
	}
	cr_assert_eq(link("outside/file", "root/hard"), 0);
	cr_assert_eq(mkfifo("root/fifo", 0644), 0);
	make_socket("root/socket");
}

static void tear_down(void)
{
	char command[PATH_BYTES_MAX + 16];
	places_finish(&places);
	cr_expect_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
}

TestSuite(sys_places, .init = set_up, .fini = tear_down, .timeout = 60);

static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static const char *in_base(const char *name)
{
	static char text[4][PATH_BYTES_MAX * 2];
	static unsigned turn;
	char *at = text[turn++ % 4];
	snprintf(at, sizeof(text[0]), "%s/%s", base, name);
	return at;
}

static void begin(const char *home)
{
	const char *what;
	cr_assert_eq(places_open(&places, in_base("root"), home, &what), 0, "%s", what);
}

/* "file root/dir/x", with "outside" and "hopeless" where they hold; the path below the base. */
static const char *shown(const struct place *place)
{
	static const char *const kinds[] = { [PLACE_LOST] = "lost", [PLACE_ABSENT] = "absent", [PLACE_FILE] = "file", [PLACE_DIRECTORY] = "directory", [PLACE_OTHER] = "other" };
	static char text[PATH_BYTES_MAX * 3];
	struct span rest = place->real;
	(void)path_below(place->real, span_str(base), &rest);
	snprintf(text, sizeof(text), "%s %.*s%s%s%s%.*s", kinds[place->kind], (int)rest.n, rest.n ? (const char *)rest.p : "", place->outside ? " outside" : "",
		 place->hopeless ? " hopeless" : "", place->asked.n ? " asked " : "", (int)place->asked.n, place->asked.n ? (const char *)place->asked.p : "");
	return text;
}

/* path is real without root in front, and only what is inside has one. */
static void expect_consistent(const struct place *place, const char *which)
{
	struct span below = span_of(NULL, 0);
	if (place->kind == PLACE_LOST)
		return;
	bool inside = path_below(place->real, span_str(places.root_real), &below);
	cr_expect_eq(place->outside, !inside, "%s", which);
	cr_expect(span_equal(place->path, inside ? below : span_of(NULL, 0)), "%s", which);
}

static const char *const found[][2] = {
	{ "", "directory root" },
	{ ".", "directory root" },
	{ "dir", "directory root/dir" },
	{ "dir/", "directory root/dir" },
	{ ".//dir/.///", "directory root/dir" },
	{ "dir/..", "directory root" },
	{ "..", "directory  outside" },
	{ "../outside", "directory outside outside" },
	{ "../outside/file", "file outside/file outside" },
	{ "../root/file", "file root/file" },
	{ "/", "directory / outside" },
	{ "/etc/passwd", "file /etc/passwd outside" },
	{ "file", "file root/file" },
	{ "file/", "absent root/file hopeless" },
	{ "file/x", "absent root/file/x hopeless" },
	{ "link-file", "file root/file" },
	{ "link-link", "file root/file" },
	{ "link-dir", "directory root/dir" },
	{ "link-dir/", "directory root/dir" },
	{ "link-dir/file", "file root/dir/file" },
	{ "link-dir/new", "absent root/dir/new" },
	{ "link-dir/../file", "file root/file" },
	{ "link-out", "directory outside outside" },
	{ "link-out/file", "file outside/file outside" },
	{ "link-out/new", "absent outside/new outside" },
	{ "link-out/new/x", "absent outside/new/x outside hopeless" },
	{ "link-out/../root/new", "absent root/new" },
	{ "link-out/../new", "absent new outside" }, /* ".." goes up from where the link leads, not back to where it stands */
	{ "link-out-file", "file outside/file outside" },
	{ "dangling", "other root/dangling" },
	{ "dangling/", "absent root/dangling" },
	{ "dangling/x", "absent root/dangling/x hopeless" },
	{ "dangling-out", "other root/dangling-out" },
	{ "loop", "other root/loop" },
	{ "loop/x", "absent root/loop/x hopeless" },
	{ "hard", "file root/hard" },
	{ "fifo", "other root/fifo" },
	{ "socket", "other root/socket" },
	{ "link-fifo", "other root/fifo" },
	{ "link-device", "other /dev/null outside" },
	{ "new", "absent root/new" },
	{ "new/", "absent root/new" },
	{ "new/x", "absent root/new/x hopeless" },
	{ "new/../x", "absent root/x hopeless" },
	{ "new/..", "absent root hopeless" },
	{ "dir/sub/new", "absent root/dir/sub/new" },
};

Test(sys_places, where_paths_lead)
{
	begin(NULL);
	int before = open_count();
	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		struct place place = places_find(&places, found[i][0]);
		cr_expect_str_eq(shown(&place), found[i][1], "%s: %s, not %s", found[i][0], shown(&place), found[i][1]);
		expect_consistent(&place, found[i][0]);
	}
	cr_expect_eq(open_count(), before);
}

Test(sys_places, names_and_paths_at_their_limits)
{
	static char name[400], path[PATH_BYTES_MAX + 400], wanted[500];
	begin(NULL);
	memset(name, 'n', 255);
	snprintf(wanted, sizeof(wanted), "absent root/%s", name);
	struct place place = places_find(&places, name);
	cr_expect_str_eq(shown(&place), wanted);
	name[255] = 'n';
	snprintf(wanted, sizeof(wanted), "absent root/%s hopeless", name);
	place = places_find(&places, name);
	cr_expect_str_eq(shown(&place), wanted);
	for (size_t length = PATH_BYTES_MAX - 3; length < PATH_BYTES_MAX + 300; length++) {
		memset(path, '/', length);
		path[0] = '.';
		memcpy(path + length - 4, "file", 5);
		place = places_find(&places, path);
		cr_expect_str_eq(shown(&place), length < PATH_BYTES_MAX ? "file root/file" : "absent root/file hopeless", "%zu: %s", length, shown(&place));
		places_finish(&places);
		begin(NULL);
		place = places_target(&places, path);
		cr_expect(place.kind == (length < PATH_BYTES_MAX ? PLACE_FILE : PLACE_ABSENT), "%zu", length);
	}
}

Test(sys_places, where_relative_paths_begin)
{
	const char *what;
	begin(in_base("root/dir"));
	struct place place = places_find(&places, "file");
	cr_expect_str_eq(shown(&place), "file root/dir/file");
	cr_expect_str_eq(places.home_real, in_base("root/dir"));
	places_finish(&places);
	begin(in_base("root/link-dir"));
	cr_expect_str_eq(places.home_real, in_base("root/dir"));
	places_finish(&places);
	begin(in_base("outside")); /* a home out of root is known, and nothing begins there */
	place = places_find(&places, "file");
	cr_expect_str_eq(shown(&place), "file root/file");
	cr_expect_str_eq(places.home_real, in_base("outside"));
	places_finish(&places);
	begin(in_base("nowhere"));
	cr_expect_str_eq(places.home_real, "");
	cr_expect_str_eq(places.start_real, in_base("root"));
	places_finish(&places);
	cr_expect_eq(places_open(&places, in_base("nowhere"), NULL, &what), -ENOENT);
	cr_expect_str_eq(what, in_base("nowhere"));
	places_finish(&places);
	cr_expect_eq(places_open(&places, in_base("root/file"), NULL, &what), -ENOTDIR);
	places_finish(&places);
	cr_assert_eq(symlink("root", "alias"), 0);
	cr_expect_eq(places_open(&places, in_base("alias"), in_base("root/dir"), &what), 0);
	cr_expect_str_eq(places.root_real, in_base("root"));
	place = places_find(&places, "file");
	cr_expect_str_eq(shown(&place), "file root/dir/file");
}

Test(sys_places, the_whole_file_system_as_root)
{
	const char *what;
	cr_assert_eq(places_open(&places, "/", base, &what), 0);
	struct place place = places_find(&places, "root/file");
	cr_expect_str_eq(shown(&place), "file root/file");
	cr_expect(span_is(place.path, in_base("root/file") + 1));
	place = places_find(&places, "/");
	cr_expect_str_eq(shown(&place), "directory /");
	cr_expect_eq(place.path.n, 0);
	place = places_find(&places, "/dev/null");
	cr_expect_str_eq(shown(&place), "other /dev/null");
	place = places_find(&places, "/dev/stdout");
	cr_expect(place.kind == PLACE_LOST || place.kind == PLACE_OTHER || !strcmp(base, ""), "%s", shown(&place));
	place = places_find(&places, "../../../../../../x");
	cr_expect_str_eq(shown(&place), "absent /x");
}

/* finish closes what open opened and nothing else, whatever state the struct is in. */
Test(sys_places, finish_closes_only_its_own)
{
	static struct places untouched;
	(void)open("/dev/null", O_RDWR); /* 0, if that is closed */
	int before = open_count();
	places_finish(&untouched);
	cr_expect_eq(open_count(), before);
	begin(in_base("root/dir"));
	(void)places_target(&places, "dir");
	cr_expect_eq(places_child(&places, getpid()), 0);
	cr_expect_eq(open_count(), before + 4);
	places_finish(&places);
	cr_expect_eq(open_count(), before);
	places_finish(&places);
	cr_expect_eq(open_count(), before);
}

/* --- an upload's entries, and a child that opens them --- */

struct entry_row {
	const char *target, *name;
	enum entry_kind kind;
	const char *place;
};

static const struct entry_row entries[] = {
	{ "dir", "file", ENTRY_FILE, "file root/dir/file" },
	{ "dir", "new", ENTRY_FILE, "absent root/dir/new" },
	{ "dir", "sub", ENTRY_DIRECTORY, "directory root/dir/sub" },
	{ "dir", "sub", ENTRY_FILE, "directory root/dir/sub hopeless" },
	{ "dir", "file", ENTRY_DIRECTORY, "file root/dir/file hopeless" },
	{ "link-dir", "new", ENTRY_FILE, "absent root/dir/new" },
	{ "dir/..", "file", ENTRY_FILE, "file root/file" },
	{ "", "link-file", ENTRY_FILE, "file root/file asked link-file" },
	{ "", "link-link", ENTRY_FILE, "file root/file asked link-link" },
	{ "", "link-out", ENTRY_DIRECTORY, "directory outside outside asked link-out" },
	{ "", "link-out-file", ENTRY_FILE, "file outside/file outside asked link-out-file" },
	{ "", "link-dir", ENTRY_DIRECTORY, "directory root/dir asked link-dir" },
	{ "", "dangling", ENTRY_FILE, "other root/dangling hopeless asked dangling" },
	{ "", "dangling-out", ENTRY_FILE, "other root/dangling-out hopeless asked dangling-out" },
	{ "", "loop", ENTRY_FILE, "other root/loop hopeless asked loop" },
	{ "", "fifo", ENTRY_FILE, "other root/fifo" },
	{ "", "socket", ENTRY_FILE, "other root/socket" },
	{ "", "link-device", ENTRY_FILE, "other /dev/null outside asked link-device" },
	{ "", "hard", ENTRY_FILE, "file root/hard" },
	{ "link-out", "file", ENTRY_FILE, "file outside/file outside" },
	{ "link-out", "new", ENTRY_FILE, "absent outside/new outside" },
	{ "..", "new", ENTRY_FILE, "absent new outside" },
	{ "new", "ignored", ENTRY_FILE, "absent root/new" }, /* the target is no folder: the record's name means nothing */
	{ "new", "ignored", ENTRY_DIRECTORY, "absent root/new" },
	{ "file", "ignored", ENTRY_FILE, "file root/file" },
	{ "file", "ignored", ENTRY_DIRECTORY, "file root/file hopeless" },
	{ "link-file", "ignored", ENTRY_FILE, "file root/file asked link-file" },
	{ "link-out/../new", "ignored", ENTRY_FILE, "absent new outside" },
	{ "dangling", "ignored", ENTRY_FILE, "other root/dangling hopeless asked dangling" },
	{ "link-out/new", "ignored", ENTRY_FILE, "absent outside/new outside" },
	{ "new/", "ignored", ENTRY_DIRECTORY, "absent root/new" },
	{ "new/x", "name", ENTRY_FILE, "absent root/x hopeless" },
};

Test(sys_places, where_entries_lead)
{
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const struct entry_row *row = &entries[i];
		begin(NULL);
		(void)places_target(&places, row->target);
		struct place place = places_entry(&places, 0, span_str(row->name), row->kind);
		cr_expect_str_eq(shown(&place), row->place, "%s + %s: %s, not %s", row->target, row->name, shown(&place), row->place);
		expect_consistent(&place, row->name);
		places_finish(&places);
	}
}

Test(sys_places, a_name_too_long_for_any_file_is_the_childs_to_refuse)
{
	char name[300];
	begin(NULL);
	(void)places_target(&places, "dir");
	memset(name, 'n', sizeof(name));
	struct place place = places_entry(&places, 0, span_of(name, 255), ENTRY_FILE);
	cr_expect(place.kind == PLACE_ABSENT && !place.hopeless);
	place = places_entry(&places, 0, span_of(name, 256), ENTRY_FILE);
	cr_expect(place.kind == PLACE_ABSENT && place.hopeless && !place.outside);
	cr_expect(!places_pin(&places) && !places_enter(&places, 1) && !places_scrub(&places));
	place = places_entry(&places, 0, span_of("a\0b", 3), ENTRY_FILE);
	cr_expect_eq(place.kind, PLACE_LOST);
	cr_expect(!places_pin(&places) && !places_scrub(&places));
	place = places_entry(&places, PLACES_DEPTH, span_str("x"), ENTRY_FILE);
	cr_expect(place.hopeless || place.kind == PLACE_LOST);
	cr_expect(!places_pin(&places) && !places_enter(&places, PLACES_DEPTH) && !places_scrub(&places));
}

/* The child: opens what it is told to, as scp would, and keeps it open. */
struct hand {
	pid_t pid;
	int say, hear;
};

static struct hand hand;

static _Noreturn void hand_work(int hear, int say)
{
	char line[PATH_BYTES_MAX + 2];
	int held[16], count = 0;
	close_range(3, 99, 0); /* the next descriptor is 3, as in scp */
	for (size_t n = 0; fd_read_all(hear, line + n, 1) == 0;) {
		if (line[n++] != '\n')
			continue;
		line[n - 1] = '\0';
		n = 0;
		int flags = line[0] == 'w' ? O_WRONLY | O_CREAT : line[0] == 'd' ? O_RDONLY | O_DIRECTORY : O_RDONLY;
		int fd = line[0] == 'c' ? (count > 0 ? close(held[--count]) : -1) : open(line + 1, flags | O_CLOEXEC, 0644);
		if (line[0] != 'c' && fd >= 0 && count < 16)
			held[count++] = fd;
		(void)!write(say, fd < 0 ? "-" : "+", 1);
	}
	_exit(0);
}

static void hand_start(void)
{
	int to[2], from[2];
	cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	hand.pid = fork();
	if (hand.pid == 0) {
		int hear = fcntl(to[0], F_DUPFD_CLOEXEC, 100), say = fcntl(from[1], F_DUPFD_CLOEXEC, 100);
		hand_work(hear, say);
	}
	close(to[0]);
	close(from[1]);
	hand.say = to[1];
	hand.hear = from[0];
	cr_assert_eq(places_child(&places, hand.pid), 0);
}

static bool hand_does(char what, const char *path)
{
	char line[PATH_BYTES_MAX + 2], answer;
	int n = snprintf(line, sizeof(line), "%c%s\n", what, path);
	cr_assert_eq(fd_write_all(hand.say, line, (size_t)n), 0);
	cr_assert_eq(fd_read_all(hand.hear, &answer, 1), 0);
	return answer == '+';
}

static void hand_stop(void)
{
	kill(hand.pid, SIGKILL);
	waitpid(hand.pid, NULL, 0);
	fd_close(&hand.say);
	fd_close(&hand.hear);
}

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

Test(sys_places, pin_holds_what_was_judged)
{
	static const char *const rows[][3] = { /* target, name, what the child opens */
		{ "dir", "file", "root/dir/file" }, { "dir", "new", "root/dir/new" }, { "link-dir", "newer", "root/link-dir/newer" }, { "", "link-file", "root/link-file" },
		{ "link-file", "x", "root/link-file" }, { "newest", "x", "root/newest" }, { "", "hard", "root/hard" }, { "dir/..", "file", "root/dir/../file" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)file_entry(rows[i][0], rows[i][1]);
		cr_expect(!places_pin(&places), "row %zu: nothing is open yet", i);
		cr_expect(hand_does('w', in_base(rows[i][2])));
		cr_expect(places_pin(&places), "row %zu", i);
		entry_over();
	}
}

/* Libraries may keep a file of theirs open in front of scp's. */
Test(sys_places, pin_finds_the_file_behind_others)
{
	(void)file_entry("dir", "new");
	cr_expect(hand_does('r', "/etc/passwd") && hand_does('d', base) && hand_does('w', in_base("root/dir/new")));
	cr_expect(places_pin(&places));
	entry_over();
	(void)file_entry("dir", "new");
	cr_expect(hand_does('r', in_base("root/dir/new")) && hand_does('w', in_base("root/dir/other")));
	(void)places_pin(&places); /* either answer: no such scp exists; it must only end */
	entry_over();
}

Test(sys_places, pin_notices_every_change)
{
	/* another file by that name: the old one moved away */
	(void)file_entry("dir", "file");
	cr_assert_eq(rename("root/dir/file", "root/dir/old"), 0);
	cr_expect(hand_does('w', in_base("root/dir/file")));
	cr_expect(!places_pin(&places));
	entry_over();
	/* a link put in place of nothing */
	(void)file_entry("dir", "fresh");
	cr_assert_eq(symlink("../../outside/file", "root/dir/fresh"), 0);
	cr_expect(hand_does('w', in_base("root/dir/fresh")));
	cr_expect(!places_pin(&places));
	entry_over();
	/* a link put in place, and taken away again once the child is through */
	(void)file_entry("dir", "brief");
	cr_assert_eq(symlink("../../outside/file", "root/dir/brief"), 0);
	cr_expect(hand_does('w', in_base("root/dir/brief")));
	cr_assert_eq(unlink("root/dir/brief"), 0);
	make("root/dir/brief", "");
	cr_expect(!places_pin(&places));
	entry_over();
	/* a link that leads elsewhere than it did */
	(void)file_entry("", "link-file");
	cr_assert(unlink("root/link-file") == 0 && symlink("dir/old", "root/link-file") == 0);
	cr_expect(hand_does('w', in_base("root/link-file")));
	cr_expect(!places_pin(&places));
	entry_over();
	/* the child opened a folder, a FIFO, or nothing */
	(void)file_entry("dir", "none");
	cr_assert_eq(mkdir("root/dir/none", 0755), 0);
	cr_expect(hand_does('d', in_base("root/dir/none")));
	cr_expect(!places_pin(&places));
	entry_over();
	/* the file is gone again */
	(void)file_entry("dir", "gone");
	cr_expect(hand_does('w', in_base("root/dir/gone")));
	cr_assert_eq(unlink("root/dir/gone"), 0);
	cr_expect(!places_pin(&places));
	entry_over();
}

/* The folder itself moves: the child follows names, we hold descriptors. */
Test(sys_places, pin_notices_a_folder_that_moved)
{
	(void)file_entry("dir", "file");
	cr_assert(rename("root/dir", "root/away") == 0 && mkdir("root/dir", 0755) == 0);
	cr_expect(hand_does('w', in_base("root/dir/file")));
	cr_expect(!places_pin(&places));
	entry_over();
	/* and a link is left where it was, so that the child finds the very same file */
	cr_assert_eq(mkdir("root/again", 0755), 0);
	(void)file_entry("again", "file");
	cr_assert(rename("root/again", "outside/again") == 0 && symlink("../outside/again", "root/again") == 0);
	cr_expect(hand_does('w', in_base("root/again/file")));
	cr_expect(!places_pin(&places), "what was judged as root/again/file is outside/again/file");
	entry_over();
	/* from one entry to the next */
	cr_assert_eq(mkdir("root/third", 0755), 0);
	(void)file_entry("third", "one");
	cr_expect(hand_does('w', in_base("root/third/one")));
	cr_expect(places_pin(&places));
	cr_expect(hand_does('c', ""));
	cr_assert(rename("root/third", "outside/third") == 0 && symlink("../outside/third", "root/third") == 0);
	(void)places_entry(&places, 0, span_str("two"), ENTRY_FILE);
	cr_expect(hand_does('w', in_base("root/third/two")));
	cr_expect(!places_pin(&places), "the second file lies outside");
	entry_over();
}

Test(sys_places, a_file_whose_name_says_deleted)
{
	(void)file_entry("dir", "x (deleted)");
	cr_expect(hand_does('w', in_base("root/dir/x (deleted)")));
	cr_expect(places_pin(&places));
	entry_over();
	(void)file_entry("dir", "y (deleted)");
	cr_expect(hand_does('w', in_base("root/dir/y")));
	cr_assert_eq(unlink("root/dir/y"), 0);
	cr_expect(!places_pin(&places));
	make("root/dir/y (deleted)", "");
	cr_expect(!places_pin(&places));
	entry_over();
}

/* --- folders --- */

Test(sys_places, enter_follows_what_was_made)
{
	begin(NULL);
	(void)places_target(&places, "dir");
	struct place place = places_entry(&places, 0, span_str("made"), ENTRY_DIRECTORY);
	cr_expect_str_eq(shown(&place), "absent root/dir/made");
	cr_expect(!places_enter(&places, 1), "it does not exist yet");
	cr_assert_eq(mkdir("root/dir/made", 0755), 0);
	cr_expect(!places_enter(&places, 2), "the wrong depth");
	cr_expect(!places_enter(&places, 0));
	cr_expect(places_enter(&places, 1));
	place = places_entry(&places, 1, span_str("file"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "absent root/dir/made/file");
	place = places_entry(&places, 1, span_str("deeper"), ENTRY_DIRECTORY);
	cr_assert_eq(mkdir("root/dir/made/deeper", 0755), 0);
	cr_expect(places_enter(&places, 2));
	place = places_entry(&places, 2, span_str("f"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "absent root/dir/made/deeper/f");
	place = places_entry(&places, 0, span_str("file"), ENTRY_FILE); /* up again */
	cr_expect_str_eq(shown(&place), "file root/dir/file");
	place = places_entry(&places, 0, span_str("sub"), ENTRY_DIRECTORY);
	cr_expect(places_enter(&places, 1));
	place = places_entry(&places, 1, span_str("f"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "absent root/dir/sub/f");
}

Test(sys_places, the_target_itself_may_be_made_by_the_first_folder)
{
	begin(NULL);
	(void)places_target(&places, "tree");
	struct place place = places_entry(&places, 0, span_str("ignored"), ENTRY_DIRECTORY);
	cr_expect_str_eq(shown(&place), "absent root/tree");
	cr_assert_eq(mkdir("root/tree", 0755), 0);
	cr_expect(places_enter(&places, 1));
	place = places_entry(&places, 1, span_str("f"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "absent root/tree/f");
	place = places_entry(&places, 0, span_str("other"), ENTRY_DIRECTORY); /* merges, as the real sink does */
	cr_expect_str_eq(shown(&place), "directory root/tree");
	place = places_entry(&places, 0, span_str("other"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "directory root/tree hopeless");
}

Test(sys_places, enter_notices_every_change)
{
	begin(NULL);
	(void)places_target(&places, "dir");
	(void)places_entry(&places, 0, span_str("a"), ENTRY_DIRECTORY); /* a link in place of nothing */
	cr_assert_eq(symlink("../../outside", "root/dir/a"), 0);
	cr_expect(!places_enter(&places, 1));
	(void)places_entry(&places, 0, span_str("sub"), ENTRY_DIRECTORY); /* another folder by that name */
	cr_assert(rename("root/dir/sub", "root/dir/sub2") == 0 && mkdir("root/dir/sub", 0755) == 0);
	cr_expect(!places_enter(&places, 1));
	(void)places_entry(&places, 0, span_str("b"), ENTRY_DIRECTORY); /* a file */
	make("root/dir/b", "");
	cr_expect(!places_enter(&places, 1));
	(void)places_entry(&places, 0, span_str("c"), ENTRY_DIRECTORY); /* the folder around it moved */
	cr_assert(rename("root/dir", "outside/dir") == 0 && mkdir("outside/dir/c", 0755) == 0);
	cr_expect(!places_enter(&places, 1));
	places_finish(&places);
	begin(NULL);
	(void)places_target(&places, "");
	struct place place = places_entry(&places, 0, span_str("link-dir"), ENTRY_DIRECTORY);
	cr_expect_eq(place.kind, PLACE_OTHER); /* it dangles since */
	cr_assert_eq(mkdir("root/dir", 0755), 0);
	cr_expect(!places_enter(&places, 1));
	place = places_entry(&places, 0, span_str("link-dir"), ENTRY_DIRECTORY);
	cr_assert(unlink("root/link-dir") == 0 && symlink("../outside", "root/link-dir") == 0);
	cr_expect(!places_enter(&places, 1));
}

Test(sys_places, a_mount_point_is_a_folder_like_others)
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
	cr_expect(places_pin(&places));
	/* and one that is put over it is a change */
	cr_expect(hand_does('c', ""));
	(void)places_entry(&places, 1, span_str("g"), ENTRY_FILE);
	cr_assert_eq(mount("none", in_base("root/dir/sub"), "tmpfs", 0, "size=64k"), 0);
	cr_expect(hand_does('w', in_base("root/dir/sub/g")));
	cr_expect(!places_pin(&places));
	entry_over();
	cr_expect(umount2(in_base("root/dir/sub"), MNT_DETACH) == 0 && umount2(in_base("root/dir/sub"), MNT_DETACH) == 0);
}

/* --- scrub --- */

static off_t size_of(const char *name)
{
	struct stat status;
	return lstat(name, &status) == 0 ? status.st_size : -1;
}

Test(sys_places, scrub_removes_what_is_new_and_empties_what_was_there)
{
	(void)file_entry("dir", "new");
	cr_expect(hand_does('w', in_base("root/dir/new")) && places_pin(&places));
	make("root/dir/new", "bad");
	cr_expect(places_scrub(&places));
	cr_expect_eq(size_of("root/dir/new"), -1);
	entry_over();
	(void)file_entry("dir", "file");
	cr_expect(hand_does('w', in_base("root/dir/file")) && places_pin(&places));
	cr_expect(places_scrub(&places));
	cr_expect_eq(size_of("root/dir/file"), 0);
	entry_over();
	(void)file_entry("", "link-file"); /* by a link: the file is emptied, the link stays */
	cr_expect(hand_does('w', in_base("root/link-file")) && places_pin(&places));
	cr_expect(places_scrub(&places));
	cr_expect(size_of("root/file") == 0 && size_of("root/link-file") > 0);
	entry_over();
}

Test(sys_places, scrub_touches_nothing_else)
{
	(void)file_entry("dir", "file"); /* swapped after the pin */
	cr_expect(hand_does('w', in_base("root/dir/file")) && places_pin(&places));
	cr_assert_eq(rename("root/dir/file", "root/dir/old"), 0);
	make("root/dir/file", "somebody's");
	cr_expect(!places_scrub(&places));
	cr_expect(size_of("root/dir/file") == 10 && size_of("root/dir/old") == 6);
	entry_over();
	(void)file_entry("dir", "new"); /* new, and swapped after the pin */
	cr_expect(hand_does('w', in_base("root/dir/new")) && places_pin(&places));
	cr_assert_eq(rename("root/dir/new", "root/dir/newer"), 0);
	make("root/dir/new", "somebody's");
	cr_expect(!places_scrub(&places));
	cr_expect_eq(size_of("root/dir/new"), 10);
	entry_over();
	(void)file_entry("dir", "link"); /* new, and a link since */
	cr_expect(hand_does('w', in_base("root/dir/link")) && places_pin(&places));
	cr_assert(unlink("root/dir/link") == 0 && symlink("../../outside/file", "root/dir/link") == 0);
	cr_expect(!places_scrub(&places));
	cr_expect(size_of("outside/file") == 3 && size_of("root/dir/link") > 0);
	entry_over();
	(void)file_entry("", "link-file"); /* the link leads elsewhere since */
	cr_expect(hand_does('w', in_base("root/link-file")) && places_pin(&places));
	cr_assert(unlink("root/link-file") == 0 && symlink("../outside/file", "root/link-file") == 0);
	cr_expect(!places_scrub(&places));
	cr_expect(size_of("outside/file") == 3 && size_of("root/file") == 4);
	entry_over();
	(void)file_entry("dir", "folder");
	cr_assert_eq(mkdir("root/dir/folder", 0755), 0);
	cr_expect(!places_scrub(&places));
	entry_over();
}

/* --- as a user without rights --- */

#define NEED(condition)                                                                                                                                       \
	do {                                                                                                                                                  \
		if (!(condition)) {                                                                                                                           \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                                               \
			return 1;                                                                                                                             \
		}                                                                                                                                             \
	} while (0)

static void as_stranger(int (*work)(void))
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(setgroups(0, NULL) == 0 && setresgid(STRANGER, STRANGER, STRANGER) == 0 && setresuid(STRANGER, STRANGER, STRANGER) == 0 ? work() : 99);
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "%x", (unsigned)status);
}

static int without_rights(void)
{
	const char *what;
	NEED(places_open(&places, in_base("root"), NULL, &what) == 0);
	struct place place = places_find(&places, "closed/x");
	NEED(place.kind == PLACE_ABSENT && place.hopeless && !place.outside);
	place = places_find(&places, "closed");
	NEED(place.kind == PLACE_DIRECTORY);
	place = places_find(&places, "mine/secret"); /* may be looked at, not read: the child will be told so */
	NEED(place.kind == PLACE_FILE);
	(void)places_target(&places, "closed");
	place = places_entry(&places, 0, span_str("x"), ENTRY_FILE);
	NEED(place.kind == PLACE_ABSENT && place.hopeless);
	NEED(!places_enter(&places, 1));
	places_finish(&places);
	NEED(places_open(&places, in_base("root"), NULL, &what) == 0);
	(void)places_target(&places, "dir");
	place = places_entry(&places, 0, span_str("new"), ENTRY_FILE); /* root's folder */
	NEED(place.kind == PLACE_ABSENT && place.hopeless);
	place = places_entry(&places, 0, span_str("file"), ENTRY_FILE); /* root's file */
	NEED(place.kind == PLACE_FILE && place.hopeless);
	place = places_entry(&places, 0, span_str("sub"), ENTRY_DIRECTORY);
	NEED(place.kind == PLACE_DIRECTORY && !place.hopeless);
	places_finish(&places);
	NEED(places_open(&places, in_base("root"), in_base("root/mine"), &what) == 0);
	(void)places_target(&places, ".");
	place = places_entry(&places, 0, span_str("new"), ENTRY_FILE);
	NEED(place.kind == PLACE_ABSENT && !place.hopeless);
	place = places_entry(&places, 0, span_str("file"), ENTRY_FILE);
	NEED(place.kind == PLACE_FILE && !place.hopeless);
	places_finish(&places);
	NEED(places_open(&places, in_base("root/closed"), NULL, &what) == 0);
	NEED(places_open(&places, in_base("root/closed/x"), NULL, &what) == -EACCES);
	return 0;
}

/* scp -p gives the file the client's mode before the verdict falls: read-only must not be a way to keep it. */
static int scrub_read_only(void)
{
	const char *what;
	struct stat status;
	NEED(places_open(&places, in_base("root"), in_base("root/mine"), &what) == 0);
	(void)places_target(&places, "");
	(void)places_entry(&places, 0, span_str("file"), ENTRY_FILE);
	int fd = open(in_base("root/mine/file"), O_WRONLY | O_CLOEXEC);
	NEED(fd >= 0 && fd_write_all(fd, "infected", 8) == 0 && fchmod(fd, 0444) == 0);
	NEED(places_scrub(&places));
	NEED(stat(in_base("root/mine/file"), &status) == 0 && status.st_size == 0);
	NEED((status.st_mode & 07777) == 0444);
	return 0;
}

Test(sys_places, what_a_user_without_rights_sees)
{
	cr_assert(mkdir("root/closed", 0700) == 0 && mkdir("root/closed/x", 0755) == 0 && mkdir("root/mine", 0755) == 0);
	make("root/mine/file", "mine");
	make("root/mine/secret", "not to be read");
	cr_assert(chown("root/mine", STRANGER, STRANGER) == 0 && chown("root/mine/file", STRANGER, STRANGER) == 0 && chmod("root/mine/secret", 0) == 0);
	as_stranger(without_rights);
	as_stranger(scrub_read_only);
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
	struct spawn spawn = { .program = "/usr/bin/scp", .argv = argv, .envp = envp, .in = to[0], .out = from[1], .err = 2, .extra = -1, .cwd = places.start, .ruleset = -1 };
	source.pid = spawn_run(&spawn);
	cr_assert_gt(source.pid, 0);
	close(to[0]);
	close(from[1]);
	source.say = to[1];
	source.hear = from[0];
	cr_assert_eq(places_child(&places, source.pid), 0);
	cr_assert_eq(fd_write_all(source.say, "", 1), 0);
}

static void source_stop(void)
{
	fd_close(&source.say);
	fd_close(&source.hear);
	(void)spawn_reap(source.pid, 0);
	fd_close(&places.child_fds);
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

Test(sys_places, opened_tells_what_scp_sends)
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
Test(sys_places, opened_tells_nested_folders_apart)
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

Test(sys_places, opened_notices_every_change)
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
Test(sys_places, opened_finds_the_file_behind_others)
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
