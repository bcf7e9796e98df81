/*
 * The other end of scp's pipes, as fast as pipes go: plays a client against a command on stdin and stdout, and measures it.
 *
 *   scpdrive up|down FILES SIZE UID GID COMMAND...   one session; prints wall, user and system nanoseconds of the command and what it waited for
 *   scpdrive start ROUNDS 0 UID GID COMMAND...       sessions that end after the first byte; prints the median time to it
 *
 * Knows SCP only as far as the happy path: any answer but OK ends the measurement with an error.
 */
#include <err.h>
#include <grp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 128 << 10 };

static unsigned char block[BLOCK];
static size_t have_at, have_n; /* downloads: what was read and not yet used, in block */
static int to, from;
static pid_t child;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void start(uid_t uid, gid_t gid, char **command)
{
	int in[2], out[2];
	if (pipe(in) < 0 || pipe(out) < 0)
		err(1, "pipe");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0) {
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
			err(1, "dup2");
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
			err(1, "setuid");
		execv(command[0], command);
		err(1, "%s", command[0]);
	}
	close(in[0]);
	close(out[1]);
	to = in[1];
	from = out[0];
}

static void put(const void *data, size_t n)
{
	for (const unsigned char *p = data; n > 0;) {
		ssize_t wrote = write(to, p, n);
		if (wrote < 0)
			err(1, "write");
		p += wrote;
		n -= (size_t)wrote;
	}
}

static void expect_ok(void)
{
	char c[256];
	ssize_t n = read(from, c, sizeof(c) - 1);
	if (n < 0)
		err(1, "read");
	if (n != 1 || c[0] != '\0') {
		c[n] = '\0';
		errx(1, "answer: %s", n == 0 ? "none" : c + (c[0] > 0 && c[0] < 3));
	}
}

static void up(unsigned files, uint64_t size)
{
	char line[128];
	memset(block, 'x', sizeof(block));
	expect_ok();
	for (unsigned i = 0; i < files; i++) {
		int n = snprintf(line, sizeof(line), "C0644 %" PRIu64 " f%u\n", size, i);
		put(line, (size_t)n);
		expect_ok();
		for (uint64_t left = size; left > 0;) {
			size_t part = left < sizeof(block) ? (size_t)left : sizeof(block);
			put(block, part);
			left -= part;
		}
		put("", 1);
		expect_ok();
	}
}

static bool fill(void)
{
	ssize_t n = read(from, block, sizeof(block));
	if (n < 0)
		err(1, "read");
	have_at = 0;
	have_n = (size_t)n;
	return n > 0;
}

/* The next record line; false at the end. */
static bool take_line(char *line, size_t cap)
{
	size_t n = 0;
	do {
		if (have_at == have_n && !fill()) {
			if (n > 0)
				errx(1, "ended within a record");
			return false;
		}
		if (n + 1 == cap)
			errx(1, "record too long");
		line[n++] = (char)block[have_at++];
	} while (line[n - 1] != '\n');
	line[n] = '\0';
	return true;
}

static void take(uint64_t n)
{
	while (n > 0) {
		if (have_at == have_n && !fill())
			errx(1, "ended within the data");
		size_t part = have_n - have_at < n ? have_n - have_at : (size_t)n;
		have_at += part;
		n -= part;
	}
}

static void down(unsigned files, uint64_t size)
{
	char line[2048];
	unsigned got = 0;
	put("", 1);
	while (take_line(line, sizeof(line))) {
		uint64_t announced;
		unsigned mode;
		if (line[0] == 'C') {
			if (sscanf(line, "C%4o %" SCNu64, &mode, &announced) != 2 || announced != size)
				errx(1, "record: %s", line);
			put("", 1);
			take(size + 1);
			got++;
		} else if (line[0] != 'D' && line[0] != 'E') {
			errx(1, "answer: %s", line);
		}
		put("", 1);
	}
	if (got != files)
		errx(1, "%u files instead of %u", got, files);
}

static void finish(uint64_t began)
{
	struct rusage usage;
	int status;
	close(to);
	if (wait4(child, &status, 0, &usage) < 0)
		err(1, "wait4");
	uint64_t wall = now() - began;
	close(from);
	if (status != 0)
		errx(1, "the command ended with status %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", wall, (uint64_t)usage.ru_utime.tv_sec * 1000000000u + (uint64_t)usage.ru_utime.tv_usec * 1000u,
	       (uint64_t)usage.ru_stime.tv_sec * 1000000000u + (uint64_t)usage.ru_stime.tv_usec * 1000u);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void starts(unsigned rounds, uid_t uid, gid_t gid, char **command)
{
	uint64_t *times = calloc(rounds, sizeof(*times));
	if (times == NULL)
		err(1, "calloc");
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t began = now();
		start(uid, gid, command);
		expect_ok();
		times[i] = now() - began;
		close(to);
		if (waitpid(child, NULL, 0) < 0)
			err(1, "waitpid");
		close(from);
	}
	qsort(times, rounds, sizeof(*times), by_value);
	printf("%" PRIu64 "\n", times[rounds / 2]);
	free(times);
}

int main(int argc, char **argv)
{
	if (argc < 7)
		errx(2, "usage: scpdrive up|down|start FILES SIZE UID GID COMMAND...");
	unsigned files = (unsigned)strtoul(argv[2], NULL, 10);
	uint64_t size = strtoull(argv[3], NULL, 10);
	uid_t uid = (uid_t)strtoul(argv[4], NULL, 10);
	gid_t gid = (gid_t)strtoul(argv[5], NULL, 10);

	if (strcmp(argv[1], "start") == 0) {
		starts(files > 0 ? files : 1, uid, gid, argv + 6);
		return 0;
	}
	uint64_t began = now();
	start(uid, gid, argv + 6);
	if (strcmp(argv[1], "up") == 0)
		up(files, size);
	else
		down(files, size);
	finish(began);
	return 0;
}
