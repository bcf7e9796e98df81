/* relay/spool: content on its way through buffer, memfd and file, compared byte by byte. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/spool.h"
#include "sys/fd.h"

static struct spool_store store;
static struct spool spool;
static char folder[] = "/tmp/spool-XXXXXX";
static uint8_t *pattern; /* the content: any part of it tells where it belongs */

enum { KIB = 1 << 10, PATTERN = 4 << 20 };

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

static void set_up(void)
{
	uint32_t state = 1;
	cr_assert(mkdtemp(folder));
	pattern = malloc(PATTERN);
	for (size_t i = 0; i < PATTERN; i++) {
		state = state * 1664525 + 1013904223;
		pattern[i] = (uint8_t)(state >> 24);
	}
}

static void tear_down(void)
{
	if (spool.store != NULL)
		finish();
	free(pattern);
	cr_expect_eq(rmdir(folder), 0, "something under a name was left in the folder");
}

TestSuite(relay_spool, .init = set_up, .fini = tear_down, .timeout = 60);

static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static const char *where(void)
{
	cr_assert(!(spool.in_file && spool.in_memfd));
	return spool.in_file ? "file" : spool.in_memfd ? "memfd" : "small";
}

/* All of it, by the way that the relay takes. */
static void expect_content(size_t offset, size_t n)
{
	uint8_t *got = malloc(n + 1);
	size_t at = 0;
	int ends[2];
	cr_assert_eq(spool.length, n);
	struct span memory = spool_memory(&spool, 0);
	if (memory.n > 0 || n == 0) {
		cr_assert_eq(memory.n, n);
		if (n > 0)
			memcpy(got, memory.p, n);
		at = n;
	}
	cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (at < n) {
		ssize_t sent = spool_send(&spool, ends[1], at, n - at);
		cr_assert(sent > 0 || sent == -EAGAIN, "%zd at %zu", sent, at);
		for (ssize_t more; (more = read(ends[0], got + at, n + 1 - at)) > 0;)
			at += (size_t)more;
	}
	cr_expect(memcmp(got, pattern + offset, n) == 0, "%zu bytes differ", n);
	close(ends[0]);
	close(ends[1]);
	free(got);
}

static void expect_reader(size_t offset, size_t n)
{
	struct stat status;
	uint8_t *got = malloc(n + 1);
	int reader = spool_reader(&spool);
	cr_assert_geq(reader, 0, "%d", reader);
	cr_expect_eq(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_expect_neq(fcntl(reader, F_GETFD) & FD_CLOEXEC, 0);
	cr_assert_eq(fstat(reader, &status), 0);
	cr_expect_eq(status.st_size, (off_t)n);
	cr_expect_eq(status.st_mode & 077, 0, "others may open it: %o", (unsigned)status.st_mode);
	size_t at = 0; /* read, as a scanner may that is handed the descriptor again and again: it begins at the start */
	for (ssize_t more; at <= n && (more = read(reader, got + at, n + 1 - at)) > 0;)
		at += (size_t)more;
	cr_expect_eq(at, n);
	cr_expect(memcmp(got, pattern + offset, n) == 0);
	cr_expect(write(reader, "x", 1) < 0 && ftruncate(reader, 0) < 0);
	free(got);
}

static int append(size_t offset, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1); /* of the exact size: an overread shows */
	memcpy(copy, pattern + offset, n);
	int error = spool_append(&spool, span_of(copy, n));
	free(copy);
	return error;
}

static const struct {
	size_t n;
	const char *where;
} sizes[] = {
	{ 0, "small" }, { 1, "small" }, { SPOOL_SMALL - 1, "small" }, { SPOOL_SMALL, "small" }, { SPOOL_SMALL + 1, "memfd" },
	{ 256 * KIB, "memfd" }, { 256 * KIB + 1, "file" }, { 1024 * KIB, "file" },
};

