/*
 * The other end of sftp-server's pipes, as fast as pipes go: asks for the same packets in the same order as OpenSSH's scp and sftp do, and measures the command that
 * answers.
 *
 *   sftpdrive up|down FILES SIZE FOLDER UID GID COMMAND...     the files FOLDER/f0 and so on, one after the other
 *   sftpdrive list ROUNDS ENTRIES FOLDER UID GID COMMAND...    the names in FOLDER, again and again
 *   sftpdrive start ROUNDS 0 FOLDER UID GID COMMAND...         sessions that end after VERSION; prints the median time to it
 *
 * The first three print wall, user and system nanoseconds of the command and what it waited for. Knows only the happy path: any answer but the expected one ends the
 * measurement with an error.
 */
#include "drive.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 261120, OUTSTANDING = 64, PACKET_MAX = 256 << 10, NAME_MAX_HERE = 4096 };
enum { INIT = 1, VERSION = 2, OPEN = 3, CLOSE = 4, READ = 5, WRITE = 6, FSETSTAT = 10, OPENDIR = 11, READDIR = 12, STATUS = 101, HANDLE = 102, DATA = 103, NAME = 104 };

/* The packet that is being written. Behind its end stands what a WRITE takes for its payload. */
static uint8_t out[4 + PACKET_MAX];
static size_t out_n;

static uint8_t in[2 * (4 + PACKET_MAX)];
static size_t in_at, in_n;

static char handle[256];
static uint32_t handle_n;
static uint32_t asked, answered; /* request numbers: replies come in the order of the requests */
static struct drive drive;

static void put32(uint32_t v)
{
	const uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
	memcpy(out + out_n, bytes, sizeof(bytes));
	out_n += sizeof(bytes);
}

static void put64(uint64_t v)
{
	put32((uint32_t)(v >> 32));
	put32((uint32_t)v);
}

static void put_string(const char *p, uint32_t n)
{
	put32(n);
	memcpy(out + out_n, p, n);
	out_n += n;
}

static void begin(uint8_t type)
{
	out_n = 4;
	out[out_n++] = type;
	if (type != INIT)
		put32(++asked);
}

