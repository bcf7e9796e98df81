/* relay/spool: a file as it will be, written in any order on top of an older one, compared with a plain array; and several spools that share one store. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/spool.h"
#include "sys/fd.h"

enum { KIB = 1 << 10, ROOM = 512 * KIB, LETTERS = 6 };

static struct spool_store store;
static struct spool spool;
static char folder[] = "/tmp/spool-XXXXXX";
static int base = -1; /* a file of random bytes, ROOM long */
static uint8_t *base_bytes;

static uint32_t state;

static uint32_t below(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(state >> 4) * n >> 28);
}

static void set_up(void)
{
	state = 20;
	cr_assert(mkdtemp(folder));
	base_bytes = malloc(ROOM);
	for (size_t i = 0; i < ROOM; i++)
		base_bytes[i] = (uint8_t)(below(255) + 1); /* no NULs: those are holes */
	base = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	cr_assert(base >= 0 && fd_write_all(base, base_bytes, ROOM) == 0);
}

static void begin(uint64_t memory, uint64_t limit, const char *where)
{
	spool_store_init(&store, memory, limit, where);
	spool_init(&spool, &store);
}

static void finish(void)
{
	spool_finish(&spool);
	cr_expect(store.in_memory == 0 && store.in_folder == 0, "%ju and %ju are still promised", (uintmax_t)store.in_memory, (uintmax_t)store.in_folder);
	spool_store_finish(&store);
}

static void tear_down(void)
{
	if (spool.store != NULL)
		finish();
	free(base_bytes);
	fd_close(&base);
	cr_expect_eq(rmdir(folder), 0, "something under a name was left in the folder");
}

TestSuite(relay_spool_random, .init = set_up, .fini = tear_down, .timeout = 100);

/* --- what it should be --- */

static uint8_t model[ROOM];
static size_t model_length;

static void model_begin(size_t base_size)
{
	memset(model, 0, sizeof(model));
	memcpy(model, base_bytes, base_size);
	model_length = base_size;
	spool_rest_on(&spool, base, base_size);
}

static void model_write(size_t at, const uint8_t *bytes, size_t n)
{
	memcpy(model + at, bytes, n);
	if (n > 0 && model_length < at + n)
		model_length = at + n;
}

static void model_resize(size_t n)
{
	if (n < model_length)
		memset(model + n, 0, model_length - n);
	model_length = n;
}

/* --- what it is --- */

static const char *where(void)
{
	return spool.in_file ? "file" : spool.in_memfd ? "memfd" : "small";
}

static void expect_settled(const char *when)
{
	uint8_t *got = malloc(spool.settled + 1);
	struct span memory = spool_memory(&spool, 0);
	cr_assert_eq(spool.length, model_length, "%s: %ju", when, (uintmax_t)spool.length);
	cr_assert_leq(spool.settled, spool.length);
	if (memory.n > 0) {
		cr_assert_eq(memory.n, spool.settled);
		cr_expect(memcmp(memory.p, model, memory.n) == 0, "%s: the buffer differs", when);
	}
	if (memory.n == 0 || below(3) == 0) { /* a reader may stand beside the buffer */
		struct stat status;
		int reader = spool_reader(&spool);
		cr_assert_geq(reader, 0, "%d", reader);
		cr_assert_eq(fstat(reader, &status), 0);
		cr_assert_eq(status.st_size, (off_t)spool.settled, "%s: %jd, not %ju", when, (intmax_t)status.st_size, (uintmax_t)spool.settled);
		cr_assert_eq(fd_read_all(reader, got, spool.settled), 0);
		for (size_t i = 0; i < spool.settled; i++)
			cr_assert_eq(got[i], model[i], "%s, %s: byte %zu of %zu is %02x, not %02x", when, where(), i, model_length, got[i], model[i]);
	}
	free(got);
}

static void expect_all(const char *when)
{
	int error = spool_settle(&spool, model_length);
	cr_assert_eq(error, 0, "%s: %d", when, error);
	cr_assert_eq(spool.settled, model_length);
	expect_settled(when);
}

/* What was sent and not yet read: a pipe that must keep what it was given. */
struct letter {
	int ends[2];
	size_t n;
	uint8_t bytes[64 * KIB];
};

static struct letter letters[LETTERS];

static void letter_read(struct letter *letter)
{
	static uint8_t got[64 * KIB];
	if (letter->n > 0) {
		cr_assert_eq(fd_read_all(letter->ends[0], got, letter->n), 0);
		cr_expect(memcmp(got, letter->bytes, letter->n) == 0, "what was sent has changed on its way");
	}
	letter->n = 0;
}

