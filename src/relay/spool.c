/*
 * Small content never costs a system call; large content is placed once, by its announced size, and the pages of a memfd are used again by the next file, unless they are
 * on their way to somebody: what a pipe may still hold is never written to.
 */
#include "relay/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

enum { SPOOL_AT_ONCE = 1 << 20 };

void spool_store_init(struct spool_store *store, uint64_t memory, uint64_t limit, const char *folder)
{
	*store = (struct spool_store){
		.memory = memory < SPOOL_SMALL ? SPOOL_SMALL : memory,
		.limit = limit < INT64_MAX ? limit : INT64_MAX,
		.folder = folder,
		.spare = -1,
		.spare_reader = -1,
	};
}

void spool_store_finish(struct spool_store *store)
{
	fd_close(&store->spare);
	fd_close(&store->spare_reader);
	store->spare_extent = 0;
}

uint64_t spool_capacity(const struct spool_store *store)
{
	return store->folder == NULL && store->memory < store->limit ? store->memory : store->limit;
}

/* Is there memory for n bytes of this spool? The spare's pages give way. */
static bool store_remembers(struct spool_store *store, const struct spool *spool, uint64_t n)
{
	uint64_t others = store->in_memory - (spool->in_memfd ? spool->charged : 0);
	if (n > store->memory || others > store->memory - n)
		return false;
	bool takes = !spool->in_memfd; /* the spare as it is, with what is in it */
	uint64_t all = takes ? (n > store->spare_extent ? n : store->spare_extent) : n + store->spare_extent;
	if (all > store->memory - others)
		spool_store_finish(store);
	return true;
}

static int spool_fd(const struct spool *spool)
{
	return spool->in_file ? spool->file : spool->in_memfd ? spool->memfd : -1;
}

static uint64_t *spool_sum(const struct spool *spool)
{
	return spool->in_file ? &spool->store->in_folder : &spool->store->in_memory;
}

static void spool_charge(struct spool *spool, uint64_t n)
{
	if (n <= spool->charged)
		return;
	*spool_sum(spool) += n - spool->charged;
	spool->charged = n;
}

/* Gives up the descriptor that holds the content; a memfd is kept for the next spool that needs one. */
static void spool_leave(struct spool *spool, bool empty)
{
	struct spool_store *store = spool->store;
	*spool_sum(spool) -= spool->charged;
	spool->charged = 0;
	if (empty && spool->memfd >= 0) {
		spool->extent = 0;
		if (ftruncate(spool->memfd, 0) < 0)
			fd_close(&spool->memfd);
	}
	if (spool->memfd >= 0 && store->spare < 0) {
		store->spare = fd_steal(&spool->memfd);
		store->spare_reader = fd_steal(&spool->reader);
		store->spare_extent = spool->extent;
	}
	fd_close(&spool->memfd);
	fd_close(&spool->file);
	fd_close(&spool->reader);
	spool->in_file = spool->in_memfd = spool->mirrored = false;
	spool->extent = spool->lent = 0;
}

void spool_drop(struct spool *spool)
{
	spool_leave(spool, spool->lent > 0); /* pages that a pipe may still hold must not be written again */
	spool->length = spool->settled = spool->base_size = 0;
	spool->base = -EBADF;
}

void spool_finish(struct spool *spool)
{
	spool_drop(spool);
}

void spool_init(struct spool *spool, struct spool_store *store)
{
	spool->store = store;
	spool->memfd = spool->file = spool->reader = -1;
	spool->in_file = spool->in_memfd = false;
	spool->charged = spool->extent = spool->lent = 0;
	spool->trouble = SPOOL_TROUBLE_PLACE;
	spool->to_file = false;
	spool_drop(spool);
}

void spool_rest_on(struct spool *spool, int base, uint64_t size)
{
	spool->base = base;
	spool->base_size = spool->length = size;
}

static int spool_put(int to, uint64_t at, struct span bytes)
{
	while (bytes.n > 0) {
		ssize_t put = pwrite(to, bytes.p, bytes.n, (off_t)at);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		span_take(&bytes, (size_t)put);
		at += (uint64_t)put;
	}
	return 0;
}