Test(relay_spool, content_of_every_size_in_pieces_of_every_size)
{
	static const size_t pieces[] = { 1000, 4096, 65536, 100000, 1 << 20 };
	begin(256 * KIB, 1024 * KIB, folder);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
			for (size_t at = 0; at < sizes[s].n;) {
				size_t n = sizes[s].n - at < pieces[p] ? sizes[s].n - at : pieces[p];
				cr_assert_eq(append(s + at, n), 0);
				at += n;
			}
			cr_expect_str_eq(where(), sizes[s].where, "%zu in %zu: %s", sizes[s].n, pieces[p], where());
			expect_content(s, sizes[s].n);
			expect_reader(s, sizes[s].n);
			expect_content(s, sizes[s].n);
			expect_reader(s, sizes[s].n);
			spool_drop(&spool);
			cr_expect_eq(spool.length, 0);
			cr_expect_eq(spool_memory(&spool, 0).n, 0);
		}
	}
}

Test(relay_spool, an_announced_size_chooses_the_place_at_once)
{
	begin(256 * KIB, 1024 * KIB, folder);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		cr_expect_eq(spool_reserve(&spool, sizes[s].n), 0);
		cr_expect_str_eq(where(), sizes[s].where, "%zu: %s", sizes[s].n, where());
		spool_drop(&spool);
	}
}

/* A large file, then a small one, in the same memory: nothing of the first is in the second. */
Test(relay_spool, what_a_file_left_behind_is_not_in_the_next)
{
	begin(1024 * KIB, 2048 * KIB, folder);
	static const size_t order[] = { 1024 * KIB, 100 * KIB, 900 * KIB, 10, 1024 * KIB, 1500 * KIB, 70 * KIB, 0, 65 * KIB };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		cr_assert_eq(append(i * 100, order[i]), 0);
		expect_reader(i * 100, order[i]);
		expect_content(i * 100, order[i]);
		spool_drop(&spool);
	}
}

Test(relay_spool, the_limits_hold)
{
	begin(256 * KIB, 512 * KIB, folder);
	cr_expect_eq(spool_capacity(&store), 512 * KIB);
	cr_expect_eq(spool_reserve(&spool, 512 * KIB), 0);
	cr_expect_eq(spool_reserve(&spool, 512 * KIB + 1), -ENOSPC);
	cr_expect_eq(spool_reserve(&spool, UINT64_MAX), -ENOSPC);
	cr_expect_eq(append(0, 512 * KIB), 0);
	cr_expect_eq(append(0, 1), -ENOSPC);
	cr_expect_eq(spool.length, 512 * KIB);
	finish();
	begin(256 * KIB, 512 * KIB, NULL); /* memory only */
	cr_expect_eq(spool_capacity(&store), 256 * KIB);
	cr_expect_eq(append(0, 256 * KIB), 0);
	cr_expect_eq(append(0, 1), -ENOSPC);
	finish();
	begin(256 * KIB, 10, folder); /* less than the buffer */
	cr_expect_eq(spool_capacity(&store), 10);
	cr_expect_eq(append(0, 10), 0);
	cr_expect_eq(append(0, 1), -ENOSPC);
}

static const char *explained(int error)
{
	static char text[160];
	spool_explain(&spool, error, text, sizeof(text));
	return text;
}

Test(relay_spool, what_failed_is_named)
{
	char missing[128], expected[192];
	snprintf(missing, sizeof(missing), "%s/none", folder);
	snprintf(expected, sizeof(expected), "spool %s: No such file or directory", missing);
	begin(256 * KIB, 512 * KIB, missing);
	cr_expect_str_eq(explained(spool_reserve(&spool, 512 * KIB)), expected);
	cr_expect_str_eq(explained(spool_reserve(&spool, 512 * KIB + 1)), "larger than what the spool can hold");
	cr_expect_eq(append(0, 256 * KIB), 0);
	cr_expect_str_eq(explained(append(0, 1)), expected);
	spool_drop(&spool);
	cr_expect_eq(append(0, 100 * KIB), 0);
	cr_expect_str_eq(explained(-EIO), "spool in memory: Input/output error");
	finish();
	begin(64 * KIB, 512 * KIB, folder);
	cr_expect_eq(append(0, 200 * KIB), 0);
	snprintf(expected, sizeof(expected), "spool %s: No space left on device", folder);
	cr_expect_str_eq(explained(-ENOSPC), expected);
}

