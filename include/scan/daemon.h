/*
 * clamd seen from the shim: addresses tried in order, each tested before its first answer is believed, one connection a question. A
 * question whose content has been sent is not put to another address: what brings down one clamd would bring down the next.
 */
#ifndef XFERWARDEN_SCAN_DAEMON_H
#define XFERWARDEN_SCAN_DAEMON_H

#include <poll.h>
#include <stdint.h>

#include "proto/clamd.h"
#include "scan/probe.h"
#include "scan/scan.h"

enum daemon_result { DAEMON_WAITING, DAEMON_ANSWERED, DAEMON_FAILED };

enum daemon_trust { DAEMON_UNTESTED = 0, DAEMON_SEES, DAEMON_BLIND };

struct daemon_address {
	enum daemon_trust trust;
	unsigned faults;     /* PROBE_FAULT_* bits, of the tests it had so far */
	bool no_descriptors; /* refuses FILDES, takes INSTREAM */
};

enum daemon_stage { DAEMON_IDLE = 0, DAEMON_CONNECT, DAEMON_SEND, DAEMON_REPLY };

struct daemon {
	const struct scan_setup *setup;
	struct daemon_address address[SCAN_ADDRESSES];
	size_t current;               /* begins with the one that answered last */
	size_t tried;                 /* addresses, in this question */
	enum daemon_stage stage;
	enum probe_kind probe;        /* PROBE_NONE: the question itself */
	int socket;
	int content;                  /* borrowed */
	uint64_t size;
	bool whole;                   /* size is all of the file: it may be passed as a descriptor */
	int64_t deadline, stage_deadline, retry; /* milliseconds of the monotonic clock */
	struct span control;          /* what is to be sent before more content */
	uint8_t header[CLAMD_HEADER];
	bool streaming, passing;      /* chunks follow; the descriptor follows */
	off_t offset;                 /* in the content */
	uint32_t chunk;               /* bytes of the chunk under way not yet sent */
	bool last;                    /* the empty chunk is under way or sent */
	struct clamd_reader reader;
	struct probe_store store;     /* not cleared: filled before it is used */
};

void daemon_init(struct daemon *, const struct scan_setup *);

/* Begins a question; the result comes by daemon_step, which is to be called at once. */
void daemon_ask(struct daemon *, int fd, uint64_t size, int64_t deadline);

struct pollfd daemon_poll(const struct daemon *);
int64_t daemon_due(const struct daemon *); /* when daemon_step has to be called at the latest */

/* Goes on without blocking. SIGPIPE has to be ignored. ANSWERED and FAILED fill *out, which is one of FACT_SCAN. */
enum daemon_result daemon_step(struct daemon *, struct finding *out);

/* Closes all. */
void daemon_stop(struct daemon *);

#endif
