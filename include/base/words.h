/*
 * The words that every floor shares: what happens to a file, what may be known of it, and why it was refused.
 * Each enumeration has one table of its written forms in words.c; configuration, audit and messages use that table alone.
 */
#ifndef XFERWARDEN_BASE_WORDS_H
#define XFERWARDEN_BASE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Seen from the server: an upload comes from the client. */
enum direction { UPLOAD, DOWNLOAD };
enum { DIRECTIONS = 2 };

enum protocol { PROTOCOL_SCP = 1, PROTOCOL_SFTP = 2 }; /* bits */

/* Who speaks on a lane. */
enum side { CLIENT, CHILD };
enum { SIDES = 2 };

/* What is not known before content came: of what type it is, how long it will be (SFTP announces no size), what a scanner says; bits. */
enum fact { FACT_TYPE = 1, FACT_SCAN = 2, FACT_SIZE = 4 };

/* What a policy permits besides moving content; bits. */
enum operation {
	OPERATION_LIST = 1 << 0,       /* the names in a folder */
	OPERATION_STAT = 1 << 1,       /* sizes, times, modes; whether something is there; where a name leads */
	OPERATION_MKDIR = 1 << 2,
	OPERATION_RENAME = 1 << 3,
	OPERATION_REMOVE = 1 << 4,     /* files and folders */
	OPERATION_ATTRIBUTES = 1 << 5, /* mode and times of what stands there */
	OPERATION_LINK = 1 << 6,       /* hard and symbolic */
	OPERATION_REPLACE = 1 << 7,    /* new content, or another file, in the place of a file that stands there */
};
enum { OPERATION_WORDS = 8, OPERATION_ALL = (1 << OPERATION_WORDS) - 1 };

/* What was done to a name, for the record; the written form is the audit's event.action. */
enum action { ACTION_REMOVE, ACTION_REMOVE_FOLDER, ACTION_RENAME, ACTION_HARD_LINK, ACTION_SYMBOLIC_LINK, ACTION_ATTRIBUTES, ACTIONS };

/* Why a scanner's "OK" is not to be believed, or why it gave none; bits. */
enum unscannable {
	UNSCANNABLE_ENCRYPTED = 1 << 0,
	UNSCANNABLE_TOO_LARGE = 1 << 1,
	UNSCANNABLE_TOO_DEEP = 1 << 2,
	UNSCANNABLE_TIMEOUT = 1 << 3,
	UNSCANNABLE_DAMAGED = 1 << 4,       /* a container whose index is missing: nothing inside was looked at */
	UNSCANNABLE_SCANNER_DOWN = 1 << 5,  /* no answer, or an answer that makes no sense */
	UNSCANNABLE_SCANNER_BLIND = 1 << 6, /* a clamd that does not say when it did not look (no Alert… options) */
};
enum { UNSCANNABLE_WORDS = 7, UNSCANNABLE_ALL = (1 << UNSCANNABLE_WORDS) - 1 };

/* Why an entry, a command or a session was refused. The written form is the audit's event.reason. */
enum reason {
	REASON_NONE = 0,
	REASON_RULE,           /* a block rule matched */
	REASON_NOT_ALLOWED,    /* the direction has allow rules and none matched */
	REASON_NOT_PERMITTED,  /* the direction is not named in the policy */
	REASON_NO_POLICY,      /* no policy is for this identity and protocol */
	REASON_UNSCANNABLE,    /* content that a rule asks about could not be looked into */
	REASON_OUTSIDE_ROOT,
	REASON_LOGIN_FILE,     /* read by a shell, sshd or PAM at login */
	REASON_NOT_A_FILE,     /* FIFO, device, socket, dangling link */
	REASON_MOVED,          /* what the child opened is not what was judged */
	REASON_BAD_NAME,
	REASON_TOO_DEEP,       /* directories nested beyond the limit */
	REASON_COMMAND,        /* not a transfer that is understood */
	REASON_PROTOCOL,       /* the peer broke its own protocol */
	REASON_SPOOL,          /* no room to hold the content */
	REASON_AUDIT,          /* the record could not be written */
	REASON_CHILD,          /* the real program refused or failed */
	REASON_CLIENT,         /* the client reported an error of its own */
	REASON_CLIENT_GONE,
	REASON_TIMEOUT,
	REASON_STOPPED,        /* a signal ended the session */
	REASON_RESERVED,       /* the kernel's names, and the server's own files: audit, scratch */
	REASON_INTERNAL,
	REASON_OPERATION,      /* not among the policy's operations */
	REASONS
};

const char *direction_word(enum direction);   /* "upload", "download" */
const char *reason_word(enum reason);         /* "rule", "not-allowed", … ; never NULL */
const char *action_word(enum action);         /* "remove", "folder-remove", "rename", "hard-link", "symbolic-link", "attributes" */
const char *operation_word(unsigned index);   /* of bit 1 << index: "list", "stat", …; NULL past the last */
unsigned operation_bit(struct span word);     /* 0 if there is no such word */
const char *unscannable_word(unsigned index); /* of bit 1 << index; NULL past the last */
unsigned unscannable_bit(struct span word);   /* 0 if there is no such word */

#endif
