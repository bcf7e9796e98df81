/* sys/locate: where any path of an SFTP client leads, by what other name, and what stands there; and all that is below a folder. */
#include "sys_places_world.h"

#include <time.h>

TestSuite(sys_locate, .init = set_up, .fini = tear_down, .timeout = 60);

struct row {
	const char *path;
	const char *followed, *itself; /* itself NULL: the same */
};

static const struct row rows[] = {
	{ "", "directory root", NULL },
	{ ".", "directory root", NULL },
	{ "/", "directory / outside above", NULL },
	{ "..", "directory  outside above", NULL },
	{ "../..", "directory /tmp outside above", NULL },
	{ "file", "file root/file", NULL },
	{ "./file", "file root/file", NULL },
	{ "dir//file", "file root/dir/file", NULL },
	{ "dir/./sub/", "directory root/dir/sub", NULL },
	{ "dir/..", "directory root", NULL },
	{ "dir/sub/../file", "file root/dir/file", NULL },
	{ "file/", "absent root/file hopeless", NULL },
	{ "file/x", "absent root/file/x hopeless", NULL },
	{ "new", "absent root/new", NULL },
	{ "new/", "absent root/new", NULL },
	{ "new/x", "absent root/new/x hopeless", NULL },
	{ "dir/new", "absent root/dir/new", NULL },
	{ "dir/../new", "absent root/new", NULL },
	{ "none/../file", "absent root/file hopeless", NULL }, /* the way is not there, whatever its text comes to */
	{ "hard", "file root/hard", NULL },
	{ "fifo", "other root/fifo", NULL },
	{ "socket", "other root/socket", NULL },
	/* links at the end */
	{ "link-file", "file root/file asked link-file", "other root/link-file" },
	{ "link-link", "file root/file asked link-link", "other root/link-link" },
	{ "link-dir", "directory root/dir asked link-dir", "other root/link-dir" },
	{ "link-dir/", "directory root/dir asked link-dir", NULL },
	{ "link-dir/.", "directory root/dir asked link-dir", NULL },
	{ "link-out", "directory outside outside asked link-out", "other root/link-out" },
	{ "link-out-file", "file outside/file outside asked link-out-file", "other root/link-out-file" },
	{ "link-fifo", "other root/fifo asked link-fifo", "other root/link-fifo" },
	{ "link-device", "other /dev/null outside asked link-device", "other root/link-device" },
	{ "dangling", "other root/dangling hopeless", "other root/dangling" },
	{ "dangling-out", "other root/dangling-out hopeless", "other root/dangling-out" },
	{ "loop", "other root/loop hopeless", "other root/loop" },
	{ "dangling/x", "absent root/dangling/x hopeless", NULL },
	{ "loop/x", "absent root/loop/x hopeless", NULL },
	/* links on the way */
	{ "link-dir/file", "file root/dir/file asked link-dir/file", NULL },
	{ "link-dir/new", "absent root/dir/new asked link-dir/new", NULL },
	{ "link-dir/none/x", "absent root/dir/none/x hopeless asked link-dir/none/x", NULL },
	{ "link-dir/link-up", "directory root/dir/sub asked link-dir/link-up", "other root/dir/link-up asked link-dir/link-up" },
	{ "link-out/new", "absent outside/new outside asked link-out/new", NULL },
	{ "link-out/file", "file outside/file outside asked link-out/file", NULL },
	/* ".." goes up from where a link leads: the text of the whole path says nothing */
	{ "link-dir/../file", "file root/file", NULL },
	{ "dir/link-up/../file", "file root/dir/file", NULL },
	{ "dir/link-far/../file", "file root/file", NULL },
	{ "dir/link-far/../link-file", "file root/file asked link-file", "other root/link-file" },
	{ "link-dir/sub/../link-up", "directory root/dir/sub asked dir/link-up", "other root/dir/link-up" },
	{ "link-out/..", "directory  outside above", NULL },
	{ "link-out/../root/file", "file root/file", NULL },
	{ "link-out/../root/link-file", "file root/file asked link-file", "other root/link-file" },
	{ "dir..", "absent root/dir..", NULL },
	{ "..dir", "absent root/..dir", NULL },
	/* files that are under way */
	{ ".xferwarden-1", "reserved root/.xferwarden-1", NULL },
	{ "dir/.xferwarden-", "reserved root/dir/.xferwarden-", NULL },
	{ "under-way/.xferwarden-2", "reserved root/under-way/.xferwarden-2", NULL },
	{ "link-under-way", "reserved root/under-way/.xferwarden-2 asked link-under-way", "other root/link-under-way" },
	{ "dir/.xferwarden-3/x", "absent root/dir/.xferwarden-3/x hopeless", NULL },
	{ "dir/.xferwarden", "absent root/dir/.xferwarden", NULL },
	{ ".Xferwarden-1", "absent root/.Xferwarden-1", NULL },
};

