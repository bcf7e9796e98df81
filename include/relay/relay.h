/*
 * One loop with descriptors that carries out the guard's steps. Knows nothing of protocols or rules.
 */
#ifndef XFERWARDEN_RELAY_RELAY_H
#define XFERWARDEN_RELAY_RELAY_H

#include <signal.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "guard/guard.h"
#include "relay/slot.h"
#include "relay/spool.h"
#include "scan/scan.h"
#include "sys/places.h"

enum {
	RELAY_IN = 64 << 10,
	RELAY_OUT = (64 << 10) + 2 * GUARD_ROOM, /* payload takes the first part of it alone; what the client's lane says leaves room for the child's */
	RELAY_BOUNCE = 256 << 10,
	RELAY_PIPE = 1 << 20,         /* wanted size of the pipes that content passes through */
	RELAY_BULK = 32 << 10,        /* from here on content is moved without the lane's buffer */
	RELAY_DRAIN_SECONDS = 30,     /* for a refused client to stop sending */
	RELAY_GONE_SECONDS = 3,       /* for the verdict on, and the storing of, what a client sent before it left */
	RELAY_CHILD_SECONDS = 10,     /* for the child to end once it was told to */
};

struct relay_lane {
	int in;                       /* this side speaks here; -1 when closed */
	int out;                      /* and is spoken to here; -1 when closed */
	bool want;                    /* the guard wants bytes from it */
	bool soon;                    /* and thinks that they are there */
	bool stuck;                   /* a transfer to it waits for room */
	bool broken;                  /* nothing can be sent to it any more: what is for it is dropped */
	struct span left;             /* of buffer: arrived and not yet taken */
	uint64_t tapped;              /* bytes that were read from the tap and still have to be passed on */
	size_t out_at, out_n;
	uint8_t buffer[RELAY_IN];
	uint8_t queue[RELAY_OUT];
};

struct relay {
	struct guard *guard;
	struct places *places;
	struct spool_store *store;
	struct scan *scan;
	struct audit *audit;
	pid_t child;
	bool sha256;
	unsigned idle_timeout;        /* seconds; 0: none */
	const volatile sig_atomic_t *stop; /* not 0: end the session; set by a signal's handler. NULL: nobody asks */
	const sigset_t *wait_mask;    /* signals are let in only while the relay waits; NULL: as they are */
	unsigned drain_seconds;       /* RELAY_DRAIN_SECONDS, but for tests */
	/* private */
	bool inspecting, done, stopped, shut_wanted, progress, no_splice, no_tee, big_pipes;
	int status;
	int steady;                   /* root, by which sessions take turns where they give names; -1: not opened */
	struct {
		uint64_t device, inode;
	} looked[2];                  /* what the last look at the first, and at the second, of two names saw */
	int tap[2];                   /* a pipe that content is teed into to be read here; -1 */
	size_t carry_at, carry_n;     /* of carry: read from the child, not yet written to the client */
	uint64_t moved;
	uint64_t begun[GUARD_SLOTS / 64]; /* slots that were initialised; the others' pages are never touched */
	struct timespec last_progress, drain_start, shut_time;
	struct relay_lane lane[SIDES];
	uint8_t bounce[RELAY_BOUNCE]; /* for what begins and ends within one step */
	uint8_t carry[RELAY_BOUNCE];
	struct relay_slot slot[GUARD_SLOTS];
};

/* Large, and most of it is never touched: for static memory. Lanes' descriptors are set by the caller and closed by the relay; the client's are 0 and 1. */
void relay_init(struct relay *);

/* Runs to the end of the session, reaps the child. Returns the exit status. */
int relay_run(struct relay *);

#endif
