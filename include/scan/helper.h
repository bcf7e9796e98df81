/* The inspector seen from the shim: started on first need, asked one thing at a time, ended at the first word out of place. */
#ifndef XFERWARDEN_SCAN_HELPER_H
#define XFERWARDEN_SCAN_HELPER_H

#include <stdint.h>
#include <sys/types.h>

#include "proto/inspector.h"
#include "scan/scan.h"
#include "scan/scratch.h"

/* How often it may fail in a session before it is not started again. */
enum { HELPER_FAILURES_MAX = 4 };

enum helper_result { HELPER_WAITING, HELPER_ANSWERED, HELPER_FAILED };

struct helper {
	const struct scan_setup *setup;
	pid_t pid;      /* -1: not running */
	int socket;
	bool scans;     /* the one with ClamAV in it is running */
	bool greeted;
	unsigned failures;
	struct inspector_question question;
	struct scratch scratch;
};

void helper_init(struct helper *, const struct scan_setup *);

/* Starts what is needed and sends the question. False: *why says it, and the helper is stopped. */
bool helper_ask(struct helper *, int fd, uint64_t size, unsigned need, unsigned seconds, char why[FINDING_DETAIL_MAX]);

/* Reads what has come, without blocking. FAILED: *why says it, and the helper is stopped. */
enum helper_result helper_step(struct helper *, struct finding *out, char why[FINDING_DETAIL_MAX]);

/* Ends it because it did something wrong or nothing at all. */
void helper_fail(struct helper *);

/* Ends and reaps it, removes its scratch folder. */
void helper_stop(struct helper *);

#endif
