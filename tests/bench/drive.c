/*
 * How a command is started on pipes, and what its time is: from before the fork until it is reaped; its processor time is what the kernel says of it and of all that it
 * waited for.
 */
#include "drive.h"

#include <err.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t nanoseconds(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

void drive_start(struct drive *d)
{
	int in[2], out[2];
	d->began = now();
	if (pipe(in) < 0 || pipe(out) < 0)
		err(1, "pipe");
	d->pid = fork();
	if (d->pid < 0)
		err(1, "fork");
	if (d->pid == 0) {
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
			err(1, "dup2");
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		if (setgroups(0, NULL) < 0 || setgid(d->gid) < 0 || setuid(d->uid) < 0)
			err(1, "setuid");
		execv(d->command[0], d->command);
		err(1, "%s", d->command[0]);
	}
	close(in[0]);
	close(out[1]);
	d->to = in[1];
	d->from = out[0];
}

void drive_put(const struct drive *d, const void *data, size_t n)
{
	for (const unsigned char *p = data; n > 0;) {
		ssize_t wrote = write(d->to, p, n);
		if (wrote < 0)
			err(1, "write");
		p += wrote;
		n -= (size_t)wrote;
	}
}

void drive_finish(struct drive *d)
{
	struct rusage usage;
	int status;
	close(d->to);
	if (wait4(d->pid, &status, 0, &usage) < 0)
		err(1, "wait4");
	uint64_t wall = now() - d->began;
	close(d->from);
	if (status != 0)
		errx(1, "the command ended with status %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", wall, nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime));
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

void drive_starts(struct drive *d, unsigned rounds, void (*greeted)(void))
{
	if (rounds == 0)
		errx(2, "no rounds");
	uint64_t *times = calloc(rounds, sizeof(*times));
	if (times == NULL)
		err(1, "calloc");
	for (unsigned i = 0; i < rounds; i++) {
		drive_start(d);
		greeted();
		times[i] = now() - d->began;
		close(d->to);
		if (waitpid(d->pid, NULL, 0) < 0)
			err(1, "waitpid");
		close(d->from);
	}
	qsort(times, rounds, sizeof(*times), by_value);
	printf("%" PRIu64 "\n", times[rounds / 2]);
	free(times);
}
