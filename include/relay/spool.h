/*
 * Where held content waits for its verdict, never under a name: a plain buffer while it is small, then a memfd, then an unnamed file in a folder.
 *
 * A spool is one file as it will be: what was written, on top of what stood there before. [0, settled) is in the spool; what is beyond comes from the
 * base, as far as that goes, and from there to length it is NULs. Who writes from the start to the end never reads the base.
 */
#ifndef XFERWARDEN_RELAY_SPOOL_H
#define XFERWARDEN_RELAY_SPOOL_H

#include <sys/types.h>

#include "base/span.h"

enum { SPOOL_SMALL = 64 << 10 };

/* What the spools of one session share. Buffers count for nothing; what is in a memfd or a file counts as if it had no holes. */
struct spool_store {
	uint64_t memory, limit; /* bytes in memfds; bytes at all, of one file and of all together */
	const char *folder;     /* borrowed, or NULL: memory only */
	uint64_t in_memory, in_folder; /* promised to spools */
	int spare, spare_reader;       /* a memfd for the next that needs one, and its reader; or -1 */
	uint64_t spare_extent;         /* bytes that are still in it */
};

enum spool_trouble {
	SPOOL_TROUBLE_PLACE = 0, /* what holds the content, or would have to */
	SPOOL_TROUBLE_OVER,      /* more than the store takes */
	SPOOL_TROUBLE_FULL,      /* more than the other spools leave of it */
	SPOOL_TROUBLE_BASE,      /* what the content rests on */
};

struct spool {
	struct spool_store *store;
	uint64_t length;        /* bytes of the content now */
	uint64_t settled;
	uint64_t base_size;     /* bytes of the base that are still to be seen; never more than length */
	int base;               /* borrowed; or the negative errno for which there is none */
	int memfd, file;        /* -1: not opened; at most one of them holds the content */
	bool in_file, in_memfd; /* neither: in small */
	bool mirrored;          /* in_memfd, and in small as well */
	int reader;             /* read-only descriptor of the one that holds it, -1 */
	uint64_t extent;        /* bytes in the one that holds it: behind settled is what an earlier file or a cut left */
	uint64_t charged;       /* of what the store promised */
	uint64_t lent;          /* bytes from the start that were sent without a copy: a pipe may hold their pages for as long as nobody reads there */
	enum spool_trouble trouble; /* of the last failure */
	bool to_file;           /* and whether it was about the folder */
	uint8_t small[SPOOL_SMALL];
};

void spool_store_init(struct spool_store *, uint64_t memory, uint64_t limit, const char *folder);
/* After all its spools were finished. */
void spool_store_finish(struct spool_store *);

/* The most that can be held. */
uint64_t spool_capacity(const struct spool_store *);

void spool_init(struct spool *, struct spool_store *);
void spool_finish(struct spool *);

/*
 * For a spool without content: it begins as the first size bytes behind base, a descriptor that is borrowed until spool_drop. A negative errno in its place is what every
 * attempt to read there will give.
 */
void spool_rest_on(struct spool *, int base, uint64_t size);

/*
 * What can fail gives 0 or a negative errno: -ENOSPC when it is over the limit; -ESTALE when the base is shorter than it was said to be. Content that a
 * failed write or settle was to change is not to be relied on any more.
 */

/* n bytes will have to be here: chooses the place once. */
int spool_reserve(struct spool *, uint64_t n);

/* Why the last call failed with that negative errno, for a record: "spool /var/spool/x: No such file or directory". */
void spool_explain(const struct spool *, int error, char *dst, size_t cap);

int spool_write(struct spool *, uint64_t at, struct span);
int spool_append(struct spool *, struct span);

/* Cut, or made longer by NULs: what was cut off never comes back. */
int spool_resize(struct spool *, uint64_t n);

/* The first n bytes, as far as there are so many, are in the spool. */
int spool_settle(struct spool *, uint64_t n);

/* Writes at most n bytes from a pipe without copying them through here. Bytes moved, 0 at the pipe's end, negative errno; -EINVAL: use spool_write. */
ssize_t spool_splice(struct spool *, int pipe, uint64_t at, size_t n);

/* What is settled from offset on, if it lies in memory as a whole; else an empty span. */
struct span spool_memory(const struct spool *, uint64_t offset);

/* Moves at most n settled bytes from offset on into a descriptor. Bytes moved or negative errno. Not for content in memory. */
ssize_t spool_send(struct spool *, int to, uint64_t offset, uint64_t n);

/* A read-only descriptor of exactly what is settled, at its start; owned by the spool. Negative errno. */
int spool_reader(struct spool *);

/* Forgets content and base. */
void spool_drop(struct spool *);

#endif
