/* What each kind of target does with a record; a part of the audit floor. */
#ifndef XFERWARDEN_AUDIT_TARGET_H
#define XFERWARDEN_AUDIT_TARGET_H

#include <sys/uio.h>

#include "audit/audit.h"

/* One record on its way to one target after the other. */
struct audit_job {
	const struct record_session *session;
	const struct record *record;
	struct timespec now;
	int64_t deadline;  /* CLOCK_MONOTONIC, milliseconds */
	char *line;        /* AUDIT_LINE_MAX bytes of scratch */
};

/* Syslog severity, 0 to 7. */
unsigned audit_severity(const struct record *);

/* Each: 0 or negative errno. A write opens its target first if it is closed. */
int audit_file_open(struct audit_target *);
int audit_file_write(struct audit_target *, const struct audit_job *);
int audit_socket_open(struct audit_target *);
int audit_syslog_write(struct audit_target *, const struct audit_job *);
int audit_journald_write(struct audit_target *, const struct audit_job *);

/*
 * One datagram of count pieces and at most one descriptor (-1: none); connects again once if the other end has gone. -EMSGSIZE: too large for the socket; -ETIMEDOUT:
 * the daemon did not take it before the deadline.
 */
int audit_socket_send(struct audit_target *, const struct iovec *pieces, size_t count, int pass, int64_t deadline);

#endif
