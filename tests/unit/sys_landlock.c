/* sys/landlock: what each word permits, tried in a child process that confines itself. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/landlock.h"

static char base[] = "/tmp/landlock-XXXXXX";

static void make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	cr_assert_geq(fd, 0, "%s", name);
	close(fd);
}

static void set_up(void)
{
	cr_assert(mkdtemp(base));
	cr_assert_eq(chdir(base), 0);
	cr_assert(mkdir("in", 0700) == 0 && mkdir("out", 0700) == 0 && mkdir("in/empty", 0700) == 0 && mkdir("in/sub", 0700) == 0);
	make("in/file");
	make("in/sub/file");
	make("out/file");
	cr_assert_eq(symlink("../out/file", "in/link"), 0);
	cr_assert_eq(link("out/file", "in/hard"), 0);
}

static void tear_down(void)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
}

TestSuite(sys_landlock, .init = set_up, .fini = tear_down, .timeout = 30);

static int try_open(const char *name, int flags)
{
	int fd = open(name, flags | O_CLOEXEC, 0600);
	int error = fd < 0 ? errno : 0;
	fd_close(&fd);
	return error;
}

static int try_read(const char *name)
{
	return try_open(name, O_RDONLY);
}

static int try_write(const char *name)
{
	return try_open(name, O_WRONLY);
}

static int try_make(const char *name)
{
	return try_open(name, O_WRONLY | O_CREAT | O_EXCL);
}

static int try_truncate(const char *name)
{
	return truncate(name, 0) < 0 ? errno : 0;
}

static int try_list(const char *name)
{
	return try_open(name, O_RDONLY | O_DIRECTORY);
}

static int try_folder(const char *name)
{
	return mkdir(name, 0700) < 0 ? errno : 0;
}

static int try_remove(const char *name)
{
	return remove(name) < 0 ? errno : 0;
}

static int try_symlink(const char *name)
{
	return symlink("x", name) < 0 ? errno : 0;
}

static int try_fifo(const char *name)
{
	return mkfifo(name, 0600) < 0 ? errno : 0;
}

static int try_device(const char *name)
{
	return mknod(name, S_IFCHR | 0600, 0x103) < 0 ? errno : 0;
}

static int try_rename(const char *name)
{
	return rename(name, "in/renamed") < 0 ? errno : 0;
}

static int try_move(const char *name)
{
	return rename(name, "in/sub/moved") < 0 ? errno : 0;
}

static int try_out(const char *name)
{
	return rename(name, "out/moved") < 0 ? errno : 0;
}

static int try_link(const char *name)
{
	return link(name, "in/sub/linked") < 0 ? errno : 0;
}

static int try_link_out(const char *name)
{
	return link(name, "out/linked") < 0 ? errno : 0;
}

static int try_exec(const char *name)
{
	char *argv[] = { (char *)(uintptr_t)name, NULL };
	execv(name, argv);
	return errno;
}

/* In a process of its own: the errno of the attempt, 0 for success, 250 where the jail could not be closed. */
static int attempt(unsigned rights, const char *below, int (*what)(const char *), const char *name)
{
	pid_t pid = fork();
	if (pid == 0) {
		struct landlock landlock;
		if (landlock_init(&landlock) < 0 || landlock_permit_path(&landlock, below, rights) < 0 || landlock_enforce(landlock.fd) < 0)
			_exit(250);
		_exit(what(name));
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 250);
	return WEXITSTATUS(status);
}

enum { R = LANDLOCK_RIGHT_READ, X = LANDLOCK_RIGHT_EXECUTE, W = LANDLOCK_RIGHT_WRITE, S = LANDLOCK_RIGHT_SCRATCH, M = LANDLOCK_RIGHT_MANAGE };

struct row {
	unsigned rights;
	int (*what)(const char *);
	const char *name;
	int wanted;
};

