/*
 * Where held content waits for its verdict, never under a name: a plain buffer while it is small, then a memfd, then an unnamed file in a folder. One
 * spool serves all files of a session, one after the other.
 */
#ifndef XFERWARDEN_RELAY_SPOOL_H
#define XFERWARDEN_RELAY_SPOOL_H

#include <sys/types.h>

#include "base/span.h"

enum { SPOOL_SMALL = 64 << 10 };

struct spool {
	uint64_t memory, limit; /* bytes in memory; bytes at all */
	const char *folder;     /* or NULL: memory only */
	uint64_t length;        /* bytes of the content now */
	int memfd, file;        /* -1: not opened; at most one of them holds the content */
	bool in_file, in_memfd; /* neither: in small */
	int reader;             /* read-only descriptor of the one that holds it, -1 */
	uint64_t extent;        /* of the memfd: bytes left from earlier files */
	bool over, to_file;     /* spool_reserve: what was refused was over the limit; it had to go into the folder */
	bool lent;              /* sent from without a copy: a pipe may hold its pages for as long as nobody reads there */
	uint8_t small[SPOOL_SMALL];
};

void spool_init(struct spool *, uint64_t memory, uint64_t limit, const char *folder);
void spool_finish(struct spool *);

/* The most that can be held. */
uint64_t spool_capacity(const struct spool *);

/* Content will grow to n bytes: chooses the place once. 0 or negative errno, -ENOSPC when it is over the limit. */
int spool_reserve(struct spool *, uint64_t n);

/* Why the last spool_reserve, spool_append or spool_splice failed with that negative errno, for a record: "spool /var/spool/x: No such file or directory". */
void spool_explain(const struct spool *, int error, char *dst, size_t cap);

/* Appends. 0 or negative errno. */
int spool_append(struct spool *, struct span);

/* Appends at most n bytes from a pipe without copying them through here. Bytes moved, 0 at the pipe's end, negative errno; -EINVAL: use spool_append. */
ssize_t spool_splice(struct spool *, int pipe, size_t n);

/* The content from offset on, if it lies in memory as a whole; else an empty span. */
struct span spool_memory(const struct spool *, uint64_t offset);

/* Moves at most n bytes from offset on into a descriptor. Bytes moved or negative errno. Not for content in memory. */
ssize_t spool_send(struct spool *, int to, uint64_t offset, uint64_t n);

/* A read-only descriptor of exactly the content, owned by the spool. Negative errno. */
int spool_reader(struct spool *);

void spool_drop(struct spool *);

#endif