static int spool_get(int from, uint64_t at, uint8_t *dst, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t more = pread(from, dst + got, n - got, (off_t)(at + got));
		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			return more < 0 ? -errno : -ESTALE;
		got += (size_t)more;
	}
	return 0;
}

/* For a file system from which nothing is sent. */
static int spool_copy_slowly(int to, int from, uint64_t at, uint64_t until, uint8_t buffer[static SPOOL_SMALL])
{
	int error = 0;
	while (at < until && error == 0) {
		size_t n = until - at < SPOOL_SMALL ? (size_t)(until - at) : SPOOL_SMALL;
		error = spool_get(from, at, buffer, n);
		if (error == 0)
			error = spool_put(to, at, span_of(buffer, n));
		at += n;
	}
	return error;
}

/* [at, until) of a file to the same place of another. -ESTALE: there is not so much. */
static int spool_copy(int to, int from, uint64_t at, uint64_t until, uint8_t buffer[static SPOOL_SMALL])
{
	off_t next = (off_t)at;
	if (at < until && lseek(to, next, SEEK_SET) < 0)
		return -errno;
	while ((uint64_t)next < until) {
		uint64_t left = until - (uint64_t)next;
		ssize_t put = sendfile(to, from, &next, left > SPOOL_AT_ONCE ? SPOOL_AT_ONCE : (size_t)left);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EINVAL)
			return spool_copy_slowly(to, from, (uint64_t)next, until, buffer);
		if (put <= 0)
			return put < 0 ? -errno : -ESTALE;
	}
	return 0;
}

/* What is settled goes into another descriptor, which holds it from then on; if that fails all is as before. A buffer that holds nothing helps. */
static int spool_move(struct spool *spool, int to)
{
	int from = spool_fd(spool);
	return from < 0 ? spool_put(to, 0, span_of(spool->small, (size_t)spool->settled)) : spool_copy(to, from, 0, spool->settled, spool->small);
}