static const struct row rows[] = {
	{ R, try_read, "in/file", 0 },
	{ R, try_read, "in/sub/file", 0 },
	{ R, try_list, "in/sub", 0 },
	{ R, try_read, "in/hard", 0 },
	{ R, try_read, "out/file", EACCES },
	{ R, try_read, "in/link", EACCES },        /* a link leads out, the jail does not */
	{ R, try_read, "in/../out/file", EACCES },
	{ R, try_list, ".", EACCES },
	{ R, try_read, "/etc/shadow", EACCES },
	{ R, try_read, "/proc/self/environ", EACCES },
	{ R, try_write, "in/file", EACCES },
	{ R, try_truncate, "in/file", EACCES },
	{ R, try_make, "in/new", EACCES },
	{ R, try_folder, "in/new", EACCES },
	{ R, try_remove, "in/file", EACCES },
	{ R, try_exec, "in/file", EACCES },
	{ X, try_list, "in/sub", EACCES },
	{ X, try_read, "in/file", 0 },
	{ X, try_write, "in/file", EACCES },
	{ X, try_exec, "in/file", ENOEXEC },       /* permitted, and empty */
	{ X, try_exec, "/bin/true", EACCES },
	{ W, try_write, "in/file", 0 },
	{ W, try_truncate, "in/file", 0 },
	{ W, try_make, "in/sub/new", 0 },
	{ W, try_folder, "in/new-folder", 0 },
	{ W, try_read, "in/file", EACCES },
	{ W, try_list, "in/sub", EACCES },
	{ W, try_remove, "in/file", EACCES },
	{ W, try_remove, "in/empty", EACCES },
	{ W, try_rename, "in/file", EACCES },
	{ W, try_symlink, "in/new-link", EACCES },
	{ W, try_fifo, "in/new-fifo", EACCES },
	{ W, try_device, "in/new-device", EACCES },
	{ W, try_write, "out/file", EACCES },
	{ W, try_make, "out/new", EACCES },
	{ W, try_exec, "in/file", EACCES },
	{ S, try_symlink, "in/new-link", 0 },
	{ S, try_fifo, "in/new-fifo", 0 },
	{ S, try_device, "in/new-device", EACCES },
	{ S, try_make, "in/new-too", 0 },
	{ S, try_move, "in/new-too", 0 },
	{ S, try_remove, "in/sub/moved", 0 },
	{ S, try_remove, "in/empty", 0 },
	{ S, try_move, "out/file", EACCES },
	{ S, try_read, "in/file", EACCES },
	{ M, try_make, "in/managed", 0 },
	{ M, try_write, "in/managed", 0 },
	{ M, try_truncate, "in/managed", 0 },
	{ M, try_link, "in/managed", 0 },
	{ M, try_remove, "in/sub/linked", 0 },
	{ M, try_move, "in/managed", 0 },          /* to another folder */
	{ M, try_rename, "in/sub/moved", 0 },
	{ M, try_remove, "in/renamed", 0 },
	{ M, try_symlink, "in/managed-link", 0 },
	{ M, try_move, "in/managed-link", 0 },
	{ M, try_remove, "in/sub/moved", 0 },
	{ M, try_folder, "in/managed-folder", 0 },
	{ M, try_move, "in/managed-folder", 0 },
	{ M, try_remove, "in/sub/moved", 0 },
	{ M, try_fifo, "in/managed-fifo", EACCES },
	{ M, try_rename, "in/new-fifo", EACCES },
	{ M, try_device, "in/new-device", EACCES },
	{ M, try_remove, "in/new-fifo", 0 },       /* what stands there may go, of any kind */
	{ M, try_out, "in/file", EACCES },
	{ M, try_link_out, "in/file", EACCES },
	{ M, try_move, "out/file", EACCES },
	{ M, try_link, "out/file", EXDEV },
	{ M, try_remove, "out/file", EACCES },
	{ M, try_symlink, "out/new-link", EACCES },
	{ M, try_folder, "out/new", EACCES },
	{ M, try_write, "out/file", EACCES },
	{ M, try_read, "in/file", EACCES },
	{ M, try_list, "in/sub", EACCES },
	{ M, try_exec, "in/file", EACCES },
	{ R | W, try_read, "in/file", 0 },
	{ R | W, try_write, "in/file", 0 },
	{ R | W, try_remove, "in/file", EACCES },
	{ 0, try_read, "in/file", EACCES },
	{ 0, try_list, "/", EACCES },
};

