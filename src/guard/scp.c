/* SCP between the entries: the greeting, the next record, the end of a directory, the end of all. */
#include "guard/entry.h"
#include "guard/message.h"

/* An error that belongs to no entry: say it, then end. */
static struct step scp_fail(struct guard *guard, enum reason reason, const char *text)
{
	char line[SCP_MESSAGE_MAX];
	if (text == NULL) {
		struct message_facts facts = { .reason = reason };
		message_refusal(line, sizeof(line) - 2, &facts);
		text = line;
	}
	guard->failed++;
	guard_flush_deferred(guard);
	guard_send_text(guard, CLIENT, SCP_FATAL, text);
	guard_finish(guard, guard->source == CHILD, true);
	return step_again();
}

/* The child would not begin: a target that is no folder, or no program at all. */
static struct step scp_greeting_refused(struct guard *guard, enum scp_kind kind, const struct scp_record *record)
{
	char text[SCP_MESSAGE_MAX];
	if (kind != SCP_WARNING && kind != SCP_FATAL)
		return scp_fail(guard, REASON_CHILD, NULL);
	guard->failed++;
	guard_send_text(guard, CLIENT, kind, guard_text(record, text));
	guard_finish(guard, false, true);
	return step_again();
}

struct step scp_greeting(struct guard *guard, enum side lane, struct span *in)
{
	struct scp_record record;
	if (lane != guard->sink)
		return step_of(STEP_WAIT);
	enum scp_kind kind = scp_next_reply(&guard->reader[lane], in, &record);
	if (kind == SCP_MORE) {
		if (!guard_at_end(guard, lane, in))
			return step_of(STEP_READ);
		if (lane == CHILD)
			return scp_greeting_refused(guard, SCP_BAD, NULL);
		guard->failed++;
		guard_finish(guard, true, false);
		return step_again();
	}
	if (lane == CHILD && kind != SCP_OK)
		return scp_greeting_refused(guard, kind, &record);
	if (kind == SCP_FATAL || kind == SCP_BAD) {
		guard->failed++;
		guard_finish(guard, true, true);
		return step_again();
	}
	guard_send(guard, guard->source, SCP_OK, NULL); /* the real source overlooks a warning here */
	guard_phase(guard, PHASE_HEADER);
	return step_again();
}

static struct step scp_source_done(struct guard *guard)
{
	if (guard->source == CHILD) {
		if (guard->depth > 0)
			return scp_fail(guard, REASON_CHILD, NULL);
		guard_flush_deferred(guard);
		if (guard->deferred_used > 0)
			return step_again();
	}
	guard_finish(guard, false, false);
	return step_again();
}

static struct step scp_bad_record(struct guard *guard, const struct scp_record *record)
{
	const char *why = guard->reader[guard->source].why;
	if (guard->source == CHILD)
		return scp_fail(guard, REASON_CHILD, NULL);
	char text[SCP_MESSAGE_MAX];
	struct span clean = span_str("scp: protocol error: ");
	memcpy(text, clean.p, clean.n);
	size_t n = clean.n + strlen(why ? why : "?");
	memcpy(text + clean.n, why ? why : "?", n - clean.n);
	text[n] = '\0';
	entry_begin(guard, SCP_BAD, record, false);
	entry_deny(guard, OUTCOME_BLOCKED, REASON_PROTOCOL, text);
	guard->entry.fatal = guard->entry.soft = true;
	guard_phase(guard, PHASE_BODY);
	return step_again();
}

/* A name that is no name: the real sink ends there, the real source wants to be told. */
static void scp_bad_name(struct guard *guard, const struct scp_record *record, bool more_waits)
{
	entry_begin(guard, record->directory ? SCP_DIR : SCP_FILE, record, more_waits);
	entry_deny(guard, OUTCOME_BLOCKED, REASON_BAD_NAME, "scp: error: unexpected filename");
	guard->entry.fatal = guard->entry.soft = guard->source == CLIENT;
	guard_phase(guard, PHASE_BODY);
}

static struct step scp_end_of_directory(struct guard *guard)
{
	if (guard->source == CHILD && guard->depth == 0)
		return scp_fail(guard, REASON_CHILD, NULL);
	guard_flush_deferred(guard);
	if (guard->deferred_used > 0) {
		guard_phase(guard, PHASE_LEAVE);
		return step_again();
	}
	guard_send(guard, guard->sink, SCP_LEAVE, NULL);
	guard->asked = true;
	guard->phase = PHASE_LEAVE;
	return step_again();
}