/* payload: how many of the bytes behind the packet's fields belong to it. */
static void flush(uint32_t payload)
{
	size_t n = out_n + payload;
	out_n = 0;
	put32((uint32_t)(n - 4));
	drive_put(&drive, out, n);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void need(size_t n)
{
	if (in_at == in_n)
		in_at = in_n = 0;
	if (in_at + n > sizeof(in)) {
		memmove(in, in + in_at, in_n - in_at);
		in_n -= in_at;
		in_at = 0;
	}
	while (in_n - in_at < n) {
		ssize_t got = read(drive.from, in + in_n, sizeof(in) - in_n);
		if (got <= 0)
			errx(1, "the answers end");
		in_n += (size_t)got;
	}
}

/* The next reply's body, from its type on; it stands until the next call. */
static const uint8_t *reply(uint32_t *n)
{
	need(4);
	*n = get32(in + in_at);
	if (*n < 9 && !(*n >= 5 && in[in_at + 4] == VERSION))
		errx(1, "a reply of %" PRIu32 " bytes", *n);
	if (*n > PACKET_MAX)
		errx(1, "a reply of %" PRIu32 " bytes", *n);
	need(4 + (size_t)*n);
	const uint8_t *p = in + in_at + 4;
	in_at += 4 + (size_t)*n;
	if (p[0] != VERSION && get32(p + 1) != ++answered)
		errx(1, "request %" PRIu32 " was answered in the place of %" PRIu32, get32(p + 1), answered);
	return p;
}

static void unexpected(const uint8_t *p, const char *what)
{
	if (p[0] == STATUS)
		errx(1, "%s: status %" PRIu32, what, get32(p + 5));
	errx(1, "%s: a reply of type %u", what, p[0]);
}

static void expect_ok(const char *what)
{
	uint32_t n;
	const uint8_t *p = reply(&n);
	if (p[0] != STATUS || get32(p + 5) != 0)
		unexpected(p, what);
}

static void expect_handle(const char *what)
{
	uint32_t n;
	const uint8_t *p = reply(&n);
	if (p[0] != HANDLE)
		unexpected(p, what);
	handle_n = get32(p + 5);
	if (handle_n > sizeof(handle) || handle_n != n - 9)
		errx(1, "%s: a handle of %" PRIu32 " bytes", what, handle_n);
	memcpy(handle, p + 9, handle_n);
}

static void hello(void)
{
	uint32_t n;
	asked = answered = 0;
	in_at = in_n = 0;
	begin(INIT);
	put32(3);
	flush(0);
	const uint8_t *p = reply(&n);
	if (p[0] != VERSION || get32(p + 1) != 3)
		unexpected(p, "INIT");
}

static void open_file(const char *path, uint32_t flags)
{
	begin(OPEN);
	put_string(path, (uint32_t)strlen(path));
	put32(flags);
	put32(4);
	put32(0644);
	flush(0);
	expect_handle(path);
}

static void close_handle(void)
{
	begin(CLOSE);
	put_string(handle, handle_n);
	flush(0);
	expect_ok("CLOSE");
}

static void up_one(const char *path, uint64_t size)
{
	open_file(path, 2 | 8);
	for (uint64_t at = 0; at < size;) {
		uint32_t part = size - at < CHUNK ? (uint32_t)(size - at) : CHUNK;
		if (asked - answered == OUTSTANDING)
			expect_ok("WRITE");
		begin(WRITE);
		put_string(handle, handle_n);
		put64(at);
		put32(part);
		flush(part);
		at += part;
	}
	while (asked != answered)
		expect_ok("WRITE");
	begin(FSETSTAT);
	put_string(handle, handle_n);
	put32(1);
	put64(size);
	flush(0);
	expect_ok("FSETSTAT");
	close_handle();
}

struct part {
	uint64_t at;
	uint32_t n;
};
static struct part parts[OUTSTANDING]; /* READs without an answer, by request number */

static void ask(uint64_t at, uint32_t n)
{
	begin(READ);
	put_string(handle, handle_n);
	put64(at);
	put32(n);
	flush(0);
	parts[asked % OUTSTANDING] = (struct part){ at, n };
}

static void down_one(const char *path, uint64_t size)
{
	uint64_t at = 0, got = 0;
	open_file(path, 1);
	for (uint32_t most = 1; most > 0 || asked != answered;) {
		for (; asked - answered < most; at += CHUNK)
			ask(at, CHUNK);
		uint32_t n;
		const uint8_t *p = reply(&n);
		struct part part = parts[answered % OUTSTANDING];
		if (p[0] == STATUS && get32(p + 5) == 1) {
			most = 0;
			continue;
		}
		uint32_t data = get32(p + 5);
		if (p[0] != DATA || data != n - 9 || data == 0 || data > part.n)
			unexpected(p, "READ");
		got += data;
		if (data < part.n)
			ask(part.at + data, part.n - data);
		if (most > 0)
			most = at > size ? 1 : most < OUTSTANDING ? most + 1 : OUTSTANDING;
	}
	if (got != size)
		errx(1, "%s: %" PRIu64 " bytes instead of %" PRIu64, path, got, size);
	close_handle();
}

static void each_file(const char *folder, unsigned files, uint64_t size, void (*one)(const char *path, uint64_t size))
{
	char path[NAME_MAX_HERE];
	memset(out, 'x', sizeof(out));
	for (unsigned i = 0; i < files; i++) {
		if (snprintf(path, sizeof(path), "%s/f%u", folder, i) >= (int)sizeof(path))
			errx(2, "the folder's name is too long");
		one(path, size);
	}
}

static void list(const char *folder, uint64_t entries)
{
	uint64_t got = 0;
	begin(OPENDIR);
	put_string(folder, (uint32_t)strlen(folder));
	flush(0);
	expect_handle(folder);
	for (;;) {
		uint32_t n;
		begin(READDIR);
		put_string(handle, handle_n);
		flush(0);
		const uint8_t *p = reply(&n);
		if (p[0] == STATUS && get32(p + 5) == 1)
			break;
		if (p[0] != NAME)
			unexpected(p, "READDIR");
		got += get32(p + 5);
	}
	close_handle();
	if (got != entries + 2) /* the folder itself and the one above are names too */
		errx(1, "%" PRIu64 " names instead of %" PRIu64 " and two", got, entries);
}

int main(int argc, char **argv)
{
	if (argc < 8)
		errx(2, "usage: sftpdrive up|down|list|start FILES SIZE FOLDER UID GID COMMAND...");
	unsigned files = (unsigned)strtoul(argv[2], NULL, 10);
	uint64_t size = strtoull(argv[3], NULL, 10);
	const char *verb = argv[1], *folder = argv[4];
	if (strlen(folder) >= NAME_MAX_HERE)
		errx(2, "the folder's name is too long");
	drive.uid = (unsigned)strtoul(argv[5], NULL, 10);
	drive.gid = (unsigned)strtoul(argv[6], NULL, 10);
	drive.command = argv + 7;

	if (strcmp(verb, "start") == 0) {
		drive_starts(&drive, files, hello);
		return 0;
	}
	drive_start(&drive);
	hello();
	if (strcmp(verb, "list") == 0)
		for (unsigned i = 0; i < files; i++)
			list(folder, size);
	else
		each_file(folder, files, size, strcmp(verb, "up") == 0 ? up_one : down_one);
	drive_finish(&drive);
	return 0;
}
