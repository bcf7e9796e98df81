/* sys/spawn: what a started program finds, and that none is left behind. The program started is the stand-in, which reports. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/spawn.h"

TestSuite(sys_spawn, .timeout = 60);

static char said[32768];
static char *const no_environment[] = { NULL };

static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void hear(int fd)
{
	size_t n = 0;
	for (ssize_t got; n < sizeof(said) - 1 && (got = read(fd, said + n, sizeof(said) - 1 - n)) != 0;)
		if (got > 0)
			n += (size_t)got;
	said[n] = '\0';
}

/* Starts the stand-in with its requests, hears all it says, returns its wait status or a negative errno. */
static int run(struct spawn spawn, const char *const *requests)
{
	char *argv[16] = { (char *)(uintptr_t)"standin", (char *)(uintptr_t)"--" };
	int ends[2];
	for (size_t i = 0; requests[i] != NULL && i < 13; i++)
		argv[i + 2] = (char *)(uintptr_t)requests[i];
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	spawn.program = spawn.program ? spawn.program : STANDIN;
	spawn.argv = argv;
	spawn.envp = spawn.envp ? spawn.envp : no_environment;
	spawn.out = ends[1];
	pid_t pid = spawn_run(&spawn);
	fd_close(&ends[1]);
	if (pid < 0) {
		fd_close(&ends[0]);
		return pid;
	}
	hear(ends[0]);
	fd_close(&ends[0]);
	return spawn_reap(pid, 5000);
}

#define REQUESTS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define PLAIN .in = -1, .err = STDERR_FILENO, .extra = -1, .cwd = -1, .ruleset = -1

static int is_said(const char *line)
{
	char wanted[512];
	snprintf(wanted, sizeof(wanted), "\n%.500s\n", line);
	return strncmp(said, wanted + 1, strlen(line) + 1) == 0 || strstr(said, wanted) != NULL;
}

