/* sys/places: names against a world of links, odd files and hands that change it meanwhile. */
#include "sys_places_world.h"

TestSuite(sys_places, .init = set_up, .fini = tear_down, .timeout = 60);

static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
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
	{ "dangling", "other root/dangling hopeless" },
	{ "dangling/", "absent root/dangling" },
	{ "dangling/x", "absent root/dangling/x hopeless" },
	{ "dangling-out", "other root/dangling-out hopeless" },
	{ "loop", "other root/loop hopeless" },
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
	cr_expect_str_eq(shown(&place), "reserved /dev/null");
	place = places_find(&places, "/dev/stdout");
	cr_expect(place.kind == PLACE_LOST || place.kind == PLACE_RESERVED || !strcmp(base, ""), "%s", shown(&place));
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
	places_child(&places, getpid());
	cr_expect_eq(open_count(), before + 3); /* root, start and target; the child is asked later */
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
	{ "new/x", "name", ENTRY_FILE, "absent root/new/x hopeless" },
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
	cr_expect(!places_pin(&places, false) && !places_enter(&places, 1) && !places_scrub(&places));
	place = places_entry(&places, 0, span_of("a\0b", 3), ENTRY_FILE);
	cr_expect_eq(place.kind, PLACE_LOST);
	cr_expect(!places_pin(&places, false) && !places_scrub(&places));
	place = places_entry(&places, PLACES_DEPTH, span_str("x"), ENTRY_FILE);
	cr_expect(place.hopeless || place.kind == PLACE_LOST);
	cr_expect(!places_pin(&places, false) && !places_enter(&places, PLACES_DEPTH) && !places_scrub(&places));
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

/* --- as a user without rights --- */

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
