/*
 * The stage for tests/unit/relay_*.c: a relay with a real guard in a process of its own, the test at the client's end of its pipes, and at the other end the real scp,
 * sftp-server, or a child that follows a script.
 */
#ifndef XFERWARDEN_UNIT_RELAY_STAGE_H
#define XFERWARDEN_UNIT_RELAY_STAGE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard/sftp.h"
#include "relay/relay.h"
#include "sys/fd.h"
#include "sys/spawn.h"

enum { PATIENCE = 20000 /* milliseconds after which something hangs */ };

struct stage {
	enum direction direction;
	const char *path;             /* below root */
	bool recursive, sha256;
	unsigned idle, drain;
	const struct policy *policy;
	const char *spool;            /* folder; NULL: base */
	void (*child)(int in, int out); /* NULL: the real scp */
	int in, out;                  /* of the relay, in place of pipes; 0: pipes */
	bool sftp;                    /* the real sftp-server; direction and path do not matter */
	uint64_t limit;               /* of the spool; 0: 16 MiB */
	bool stops;                   /* SIGTERM is not its death, but let in while it waits */
};

static char base[64], audit_path[96];
static int to_shim = -1, from_shim = -1;
static pid_t shim;

static const char *at(const char *name)
{
	static char text[4][256];
	static unsigned turn;
	char *here = text[turn++ % 4];
	snprintf(here, sizeof(text[0]), "%s/%s", base, name);
	return here;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct policy everything = { .name = "all", .protocols = PROTOCOL_SCP | PROTOCOL_SFTP, .operations = OPERATION_ALL,
	.rules = { { .permitted = true }, { .permitted = true } } };

/* The real program. */
static pid_t stage_program(const struct stage *stage, int in, int out, int cwd)
{
	const char *scp[] = { "scp", stage->recursive ? "-r" : "-p", stage->direction == UPLOAD ? "-t" : "-f", "--", stage->path, NULL };
	const char *server[] = { "sftp-server", NULL };
	char *argv[6], *envp[] = { NULL };
	for (size_t i = 0; i < (stage->sftp ? 2 : 6); i++)
		argv[i] = (char *)(uintptr_t)(stage->sftp ? server[i] : scp[i]);
	struct spawn spawn = { .program = stage->sftp ? "/usr/lib/openssh/sftp-server" : "/usr/bin/scp", .argv = argv, .envp = envp, .in = in, .out = out, .err = -1,
				.extra = -1, .cwd = cwd, .ruleset = -1, .visible = stage->sftp };
	return spawn_run(&spawn);
}

static pid_t stage_child(const struct stage *stage, struct relay *relay, int cwd)
{
	int to[2], from[2];
	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return -errno;
	relay->lane[CHILD].in = from[0];
	relay->lane[CHILD].out = to[1];
	pid_t pid = stage->child ? fork() : stage_program(stage, to[0], from[1], cwd);
	if (stage->child && pid == 0) {
		int in = fcntl(to[0], F_DUPFD, 100), out = fcntl(from[1], F_DUPFD, 100);
		if (fchdir(cwd) < 0)
			_exit(99);
		close_range(0, 2, 0);
		close_range(3, 99, 0);
		(void)!(open("/dev/null", O_RDWR) + open("/dev/null", O_RDWR) + open("/dev/null", O_RDWR));
		signal(SIGPIPE, SIG_DFL);
		stage->child(in, out);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	return pid;
}

static volatile sig_atomic_t stage_stopped;

static void stage_stop(int number)
{
	(void)number;
	stage_stopped = 1;
}

static void stage_signals(struct relay *relay)
{
	static sigset_t waiting;
	struct sigaction action = { .sa_handler = stage_stop };
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	if (sigaction(SIGTERM, &action, NULL) < 0 || sigprocmask(SIG_BLOCK, &blocked, &waiting) < 0)
		_exit(105);
	relay->stop = &stage_stopped;
	relay->wait_mask = &waiting;
}

static int stage_run(const struct stage *stage)
{
	static struct relay relay;
	static struct guard guard;
	static struct sftp sftp;
	static struct places places;
	static struct spool_store store;
	static struct audit audit;
	static const struct identity who = { .user = "tester", .home = "/" };
	static struct record_session record_session = { .id = "00c0ffee", .who = &who, .protocol = PROTOCOL_SCP };
	const struct scan_setup scan_setup = { .inspector = STANDIN, .database = base, .timeout = 10, .scratch = base };
	const char *what;
	signal(SIGPIPE, SIG_IGN);
	if (places_open(&places, at("root"), NULL, &what) < 0)
		return 101;
	if (stage->sftp)
		record_session.protocol = PROTOCOL_SFTP;
	else if (stage->direction == UPLOAD)
		(void)places_target(&places, stage->path);
	spool_store_init(&store, 256 << 10, stage->limit ? stage->limit : 16 << 20, stage->spool ? stage->spool : base);
	guard_init(&guard, &(struct guard_setup){ .policy = stage->policy ? stage->policy : &everything, .session = record_session.id,
		.sftp = stage->sftp ? &sftp : NULL, .root = span_str(places.root_real), .start = span_str(places.start_real), .secret = 1,
		.direction = stage->direction, .recursive = stage->recursive, .hold_limit = spool_capacity(&store), .early_max = SPOOL_SMALL, .audit_refuse = true });
	audit_init(&audit, &record_session);
	if (audit_open(&audit, AUDIT_TO_FILE, audit_path) < 0)
		return 102;
	relay_init(&relay);
	relay.lane[CLIENT].in = 0;
	relay.lane[CLIENT].out = 1;
	relay.guard = &guard;
	relay.places = &places;
	relay.store = &store;
	relay.audit = &audit;
	relay.sha256 = stage->sha256;
	relay.idle_timeout = stage->idle;
	relay.drain_seconds = stage->drain ? stage->drain : relay.drain_seconds;
	if (stage->stops)
		stage_signals(&relay);
	relay.scan = scan_create(&scan_setup);
	relay.child = stage_child(stage, &relay, places.start);
	places_child(&places, relay.child);
	if (relay.child < 0)
		return 103;
	int status = relay_run(&relay);
	scan_destroy(relay.scan);
	spool_store_finish(&store);
	places_finish(&places);
	audit_finish(&audit);
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? status : 104; /* nobody is left behind */
}

static void stage_begin(const struct stage *stage)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	(void)unlink(audit_path);
	shim = fork();
	if (shim == 0) {
		if (dup2(stage->in ? stage->in : to[0], 0) < 0 || dup2(stage->out ? stage->out : from[1], 1) < 0)
			_exit(100);
		close_range(3, 1000, 0);
		_exit(stage_run(stage));
	}
	cr_assert_gt(shim, 0);
	close(to[0]);
	close(from[1]);
	to_shim = to[1];
	from_shim = from[0];
}

/* The exit status; what takes too long is killed and fails. */
static int stage_end(void)
{
	struct rusage used;
	int status = -1;
	double begin = now();
	while (wait4(shim, &status, WNOHANG, &used) == 0) {
		if ((now() - begin) * 1000 > PATIENCE) {
			kill(shim, SIGKILL);
			(void)waitpid(shim, &status, 0);
			cr_expect(false, "the relay did not end");
			break;
		}
		usleep(2000);
	}
	fd_close(&to_shim);
	fd_close(&from_shim);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void stage_kill(void)
{
	kill(shim, SIGKILL);
	(void)waitpid(shim, NULL, 0);
	fd_close(&to_shim);
	fd_close(&from_shim);
}

static void say(const void *bytes, size_t n)
{
	cr_assert_eq(fd_write_all(to_shim, bytes, n), 0);
}

/* n bytes that arrive in time; false at the end. */
static bool hear(void *dst, size_t n)
{
	for (size_t done = 0; done < n;) {
		struct pollfd slot = { .fd = from_shim, .events = POLLIN };
		cr_assert_eq(poll(&slot, 1, PATIENCE), 1, "nothing more comes");
		ssize_t got = read(from_shim, (uint8_t *)dst + done, n - done);
		cr_assert_geq(got, 0);
		if (got == 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

/* A line, without its end; "" at the end of all. */
static inline const char *hear_line(void)
{
	static char line[2048];
	size_t n = 0;
	while (n < sizeof(line) - 1 && hear(line + n, 1) && line[n] != '\n')
		n++;
	line[n] = '\0';
	return line;
}

/* All that was written to the audit log. */
static const char *audited(void)
{
	static char text[65536];
	int fd = open(audit_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	fd_close(&fd);
	return text;
}

static inline void expect_ok(void)
{
	char byte = 'x';
	cr_assert(hear(&byte, 1));
	cr_assert_eq(byte, 0, "%d %s\n%s", byte, hear_line(), audited());
}

static inline size_t audited_lines(void)
{
	size_t lines = 0;
	for (const char *text = audited(); (text = strchr(text, '\n')) != NULL; text++)
		lines++;
	return lines;
}

/* CPU seconds that the relay has used so far. */
static inline double stage_cpu(void)
{
	clockid_t clock;
	struct timespec used = { 0 };
	cr_assert(clock_getcpuclockid(shim, &clock) == 0 && clock_gettime(clock, &used) == 0);
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The relay waits: for a while it does next to nothing. */
static inline void expect_idle(const char *phase)
{
	double used = 1;
	for (int i = 0; i < 20 && used >= 0.005; i++) { /* on a busy machine it may have work left at first */
		double before = stage_cpu();
		usleep(400000);
		used = stage_cpu() - before;
	}
	cr_expect_lt(used, 0.005, "%s: %.1f ms of CPU in less than half a second", phase, used * 1000);
	cr_expect_eq(waitpid(shim, NULL, WNOHANG), 0, "%s: it ended", phase);
}

#endif
