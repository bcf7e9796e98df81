/*
 * What the two drivers share: a command on pipes, as another user, and its cost. Errors end the driver with a message.
 */
#ifndef XFERWARDEN_BENCH_DRIVE_H
#define XFERWARDEN_BENCH_DRIVE_H

#include <stddef.h>
#include <stdint.h>

struct drive {
	uint64_t began;        /* nanoseconds */
	int to, from;          /* the command's stdin and stdout */
	int pid;
	unsigned uid, gid;
	char **command;
};

void drive_start(struct drive *);
void drive_put(const struct drive *, const void *data, size_t n);

/* Closes the command's stdin, waits for its end and prints wall, user and system nanoseconds of it and what it waited for. */
void drive_finish(struct drive *);

/* Prints the median of the nanoseconds until greeted returns, over that many sessions. */
void drive_starts(struct drive *, unsigned rounds, void (*greeted)(void));

#endif