static void more_links(void)
{
	cr_assert(symlink("sub", "root/dir/link-up") == 0 && symlink("../dir", "root/dir/link-far") == 0);
	cr_assert_eq(mkdir("root/under-way", 0755), 0);
	make("root/under-way/.xferwarden-2", "");
	cr_assert_eq(symlink("under-way/.xferwarden-2", "root/link-under-way"), 0);
}

static void expect_place(const char *path, bool follow, const char *wanted)
{
	char text[PATH_BYTES_MAX * 4], given[PATH_BYTES_MAX];
	snprintf(given, sizeof(given), "%s", path);
	struct place place = places_locate(&places, given, follow, NULL);
	snprintf(text, sizeof(text), "%s%s", shown(&place), place.above ? " above" : "");
	cr_expect_str_eq(text, wanted, "%s, %s: %s, not %s", path, follow ? "followed" : "itself", text, wanted);
	expect_consistent(&place, path);
}

static void expect_rows(void)
{
	more_links();
	begin(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect_place(rows[i].path, true, rows[i].followed);
		expect_place(rows[i].path, false, rows[i].itself ? rows[i].itself : rows[i].followed);
	}
}

Test(sys_locate, where_paths_lead)
{
	expect_rows();
}

Test(sys_locate, where_paths_lead_in_an_old_kernel)
{
	without_openat2(ENOSYS);
	expect_rows();
}

/* The same by whole paths: those of the kernel's text, and those by a link that stands outside and is not the client's. */
Test(sys_locate, absolute_paths)
{
	static const char *const ways[] = { "root", "alias", "outside/../root", "alias/dir/.." };
	char path[PATH_BYTES_MAX];
	more_links();
	cr_assert_eq(symlink("root", "alias"), 0);
	begin(NULL);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		snprintf(path, sizeof(path), "%s/file", in_base(ways[i]));
		expect_place(path, true, "file root/file");
		snprintf(path, sizeof(path), "%s/link-file", in_base(ways[i]));
		expect_place(path, true, "file root/file asked link-file");
		expect_place(path, false, "other root/link-file");
		snprintf(path, sizeof(path), "%s/new", in_base(ways[i]));
		expect_place(path, false, "absent root/new");
		expect_place(in_base(ways[i]), true, "directory root");
	}
	expect_place(in_base("alias"), false, "other alias outside");
	expect_place(in_base("outside/file"), true, "file outside/file outside");
	expect_place(in_base("root2"), true, "absent root2 outside");
	expect_place(in_base("roo"), true, "absent roo outside");
	expect_place("/dev/null", true, "other /dev/null outside");
}

static const char *const home_rows[][2] = {
	{ "file", "file root/dir/file" }, { "../file", "file root/file" }, { "../link-file", "file root/file asked link-file" }, { "../..", "directory  outside above" },
	{ "sub/../../link-dir/file", "file root/dir/file" }, { "new", "absent root/dir/new" },
};

