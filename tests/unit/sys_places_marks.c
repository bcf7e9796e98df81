/* sys/places: files that are told apart by what they are: the server's own, and those that are read at login, by whatever way they are reached. */
#include "sys_places_world.h"

static void set_up_home(void)
{
	static const char *const links[][2] = {
		{ "dotfiles/bashrc", "root/.bashrc" }, { "dotssh", "root/.ssh" }, { ".ssh", "root/way" }, { "../../outside/file", "root/dir/out" },
		{ "../outside/kept", "root/.kept" }, { "dotfiles/none", "root/.zshrc" }, { "dotconfig", "root/.config" }, { "gone/far", "root/.local" },
		{ ".loop", "root/.loop" },
	};
	set_up();
	cr_assert(mkdir("root/dotfiles", 0755) == 0 && mkdir("root/dotssh", 0755) == 0 && mkdir("root/dotssh/sub", 0755) == 0 && mkdir("outside/kept", 0755) == 0 &&
		  mkdir("root/dotconfig", 0755) == 0);
	make("root/dotfiles/bashrc", "good");
	make("root/dotfiles/other", "good");
	make("root/dotssh/rc", "good");
	make("root/.profile", "good");
	cr_assert_eq(link("root/.profile", "root/dir/twin"), 0);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		cr_assert_eq(symlink(links[i][0], links[i][1]), 0);
}

TestSuite(sys_places_marks, .init = set_up_home, .fini = tear_down, .timeout = 60);

