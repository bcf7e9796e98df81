/*
 * The configuration file as plain structs. libconfuse stays inside this folder; nobody else sees it.
 */
#ifndef XFERWARDEN_CONF_CONF_H
#define XFERWARDEN_CONF_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

enum conf_engine { ENGINE_LIBCLAMAV, ENGINE_CLAMD };
enum conf_audit_kind { AUDIT_SYSLOG, AUDIT_JOURNALD, AUDIT_FILE };

enum { CONF_AUDIT_MAX = 4, CONF_ADDRESS_MAX = 8, CONF_COMPLAINTS_MAX = 100, CONF_FILE_MAX = 4 << 20 };

struct conf_audit_target {
	enum conf_audit_kind kind;
	const char *path; /* AUDIT_FILE: absolute */
};

struct conf_clamd {
	const char *path;  /* unix socket, absolute; or NULL */
	const char *host;  /* TCP: a numeric address; or NULL */
	uint16_t port;
	const char *text;  /* as written: "unix:/run/clamav/clamd.ctl" */
};

struct conf {
	const char *scp_program;         /* absolute */
	const char *sftp_server_program; /* absolute */
	const char *inspector_program;   /* absolute; default: the installed one */
	bool confine;                    /* Landlock around the child is required (default), else used where the kernel has it */
	struct {
		struct conf_audit_target to[CONF_AUDIT_MAX];
		size_t count;
		bool sha256;
		bool refuse;             /* on_failure = 'refuse' */
	} audit;
	struct {
		enum conf_engine engine;
		const char *database;    /* absolute: folder or file */
		struct conf_clamd address[CONF_ADDRESS_MAX];
		size_t count;
		unsigned timeout;        /* seconds for one file */
		uint64_t max_memory;     /* bytes the inspector may use besides the database */
	} scanner;
	struct {
		uint64_t memory;         /* bytes */
		uint64_t limit;          /* bytes */
		const char *folder;      /* absolute; or NULL (folder = ''): memory only */
	} spool;
	const struct policy *policies;
	size_t policy_count;
	struct conf_store *store;        /* owns everything above */
};

/* A mistake (or, with warning set, something legal and unwise). text is one sentence without a line end. */
struct conf_complaint {
	unsigned line;                   /* 0: the file as a whole */
	bool warning;
	char text[240];
};

struct conf_complaints {
	struct conf_complaint list[CONF_COMPLAINTS_MAX]; /* in line order: the first ones where there are more */
	size_t count;
	size_t dropped;                  /* that did not fit */
	size_t mistakes;                 /* that are not warnings, the dropped ones included */
};

/*
 * Reads and checks path. 0 and *out filled, to be released with conf_free; -EINVAL when there are mistakes: all of them are in *complaints
 * (warnings may be there in both cases); other negative errno when the file could not be opened or read (that, too, is a complaint).
 * The file has to be a regular file of at most CONF_FILE_MAX bytes, owned by root and writable by nobody else; checked on the
 * descriptor that is read. The environment plays no part. Allocates; for start-up only, and for one thread: libconfuse's lexer is global.
 */
int conf_load(struct conf *out, const char *path, struct conf_complaints *complaints);

/* The same for a text in memory of any bytes, which needs no terminator: 0, -EINVAL or -ENOMEM. */
int conf_parse(struct conf *out, const char *text, size_t length, struct conf_complaints *complaints);

/* Accepts a zeroed struct; leaves one. */
void conf_free(struct conf *);

/*
 * The same for a program that lives on with it: the file is read in a child process, which takes the parser's memory with it, while the caller goes on with other things
 * between the two calls. *out stays in read-only memory to the process's end; it is not for conf_free. Warnings are not handed over. Not with threads.
 */
struct conf_aside;
struct conf_aside *conf_aside_begin(const char *path); /* never fails: conf_aside_end says what went wrong */
int conf_aside_end(struct conf_aside *, struct conf *out, struct conf_complaints *complaints);

#endif
