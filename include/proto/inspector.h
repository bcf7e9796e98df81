/*
 * Messages between shim and inspector: SOCK_SEQPACKET, one fixed-size struct a message, the descriptor travelling with the question. Any other size,
 * version, number or unterminated string ends the conversation. Both programs are built together; the version guards against a stale one.
 */
#ifndef XFERWARDEN_PROTO_INSPECTOR_H
#define XFERWARDEN_PROTO_INSPECTOR_H

#include "base/finding.h"
#include "base/span.h"

enum { INSPECTOR_VERSION = 1, INSPECTOR_FD = 3 };
enum { INSPECTOR_TIMEOUT_MAX = 86400, INSPECTOR_HEAD_MAX = 256 << 10 /* bytes that the type is told from */ };

/* How it ends, for what the shim says of it. */
enum inspector_exit {
	INSPECTOR_EXIT_OK = 0,
	INSPECTOR_EXIT_USAGE = 64,
	INSPECTOR_EXIT_PROTOCOL, /* a question that makes no sense */
	INSPECTOR_EXIT_MAGIC,    /* libmagic or its database cannot be used */
	INSPECTOR_EXIT_CLAMAV,   /* libclamav cannot be used */
	INSPECTOR_EXIT_CONFINE,  /* the sandbox cannot be closed */
};

/* The inspector's first message, sent once it is confined. */
struct inspector_hello {
	uint32_t version;
	uint32_t size_of_question, size_of_answer;
};

struct inspector_question {
	uint32_t number;  /* counts up from 1 */
	uint32_t need;    /* FACT_* bits */
	uint64_t size;    /* bytes to look at */
	uint32_t timeout; /* seconds: 1 to INSPECTOR_TIMEOUT_MAX */
	uint32_t reserved;
};

struct inspector_answer {
	uint32_t number;
	uint32_t reserved;
	struct finding finding;
};

/* Strict readers: true only if the message is exactly right for its kind and, for answers, answers this question with what was asked for. */
bool inspector_hello_read(struct inspector_hello *, struct span message);
bool inspector_question_read(struct inspector_question *, struct span message);
bool inspector_answer_read(struct inspector_answer *, struct span message, const struct inspector_question *asked);

#endif
