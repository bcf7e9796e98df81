/* How a record reads to people who see the log without a collector. */
#include <inttypes.h>
#include <stdio.h>

#include "audit/audit.h"
#include "base/text.h"

/* Room for one name in a sentence. */
struct shown {
	char text[128];
};

static const char *shown_span(struct shown *shown, struct span text)
{
	text_clean(shown->text, sizeof(shown->text), text);
	return shown->text;
}

static const char *shown_user(struct shown *shown, const struct record_session *session)
{
	return shown_span(shown, span_str(session->who && session->who->user ? session->who->user : "?"));
}

static int sentence_entry(char *dst, size_t cap, const struct record_session *session, const struct record *r)
{
	struct shown name, user, rule;
	const char *what = r->event == RECORD_DIRECTORY ? "folder " : "";
	struct span named = r->name.n > 0 ? r->name : r->path;
	shown_span(&name, named);
	shown_user(&user, session);
	const char *direction = direction_word(r->direction);
	const char *verdict = audit_verdict(r);
	if (r->outcome == OUTCOME_ALLOWED)
		return snprintf(dst, cap, "%s of %s\"%s\" by %s allowed", direction, what, name.text, user.text);
	if (r->rule)
		return snprintf(dst, cap, "%s of %s\"%s\" by %s %s by rule \"%s\"", direction, what, name.text, user.text, verdict,
		                shown_span(&rule, span_str(r->rule)));
	return snprintf(dst, cap, "%s of %s\"%s\" by %s %s: %s", direction, what, name.text, user.text, verdict, reason_word(r->reason));
}

/* What was done, and how the second name of it is joined to the first. */
static const struct {
	const char *noun, *joined;
} sentence_actions[ACTIONS] = {
	[ACTION_REMOVE] = { "removal of", "" },
	[ACTION_REMOVE_FOLDER] = { "removal of folder", "" },
	[ACTION_RENAME] = { "renaming of", "to" },
	[ACTION_HARD_LINK] = { "hard link to", "as" },
	[ACTION_SYMBOLIC_LINK] = { "symbolic link", "to" },
	[ACTION_ATTRIBUTES] = { "change of attributes of", "" },
};

static int sentence_operation(char *dst, size_t cap, const struct record_session *session, const struct record *r)
{
	struct shown name, other, user, why;
	unsigned action = (unsigned)r->action < ACTIONS ? (unsigned)r->action : ACTION_ATTRIBUTES;
	const char *joined = sentence_actions[action].joined;
	bool both = joined[0] != '\0' && r->other.n > 0;
	bool rule = r->outcome != OUTCOME_ALLOWED && r->rule != NULL, reason = r->outcome != OUTCOME_ALLOWED && r->rule == NULL;
	shown_span(&name, r->name.n > 0 ? r->name : r->path);
	shown_span(&other, r->other);
	shown_span(&why, span_str(rule ? r->rule : reason ? reason_word(r->reason) : ""));
	return snprintf(dst, cap, "%s \"%s\"%s%s%s%s%s by %s %s%s%s%s", sentence_actions[action].noun, name.text, both ? " " : "", both ? joined : "",
	                both ? " \"" : "", both ? other.text : "", both ? "\"" : "", shown_user(&user, session), audit_verdict(r),
	                rule ? " by rule \"" : reason ? ": " : "", why.text, rule ? "\"" : "");
}

static int sentence_end(char *dst, size_t cap, const struct record_session *session, const struct record *r)
{
	struct shown user;
	bool well = r->reason == REASON_NONE;
	return snprintf(dst, cap, "session of %s ended%s%s: %" PRIu64 " allowed, %" PRIu64 " blocked, %" PRIu64 " failed", shown_user(&user, session),
	                well ? "" : " by ", well ? "" : reason_word(r->reason), r->allowed, r->blocked, r->failed);
}

static int sentence_start(char *dst, size_t cap, const struct record_session *session)
{
	struct shown user, from;
	bool known = session->who && session->who->from_text[0] != '\0';
	return snprintf(dst, cap, "session of %s from %s started", shown_user(&user, session),
	                shown_span(&from, span_str(known ? session->who->from_text : "an unknown address")));
}

static int sentence_refused(char *dst, size_t cap, const struct record_session *session, const struct record *r)
{
	struct shown user, why;
	return snprintf(dst, cap, "command of %s refused: %s", shown_user(&user, session),
	                r->detail.n > 0 ? shown_span(&why, r->detail) : reason_word(r->reason));
}

size_t audit_sentence(char *dst, size_t cap, const struct record_session *session, const struct record *r)
{
	int n = 0;
	switch (r->event) {
	case RECORD_SESSION_START:
		n = sentence_start(dst, cap, session);
		break;
	case RECORD_SESSION_END:
		n = sentence_end(dst, cap, session, r);
		break;
	case RECORD_COMMAND_REFUSED:
		n = sentence_refused(dst, cap, session, r);
		break;
	case RECORD_FILE:
	case RECORD_DIRECTORY:
		n = sentence_entry(dst, cap, session, r);
		break;
	case RECORD_OPERATION:
		n = sentence_operation(dst, cap, session, r);
		break;
	}
	if (n < 0)
		return 0;
	return (size_t)n < cap ? (size_t)n : cap - 1;
}
