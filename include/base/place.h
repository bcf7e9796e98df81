/* Where a name really leads, as the file system says it. Filled by sys/places.c, judged by the guard. */
#ifndef XFERWARDEN_BASE_PLACE_H
#define XFERWARDEN_BASE_PLACE_H

#include "base/span.h"

enum place_kind {
	PLACE_LOST = 0,  /* could not be found out */
	PLACE_ABSENT,    /* nothing there yet */
	PLACE_FILE,
	PLACE_DIRECTORY,
	PLACE_OTHER,     /* FIFO, device, socket, a link that leads nowhere */
	PLACE_RESERVED,  /* below /proc, /sys, /dev, or a file of the server's own */
};

/* Spans live until the next question to the same struct places. */
struct place {
	enum place_kind kind;
	bool outside;       /* not below root */
	bool login;         /* one of the files told to places_reserve_login, whatever the way to it */
	bool hopeless;      /* the child cannot succeed there: no such folder, no permission */
	struct span real;   /* absolute, links resolved */
	struct span path;   /* real, below root; empty is root itself */
	/* What stands there; from places_locate only. ABSENT: the times are those of the question. */
	bool above;         /* outside, and a folder on the way to root */
	bool forbidden;     /* hopeless, for want of a permission on the way */
	bool unwritable;    /* the child may not write there, or make it there; asked with a spot, as the next */
	bool unreadable;    /* it may not read what stands there */
	uint64_t device, inode; /* 0: nothing is there */
	uint64_t size;
	unsigned mode;      /* permission bits */
	uint32_t uid, gid, atime, mtime;
	struct span asked;  /* the same as it was asked for, where a link or the record's own name makes that differ; else empty */
};

#endif