Test(sys_locate, relative_paths_begin_in_the_home)
{
	begin(in_base("root/dir"));
	for (size_t i = 0; i < sizeof(home_rows) / sizeof(home_rows[0]); i++)
		expect_place(home_rows[i][0], true, home_rows[i][1]);
}

Test(sys_locate, the_whole_file_system_as_root)
{
	const char *what;
	cr_assert_eq(places_open(&places, "/", NULL, &what), 0);
	expect_place("/", true, "directory /");
	expect_place("..", true, "directory /");
	expect_place("/proc/self", false, "reserved /proc/self");
	expect_place("/dev/null", true, "reserved /dev/null");
	struct place place = places_locate(&places, in_base("root/link-file"), true, NULL);
	cr_expect(place.asked.n > 0 && !place.outside && path_name(place.asked).n == strlen("link-file") && place.asked.p[0] != '/');
}

Test(sys_locate, what_stands_there)
{
	struct timespec times[2] = { { .tv_sec = 1000000007, .tv_nsec = 5 }, { .tv_sec = 1000000009, .tv_nsec = 7 } };
	struct spot spot;
	struct stat status;
	begin(NULL);
	cr_assert(chmod("root/file", 04751) == 0 && chown("root/file", 12, 34) == 0 && chmod("root/file", 04751) == 0);
	cr_assert_eq(utimensat(AT_FDCWD, "root/file", times, 0), 0);
	cr_assert_eq(stat("root/file", &status), 0);
	struct place place = places_locate(&places, "file", true, &spot);
	cr_expect(place.size == 4 && place.mode == 04751 && place.uid == 12 && place.gid == 34 && place.atime == 1000000007 && place.mtime == 1000000009);
	cr_expect(spot.there && spot.device == status.st_dev && spot.inode == status.st_ino && spot.mode == status.st_mode && spot.size == 4 && spot.child_fd == -1);
	cr_expect(spot.modified.tv_nsec == 7 && spot.changed.tv_sec == status.st_ctim.tv_sec && spot.changed.tv_nsec == status.st_ctim.tv_nsec);
	place = places_locate(&places, "dir", true, &spot);
	cr_expect(place.mode == 0755 && spot.there && S_ISDIR(spot.mode));
	place = places_locate(&places, "link-file", false, &spot);
	cr_expect(place.size == 4 && place.uid == 0 && spot.there && S_ISLNK(spot.mode), "of the link itself");
	time_t before = time(NULL);
	place = places_locate(&places, "new", true, &spot);
	cr_expect(!spot.there && spot.child_fd == -1 && place.size == 0 && place.mode == 0 && place.uid == 0 && place.gid == 0);
	cr_expect(place.atime == place.mtime && place.mtime >= (uint32_t)before && place.mtime <= (uint32_t)time(NULL));
	place = places_locate(&places, "dangling", true, &spot);
	cr_expect(place.kind == PLACE_OTHER && !spot.there);
}

Test(sys_locate, paths_at_their_limits)
{
	char path[PATH_BYTES_MAX + 16], wanted[PATH_BYTES_MAX + 64];
	begin(NULL);
	memset(path, 'x', 255);
	path[255] = '\0';
	snprintf(wanted, sizeof(wanted), "absent root/%.255s", path);
	expect_place(path, true, wanted);
	memset(path, 'x', 256);
	path[256] = '\0';
	snprintf(wanted, sizeof(wanted), "absent root/%.256s hopeless", path);
	expect_place(path, false, wanted);
	memset(path, '/', sizeof(path));
	memcpy(path + PATH_BYTES_MAX - 4, "etc", 4);
	expect_place(path, true, "directory /etc outside");
	for (size_t i = 0; i < PATH_BYTES_MAX - 6; i += 2)
		memcpy(path + i, "./", 2);
	memcpy(path + PATH_BYTES_MAX - 6, "file", 5);
	expect_place(path, true, "file root/file");
	memset(path, 'y', PATH_BYTES_MAX - 1);
	path[PATH_BYTES_MAX - 1] = '\0';
	cr_expect_eq(places_locate(&places, path, true, NULL).kind, PLACE_LOST, "with root in front it is too long for the kernel");
}