static int spool_to_file(struct spool *spool, uint64_t n)
{
	if (spool->store->folder == NULL)
		return -ENOSPC;
	FD_OWNED int fd = open(spool->store->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : spool_move(spool, fd);
	if (error < 0)
		return error;
	spool_leave(spool, true);
	spool->file = fd_steal(&fd);
	spool->in_file = true;
	spool->extent = spool->settled;
	spool_charge(spool, n);
	return 0;
}

static int spool_to_memfd(struct spool *spool, uint64_t n)
{
	struct spool_store *store = spool->store;
	FD_OWNED int fd = fd_steal(&store->spare), reader = fd_steal(&store->spare_reader);
	uint64_t extent = store->spare_extent > spool->settled ? store->spare_extent : spool->settled;
	bool small = spool_fd(spool) < 0;
	store->spare_extent = 0;
	if (fd < 0) {
		fd = memfd_create("xferwarden", MFD_CLOEXEC);
		if (fd < 0 || fchmod(fd, 0600) < 0) /* who is handed a reader must not make a writer of it */
			return -errno;
	}
	int error = spool_move(spool, fd);
	if (error < 0)
		return error;
	spool_leave(spool, true);
	spool->memfd = fd_steal(&fd);
	spool->reader = fd_steal(&reader);
	spool->in_memfd = true;
	spool->mirrored = small;
	spool->extent = extent;
	spool_charge(spool, n > extent ? n : extent);
	return 0;
}

int spool_reserve(struct spool *spool, uint64_t n)
{
	struct spool_store *store = spool->store;
	bool placed = spool_fd(spool) >= 0;
	uint64_t others = store->in_memory + store->in_folder - spool->charged;
	spool->to_file = false;
	spool->trouble = SPOOL_TROUBLE_OVER;
	if (n > spool_capacity(store))
		return -ENOSPC;
	spool->trouble = SPOOL_TROUBLE_PLACE;
	if (n <= (placed ? spool->charged : SPOOL_SMALL))
		return 0;
	bool remembers = !spool->in_file && store_remembers(store, spool, n);
	if (others > store->limit || n > store->limit - others || (!remembers && store->folder == NULL)) {
		spool->trouble = SPOOL_TROUBLE_FULL;
		return -ENOSPC;
	}
	spool->to_file = !remembers;
	if (!placed || (spool->in_memfd && !remembers))
		return remembers ? spool_to_memfd(spool, n) : spool_to_file(spool, n);
	spool_charge(spool, n);
	return 0;
}

void spool_explain(const struct spool *spool, int error, char *dst, size_t cap)
{
	switch (spool->trouble) {
	case SPOOL_TROUBLE_OVER:
		(void)snprintf(dst, cap, "larger than what the spool can hold");
		return;
	case SPOOL_TROUBLE_FULL:
		(void)snprintf(dst, cap, "the session's other files leave no room in the spool");
		return;
	case SPOOL_TROUBLE_BASE:
		(void)snprintf(dst, cap, "the file that stands there: %s", strerror(-error));
		return;
	case SPOOL_TROUBLE_PLACE:
		break;
	}
	if (spool->to_file || spool->in_file)
		(void)snprintf(dst, cap, "spool %.100s: %s", spool->store->folder, strerror(-error));
	else
		(void)snprintf(dst, cap, "spool in memory: %s", strerror(-error));
}

/* What stands from offset at on is about to be changed: somebody may still have to read it as it is. */
static int spool_part(struct spool *spool, uint64_t at)
{
	if (at >= spool->lent)
		return 0;
	return spool->in_file ? spool_to_file(spool, spool->charged) : spool_to_memfd(spool, spool->charged);
}

/* Bytes of the base, up to there. */
static int spool_bring_base(struct spool *spool, uint64_t until)
{
	int error = spool->base < 0 ? spool->base : 0;
	if (error == 0 && spool_fd(spool) < 0) {
		error = spool_get(spool->base, spool->settled, spool->small + spool->settled, (size_t)(until - spool->settled));
	} else if (error == 0) {
		spool->extent = spool->extent > until ? spool->extent : until;
		error = spool_copy(spool_fd(spool), spool->base, spool->settled, until, spool->small);
	}
	if (error < 0)
		spool->trouble = SPOOL_TROUBLE_BASE;
	else
		spool->settled = until;
	return error;
}

/* NULs up to there: as a hole, over nothing that an earlier file or a cut left. */
static int spool_bring_nuls(struct spool *spool, uint64_t until)
{
	int fd = spool_fd(spool);
	if (fd < 0) {
		memset(spool->small + spool->settled, 0, (size_t)(until - spool->settled));
	} else {
		if (spool->extent > spool->settled && ftruncate(fd, (off_t)spool->settled) < 0)
			return -errno;
		if (ftruncate(fd, (off_t)until) < 0)
			return -errno;
		spool->extent = until;
	}
	spool->settled = until;
	return 0;
}

/* Settles up to there, for which the place is reserved. */
static int spool_bring(struct spool *spool, uint64_t until)
{
	if (until <= spool->settled)
		return 0;
	uint64_t based = spool->base_size < until ? spool->base_size : until;
	spool->mirrored = false;
	int error = spool_part(spool, spool->settled);
	if (error == 0 && based > spool->settled)
		error = spool_bring_base(spool, based);
	if (error == 0 && until > spool->settled)
		error = spool_bring_nuls(spool, until);
	return error;
}

/* All that has to be done before n bytes can be put at an offset. */
static int spool_ready(struct spool *spool, uint64_t at, uint64_t n)
{
	uint64_t end = n > UINT64_MAX - at ? UINT64_MAX : at + n;
	int error = spool_reserve(spool, end > spool->settled ? end : spool->settled);
	if (error == 0)
		error = spool_bring(spool, at);
	if (error == 0)
		error = spool_part(spool, at);
	spool->mirrored = false;
	return error;
}

static void spool_written(struct spool *spool, uint64_t end)
{
	spool->settled = spool->settled > end ? spool->settled : end;
	spool->length = spool->length > spool->settled ? spool->length : spool->settled;
}

int spool_write(struct spool *spool, uint64_t at, struct span bytes)
{
	if (bytes.n == 0)
		return 0;
	int error = spool_ready(spool, at, bytes.n);
	if (error < 0)
		return error;
	uint64_t end = at + bytes.n;
	if (spool_fd(spool) >= 0) {
		spool->extent = spool->extent > end ? spool->extent : end;
		error = spool_put(spool_fd(spool), at, bytes);
	} else {
		memcpy(spool->small + at, bytes.p, bytes.n);
	}
	if (error == 0)
		spool_written(spool, end);
	return error;
}

int spool_append(struct spool *spool, struct span bytes)
{
	return spool_write(spool, spool->length, bytes);
}

ssize_t spool_splice(struct spool *spool, int pipe, uint64_t at, size_t n)
{
	if (spool_fd(spool) < 0)
		return -EINVAL;
	int error = spool_ready(spool, at, n);
	if (error < 0)
		return error;
	off_t next = (off_t)at;
	ssize_t moved = splice(pipe, NULL, spool_fd(spool), &next, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (moved < 0)
		return -errno;
	uint64_t end = at + (uint64_t)moved;
	spool->extent = spool->extent > end ? spool->extent : end;
	if (moved > 0)
		spool_written(spool, end);
	return moved;
}

int spool_resize(struct spool *spool, uint64_t n)
{
	if (n > spool->length && n > spool_capacity(spool->store)) {
		spool->trouble = SPOOL_TROUBLE_OVER;
		return -ENOSPC;
	}
	spool->length = n;
	spool->settled = spool->settled < n ? spool->settled : n;
	spool->base_size = spool->base_size < n ? spool->base_size : n;
	return 0;
}

int spool_settle(struct spool *spool, uint64_t n)
{
	n = n < spool->length ? n : spool->length;
	if (n <= spool->settled)
		return 0;
	int error = spool_reserve(spool, n);
	return error < 0 ? error : spool_bring(spool, n);
}

struct span spool_memory(const struct spool *spool, uint64_t offset)
{
	if ((spool_fd(spool) >= 0 && !spool->mirrored) || offset >= spool->settled)
		return span_of(NULL, 0);
	return span_of(spool->small + offset, (size_t)(spool->settled - offset));
}

ssize_t spool_send(struct spool *spool, int to, uint64_t offset, uint64_t n)
{
	off_t at = (off_t)offset;
	uint64_t most = offset < spool->settled ? spool->settled - offset : 0;
	most = most < n ? most : n;
	if (most == 0)
		return n == 0 ? 0 : -EIO;
	ssize_t sent = sendfile(to, spool_fd(spool), &at, most > SPOOL_AT_ONCE ? SPOOL_AT_ONCE : (size_t)most);
	if (sent <= 0)
		return sent < 0 ? -errno : -EIO;
	spool->lent = spool->lent > (uint64_t)at ? spool->lent : (uint64_t)at;
	return sent;
}

int spool_reader(struct spool *spool)
{
	int error = 0;
	if (spool_fd(spool) < 0)
		error = store_remembers(spool->store, spool, spool->settled) ? spool_to_memfd(spool, spool->settled) : spool_to_file(spool, spool->settled);
	if (error == 0 && spool->extent > spool->settled) /* what an earlier file, or a cut, left behind this one's end */
		error = spool_part(spool, spool->settled);
	if (error == 0 && spool->extent > spool->settled) {
		error = ftruncate(spool_fd(spool), (off_t)spool->settled) < 0 ? -errno : 0;
		spool->extent = error == 0 ? spool->settled : spool->extent;
	}
	if (error < 0)
		return error;
	if (spool->reader < 0)
		spool->reader = fd_reopen_read(spool_fd(spool));
	else if (lseek(spool->reader, 0, SEEK_SET) < 0) /* whoever read the last file has moved it */
		return -errno;
	return spool->reader;
}
