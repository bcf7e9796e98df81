/*
 * Small content never costs a system call; large content is placed once, by its announced size, and its pages are used again by the
 * next file, unless they are on their way to somebody. */
#include "relay/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

void spool_init(struct spool *spool, uint64_t memory, uint64_t limit, const char *folder)
{
	spool->memory = memory < SPOOL_SMALL ? SPOOL_SMALL : memory;
	spool->limit = limit;
	spool->folder = folder;
	spool->length = spool->extent = 0;
	spool->memfd = spool->file = spool->reader = -1;
	spool->in_file = spool->in_memfd = spool->lent = spool->over = spool->to_file = false;
}

void spool_finish(struct spool *spool)
{
	fd_close(&spool->memfd);
	fd_close(&spool->file);
	fd_close(&spool->reader);
}

uint64_t spool_capacity(const struct spool *spool)
{
	return spool->folder == NULL && spool->memory < spool->limit ? spool->memory : spool->limit;
}

static int spool_fd(const struct spool *spool)
{
	return spool->in_file ? spool->file : spool->in_memfd ? spool->memfd : -1;
}

static int spool_write(struct spool *spool, struct span bytes)
{
	while (bytes.n > 0) {
		ssize_t put = pwrite(spool_fd(spool), bytes.p, bytes.n, (off_t)spool->length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		span_take(&bytes, (size_t)put);
		spool->length += (uint64_t)put;
	}
	if (spool->in_memfd && spool->extent < spool->length)
		spool->extent = spool->length;
	return 0;
}

/* Brings what the memfd or the buffer holds into the file just opened. */
static int spool_refill(struct spool *spool, int from, uint64_t n)
{
	spool->length = 0;
	if (from < 0)
		return spool_write(spool, span_of(spool->small, (size_t)n));
	off_t at = 0;
	while ((uint64_t)at < n) {
		ssize_t put = sendfile(spool->file, from, &at, (size_t)(n - (uint64_t)at));
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
	}
	spool->length = n;
	spool->extent = 0;
	return ftruncate(from, 0) < 0 ? -errno : 0;
}

static int spool_to_file(struct spool *spool)
{
	int from = spool->in_memfd ? spool->memfd : -1;
	if (spool->folder == NULL)
		return -ENOSPC;
	fd_close(&spool->reader);
	spool->file = open(spool->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->file < 0)
		return -errno;
	spool->in_file = true;
	spool->in_memfd = false;
	return spool_refill(spool, from, spool->length);
}

static int spool_to_memfd(struct spool *spool)
{
	uint64_t n = spool->length;
	if (spool->memfd < 0)
		spool->memfd = memfd_create("xferwarden", MFD_CLOEXEC);
	if (spool->memfd < 0 || fchmod(spool->memfd, 0600) < 0) /* who is handed a reader must not make a writer of it */
		return -errno;
	spool->in_memfd = true;
	spool->length = 0;
	return spool_write(spool, span_of(spool->small, (size_t)n));
}

int spool_reserve(struct spool *spool, uint64_t n)
{
	spool->over = n > spool_capacity(spool);
	spool->to_file = !spool->over && n > spool->memory;
	if (spool->over)
		return -ENOSPC;
	if (spool->in_file || (!spool->in_memfd && n <= SPOOL_SMALL))
		return 0;
	if (n > spool->memory)
		return spool_to_file(spool);
	return spool->in_memfd ? 0 : spool_to_memfd(spool);
}

void spool_explain(const struct spool *spool, int error, char *dst, size_t cap)
{
	if (spool->over)
		(void)snprintf(dst, cap, "larger than what the spool can hold");
	else if (spool->to_file || spool->in_file)
		(void)snprintf(dst, cap, "spool %.100s: %s", spool->folder, strerror(-error));
	else
		(void)snprintf(dst, cap, "spool in memory: %s", strerror(-error));
}

int spool_append(struct spool *spool, struct span bytes)
{
	int error = spool_reserve(spool, spool->length + bytes.n);
	if (error < 0)
		return error;
	if (spool_fd(spool) >= 0)
		return spool_write(spool, bytes);
	memcpy(spool->small + spool->length, bytes.p, bytes.n);
	spool->length += bytes.n;
	return 0;
}

ssize_t spool_splice(struct spool *spool, int pipe, size_t n)
{
	if (spool_fd(spool) < 0)
		return -EINVAL;
	int error = spool_reserve(spool, spool->length + n);
	if (error < 0)
		return error;
	off_t at = (off_t)spool->length;
	ssize_t moved = splice(pipe, NULL, spool_fd(spool), &at, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (moved < 0)
		return -errno;
	spool->length += (uint64_t)moved;
	if (spool->in_memfd && spool->extent < spool->length)
		spool->extent = spool->length;
	return moved;
}

struct span spool_memory(const struct spool *spool, uint64_t offset)
{
	if (spool_fd(spool) >= 0 || offset >= spool->length)
		return span_of(NULL, 0);
	return span_of(spool->small + offset, (size_t)(spool->length - offset));
}

ssize_t spool_send(struct spool *spool, int to, uint64_t offset, uint64_t n)
{
	off_t at = (off_t)offset;
	spool->lent = true;
	ssize_t sent = sendfile(to, spool_fd(spool), &at, n > 1 << 20 ? 1 << 20 : (size_t)n);
	return sent < 0 ? -errno : sent == 0 && n > 0 ? -EIO : sent;
}

int spool_reader(struct spool *spool)
{
	if (spool_fd(spool) < 0) {
		int error = spool_to_memfd(spool);
		if (error < 0)
			return error;
	}
	if (spool->in_memfd && spool->extent > spool->length) { /* what an earlier file left behind this one's end */
		if (ftruncate(spool->memfd, (off_t)spool->length) < 0)
			return -errno;
		spool->extent = spool->length;
	}
	if (spool->reader < 0)
		spool->reader = fd_reopen_read(spool_fd(spool));
	else if (lseek(spool->reader, 0, SEEK_SET) < 0) /* whoever read the last file has moved it */
		return -errno;
	return spool->reader;
}

void spool_drop(struct spool *spool)
{
	if (spool->in_file) {
		fd_close(&spool->file);
		fd_close(&spool->reader);
	}
	if (spool->in_memfd && spool->lent) { /* pages that a pipe may still hold must not be written again */
		if (ftruncate(spool->memfd, 0) < 0) {
			fd_close(&spool->memfd);
			fd_close(&spool->reader);
		}
		spool->extent = 0;
	}
	spool->in_file = spool->in_memfd = spool->lent = false;
	spool->length = 0;
}