Test(sys_locate, marks_hold_here_too)
{
	begin(in_base("root"));
	make("root/.profile", "");
	cr_assert_eq(link("root/.profile", "root/dir/twin"), 0);
	cr_assert_eq(symlink("../.profile", "root/dir/way"), 0);
	FD_OWNED int own = open("root/file", O_RDONLY | O_CLOEXEC);
	cr_assert(places_reserve(&places, own) && places_reserve_login(&places, ".profile"));
	expect_place("dir/twin", true, "file root/dir/twin login");
	expect_place("dir/way", true, "file root/.profile login asked dir/way");
	expect_place("dir/way", false, "other root/dir/way");
	expect_place("link-file", true, "reserved root/file asked link-file");
	expect_place("file", false, "reserved root/file");
}

static int without_rights(void)
{
	static const char *const seen[][2] = {
		{ "mine/file", "file root/mine/file" }, { "mine/new", "absent root/mine/new" }, { "new", "absent root/new unwritable" },
		{ "link-dir/new", "absent root/dir/new asked link-dir/new unwritable" }, { "mine/locked", "file root/mine/locked unwritable" },
		{ "closed/x", "absent root/closed/x hopeless unwritable" }, { "closed", "directory root/closed" }, { "file", "file root/file unwritable" },
		{ "link-file", "file root/file asked link-file unwritable" }, { "none/x", "absent root/none/x hopeless unwritable" },
	};
	int wrong = 0;
	begin(NULL);
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		struct spot spot;
		struct place place = places_locate(&places, seen[i][0], true, &spot);
		char text[PATH_BYTES_MAX * 4];
		snprintf(text, sizeof(text), "%s%s", shown(&place), place.unwritable ? " unwritable" : "");
		if (strcmp(text, seen[i][1]) != 0) {
			fprintf(stderr, "%s: %s, not %s\n", seen[i][0], text, seen[i][1]);
			wrong++;
		}
	}
	struct place place = places_locate(&places, "mine/new", true, NULL);
	return wrong + (place.uid != STRANGER || place.gid != STRANGER);
}

Test(sys_locate, what_a_user_without_rights_sees)
{
	cr_assert(mkdir("root/closed", 0700) == 0 && mkdir("root/closed/x", 0755) == 0 && mkdir("root/mine", 0755) == 0);
	make("root/mine/file", "mine");
	make("root/mine/locked", "mine");
	cr_assert(chown("root/mine", STRANGER, STRANGER) == 0 && chown("root/mine/file", STRANGER, STRANGER) == 0);
	cr_assert(chown("root/mine/locked", STRANGER, STRANGER) == 0 && chmod("root/mine/locked", 0444) == 0);
	as_stranger(without_rights);
}

/* What a walk met: one line each, sorted at the end. */
static struct {
	char line[64][512];
	size_t count, stop_at;
} met;