static struct step scp_message(struct guard *guard, enum scp_kind kind, const struct scp_record *record)
{
	char text[SCP_MESSAGE_MAX];
	guard->failed++;
	if (kind == SCP_WARNING) { /* no reply: that is its nature */
		if (guard->source == CHILD)
			guard_defer(guard, span_str(guard_text(record, text)));
		return step_again();
	}
	if (guard->source == CHILD) {
		guard_flush_deferred(guard);
		guard_send_text(guard, CLIENT, SCP_FATAL, guard_text(record, text));
	}
	guard_finish(guard, false, true);
	return step_again();
}

static struct step scp_record_arrived(struct guard *guard, enum scp_kind kind, struct scp_record *record, bool more_waits)
{
	switch (kind) {
	case SCP_TIMES:
		guard->times = record->times;
		guard->has_times = true;
		guard_send(guard, guard->source, SCP_OK, NULL);
		return step_again();
	case SCP_DIR:
		if (!guard->setup.recursive) {
			guard->reader[guard->source].why = "received directory without -r";
			return scp_bad_record(guard, record);
		}
		entry_begin(guard, kind, record, more_waits);
		return step_again();
	case SCP_FILE:
		entry_begin(guard, kind, record, more_waits);
		return step_again();
	case SCP_LEAVE:
		return scp_end_of_directory(guard);
	case SCP_WARNING:
	case SCP_FATAL:
		return scp_message(guard, kind, record);
	case SCP_BAD_NAME:
		scp_bad_name(guard, record, more_waits);
		return step_again();
	case SCP_MORE:
	case SCP_OK:
	case SCP_BAD:
		break;
	}
	return scp_bad_record(guard, record);
}

struct step scp_header(struct guard *guard, enum side lane, struct span *in)
{
	struct scp_record record = { 0 };
	if (lane != guard->source)
		return step_of(STEP_WAIT);
	enum scp_kind kind = scp_next_record(&guard->reader[lane], in, &record);
	if (kind == SCP_MORE && !guard_at_end(guard, lane, in)) /* the child was let go on while the client still had the last word */
		return (struct step){ .kind = STEP_READ, .soon = guard->source == CHILD && guard->entries > 0 };
	if (kind == SCP_MORE && guard->reader[lane].n > 0) {
		guard->reader[lane].why = "lost connection";
		return scp_bad_record(guard, &record);
	}
	if (kind == SCP_MORE)
		return scp_source_done(guard);
	return scp_record_arrived(guard, kind, &record, in->n > 0);
}

static struct step scp_left(struct guard *guard, enum scp_kind kind, const struct scp_record *record)
{
	char text[SCP_MESSAGE_MAX];
	bool last = guard->depth == 0;
	if (kind == SCP_FATAL || kind == SCP_BAD || kind == SCP_MORE) {
		if (guard->sink == CHILD)
			return scp_fail(guard, REASON_CHILD, kind == SCP_FATAL ? guard_text(record, text) : NULL);
		guard->failed++;
		guard_finish(guard, true, true);
		return step_again();
	}
	guard->depth -= !last;
	if (kind == SCP_WARNING) {
		guard->failed++;
		guard_send_text(guard, guard->source, SCP_WARNING, guard_text(record, text));
	} else {
		guard_send(guard, guard->source, SCP_OK, NULL);
	}
	guard_phase(guard, PHASE_HEADER);
	if (last)
		guard_finish(guard, false, true);
	return step_again();
}

/* Waits for the sink's word on an E; asked says that the E was sent (deferred lines may have come first). */
struct step scp_leave(struct guard *guard, enum side lane, struct span *in)
{
	struct scp_record record;
	if (!guard->asked)
		return scp_end_of_directory(guard);
	if (lane != guard->sink)
		return step_of(STEP_WAIT);
	enum scp_kind kind = scp_next_reply(&guard->reader[lane], in, &record);
	if (kind == SCP_MORE && !guard_at_end(guard, lane, in))
		return step_of(STEP_READ);
	return scp_left(guard, kind, &record);
}

void scp_entry_done(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	bool fatal = entry->fatal;
	guard->drop = guard->drop || (entry->spooled > 0 && !entry->dropped);
	entry->active = false;
	if (fatal)
		guard_finish(guard, guard->source == CHILD, !guard->gone);
	else
		guard_phase(guard, PHASE_HEADER);
}
