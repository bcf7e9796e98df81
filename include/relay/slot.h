/* What is kept of one open file: its content, the file that stood there before, the hash of what moved, when it began, and which file it was seen to be. SCP has one. */
#ifndef XFERWARDEN_RELAY_SLOT_H
#define XFERWARDEN_RELAY_SLOT_H

#include <time.h>

#include "base/path.h"
#include "base/record.h"
#include "relay/spool.h"
#include "sys/digest.h"
#include "sys/places.h"

/* The largest parts are the last: a page that is never touched costs no memory. */
struct relay_slot {
	struct digest digest;
	uint64_t hashed;           /* bytes of the file, from its start on, that are in the digest */
	bool lost;                 /* what moved is not what the file is: the digest says nothing */
	bool passed;               /* written without the spool, which does not have the file any more */
	struct timespec start;
	struct spot spot;          /* SFTP: the file it was seen to be; child_fd -1: not pinned */
	int base;                  /* read-only, of what stood there; -1: not opened. That is done when it is first needed */
	int lock;                  /* read-only, of the same file, locked; -1: not */
	int held;                  /* what the child has under a name of ours, to be found wherever it is moved; -1: none */
	struct spool spool;
	char real[PATH_BYTES_MAX]; /* where the base stands */
};

/* For memory of any content; a slot is told to spool_store once and for all. */
void slot_init(struct relay_slot *, struct spool_store *);

/* A new entry: time and hash begin. */
void slot_begin(struct relay_slot *);

/* What stood there before is known: spot was filled in, and it stands at real. */
void slot_rest_on(struct relay_slot *, struct span real);

/* Forgets content, base and file; what was seen of the content stays for the record. The child may have anything open for it no more. */
void slot_drop(struct relay_slot *, struct places *);

/* A read-only descriptor of what stood there, owned by the slot. Negative errno; -ESTALE: something else stands there. */
int slot_base(struct relay_slot *);

/* As spool_write, spool_settle and spool_resize, with what stood there opened where it is needed. */
int slot_write(struct relay_slot *, uint64_t at, struct span);
int slot_settle(struct relay_slot *, uint64_t n);
int slot_resize(struct relay_slot *, uint64_t n);
/* What writing at an offset may need, before spool_splice. */
void slot_need(struct relay_slot *, uint64_t until);

/* Bytes that stand at that offset, on their way: written, or only read. Hashes them. */
void slot_saw(struct relay_slot *, uint64_t at, struct span, bool written);

/*
 * The hash of the record's file. Of what moved if that was all of it in order; else of what is to be had of it: the spool, or the file that was stored. anew: what moved
 * does not count. False: nothing true can be said. buffer: scratch, cap bytes.
 */
bool slot_sum(struct relay_slot *, const struct record *, bool anew, uint8_t *buffer, size_t cap, uint8_t out[static DIGEST_BYTES]);

#endif