Test(relay_spool, splice_brings_the_same)
{
	int ends[2];
	begin(256 * KIB, 4096 * KIB, folder);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_expect_eq(spool_splice(&spool, ends[0], spool.length, 10), -EINVAL, "not into the buffer");
	for (size_t total = 100 * KIB; total <= 1000 * KIB; total += 300 * KIB) {
		cr_assert_eq(spool_reserve(&spool, total), 0);
		pid_t pid = fork();
		if (pid == 0)
			_exit(fd_write_all(ends[1], pattern + 7, total) < 0);
		while (spool.length < total) {
			ssize_t got = spool_splice(&spool, ends[0], spool.length, total - spool.length);
			cr_assert(got > 0 || got == -EAGAIN, "%zd", got);
		}
		cr_expect_eq(waitpid(pid, NULL, 0), pid);
		cr_expect_str_eq(where(), total > 256 * KIB ? "file" : "memfd");
		cr_expect_eq(spool_splice(&spool, ends[0], spool.length, 1), -EAGAIN);
		expect_reader(7, total);
		expect_content(7, total);
		spool_drop(&spool);
	}
	cr_assert_eq(spool_reserve(&spool, 100 * KIB), 0);
	close(ends[1]);
	cr_expect_eq(spool_splice(&spool, ends[0], spool.length, 10), 0, "the end");
	close(ends[0]);
	int pair[2];
	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	cr_expect_eq(spool_splice(&spool, spool.memfd, spool.length, 10), -EINVAL, "no pipe");
	close(pair[0]);
	close(pair[1]);
}

/* Parts that do not begin at the start, as streaming with a held-back tail reads them. */
Test(relay_spool, parts_from_any_offset)
{
	static const size_t offsets[] = { 0, 1, 4095, 4096, 65535 };
	begin(256 * KIB, 4096 * KIB, folder);
	for (size_t size = 60 * KIB; size <= 600 * KIB; size += 270 * KIB) {
		cr_assert_eq(append(0, size), 0);
		for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]) && offsets[i] < size; i++) {
			uint8_t got[16];
			int ends[2];
			size_t n = size - offsets[i] < 10 ? size - offsets[i] : 10;
			struct span memory = spool_memory(&spool, offsets[i]);
			if (memory.n > 0) {
				cr_expect(memory.n == size - offsets[i] && memcmp(memory.p, pattern + offsets[i], memory.n) == 0);
				continue;
			}
			cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
			cr_expect_eq(spool_send(&spool, ends[1], offsets[i], n), (ssize_t)n);
			cr_expect(fd_read_all(ends[0], got, n) == 0 && memcmp(got, pattern + offsets[i], n) == 0);
			cr_expect_eq(spool_send(&spool, ends[1], size, 1), -EIO, "beyond the end");
			close(ends[0]);
			close(ends[1]);
		}
		cr_expect_eq(spool_memory(&spool, size).n, 0);
		spool_drop(&spool);
	}
}

Test(relay_spool, nothing_stays_open)
{
	int before = open_count();
	begin(256 * KIB, 4096 * KIB, folder);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(append(0, 100 * KIB), 0);
		expect_reader(0, 100 * KIB);
		cr_assert_eq(append(100 * KIB, 900 * KIB), 0); /* grows out of the memfd that has a reader */
		expect_reader(0, 1000 * KIB);
		spool_drop(&spool);
		cr_expect_leq(open_count(), before + 2);
	}
	finish();
	cr_expect_eq(open_count(), before);
	begin(256 * KIB, 4096 * KIB, folder);
	finish();
	finish();
	cr_expect_eq(open_count(), before);
}