static void reserve_names(void)
{
	static const char *const names[] = { ".bashrc", ".ssh", ".profile", ".zshrc", ".config/fish", ".kept", ".local/share/fish", ".loop", ".loop/x", ".inputrc" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert(places_reserve_login(&places, names[i]), "%s", names[i]);
}

static const char *const login_rows[][2] = {
	{ ".bashrc", "file root/dotfiles/bashrc login" },
	{ "dotfiles/bashrc", "file root/dotfiles/bashrc login" },
	{ "way/../dotfiles/./bashrc", "file root/dotfiles/bashrc login" },
	{ "dotfiles", "directory root/dotfiles" },
	{ "dotfiles/other", "file root/dotfiles/other" },
	{ "dotfiles/bashrc2", "absent root/dotfiles/bashrc2" },
	{ ".ssh", "directory root/dotssh login" },
	{ "dotssh", "directory root/dotssh login" },
	{ "way", "directory root/dotssh login" },
	{ "dotssh/rc", "file root/dotssh/rc login" },
	{ "dotssh/new", "absent root/dotssh/new login" },
	{ "way/new", "absent root/dotssh/new login" },
	{ "dotssh/sub", "directory root/dotssh/sub login" },
	{ "dotssh/none/x", "absent root/dotssh/none/x login hopeless" },
	{ "dotssh2", "absent root/dotssh2" },
	{ ".profile", "file root/.profile login" },
	{ "dir/twin", "file root/dir/twin login" },
	{ "dir/file", "file root/dir/file" },
	{ ".inputrc", "absent root/.inputrc" }, /* nothing there: its name is the guard's to know */
	/* nothing there yet, and a link to it */
	{ "dotfiles/none", "absent root/dotfiles/none login" },
	{ "dotconfig", "directory root/dotconfig" },
	{ "dotconfig/fish", "absent root/dotconfig/fish login" },
	{ ".config/fish", "absent root/dotconfig/fish login" },
	{ "dotconfig/fish/x", "absent root/dotconfig/fish/x login hopeless" },
	{ "dotconfig/git", "absent root/dotconfig/git" },
	{ "gone", "absent root/gone" },
	{ "gone/far/share/fish/x", "absent root/gone/far/share/fish/x login hopeless" },
	{ "gone/far/share", "absent root/gone/far/share hopeless" },
	{ ".kept/x", "absent outside/kept/x outside login" },
};

Test(sys_places_marks, login_files_by_their_paths)
{
	begin(in_base("root"));
	reserve_names();
	for (size_t i = 0; i < sizeof(login_rows) / sizeof(login_rows[0]); i++) {
		struct place place = places_find(&places, login_rows[i][0]);
		cr_expect_str_eq(shown(&place), login_rows[i][1], "%s: %s, not %s", login_rows[i][0], shown(&place), login_rows[i][1]);
		expect_consistent(&place, login_rows[i][0]);
	}
}

Test(sys_places_marks, names_of_several_components_without_links)
{
	static const char *const names[] = { ".mail/rc", ".mail/none", ".mail/none/x", ".none/x/y", ".profile/x", ".mail/sub/deep" };
	static const char *const rows[][2] = {
		{ ".mail/rc", "file root/.mail/rc login" }, { "dir/rc", "file root/dir/rc login" }, { ".mail/sub/deep", "directory root/.mail/sub/deep login" },
		{ ".mail", "directory root/.mail" }, { ".mail/sub", "directory root/.mail/sub" }, { ".mail/other", "file root/.mail/other" },
		{ ".mail/none", "absent root/.mail/none" }, { ".profile", "file root/.profile" },
	};
	cr_assert(mkdir("root/.mail", 0755) == 0 && mkdir("root/.mail/sub", 0755) == 0 && mkdir("root/.mail/sub/deep", 0755) == 0);
	make("root/.mail/rc", "good");
	make("root/.mail/other", "good");
	cr_assert_eq(link("root/.mail/rc", "root/dir/rc"), 0);
	begin(in_base("root"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_assert(places_reserve_login(&places, names[i]), "%s", names[i]);
	cr_expect_eq(places.marks, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place place = places_find(&places, rows[i][0]);
		cr_expect_str_eq(shown(&place), rows[i][1], "%s: %s, not %s", rows[i][0], shown(&place), rows[i][1]);
	}
}

static const char *const entry_rows[][3] = {
	{ "", ".bashrc", "file root/dotfiles/bashrc login asked .bashrc" },
	{ "dotfiles", "bashrc", "file root/dotfiles/bashrc login" },
	{ "dotfiles/bashrc", "ignored", "file root/dotfiles/bashrc login" },
	{ ".bashrc", "ignored", "file root/dotfiles/bashrc login asked .bashrc" },
	{ "dotfiles", "other", "file root/dotfiles/other" },
	{ "dotfiles", "new", "absent root/dotfiles/new" },
	{ "way", "rc", "file root/dotssh/rc login" },
	{ "dotssh", "new", "absent root/dotssh/new login" },
	{ "dotssh/new", "ignored", "absent root/dotssh/new login" },
	{ "dir", "twin", "file root/dir/twin login" },
	{ "dir", "new", "absent root/dir/new" },
};

Test(sys_places_marks, login_files_as_entries)
{
	for (size_t i = 0; i < sizeof(entry_rows) / sizeof(entry_rows[0]); i++) {
		begin(in_base("root"));
		reserve_names();
		(void)places_target(&places, entry_rows[i][0]);
		struct place place = places_entry(&places, 0, span_str(entry_rows[i][1]), ENTRY_FILE);
		cr_expect_str_eq(shown(&place), entry_rows[i][2], "%s + %s: %s, not %s", entry_rows[i][0], entry_rows[i][1], shown(&place), entry_rows[i][2]);
		places_finish(&places);
		cr_expect_eq(places.marks, 0);
	}
}

Test(sys_places_marks, login_files_two_folders_down)
{
	begin(in_base("root"));
	reserve_names();
	(void)places_target(&places, "");
	struct place place = places_entry(&places, 0, span_str("dotssh"), ENTRY_DIRECTORY);
	cr_expect_str_eq(shown(&place), "directory root/dotssh login");
	cr_assert(places_enter(&places, 1));
	place = places_entry(&places, 1, span_str("sub"), ENTRY_DIRECTORY);
	cr_expect_str_eq(shown(&place), "directory root/dotssh/sub login");
	cr_assert(places_enter(&places, 2));
	place = places_entry(&places, 2, span_str("new"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "absent root/dotssh/sub/new login");
}

Test(sys_places_marks, a_home_that_is_missing_or_elsewhere)
{
	begin(NULL);
	reserve_names();
	cr_expect_eq(places.marks, 0);
	struct place place = places_find(&places, ".profile");
	cr_expect_str_eq(shown(&place), "file root/.profile");
	places_finish(&places);
	make("outside/.profile", "good");
	cr_assert_eq(link("outside/.profile", "root/dir/far"), 0);
	begin(in_base("outside"));
	reserve_names();
	place = places_find(&places, "dir/far");
	cr_expect_str_eq(shown(&place), "file root/dir/far login");
	place = places_find(&places, ".profile");
	cr_expect_str_eq(shown(&place), "file root/.profile");
}

Test(sys_places_marks, an_open_file_is_the_servers_own)
{
	static const char *const rows[][2] = {
		{ "file", "reserved root/file" }, { "link-file", "reserved root/file" }, { "link-link", "reserved root/file" }, { "dir/../file", "reserved root/file" },
		{ "same", "reserved root/same" }, { "dir/file", "file root/dir/file" }, { "file2", "absent root/file2" }, { "", "directory root" },
	};
	cr_assert_eq(link("root/file", "root/same"), 0);
	begin(NULL);
	int fd = open("root/file", O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert(places_reserve(&places, fd));
	fd_close(&fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place place = places_find(&places, rows[i][0]);
		cr_expect_str_eq(shown(&place), rows[i][1], "%s: %s, not %s", rows[i][0], shown(&place), rows[i][1]);
	}
	(void)places_target(&places, "");
	struct place place = places_entry(&places, 0, span_str("same"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "reserved root/same");
	place = places_entry(&places, 0, span_str("link-file"), ENTRY_FILE);
	cr_expect_str_eq(shown(&place), "reserved root/file asked link-file");
	cr_expect_not(places_reserve(&places, -1), "what is not open cannot be told apart");
}

/* All of them or none: who marks one too many has to refuse the session. */
Test(sys_places_marks, there_is_room_for_so_many)
{
	begin(in_base("root"));
	int fd = open("root/file", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < PLACES_MARKED_MAX; i++)
		cr_assert(i % 2 ? places_reserve(&places, fd) : places_reserve_login(&places, ".ssh"), "%zu", i);
	cr_expect_not(places_reserve(&places, fd));
	cr_expect_not(places_reserve_login(&places, ".ssh"));
	cr_expect_not(places_reserve_login(&places, ".profile"));
	cr_expect(places_reserve_login(&places, ".inputrc"), "nothing there to be marked");
	cr_expect_eq(places.marks, PLACES_MARKED_MAX);
	fd_close(&fd);
}

/* Where root holds /tmp: what sshd and the inspector keep there. */
Test(sys_places_marks, the_servers_files_in_tmp)
{
	char scratch[] = "/tmp/xferwarden-scratch-XXXXXX", notes[] = "/tmp/sshauth.XXXXXX", path[64], wanted[96];
	const char *what;
	int fd = mkstemp(notes);
	cr_assert(fd >= 0 && mkdtemp(scratch) != NULL);
	fd_close(&fd);
	const char *const rows[] = { scratch, notes, "/tmp/sshauth.", "/tmp/sshauth.new", "/tmp/xferwarden-scratch-new" };
	for (int root = 0; root < 2; root++) {
		cr_assert_eq(places_open(&places, root ? "/tmp" : "/", base, &what), 0);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct place place = places_find(&places, rows[i]);
			snprintf(wanted, sizeof(wanted), "reserved %s", rows[i]);
			cr_expect_str_eq(shown(&place), wanted);
			snprintf(path, sizeof(path), "%s/new", rows[i]);
			place = places_find(&places, path);
			cr_expect_eq(place.kind, PLACE_RESERVED, "%s: %s", path, shown(&place));
			snprintf(path, sizeof(path), "/..%s", rows[i]);
			place = places_find(&places, path);
			cr_expect_eq(place.kind, PLACE_RESERVED, "%s: %s", path, shown(&place));
		}
		struct place place = places_find(&places, "/tmp/sshauth");
		cr_expect_str_eq(shown(&place), "absent /tmp/sshauth");
		place = places_find(&places, in_base("sshauth.mine"));
		cr_expect_str_eq(shown(&place), "absent sshauth.mine");
		places_finish(&places);
	}
	cr_expect(rmdir(scratch) == 0 && unlink(notes) == 0);
}
