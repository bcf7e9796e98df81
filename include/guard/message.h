/* What a client is told. Every sentence stands in one table. */
#ifndef XFERWARDEN_GUARD_MESSAGE_H
#define XFERWARDEN_GUARD_MESSAGE_H

#include "base/words.h"
#include "policy/policy.h"

struct message_facts {
	enum reason reason;
	const struct rule *rule;   /* or NULL */
	const char *message;       /* the administrator's own words in place of the reason; or NULL */
	unsigned unscannable;      /* UNSCANNABLE_* bits, for REASON_UNSCANNABLE */
	struct span name;          /* of the file; may be empty */
	const char *ref;           /* or NULL */
};

/*
 * "xferwarden: shell.php: blocked by rule "scripts" (ref 7f3a9c21-4)" into dst[cap], clean, without code byte and line end. Where it would be
 * too long the name is cut, never the reason or the ref. Returns its length.
 */
size_t message_refusal(char *dst, size_t cap, const struct message_facts *);

/* The sentence for a reason, without name and ref. */
const char *message_reason(enum reason);

#endif