Test(relay_spool, a_folder_that_cannot_be_used)
{
	char inside[64];
	snprintf(inside, sizeof(inside), "%s/missing", folder);
	begin(64 * KIB, 4096 * KIB, inside);
	cr_expect_eq(append(0, 64 * KIB), 0);
	cr_expect_eq(append(0, 1), -ENOENT);
	spool_drop(&spool);
	cr_expect_eq(append(0, 100), 0); /* and what fits is still served */
	expect_content(0, 100);
	finish();
	begin(64 * KIB, 4096 * KIB, "/etc/passwd");
	cr_expect_eq(spool_reserve(&spool, 100 * KIB), -ENOTDIR);
	finish();
	pid_t pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(54321, 54321, 54321) < 0 || setresuid(54321, 54321, 54321) < 0)
			_exit(99);
		begin(64 * KIB, 4096 * KIB, folder);
		_exit(spool_reserve(&spool, 100 * KIB) == -EACCES ? 0 : 1);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}

/* Nobody else finds the content, not even by way of /proc: what clamd is handed it can read and not change. */
Test(relay_spool, who_is_handed_the_reader_cannot_write)
{
	int ends[2];
	begin(256 * KIB, 4096 * KIB, folder);
	for (size_t size = 100 * KIB; size <= 500 * KIB; size += 400 * KIB) {
		cr_assert_eq(append(0, size), 0);
		int reader = spool_reader(&spool);
		cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			char name[40], byte;
			snprintf(name, sizeof(name), "/proc/self/fd/%d", reader);
			if (setgroups(0, NULL) < 0 || setresgid(54321, 54321, 54321) < 0 || setresuid(54321, 54321, 54321) < 0)
				_exit(99);
			_exit(pread(reader, &byte, 1, 0) != 1 ? 1 : open(name, O_RDWR | O_CLOEXEC) >= 0 ? 2 : 0);
		}
		int status;
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect_eq(status, 0, "%x", (unsigned)status);
		spool_drop(&spool);
		close(ends[0]);
		close(ends[1]);
	}
}

Test(relay_spool, a_full_disk_is_told)
{
	if (mount("none", folder, "tmpfs", 0, "size=256k") < 0)
		cr_skip_test("no mounts here");
	int ends[2];
	begin(64 * KIB, 4096 * KIB, folder);
	int error = 0;
	size_t at = 0;
	for (; error == 0 && at < 2048 * KIB; at += 32 * KIB)
		error = append(at, 32 * KIB);
	cr_expect_eq(error, -ENOSPC);
	cr_expect_leq(at, 320 * KIB);
	spool_drop(&spool);
	cr_expect_eq(append(0, 200 * KIB), 0); /* it is free again */
	expect_content(0, 200 * KIB);
	spool_drop(&spool);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(spool_reserve(&spool, 1024 * KIB), 0);
	ssize_t got = 0;
	for (at = 0; got >= 0 && at < 1024 * KIB; at += 16 * KIB) {
		cr_assert_eq(fd_write_all(ends[1], pattern, 16 * KIB), 0);
		got = spool_splice(&spool, ends[0], spool.length, 16 * KIB);
	}
	cr_expect_eq(got, -ENOSPC);
	close(ends[0]);
	close(ends[1]);
	finish();
	cr_expect_eq(umount(folder), 0);
}

Test(relay_spool, a_limit_on_file_sizes_is_told)
{
	struct rlimit small = { 100 * KIB, 100 * KIB };
	signal(SIGXFSZ, SIG_IGN); /* as the program does */
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	begin(64 * KIB, 4096 * KIB, folder);
	int error = append(0, 200 * KIB);
	cr_expect_eq(error, -EFBIG, "%d", error);
}