Test(sys_landlock, what_each_word_permits)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = attempt(rows[i].rights, "in", rows[i].what, rows[i].name);
		cr_expect_eq(got, rows[i].wanted, "row %zu (%s): wanted %d, got %d", i, rows[i].name, rows[i].wanted, got);
	}
}

/* Where the rule is on a file, folder rights mean nothing and are no mistake. */
Test(sys_landlock, a_rule_may_stand_on_one_file)
{
	cr_expect_eq(attempt(R | W, "in/file", try_read, "in/file"), 0);
	cr_expect_eq(attempt(R | W, "in/file", try_write, "in/file"), 0);
	cr_expect_eq(attempt(R | W, "in/file", try_read, "in/hard"), EACCES);
	cr_expect_eq(attempt(R | W, "in/file", try_make, "in/new"), EACCES);
	cr_expect_eq(attempt(R, "in/link", try_read, "out/file"), 0); /* the rule is where the link leads */
	cr_expect_eq(attempt(W, "/dev/null", try_write, "/dev/null"), 0);
}

static int try_connect(const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int try_bind(const char *port)
{
	(void)port;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int try_signal(const char *pid)
{
	return kill((pid_t)atoi(pid), 0) < 0 ? errno : 0;
}

static struct sockaddr_un abstract_name(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "%s", name);
	return to;
}

static int try_abstract(const char *name)
{
	struct sockaddr_un to = abstract_name(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

Test(sys_landlock, what_newer_kernels_deny_besides)
{
	struct landlock landlock;
	char port[16], pid[16];
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un name = abstract_name(base);
	socklen_t length = sizeof(here);
	cr_assert_eq(landlock_init(&landlock), 0);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(tcp, (const struct sockaddr *)&here, sizeof(here)) == 0 && listen(tcp, 5) == 0);
	cr_assert_eq(getsockname(tcp, (struct sockaddr *)&here, &length), 0);
	cr_assert(bind(local, (const struct sockaddr *)&name, sizeof(name)) == 0 && listen(local, 5) == 0);
	snprintf(port, sizeof(port), "%u", ntohs(here.sin_port));
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	cr_assert(try_connect(port) == 0 && try_signal(pid) == 0 && try_abstract(base) == 0, "not even outside the jail");
	cr_expect_eq(attempt(R, "in", try_connect, port), landlock.abi >= 4 ? EACCES : 0);
	cr_expect_eq(attempt(R, "in", try_bind, port), landlock.abi >= 4 ? EACCES : 0);
	cr_expect_eq(attempt(R, "in", try_signal, pid), landlock.abi >= 6 ? EPERM : 0);
	cr_expect_eq(attempt(R, "in", try_abstract, base), landlock.abi >= 6 ? EPERM : 0);
	cr_assert_geq(landlock.abi, 1);
	landlock_finish(&landlock);
}

Test(sys_landlock, a_name_that_is_not_there_is_passed_over_and_other_trouble_is_not)
{
	struct landlock landlock;
	cr_assert_eq(landlock_init(&landlock), 0);
	cr_expect_eq(landlock_permit_path(&landlock, "/nowhere/at/all", R), 0);
	cr_expect_eq(landlock_permit_path(&landlock, "in/file/below", R), 0);
	cr_assert_eq(symlink("loop", "loop"), 0);
	cr_expect_eq(landlock_permit_path(&landlock, "loop", R), -ELOOP);
	cr_expect_eq(landlock_permit(&landlock, -1, R), -EBADF);
	cr_expect_eq(landlock_permit(&landlock, 900, R), -EBADF);
	landlock_finish(&landlock);
	cr_expect_eq(landlock.fd, -1);
	landlock_finish(&landlock);
	cr_expect_eq(landlock_enforce(-1), -EBADF);
}

static int try_no_new_privileges(const char *name)
{
	(void)name;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

Test(sys_landlock, who_is_confined_gains_no_privileges)
{
	cr_expect_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	cr_expect_eq(attempt(R, "in", try_no_new_privileges, ""), 0);
}
