/* The sentences a client reads when something is refused: short, because old clients read a reply into 128 bytes. */
#include "guard/message.h"

#include <stdio.h>

#include "base/text.h"

static const char *const message_reasons[REASONS] = {
	[REASON_NONE] = "refused",
	[REASON_RULE] = "blocked by rule",
	[REASON_NOT_ALLOWED] = "not among what is allowed here",
	[REASON_NOT_PERMITTED] = "transfers in this direction are not permitted",
	[REASON_NO_POLICY] = "no policy permits you to transfer files",
	[REASON_UNSCANNABLE] = "content cannot be checked",
	[REASON_OUTSIDE_ROOT] = "outside the folder open to you",
	[REASON_LOGIN_FILE] = "files that are read at login are refused",
	[REASON_NOT_A_FILE] = "not a regular file or folder",
	[REASON_MOVED] = "changed while it was being checked",
	[REASON_BAD_NAME] = "name with control characters refused",
	[REASON_TOO_DEEP] = "folders nested too deep",
	[REASON_COMMAND] = "command refused",
	[REASON_PROTOCOL] = "protocol error",
	[REASON_SPOOL] = "it can't be held for checking",
	[REASON_AUDIT] = "refused, it could not be recorded",
	[REASON_CHILD] = "the server's file transfer program failed",
	[REASON_CLIENT] = "the client reported an error",
	[REASON_CLIENT_GONE] = "connection lost",
	[REASON_TIMEOUT] = "timed out, nothing moved for too long",
	[REASON_STOPPED] = "the server ends this session",
	[REASON_RESERVED] = "one of the server's own files",
	[REASON_INTERNAL] = "internal error, see the server's log",
	[REASON_OPERATION] = "not permitted here",
};

const char *message_reason(enum reason reason)
{
	return (unsigned)reason < REASONS ? message_reasons[reason] : message_reasons[REASON_INTERNAL];
}

/* What follows the name. */
static size_t message_tail(char *dst, size_t cap, const struct message_facts *facts)
{
	const struct rule *rule = facts->rule;
	int n;
	if (facts->message != NULL)
		n = snprintf(dst, cap, "%s", facts->message);
	else if (rule != NULL && facts->reason == REASON_RULE)
		n = snprintf(dst, cap, "blocked by rule \"%s\"", rule->name);
	else
		n = snprintf(dst, cap, "%s", message_reason(facts->reason));
	size_t at = n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
	const char *mark = ": ";
	for (unsigned i = 0; facts->reason == REASON_UNSCANNABLE && facts->message == NULL && i < UNSCANNABLE_WORDS; i++) {
		if (!(facts->unscannable & 1u << i))
			continue;
		n = snprintf(dst + at, cap - at, "%s%s", mark, unscannable_word(i));
		at += n < 0 ? 0 : (size_t)n < cap - at ? (size_t)n : cap - at - 1;
		mark = ", ";
	}
	return at;
}

size_t message_refusal(char *dst, size_t cap, const struct message_facts *facts)
{
	static const char head[] = "xferwarden: ";
	char tail[160], ref[48] = "", name[160] = "";
	size_t tail_n = message_tail(tail, sizeof(tail), facts);
	if (facts->ref != NULL && facts->ref[0] != '\0')
		(void)snprintf(ref, sizeof(ref), " (ref %s)", facts->ref);
	size_t fixed = sizeof(head) - 1 + strlen(ref) + 2 + 1;
	if (facts->name.n > 0 && fixed < cap) {
		size_t room = cap - fixed > tail_n ? cap - fixed - tail_n : 0;
		size_t least = 16; /* of the name; a long sentence gives way to it */
		size_t name_cap = (room > least ? room : least) + 1;
		text_clean(name, name_cap < sizeof(name) ? name_cap : sizeof(name), facts->name);
	}
	char whole[400];
	(void)snprintf(whole, sizeof(whole), "%s%s%s", name, name[0] ? ": " : "", tail);
	size_t used = sizeof(head) - 1 + strlen(ref);
	char body[400];
	text_clean(body, used < cap ? cap - used : 1, span_str(whole));
	int n = snprintf(dst, cap, "%s%s%s", head, body, ref);
	return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}