Test(sys_spawn, nothing_is_inherited_but_what_is_named)
{
	static char one[] = "A=1", two[] = "B=two words";
	char *environment[] = { one, two, NULL };
	sigset_t some;
	for (int i = 0; i < 40; i++) /* descriptors that nobody marked close-on-exec */
		cr_assert_geq(dup(0), 0);
	cr_assert_geq(fcntl(0, F_DUPFD, 700), 0);
	sigemptyset(&some);
	sigaddset(&some, SIGUSR1);
	sigprocmask(SIG_BLOCK, &some, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	setenv("LD_PRELOAD", "/nowhere.so", 1);
	cr_assert_eq(run((struct spawn){ PLAIN, .envp = environment, .stack_limit = 1 << 20 }, REQUESTS("report")), 0);
	cr_expect(is_said("descriptors 0 1 2"), "%s", said);
	cr_expect(strstr(said, "\nargument report\nenvironment A=1\nenvironment B=two words\nfolder ") != NULL, "%s", said);
	cr_expect(strstr(said, "LD_PRELOAD") == NULL);
	cr_expect(is_said("core 0\nstack 1048576\ndeath 9"), "%s", said);
	cr_expect(strstr(said, "handled") == NULL, "%s", said);
	cr_expect(strstr(said, "blocked") == NULL, "%s", said);
}

Test(sys_spawn, the_extra_descriptor_becomes_three_and_the_folder_is_the_named_one)
{
	int pair[2];
	FD_OWNED int folder = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	cr_assert_eq(run((struct spawn){ .in = -1, .err = -1, .extra = pair[1], .cwd = folder, .ruleset = -1 }, REQUESTS("report")), 0);
	cr_expect(is_said("descriptors 0 1 2 3"), "%s", said);
	cr_expect(is_said("folder /usr"), "%s", said);
}

/* Wherever the descriptors lie in the parent, also where they have to end up, or in turn. */
Test(sys_spawn, descriptors_that_lie_in_each_others_places)
{
	static const int places[][3] = { { 0, 1, 2 }, { 1, 0, 2 }, { 2, 0, 1 }, { 3, 2, 0 }, { 1, 3, 0 }, { 0, 3, 1 }, { 3, 0, 15 }, { 16, 17, 3 } };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pid_t pid = fork();
		if (pid == 0) {
			int input[2], output[2], errors[2];
			char text[4] = "", c = 'e';
			char *argv[] = { (char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c", (char *)(uintptr_t)"read a; echo \"$a\"; echo err >&2", NULL };
			if (pipe2(input, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
				_exit(10);
			int in = fcntl(input[0], F_DUPFD_CLOEXEC, 100), out = fcntl(output[1], F_DUPFD_CLOEXEC, 100), err = fcntl(errors[1], F_DUPFD_CLOEXEC, 100);
			int to = fcntl(input[1], F_DUPFD_CLOEXEC, 100), from = fcntl(output[0], F_DUPFD_CLOEXEC, 100);
			int from_errors = fcntl(errors[0], F_DUPFD_CLOEXEC, 100);
			close_range(0, 99, 0);
			if (dup2(in, places[i][0]) < 0 || dup2(out, places[i][1]) < 0 || dup2(err, places[i][2]) < 0)
				_exit(11);
			struct spawn spawn = { .program = "/bin/sh", .argv = argv, .envp = no_environment, .in = places[i][0], .out = places[i][1],
					       .err = places[i][2], .extra = -1, .cwd = -1, .ruleset = -1 };
			pid_t child = spawn_run(&spawn);
			if (child < 0)
				_exit(12);
			if (fd_write_all(to, "hey\n", 4) < 0 || fd_read_all(from, text, 4) < 0 || memcmp(text, "hey\n", 4) != 0)
				_exit(13);
			if (fd_read_all(from_errors, &c, 1) < 0 || c != 'e')
				_exit(14);
			_exit(spawn_reap(child, 5000) == 0 ? 0 : 15);
		}
		int status;
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect_eq(status, 0, "row %zu: %d", i, WEXITSTATUS(status));
	}
}

Test(sys_spawn, what_fails_between_fork_and_exec_is_told_by_its_errno)
{
	int before = open_count();
	char name[] = "/tmp/spawn-XXXXXX";
	int plain = mkstemp(name);
	cr_assert_geq(plain, 0);
	cr_expect_eq(run((struct spawn){ PLAIN, .program = "/nowhere/at/all" }, REQUESTS("report")), -ENOENT);
	cr_expect_eq(run((struct spawn){ PLAIN, .program = "/etc/passwd" }, REQUESTS("report")), -EACCES);
	cr_expect_eq(run((struct spawn){ PLAIN, .program = "/" }, REQUESTS("report")), -EACCES);
	cr_expect_eq(fchmod(plain, 0700), 0);
	cr_expect_eq(write(plain, "no program", 10), 10);
	fd_close(&plain);
	cr_expect_eq(run((struct spawn){ PLAIN, .program = name }, REQUESTS("report")), -ENOEXEC);
	cr_expect_eq(run((struct spawn){ .in = 900, .err = 2, .extra = -1, .cwd = -1, .ruleset = -1 }, REQUESTS("report")), -EBADF);
	cr_expect_eq(run((struct spawn){ .in = -1, .err = 900, .extra = -1, .cwd = -1, .ruleset = -1 }, REQUESTS("report")), -EBADF);
	cr_expect_eq(run((struct spawn){ .in = -1, .err = 2, .extra = 900, .cwd = -1, .ruleset = -1 }, REQUESTS("report")), -EBADF);
	cr_expect_eq(run((struct spawn){ .in = -1, .err = 2, .extra = -1, .cwd = 900, .ruleset = -1 }, REQUESTS("report")), -EBADF);
	cr_expect_eq(run((struct spawn){ .in = -1, .err = 2, .extra = -1, .cwd = -1, .ruleset = 900 }, REQUESTS("report")), -EBADF);
	cr_expect_eq(run((struct spawn){ .in = -1, .err = 2, .extra = -1, .cwd = -1, .ruleset = 0 }, REQUESTS("report")), -EBADFD);
	unlink(name);
	cr_expect_eq(open_count(), before);
	cr_expect_lt(waitpid(-1, NULL, WNOHANG), 0, "a failed start left a zombie");
}

Test(sys_spawn, no_room_for_another_process_or_descriptor)
{
	struct rlimit few = { 20, 20 };
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (dup(0) >= 0)
		;
	struct spawn spawn = { .program = STANDIN, .argv = no_environment, .envp = no_environment, .in = -1, .out = -1, .err = -1,
				.extra = -1, .cwd = -1, .ruleset = -1 };
	cr_expect_eq(spawn_run(&spawn), -EMFILE);
}

/* The program may ask not to be looked at, is told yes, and can be looked at all the same: by /proc as well as by its own word. */
Test(sys_spawn, a_visible_program_cannot_hide)
{
	for (int jailed = 0; jailed < 2; jailed++) {
		struct landlock landlock = { .fd = -1 };
		if (jailed) {
			cr_assert_eq(landlock_init(&landlock), 0);
			cr_assert_eq(landlock_permit_path(&landlock, "/", LANDLOCK_RIGHT_READ | LANDLOCK_RIGHT_EXECUTE), 0);
		}
		struct spawn spawn = { .in = -1, .err = STDERR_FILENO, .extra = -1, .cwd = -1, .ruleset = landlock.fd };
		cr_assert_eq(run(spawn, REQUESTS("hide=0", "report")), 0);
		cr_expect(is_said("hide=0 ok") && is_said("dumpable 0"), "%s", said);
		spawn.visible = true;
		cr_assert_eq(run(spawn, REQUESTS("hide=0", "report", "read=/etc/passwd")), 0);
		cr_expect(is_said("hide=0 ok") && is_said("dumpable 1") && is_said("privileges 0"), "%s", said);
		cr_expect(is_said("death 9"), "other uses of that call are as ever: %s", said);
		cr_expect(is_said("read=/etc/passwd ok"), "%s", said);
		landlock_finish(&landlock);
	}
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pid_t start(const char *request)
{
	char *argv[] = { (char *)(uintptr_t)"standin", (char *)(uintptr_t)"--", (char *)(uintptr_t)request, NULL };
	struct spawn spawn = { .program = STANDIN, .argv = argv, .envp = no_environment, .in = -1, .out = -1, .err = -1, .extra = -1, .cwd = -1, .ruleset = -1 };
	pid_t pid = spawn_run(&spawn);
	cr_assert_gt(pid, 0);
	return pid;
}

Test(sys_spawn, reap_waits_for_an_end_and_then_makes_one)
{
	double begin = now();
	int status = spawn_reap(start("exit=7"), 10000);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", (unsigned)status);
	cr_expect_lt(now() - begin, 5);
	begin = now();
	status = spawn_reap(start("sleep=60"), 300);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
	cr_expect_geq(now() - begin, 0.29);
	cr_expect_lt(now() - begin, 10);
	status = spawn_reap(start("sleep=60"), 0);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
	pid_t pid = start("sleep=60");
	cr_assert_eq(kill(pid, SIGSTOP), 0); /* stopped is not ended, and does not help */
	status = spawn_reap(pid, 100);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
	cr_expect_lt(waitpid(-1, NULL, WNOHANG), 0);
}

static void nothing(int signal)
{
	(void)signal;
}

Test(sys_spawn, reap_is_not_cut_short_by_signals)
{
	struct sigaction noisy = { .sa_handler = nothing };
	sigaction(SIGALRM, &noisy, NULL);
	pid_t pid = start("sleep=60");
	double begin = now();
	ualarm(5000, 5000);
	int status = spawn_reap(pid, 400);
	ualarm(0, 0);
	cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
	cr_expect(now() - begin >= 0.39 && now() - begin < 10, "%f", now() - begin);
}

/* The number of a process that is no child of ours may be anybody's: it is left alone. */
Test(sys_spawn, reap_kills_no_stranger)
{
	int ends[2];
	pid_t stranger = 0;
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t middle = fork();
	if (middle == 0) {
		pid_t grandchild = fork();
		if (grandchild == 0) {
			sleep(60);
			_exit(0);
		}
		_exit(fd_write_all(ends[1], &grandchild, sizeof(grandchild)) < 0);
	}
	cr_assert_eq(fd_read_all(ends[0], &stranger, sizeof(stranger)), 0);
	cr_assert_eq(waitpid(middle, NULL, 0), middle);
	cr_expect_eq(spawn_reap(stranger, 0), -1);
	usleep(50000);
	cr_expect_eq(kill(stranger, 0), 0, "it was killed");
	kill(stranger, SIGKILL);
}

Test(sys_spawn, the_child_dies_with_its_parent)
{
	int ends[2];
	char byte;
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t parent = fork();
	if (parent == 0) {
		char *argv[] = { (char *)(uintptr_t)"standin", (char *)(uintptr_t)"--", (char *)(uintptr_t)"sleep=60", NULL };
		struct spawn spawn = { .program = STANDIN, .argv = argv, .envp = no_environment, .in = -1, .out = ends[1], .err = -1,
					.extra = -1, .cwd = -1, .ruleset = -1 };
		pid_t pid = spawn_run(&spawn);
		_exit(pid > 0 ? 0 : 1); /* nobody reaps it */
	}
	fd_close(&ends[1]);
	int status;
	cr_assert_eq(waitpid(parent, &status, 0), parent);
	cr_assert_eq(status, 0);
	struct pollfd slot = { .fd = ends[0], .events = POLLIN };
	cr_assert_eq(poll(&slot, 1, 10000), 1, "the child outlived its parent");
	cr_expect_eq(read(ends[0], &byte, 1), 0);
}

/* One request, confined to `folder` with these rights. */
static void expect_jailed(const char *folder, unsigned rights, const char *request, const char *answer)
{
	struct landlock landlock;
	char line[512];
	cr_assert_eq(landlock_init(&landlock), 0);
	static const char *const needed[] = { "/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache" };
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(landlock_permit_path(&landlock, needed[i], LANDLOCK_RIGHT_READ | LANDLOCK_RIGHT_EXECUTE), 0);
	cr_assert_eq(landlock_permit_path(&landlock, STANDIN, LANDLOCK_RIGHT_EXECUTE), 0);
	cr_assert_eq(landlock_permit_path(&landlock, folder, rights), 0);
	int status = run((struct spawn){ .in = -1, .err = 2, .extra = -1, .cwd = -1, .ruleset = landlock.fd }, REQUESTS(request));
	cr_assert_eq(status, 0, "%s: %x", request, (unsigned)status);
	snprintf(line, sizeof(line), "%s %s", request, answer);
	cr_expect(is_said(line), "wanted %s, got %s", line, said);
	landlock_finish(&landlock);
}

Test(sys_spawn, the_jail_holds_the_program_that_was_started)
{
	char base[] = "/tmp/spawn-XXXXXX", request[128];
	struct stat status;
	cr_assert(mkdtemp(base));
	snprintf(request, sizeof(request), "create=%s/a", base);
	expect_jailed(base, LANDLOCK_RIGHT_READ, request, "EACCES");
	expect_jailed(base, LANDLOCK_RIGHT_WRITE, request, "ok");
	expect_jailed(base, LANDLOCK_RIGHT_READ, "read=/etc/passwd", "EACCES");
	expect_jailed(base, LANDLOCK_RIGHT_READ, "exec=/bin/true", "EACCES");
	snprintf(request, sizeof(request), "%s/a", base);
	cr_expect_eq(stat(request, &status), 0);
	unlink(request);
	rmdir(base);
}