static bool meet(void *ctx, struct span below, const struct place *place)
{
	cr_expect(ctx == &met);
	cr_expect(span_equal(below, path_name(place->real)) || below.n > path_name(place->real).n);
	if (met.count < 64)
		snprintf(met.line[met.count], sizeof(met.line[0]), "%.*s: %.400s", (int)below.n, (const char *)below.p, shown(place));
	met.count++;
	return met.count != met.stop_at;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool walk(const char *real, size_t stop_at)
{
	met.count = 0;
	met.stop_at = stop_at;
	bool all = places_walk(&places, real, meet, &met);
	qsort(met.line, met.count < 64 ? met.count : 64, sizeof(met.line[0]), by_text);
	return all;
}

Test(sys_locate, a_walk_sees_all_that_is_below)
{
	static const char *const wanted[] = {
		".xferwarden-3: reserved root/dir/.xferwarden-3", "deep/er/file: file root/dir/deep/er/file", "deep/er: directory root/dir/deep/er",
		"deep: directory root/dir/deep", "fifo: other root/dir/fifo", "file: file root/dir/file", "out: other root/dir/out",
		"own: reserved root/dir/own", "sub: directory root/dir/sub", "twin: file root/dir/twin login",
	};
	size_t count = sizeof(wanted) / sizeof(wanted[0]);
	begin(in_base("root"));
	cr_assert(mkdir("root/dir/deep", 0755) == 0 && mkdir("root/dir/deep/er", 0755) == 0 && mkfifo("root/dir/fifo", 0600) == 0);
	make("root/dir/deep/er/file", "");
	make("root/dir/.xferwarden-3", "");
	make("root/dir/own", "");
	make("root/.profile", "");
	cr_assert(symlink("../../outside", "root/dir/out") == 0 && link("root/.profile", "root/dir/twin") == 0);
	FD_OWNED int own = open("root/dir/own", O_RDONLY | O_CLOEXEC);
	cr_assert(places_reserve(&places, own) && places_reserve_login(&places, ".profile"));
	cr_expect(walk(in_base("root/dir"), 0));
	cr_expect_eq(met.count, count);
	for (size_t i = 0; i < count && i < met.count; i++)
		cr_expect_str_eq(met.line[i], wanted[i]);
	struct place place = places_locate(&places, "dir", true, NULL); /* its own answer may be what is asked next */
	cr_expect(walk((const char *)place.real.p, 0) && met.count == count);
	for (size_t stop = 1; stop <= count; stop++)
		cr_expect(!walk(in_base("root/dir"), stop) && met.count == stop);
	cr_expect(walk(in_base("root/dir/sub"), 0) && met.count == 0);
}

Test(sys_locate, a_walk_begins_in_a_folder_and_no_link)
{
	begin(NULL);
	cr_expect(!walk(in_base("root/link-dir"), 0) && met.count == 0);
	cr_expect(!walk(in_base("root/link-dir/sub"), 0) && met.count == 0);
	cr_expect(!walk(in_base("root/file"), 0) && met.count == 0);
	cr_expect(!walk(in_base("root/none"), 0) && met.count == 0);
	cr_expect(!walk(in_base("root/dir/../dir"), 0) && met.count == 0);
	cr_expect(!walk("", 0) && met.count == 0);
}

Test(sys_locate, a_walk_has_its_limits)
{
	char name[64];
	begin(NULL);
	cr_assert_eq(mkdir("root/many", 0755), 0);
	FD_OWNED int many = open("root/many", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i <= PLACES_WALK_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (i == PLACES_WALK_MAX)
			cr_expect(walk(in_base("root/many"), 0) && met.count == PLACES_WALK_MAX);
		cr_assert_eq(mknodat(many, name, S_IFREG | 0600, 0), 0);
	}
	cr_expect(!walk(in_base("root/many"), 0) && met.count == PLACES_WALK_MAX);
	cr_assert_eq(chdir("root/dir"), 0);
	for (int depth = 0; depth < PLACES_DEPTH; depth++) {
		if (depth == PLACES_DEPTH - 1)
			cr_expect(walk(in_base("root/dir/sub"), 0) && met.count == PLACES_DEPTH - 1);
		cr_assert(chdir("sub") == 0 && mkdir("sub", 0755) == 0);
	}
	cr_expect(!walk(in_base("root/dir/sub"), 0) && met.count == PLACES_DEPTH);
	cr_assert_eq(chdir(base), 0);
}

static int walk_closed(void)
{
	begin(NULL);
	return walk(in_base("root/dir"), 0) ? 1 : 0;
}

Test(sys_locate, a_walk_that_may_not_look_has_not_seen_all)
{
	cr_assert(mkdir("root/dir/sub/closed", 0700) == 0);
	as_stranger(walk_closed);
}