static void letter_send(struct letter *letter)
{
	letter_read(letter);
	if (letter->ends[1] == 0)
		cr_assert_eq(pipe2(letter->ends, O_CLOEXEC | O_NONBLOCK), 0);
	if (spool.settled == 0 || strcmp(where(), "small") == 0)
		return;
	size_t at = below((uint32_t)spool.settled), most = spool.settled - at < sizeof(letter->bytes) ? spool.settled - at : sizeof(letter->bytes);
	ssize_t sent = spool_send(&spool, letter->ends[1], at, 1 + below((uint32_t)most));
	cr_assert_gt(sent, 0, "%zd", sent);
	letter->n = (size_t)sent;
	memcpy(letter->bytes, model + at, letter->n);
}

static void letters_end(void)
{
	for (size_t i = 0; i < LETTERS; i++) {
		letter_read(&letters[i]);
		if (letters[i].ends[1] != 0) {
			close(letters[i].ends[0]);
			close(letters[i].ends[1]);
		}
		letters[i].ends[1] = 0;
	}
}

/* --- random sequences --- */

static size_t some_size(void)
{
	static const size_t edges[] = { 0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 131072, 300000, ROOM };
	size_t edge = edges[below(sizeof(edges) / sizeof(edges[0]))];
	return below(3) == 0 ? edge : below(2) == 0 ? below(ROOM + 1) : below(80 * KIB);
}

static void do_write(bool in_order)
{
	size_t at = in_order ? spool.settled : some_size();
	size_t n = below(4) == 0 ? below(100 * KIB) : below(5000);
	at = at < ROOM ? at : ROOM - 1;
	n = n < ROOM - at ? n : ROOM - at;
	uint8_t *bytes = malloc(n ? n : 1); /* exactly: an overread shows */
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)below(256);
	int error = spool_write(&spool, at, span_of(bytes, n));
	cr_assert_eq(error, 0, "%zu at %zu: %d", n, at, error);
	model_write(at, bytes, n);
	free(bytes);
}

static void do_splice(void)
{
	static uint8_t bytes[16 * KIB];
	int ends[2];
	size_t at = below(2) ? spool.settled : some_size(), n = 1 + below(sizeof(bytes));
	at = at < ROOM - sizeof(bytes) ? at : ROOM - sizeof(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)below(256);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(fd_write_all(ends[1], bytes, n), 0);
	ssize_t got = spool_splice(&spool, ends[0], at, n);
	if (got == -EINVAL)
		cr_expect_str_eq(where(), "small");
	else
		cr_assert_eq(got, (ssize_t)n, "%zd", got);
	if (got > 0)
		model_write(at, bytes, n);
	close(ends[0]);
	close(ends[1]);
}

static void do_something(void)
{
	char when[32];
	unsigned what = below(20);
	snprintf(when, sizeof(when), "after %u", what);
	if (what < 7) {
		do_write(what < 3);
	} else if (what < 9) {
		do_splice();
	} else if (what < 12) {
		size_t n = some_size();
		cr_assert_eq(spool_resize(&spool, n), 0);
		model_resize(n);
	} else if (what < 14) {
		size_t n = some_size();
		cr_assert_eq(spool_settle(&spool, n), 0);
		cr_assert_geq(spool.settled, n < model_length ? n : model_length);
	} else if (what < 17) {
		letter_send(&letters[below(LETTERS)]);
	} else if (what < 19) {
		expect_settled(when);
	} else {
		expect_all(when);
	}
}

static const struct {
	uint64_t memory;
	const char *folder;
	const char *where; /* at the end */
} places[] = { { 64 * KIB, folder, "file" }, { 200 * KIB, folder, "file" }, { 4096 * KIB, folder, "memfd" }, { 4096 * KIB, NULL, "memfd" } };

Test(relay_spool_random, any_sequence_gives_what_an_array_gives)
{
	static const size_t bases[] = { 0, 10, 65536, 70000, 300000, ROOM };
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		begin(places[p].memory, 4096 * KIB, places[p].folder);
		for (unsigned round = 0; round < 120; round++) {
			model_begin(bases[below(sizeof(bases) / sizeof(bases[0]))]);
			for (unsigned i = 0; i < 25; i++)
				do_something();
			expect_all("at the end");
			letter_send(&letters[below(LETTERS)]); /* and it may outlive the content */
			spool_drop(&spool);
			cr_assert_eq(store.in_memory + store.in_folder, 0);
		}
		letters_end();
		finish();
	}
}

/* --- single points --- */

