/*
 * Audit records to where the configuration wants them: one JSON object per record, in the Elastic Common Schema's names, in one write or
 * one datagram. No allocation after audit_open.
 */
#ifndef XFERWARDEN_AUDIT_AUDIT_H
#define XFERWARDEN_AUDIT_AUDIT_H

#include <stddef.h>
#include <time.h>

#include "base/record.h"

enum {
	AUDIT_TARGETS = 4,
	AUDIT_LINE_MAX = 32768, /* the line end and a NUL counted */
	AUDIT_CAP_MIN = 1024,   /* the least that audit_format makes a useful record of */
};

/* Where the log daemons listen. */
#define AUDIT_SYSLOG_SOCKET "/dev/log"
#define AUDIT_JOURNALD_SOCKET "/run/systemd/journal/socket"

enum audit_kind { AUDIT_TO_SYSLOG, AUDIT_TO_JOURNALD, AUDIT_TO_FILE };

struct audit_target {
	enum audit_kind kind;
	int fd;           /* -1 when closed */
	const char *path; /* file; for the sockets: where they are, so that tests can name their own */
	bool torn;        /* file: the last line in it has no end yet */
	time_t followed;  /* file: when the name was last compared with what is open; that is done once a second */
};

struct audit {
	struct audit_target target[AUDIT_TARGETS];
	size_t count;
	const struct record_session *session;
	char line[AUDIT_LINE_MAX]; /* scratch; kept here and not on the stack so that only the pages in use cost memory */
};

/* The session's facts are borrowed for the life of the audit; they may be filled in further while it runs. */
void audit_init(struct audit *, const struct record_session *);

/*
 * Opens one more target. path (borrowed): the file (absolute; opened O_APPEND|O_CREAT 0640, O_NOFOLLOW, must be a regular file), or NULL for the usual
 * socket. 0 or negative errno; a target that could not be opened is kept, and tried again by each audit_write. -ENOSPC:
 * there are AUDIT_TARGETS already; -EINVAL: a relative path, or not a regular file.
 */
int audit_open(struct audit *, enum audit_kind, const char *path);

/*
 * Writes the record to every target. 0 only if there are any and all took it whole; else the first negative errno, the others still tried. A socket whose daemon was
 * restarted is connected again once; a file that was renamed or removed under us is opened again by its name. Waits for the sockets no longer than two
 * seconds together.
 */
int audit_write(struct audit *, const struct record *);

/*
 * The JSON object without a line end; returns its length, never more than cap - 1. cap is at least AUDIT_CAP_MIN. What is too long for it is cut, and
 * "xferwarden.truncated" says so. Pure but for the time given.
 */
size_t audit_format(char *dst, size_t cap, const struct record_session *, const struct record *, const struct timespec *now);

/* The record as a sentence for people, printable; returns its length. */
size_t audit_sentence(char *dst, size_t cap, const struct record_session *, const struct record *);

/* "session-start", "session-end", "command-refused", "upload", "download", "folder-upload", "folder-download"; of an operation its action_word */
const char *audit_action(const struct record *);
/* "allowed", "blocked", "failed" */
const char *audit_verdict(const struct record *);

void audit_finish(struct audit *);

#endif
