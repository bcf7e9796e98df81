/* sys/spot: a file that was judged is told from all others: when it is read, when the child has opened it, when it has to go. */
#include "sys_places_hand.h"

#include <time.h>

TestSuite(sys_spot, .init = set_up, .fini = tear_down, .timeout = 60);

static struct spot look(const char *path)
{
	struct spot spot;
	(void)places_locate(&places, path, true, &spot);
	return spot;
}

/* --- what the relay reads by itself --- */

static void open_only_the_very_file(void)
{
	char text[8] = "";
	begin(NULL);
	struct spot spot = look("dir/file"), folder = look("dir"), absent = look("dir/new"), other = look("file"), fifo = look("fifo");
	FD_OWNED int fd = places_open_spot(&spot, in_base("root/dir/file"));
	cr_assert_geq(fd, 0);
	cr_expect(fd_read_all(fd, text, 6) == 0 && strcmp(text, "in dir") == 0);
	cr_expect((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	cr_expect_eq(places_open_spot(&other, in_base("root/dir/file")), -ESTALE);
	cr_expect_eq(places_open_spot(&spot, in_base("root/link-dir/file")), -ESTALE, "it is the same file, but that is not its real path");
	cr_expect_eq(places_open_spot(&other, in_base("root/link-file")), -ESTALE);
	cr_expect_eq(places_open_spot(&folder, in_base("root/dir")), -ESTALE);
	cr_expect_eq(places_open_spot(&fifo, in_base("root/fifo")), -ESTALE);
	cr_expect_eq(places_open_spot(&absent, in_base("root/dir/new")), -ESTALE);
	make("root/dir/new", "");
	cr_expect_eq(places_open_spot(&absent, in_base("root/dir/new")), -ESTALE);
	cr_assert(rename("root/dir/file", "root/dir/old") == 0 && mkfifo("root/dir/file", 0600) == 0);
	cr_expect_eq(places_open_spot(&spot, in_base("root/dir/file")), -ESTALE, "and nobody waits for the FIFO's other end");
	cr_assert(unlink("root/dir/file") == 0);
	make("root/dir/file", "in dir");
	cr_expect_eq(places_open_spot(&spot, in_base("root/dir/file")), -ESTALE);
}

Test(sys_spot, only_the_very_file_is_opened)
{
	open_only_the_very_file();
}

Test(sys_spot, only_the_very_file_is_opened_in_a_strict_container)
{
	without_openat2(EPERM);
	open_only_the_very_file();
}

static int open_without_rights(void)
{
	begin(NULL);
	struct spot spot = look("file");
	NEED(places_open_spot(&spot, in_base("root/file")) == -EACCES);
	return 0;
}

Test(sys_spot, a_file_that_may_not_be_read)
{
	cr_assert_eq(chmod("root/file", 0200), 0);
	as_stranger(open_without_rights);
}

static void change_content(void)
{
	make("root/dir/file", "other!");
}

static void change_and_set_back(void)
{
	struct stat status;
	cr_assert_eq(stat("root/dir/file", &status), 0);
	struct timespec times[2] = { status.st_atim, status.st_mtim };
	int fd = open("root/dir/file", O_WRONLY | O_CLOEXEC);
	cr_assert(fd_write_all(fd, "other!", 6) == 0 && futimens(fd, times) == 0);
	close(fd);
}

static void append(void)
{
	int fd = open("root/dir/file", O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_eq(fd_write_all(fd, "!", 1), 0);
	close(fd);
}

static void cut(void)
{
	cr_assert_eq(truncate("root/dir/file", 5), 0);
}

static void read_it(void)
{
	char byte;
	int fd = open("root/dir/file", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fd_read_all(fd, &byte, 1), 0);
	close(fd);
}

static void replace_it(void)
{
	make("root/dir/fresh", "in dir");
	cr_assert_eq(rename("root/dir/fresh", "root/dir/file"), 0);
}

/* However soon after it was looked at: no time but the clock's own tick lies between. */
Test(sys_spot, a_change_is_seen)
{
	static void (*const changes[])(void) = { change_content, change_and_set_back, append, cut };
	begin(NULL);
	for (int i = 0; i < 200; i++) {
		make("root/dir/file", "in dir");
		struct spot spot = look("dir/file");
		FD_OWNED int fd = places_open_spot(&spot, in_base("root/dir/file"));
		cr_assert_geq(fd, 0);
		places_tick(&spot);
		cr_expect(places_still(&spot, fd));
		read_it();
		cr_expect(places_still(&spot, fd), "reading is no change");
		changes[i % 4]();
		cr_expect(!places_still(&spot, fd), "change %d was not seen", i % 4);
	}
	struct spot spot = look("dir/file"), other = look("file");
	FD_OWNED int fd = places_open_spot(&spot, in_base("root/dir/file"));
	cr_expect(!places_still(&other, fd));
	cr_expect(!places_still(&spot, -1));
	replace_it();
	cr_expect(!places_still(&spot, fd), "its name is gone");
}

/* Stamps that no wait would make older, and those that are old. */
Test(sys_spot, a_tick_is_not_waited_for_in_vain)
{
	struct spot spot = { .there = true, .changed = { .tv_sec = 1000000000, .tv_nsec = 1 } };
	places_tick(&spot);
	spot.changed.tv_sec = (time_t)1 << 40;
	places_tick(&spot);
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	spot.changed = (struct timespec){ .tv_sec = now.tv_sec };
	places_tick(&spot);
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	cr_expect_gt(now.tv_sec, spot.changed.tv_sec, "no nanoseconds: the file system counts seconds");
}

/* --- what the child has open --- */

static void hand_begin(void)
{
	begin(NULL);
	hand_start();
}

Test(sys_spot, pin_holds_what_was_judged)
{
	hand_begin();
	struct spot file = look("dir/file"), fresh = look("dir/new"), folder = look("dir"), again = look("link-dir/file");
	cr_expect(!places_pin_spot(&places, &file, in_base("root/dir/file"), false), "nothing is open yet");
	cr_expect(file.child_fd == -1);
	cr_assert(hand_does('r', in_base("root/dir/file")));
	cr_expect(places_pin_spot(&places, &file, in_base("root/dir/file"), false) && file.child_fd == 3);
	cr_expect(!places_pin_spot(&places, &again, in_base("root/dir/file"), false), "it was not opened again");
	cr_assert(hand_does('x', in_base("root/dir/new")));
	cr_expect(places_pin_spot(&places, &fresh, in_base("root/dir/new"), false) && fresh.child_fd == 4);
	struct stat status;
	cr_assert_eq(stat("root/dir/new", &status), 0);
	cr_expect(fresh.there && fresh.inode == status.st_ino && fresh.device == status.st_dev && S_ISREG(fresh.mode), "what was made is remembered");
	cr_assert(hand_does('d', in_base("root/dir")));
	cr_expect(!places_pin_spot(&places, &folder, in_base("root/dir"), false), "a folder is no file");
	cr_expect(places_pin_spot(&places, &folder, in_base("root/dir"), true) && folder.child_fd == 5);
	cr_assert(hand_does('w', in_base("root/link-dir/file")));
	cr_expect(places_pin_spot(&places, &again, in_base("root/dir/file"), false) && again.child_fd == 6, "the same file twice, and by a link on the way");
	cr_assert(hand_does('k', "4"));
	places_unpin(&places, &fresh);
	cr_expect_eq(fresh.child_fd, -1);
	places_unpin(&places, &fresh);
	struct spot next = look("file");
	cr_assert(hand_does('w', in_base("root/file")));
	cr_expect(places_pin_spot(&places, &next, in_base("root/file"), false) && next.child_fd == 4, "the number that was free");
	hand_stop();
}

/* What the child opens in place of root/dir/file, or of root/dir/new where nothing stood. */
struct swap {
	const char *what;
	void (*before)(void);
	char how;
	const char *opened;
	void (*after)(void);
	bool fresh;
};

static void move_away(void)
{
	cr_assert_eq(rename("root/dir/file", "root/dir/old"), 0);
}

static void move_away_and_back(void)
{
	cr_assert(rename("root/dir/file", "root/dir/other") == 0 && rename("root/dir/old", "root/dir/file") == 0);
}

static void put_link(void)
{
	cr_assert(unlink("root/dir/file") == 0 && symlink("../../outside/file", "root/dir/file") == 0);
}

static void put_link_to_itself(void)
{
	cr_assert(rename("root/dir/file", "root/dir/old") == 0 && symlink("old", "root/dir/file") == 0);
}

static void move_folder(void)
{
	cr_assert(rename("root/dir", "outside/dir") == 0 && symlink("../outside/dir", "root/dir") == 0);
}

static void put_folder(void)
{
	cr_assert(unlink("root/dir/file") == 0 && mkdir("root/dir/file", 0755) == 0);
}

static void put_new(void)
{
	make("root/dir/new", "");
}

static void put_full(void)
{
	make("root/dir/new", "content");
}

static void put_twin(void)
{
	make("outside/empty", "");
	cr_assert_eq(link("outside/empty", "root/dir/new"), 0);
}

static void remove_new(void)
{
	cr_assert_eq(unlink("root/dir/new"), 0);
}

static void rename_new(void)
{
	cr_assert_eq(rename("root/dir/new", "root/dir/newer"), 0);
}

static const struct swap swaps[] = {
	{ "another file by that name", replace_it, 'w', "root/dir/file", NULL, false },
	{ "another name", NULL, 'r', "root/file", NULL, false },
	{ "moved away, and made anew by the child", move_away, 'w', "root/dir/file", NULL, false },
	{ "another file for a moment", move_away, 'w', "root/dir/file", move_away_and_back, false },
	{ "a link that leads out", put_link, 'w', "root/dir/file", NULL, false },
	{ "a link to the very file, elsewhere", put_link_to_itself, 'w', "root/dir/file", NULL, false },
	{ "the folder moved, and a link in its place", move_folder, 'w', "root/dir/file", NULL, false },
	{ "a folder", put_folder, 'd', "root/dir/file", NULL, false },
	{ "nothing at all", NULL, 's', "", NULL, false },
	{ "new: made by somebody else, and not empty", put_full, 'w', "root/dir/new", NULL, true },
	{ "new: with another name", put_twin, 'w', "root/dir/new", NULL, true },
	{ "new: elsewhere", NULL, 'x', "root/dir/newest", NULL, true },
	{ "new: the folder moved", move_folder, 'x', "root/dir/new", NULL, true },
	{ "new: gone again", NULL, 'x', "root/dir/new", remove_new, true },
	{ "new: gone, and another in its place", NULL, 'x', "root/dir/newest", put_new, true },
	{ "new: renamed", NULL, 'x', "root/dir/new", rename_new, true },
	{ "new: a folder", NULL, 'd', "root/dir", NULL, true },
};

Test(sys_spot, pin_notices_every_change)
{
	for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
		const struct swap *swap = &swaps[i];
		const char *name = swap->fresh ? "root/dir/new" : "root/dir/file";
		hand_begin();
		struct spot spot = look(name + strlen("root/"));
		if (swap->before != NULL)
			swap->before();
		cr_expect(hand_does(swap->how, in_base(swap->opened)), "%s", swap->what);
		if (swap->after != NULL)
			swap->after();
		cr_expect(!places_pin_spot(&places, &spot, in_base(name), false), "%s", swap->what);
		cr_expect_eq(spot.child_fd, -1);
		hand_stop();
		tear_down();
		set_up();
	}
}

/* A second file that nobody knows could be the one that was answered for. */
Test(sys_spot, an_unknown_file_or_folder_is_a_refusal)
{
	static const char rows[][2][16] = { { "r", "root/file" }, { "r", "root/hard" }, { "d", "root/dir/sub" }, { "r", "root/dir/file" } };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hand_begin();
		struct spot spot = look("dir/file");
		cr_assert(hand_does(rows[i][0][0], in_base(rows[i][1])));
		cr_assert(hand_does('r', in_base("root/dir/file")));
		bool same = strcmp(rows[i][1], "root/dir/file") == 0; /* then the lowest number is what was opened first */
		cr_expect_eq(places_pin_spot(&places, &spot, in_base("root/dir/file"), false), same, "row %zu", i);
		struct spot next = look("dir/file");
		cr_assert(hand_does('r', in_base("root/dir/file")));
		(void)places_pin_spot(&places, &next, in_base("root/dir/file"), false);
		cr_expect(same || next.child_fd == -1);
		hand_stop();
		places_finish(&places);
	}
}

/* Sockets come and go, and a name service keeps its cache open: they are not the client's. */
Test(sys_spot, what_the_c_library_keeps_open_is_passed_over)
{
	hand_begin();
	struct spot file = look("file"), other = look("dir/file"), last = look("dir/new");
	cr_assert(hand_does('s', "") && hand_does('r', "/etc/passwd") && hand_does('d', "/etc") && hand_does('r', "/dev/null"));
	cr_assert(hand_does('w', in_base("root/file")));
	cr_expect(places_pin_spot(&places, &file, in_base("root/file"), false) && file.child_fd == 7);
	cr_assert(hand_does('w', in_base("root/dir/file")));
	cr_expect(places_pin_spot(&places, &other, in_base("root/dir/file"), false) && other.child_fd == 8);
	cr_assert(hand_does('k', "3") && hand_does('x', in_base("root/dir/new")));
	cr_expect(places_pin_spot(&places, &last, in_base("root/dir/new"), false) && last.child_fd == 3, "where a socket was");
	cr_assert(hand_does('k', "4") && hand_does('r', in_base("root/hard")));
	struct spot none = look("fifo");
	cr_expect(!places_pin_spot(&places, &none, in_base("root/fifo"), false));
	hand_stop();
}

/* Any order of opening and closing, as many as a session may have. */
Test(sys_spot, many_at_once)
{
	enum { MANY = 128 };
	static struct spot spots[MANY];
	static bool held[MANY];
	char name[64];
	unsigned random = 7;
	hand_begin();
	cr_assert_eq(mkdir("root/many", 0755), 0);
	for (int turn = 0; turn < 1500; turn++) {
		random = random * 1103515245 + 12345;
		unsigned i = turn < MANY ? (unsigned)turn : random >> 16 & (MANY - 1);
		snprintf(name, sizeof(name), "root/many/%u", i);
		if (held[i]) {
			char number[16];
			snprintf(number, sizeof(number), "%d", spots[i].child_fd);
			cr_assert(hand_does('k', number));
			places_unpin(&places, &spots[i]);
		} else {
			spots[i] = look(name + strlen("root/"));
			bool there = spots[i].there;
			cr_assert(hand_does(there ? 'w' : 'x', in_base(name)));
			cr_assert(places_pin_spot(&places, &spots[i], in_base(name), false), "turn %d", turn);
		}
		held[i] = !held[i];
	}
	hand_stop();
}

Test(sys_spot, more_descriptors_than_can_be_told_are_a_refusal)
{
	hand_begin();
	for (unsigned i = 0; i < PLACES_CHILD_FDS / 64; i++)
		places.child_pinned[i] = UINT64_MAX;
	struct spot spot = look("file");
	cr_assert(hand_does('w', in_base("root/file")));
	cr_expect(!places_pin_spot(&places, &spot, in_base("root/file"), false));
	hand_stop();
	places_child(&places, 0);
	cr_expect(!places_pin_spot(&places, &spot, in_base("root/file"), false), "no child at all");
	hand_start();
	cr_assert(hand_does('w', in_base("root/file")));
	cr_expect(places_pin_spot(&places, &spot, in_base("root/file"), false), "a new child has none that is known");
	hand_stop();
}

/* --- what has to go --- */

static off_t size_of(const char *name)
{
	struct stat status;
	return lstat(name, &status) < 0 ? -1 : status.st_size;
}

Test(sys_spot, scrub_removes_the_name_or_the_content)
{
	begin(NULL);
	struct spot file = look("dir/file"), twice = look("file");
	cr_expect(places_scrub_spot(&file, in_base("root/dir/file"), false) && size_of("root/dir/file") == 0);
	cr_expect(places_scrub_spot(&file, in_base("root/dir/file"), true) && size_of("root/dir/file") == -1);
	cr_expect(!places_scrub_spot(&file, in_base("root/dir/file"), true), "it is gone already");
	cr_assert_eq(link("root/file", "root/dir/kept"), 0);
	cr_expect(places_scrub_spot(&twice, in_base("root/file"), true) && size_of("root/file") == -1);
	cr_expect_eq(size_of("root/dir/kept"), 0, "no other name keeps the content");
}

Test(sys_spot, scrub_touches_nothing_else)
{
	for (int name = 0; name < 2; name++) {
		begin(NULL);
		struct spot file = look("dir/file"), other = look("file"), absent = look("dir/new"), folder = look("dir/sub"), fifo = look("fifo");
		cr_expect(!places_scrub_spot(&other, in_base("root/dir/file"), name));
		cr_expect(!places_scrub_spot(&absent, in_base("root/dir/file"), name));
		cr_expect(!places_scrub_spot(&absent, in_base("root/dir/new"), name));
		cr_expect(!places_scrub_spot(&folder, in_base("root/dir/sub"), name));
		cr_expect(!places_scrub_spot(&fifo, in_base("root/fifo"), name));
		cr_expect(!places_scrub_spot(&file, in_base("root/link-dir/file"), name), "not its real path");
		cr_expect(!places_scrub_spot(&other, in_base("root/link-file"), name));
		cr_expect(!places_scrub_spot(&file, "/", name));
		cr_expect(!places_scrub_spot(&file, "file", name));
		cr_expect(size_of("root/dir/file") == 6 && size_of("root/file") == 4 && size_of("root/dir/sub") >= 0 && size_of("root/fifo") == 0);
		cr_assert(rename("root/dir", "outside/dir") == 0 && symlink("../outside/dir", "root/dir") == 0);
		cr_expect(!places_scrub_spot(&file, in_base("root/dir/file"), name), "the folder is another's now");
		cr_expect_eq(size_of("outside/dir/file"), 6);
		cr_assert(unlink("root/dir") == 0 && rename("outside/dir", "root/dir") == 0);
		replace_it();
		cr_expect(!places_scrub_spot(&file, in_base("root/dir/file"), name));
		cr_expect_eq(size_of("root/dir/file"), 6);
		places_finish(&places);
	}
}

Test(sys_spot, what_is_held_is_found_where_it_was_moved)
{
	begin(NULL);
	struct spot file = look("dir/file"), other = look("file");
	int held = open("root/dir/file", O_PATH | O_CLOEXEC);
	cr_assert(held >= 0 && rename("root/dir", "root/moved") == 0);
	cr_expect(!places_scrub_spot(&file, in_base("root/dir/file"), true), "not by its path");
	cr_expect(!places_scrub_held(&other, held, true) && !places_scrub_held(&file, -1, true));
	cr_expect_eq(size_of("root/moved/file"), 6);
	cr_expect(places_scrub_held(&file, held, true) && size_of("root/moved/file") == -1);
	cr_expect(!places_scrub_held(&file, held, true), "it is gone already");
	close(held);
}

Test(sys_spot, what_the_child_has_open_is_held)
{
	hand_begin();
	struct spot file = look("file"), other = look("dir/file");
	cr_assert(hand_does('w', in_base("root/file")) && places_pin_spot(&places, &file, in_base("root/file"), false));
	int held = places_hold_spot(&places, &file);
	cr_assert(held >= 0 && rename("root/file", "root/moved") == 0);
	cr_expect(places_scrub_held(&file, held, true) && size_of("root/moved") == -1);
	close(held);
	other.child_fd = file.child_fd;
	cr_expect_eq(places_hold_spot(&places, &other), -ESTALE);
	other.child_fd = -1;
	cr_expect_lt(places_hold_spot(&places, &other), 0);
	hand_stop();
}

/* By its real path: true as long as that leads, through no link, to what was seen. */
Test(sys_spot, a_name_that_still_leads_there)
{
	begin(NULL);
	struct place file = places_locate(&places, "dir/file", true, NULL);
	uint64_t device = file.device, inode = file.inode;
	cr_assert_neq(inode, 0);
	cr_expect(places_is_there(in_base("root/dir/file"), true, device, inode) && places_is_there(in_base("root/dir/file"), false, device, inode));
	cr_expect(!places_is_there(in_base("root/file"), true, device, inode), "another");
	cr_expect(!places_is_there(in_base("root/dir/file"), true, 0, 0), "nothing was there");
	cr_expect(!places_is_there(in_base("root/dir/none"), true, device, inode), "it is not there any more");
	cr_expect(places_is_there(in_base("root/dir/none"), true, 0, 0), "still nothing");
	cr_expect(!places_is_there(in_base("root/none/none"), true, 0, 0), "nor a folder for it");
	cr_expect(!places_is_there(in_base("root/link-dir/file"), true, device, inode), "through a link");
	cr_expect(!places_is_there(in_base("root/link-dir/none"), true, 0, 0), "nothing, but through a link");
	struct place linked = places_locate(&places, "link-file", false, NULL);
	device = linked.device, inode = linked.inode;
	cr_expect(places_is_there(in_base("root/link-file"), false, device, inode) && !places_is_there(in_base("root/link-file"), true, device, inode), "a link is one");
}

static int scrub_without_the_right_to_write(void)
{
	struct stat status;
	begin(in_base("root/mine"));
	struct spot spot = look("file");
	NEED(places_scrub_spot(&spot, in_base("root/mine/file"), false));
	NEED(stat(in_base("root/mine/file"), &status) == 0 && status.st_size == 0 && (status.st_mode & 07777) == 0444);
	NEED(places_scrub_spot(&spot, in_base("root/mine/file"), true));
	spot = look("../file"); /* somebody else's */
	NEED(!places_scrub_spot(&spot, in_base("root/file"), false) && !places_scrub_spot(&spot, in_base("root/file"), true));
	return 0;
}

Test(sys_spot, scrub_needs_no_mode)
{
	cr_assert_eq(mkdir("root/mine", 0755), 0);
	make("root/mine/file", "mine");
	cr_assert(chown("root/mine", STRANGER, STRANGER) == 0 && chown("root/mine/file", STRANGER, STRANGER) == 0 && chmod("root/mine/file", 0444) == 0);
	as_stranger(scrub_without_the_right_to_write);
	cr_expect_eq(size_of("root/file"), 4);
}