Test(relay_spool_random, who_writes_in_order_needs_no_base)
{
	static uint8_t bytes[30000];
	begin(128 * KIB, 4096 * KIB, folder);
	for (size_t size = 20000; size <= 400000; size += 95000) {
		spool_rest_on(&spool, -EACCES, 400000); /* every attempt to read it would fail */
		for (size_t at = 0; at < size; at += sizeof(bytes) / 3)
			cr_assert_eq(spool_write(&spool, at, span_of(bytes, sizeof(bytes) / 3)), 0, "%zu", at);
		cr_expect_eq(spool_write(&spool, 0, span_of(bytes, 10)), 0);
		cr_expect_eq(spool.length, 400000 > size ? 400000 : spool.settled);
		cr_expect_eq(spool_settle(&spool, spool.settled), 0);
		cr_expect_eq(spool_settle(&spool, spool.settled + 1), spool.settled < 400000 ? -EACCES : 0);
		spool_drop(&spool);
	}
}

static const char *explained(int error)
{
	static char text[160];
	spool_explain(&spool, error, text, sizeof(text));
	return text;
}

Test(relay_spool_random, a_base_that_fails_is_named)
{
	begin(128 * KIB, 4096 * KIB, folder);
	for (size_t at = 100; at <= 200000; at += 199900) {
		spool_rest_on(&spool, -EACCES, 400000);
		cr_expect_eq(spool_write(&spool, at, span_of("x", 1)), -EACCES);
		cr_expect_str_eq(explained(-EACCES), "the file that stands there: Permission denied");
		spool_drop(&spool);
		spool_rest_on(&spool, base, ROOM + 1);
		cr_expect_eq(spool_settle(&spool, at), 0);
		cr_expect_eq(spool_settle(&spool, ROOM + 1), -ESTALE, "it is shorter than that");
		cr_expect_str_eq(explained(-ESTALE), "the file that stands there: Stale file handle");
		spool_drop(&spool);
	}
	int pipe_ends[2];
	cr_assert_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
	spool_rest_on(&spool, pipe_ends[0], 10);
	cr_expect_eq(spool_settle(&spool, 1), -ESPIPE);
	spool_drop(&spool);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

Test(relay_spool_random, a_hole_takes_no_room)
{
	struct stat status;
	uint64_t far = UINT64_C(10000000000);
	begin(128 * KIB, 1024 * KIB, folder);
	cr_expect_eq(spool_write(&spool, far, span_of("x", 1)), -ENOSPC, "the length counts");
	cr_expect_str_eq(explained(-ENOSPC), "larger than what the spool can hold");
	cr_expect_eq(spool_resize(&spool, far), -ENOSPC);
	cr_expect_str_eq(explained(-ENOSPC), "larger than what the spool can hold");
	cr_expect_eq(spool_write(&spool, UINT64_MAX, span_of("xy", 2)), -ENOSPC);
	cr_expect_eq(spool_write(&spool, INT64_MAX, span_of("xy", 2)), -ENOSPC);
	cr_expect_eq(spool.length, 0);
	finish();
	begin(128 * KIB, UINT64_MAX, folder);
	cr_expect_eq(spool_write(&spool, UINT64_MAX - 1, span_of("xy", 2)), -ENOSPC);
	cr_assert_eq(spool_write(&spool, 0, span_of("a", 1)), 0);
	cr_assert_eq(spool_write(&spool, far, span_of("x", 1)), 0);
	cr_assert_str_eq(where(), "file");
	cr_assert_eq(fstat(spool.file, &status), 0);
	cr_expect_eq(status.st_size, (off_t)far + 1);
	cr_expect_lt(status.st_blocks, 2048);
	cr_assert_eq(spool_resize(&spool, 2 * far), 0);
	cr_assert_eq(spool_settle(&spool, 2 * far), 0);
	cr_assert_eq(fstat(spool.file, &status), 0);
	cr_expect_eq(status.st_size, (off_t)(2 * far));
	cr_expect_lt(status.st_blocks, 2048);
	spool_drop(&spool);
}

/* A file that is larger than all the room there is can be changed at its front. */
Test(relay_spool_random, only_what_is_held_has_to_fit)
{
	begin(64 * KIB, 200 * KIB, folder);
	model_begin(ROOM);
	cr_expect_eq(spool_write(&spool, 1000, span_of("abc", 3)), 0);
	model_write(1000, (const uint8_t *)"abc", 3);
	expect_settled("at the front");
	cr_expect_eq(spool_write(&spool, ROOM - 3, span_of("abc", 3)), -ENOSPC);
	cr_expect_eq(spool_settle(&spool, ROOM), -ENOSPC);
	cr_expect_eq(spool_resize(&spool, 100 * KIB), 0);
	model_resize(100 * KIB);
	expect_all("cut");
}

/* --- several --- */

static struct spool some[4];

static int fill(struct spool *one, size_t n)
{
	static uint8_t bytes[64 * KIB];
	int error = 0;
	for (size_t at = 0; at < n && error == 0; at += sizeof(bytes))
		error = spool_write(one, at, span_of(bytes, n - at < sizeof(bytes) ? n - at : sizeof(bytes)));
	return error;
}

/* Bytes of memory that the descriptors of the process take in memfds. */
static uint64_t memory_in_use(void)
{
	uint64_t sum = 0;
	struct stat status;
	int descriptors[] = { some[0].memfd, some[1].memfd, some[2].memfd, some[3].memfd, store.spare };
	for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
		if (descriptors[i] >= 0 && fstat(descriptors[i], &status) == 0)
			sum += (uint64_t)status.st_blocks * 512;
	return sum;
}

static void begin_some(uint64_t memory, uint64_t limit, const char *in)
{
	begin(memory, limit, in);
	for (size_t i = 0; i < 4; i++)
		spool_init(&some[i], &store);
}

static void finish_some(void)
{
	for (size_t i = 0; i < 4; i++)
		spool_finish(&some[i]);
	finish();
}

Test(relay_spool_random, memory_is_shared)
{
	begin_some(1024 * KIB, 8192 * KIB, folder);
	cr_expect_eq(fill(&some[0], 600 * KIB), 0);
	cr_expect_eq(fill(&some[1], 400 * KIB), 0);
	cr_expect(some[0].in_memfd && some[1].in_memfd);
	cr_expect_eq(fill(&some[2], 100 * KIB), 0);
	cr_expect(some[2].in_file, "no memory is left for it");
	cr_expect_eq(fill(&some[3], 64 * KIB), 0);
	cr_expect(!some[3].in_file && !some[3].in_memfd, "the buffer is its own");
	cr_expect_leq(memory_in_use(), 1024 * KIB);
	spool_drop(&some[0]);
	spool_drop(&some[2]);
	cr_expect_eq(fill(&some[2], 600 * KIB), 0);
	cr_expect(some[2].in_memfd, "there is memory again");
	cr_expect_eq(fill(&some[1], 500 * KIB), 0);
	cr_expect(some[1].in_file, "it has outgrown what was left");
	cr_expect_leq(memory_in_use(), 1024 * KIB);
	finish_some();
}

Test(relay_spool_random, room_is_shared)
{
	char text[160];
	begin_some(256 * KIB, 1024 * KIB, folder);
	cr_expect_eq(fill(&some[0], 600 * KIB), 0);
	cr_expect_eq(fill(&some[1], 200 * KIB), 0);
	cr_expect_eq(fill(&some[2], 300 * KIB), -ENOSPC);
	spool_explain(&some[2], -ENOSPC, text, sizeof(text));
	cr_expect_str_eq(text, "the session's other files leave no room in the spool");
	spool_drop(&some[2]);
	spool_drop(&some[0]);
	cr_expect_eq(fill(&some[2], 800 * KIB), 0);
	finish_some();
	begin_some(256 * KIB, 1024 * KIB, NULL);
	cr_expect_eq(fill(&some[0], 200 * KIB), 0);
	cr_expect_eq(fill(&some[1], 100 * KIB), -ENOSPC);
	spool_explain(&some[1], -ENOSPC, text, sizeof(text));
	cr_expect_str_eq(text, "the session's other files leave no room in the spool");
	cr_expect_eq(spool_reader(&some[3]) >= 0, true, "an empty one needs none");
	finish_some();
}

/* Spools come and go, in memory that they leave to each other: it is never more than it may be, and nobody finds what another left. */
Test(relay_spool_random, any_sequence_of_several)
{
	begin_some(512 * KIB, 16384 * KIB, folder);
	for (unsigned i = 0; i < 1500; i++) {
		struct spool *one = &some[below(4)];
		uint8_t byte = 1;
		struct stat status;
		cr_assert_eq(fill(one, below(4) ? below(200 * KIB) : below(600 * KIB)), 0);
		size_t hole = spool_memory(one, 0).n > 0 ? 0 : below(20000);
		uint64_t at = one->settled + hole;
		cr_assert_eq(spool_write(one, at, span_of("e", 1)), 0);
		int reader = spool_reader(one);
		cr_assert(reader >= 0 && fstat(reader, &status) == 0);
		cr_expect_eq(status.st_size, (off_t)one->settled);
		for (uint64_t from = at - hole; from < at && from < at - hole + 3; from++)
			cr_expect(pread(reader, &byte, 1, (off_t)from) == 1 && byte == 0, "a hole holds what somebody left");
		cr_assert_leq(memory_in_use(), 512 * KIB);
		cr_assert_leq(store.in_memory, 512 * KIB);
		if (below(3) > 0)
			spool_drop(one);
	}
	finish_some();
}
