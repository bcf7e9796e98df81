/*
 * The facts of one audit record; format and destination are the audit floor's. Everything is borrowed and has to live
 * until the record is written.
 */
#ifndef XFERWARDEN_BASE_RECORD_H
#define XFERWARDEN_BASE_RECORD_H

#include "base/facts.h"
#include "base/identity.h"
#include "base/span.h"
#include "base/words.h"

enum record_event {
	RECORD_SESSION_START,
	RECORD_SESSION_END,
	RECORD_COMMAND_REFUSED,
	RECORD_FILE,      /* one per file */
	RECORD_DIRECTORY, /* made or changed by an upload, or refused */
	RECORD_OPERATION, /* something was done to a name: action says what */
};

enum outcome { OUTCOME_FAILED = 0, OUTCOME_BLOCKED, OUTCOME_ALLOWED };

enum { RECORD_WATCHED_MAX = 16, RECORD_REF_MAX = 32, RECORD_SHA256 = 32 };

/* Who and which session: the same for every record of a session. */
struct record_session {
	const char *id;              /* hexadecimal */
	const struct identity *who;
	const char *policy;          /* NULL before one is chosen */
	enum protocol protocol;      /* 0 if unknown */
};

struct record {
	enum record_event event;
	enum outcome outcome;
	enum reason reason;          /* REASON_NONE when allowed */
	enum direction direction;    /* FILE, DIRECTORY */
	enum entry_kind kind;
	enum action action;          /* OPERATION */
	struct span other;           /* OPERATION: the new path of a rename, the second one of a hard link, the target of a symbolic link; else empty */
	struct span path;            /* absolute and real where it could be resolved, else as it was asked for */
	struct span name;
	bool has_announced;          /* size and mode are from the entry's own record */
	uint64_t size;               /* announced bytes */
	unsigned mode;
	uint64_t bytes;              /* FILE: content bytes that reached the other side; SESSION_END: the sum of them */
	struct span type;            /* empty if unknown */
	struct span virus;
	unsigned unscannable;
	struct span detail;          /* a sentence: the child's or the scanner's own words, or why a command was refused */
	const uint8_t *sha256;       /* RECORD_SHA256 bytes over the content the sender sent whole, or NULL */
	const char *rule;            /* deciding rule, or NULL */
	const char *watched[RECORD_WATCHED_MAX];
	size_t watched_count;
	char ref[RECORD_REF_MAX];    /* "7f3a9c21-4"; empty for session events */
	uint64_t duration_ns;        /* FILE, SESSION_END */
	struct span command;         /* SESSION_START, COMMAND_REFUSED: SSH_ORIGINAL_COMMAND as it came */
	int exit_status;             /* SESSION_END */
	uint64_t allowed, blocked, failed; /* SESSION_END: entries */
};

#endif
