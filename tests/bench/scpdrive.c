/*
 * The other end of scp's pipes, as fast as pipes go: plays a client against a command on stdin and stdout, and measures it.
 *
 *   scpdrive up|down FILES SIZE UID GID COMMAND...   one session; prints wall, user and system nanoseconds of the command and what it waited for
 *   scpdrive start ROUNDS 0 UID GID COMMAND...       sessions that end after the first byte; prints the median time to it
 *
 * Knows SCP only as far as the happy path: any answer but OK ends the measurement with an error.
 */
#include "drive.h"

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 128 << 10 };

static unsigned char block[BLOCK];
static size_t have_at, have_n; /* downloads: what was read and not yet used, in block */
static struct drive drive;

static void put(const void *data, size_t n)
{
	drive_put(&drive, data, n);
}

static void expect_ok(void)
{
	char c[256];
	ssize_t n = read(drive.from, c, sizeof(c) - 1);
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
	ssize_t n = read(drive.from, block, sizeof(block));
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

int main(int argc, char **argv)
{
	if (argc < 7)
		errx(2, "usage: scpdrive up|down|start FILES SIZE UID GID COMMAND...");
	unsigned files = (unsigned)strtoul(argv[2], NULL, 10);
	uint64_t size = strtoull(argv[3], NULL, 10);
	drive.uid = (unsigned)strtoul(argv[4], NULL, 10);
	drive.gid = (unsigned)strtoul(argv[5], NULL, 10);
	drive.command = argv + 6;

	if (strcmp(argv[1], "start") == 0) {
		drive_starts(&drive, files, expect_ok);
		return 0;
	}
	drive_start(&drive);
	if (strcmp(argv[1], "up") == 0)
		up(files, size);
	else
		down(files, size);
	drive_finish(&drive);
	return 0;
}
