/*
 * What source and sink say about one entry, and what they are told: the sink's word on the announcement, the source's status byte, the
 * sink's word on the whole, the client's answer. One reply for each action, whatever was decided.
 */
#include "guard/entry.h"

/* A reply of the sink, whole: false if it has to be waited for. MORE and BAD: there will be none. */
static bool body_reply(struct guard *guard, enum side lane, struct span *in, enum scp_kind *kind, struct scp_record *record, struct step *step)
{
	*step = step_of(STEP_WAIT);
	if (lane != guard->sink)
		return false;
	*kind = scp_next_reply(&guard->reader[lane], in, record);
	if (*kind == SCP_MORE && guard_at_end(guard, lane, in))
		*kind = scp_last_reply(&guard->reader[lane], record);
	else if (*kind == SCP_MORE) {
		/* the child was told long before the content was in */
		*step = (struct step){ .kind = STEP_READ, .soon = guard->phase == PHASE_OPEN && guard->entry.early };
		return false;
	}
	return true;
}

/* The same where without one nothing goes on. */
static bool body_word(struct guard *guard, enum side lane, struct span *in, enum scp_kind *kind, struct scp_record *record, struct step *step)
{
	if (!body_reply(guard, lane, in, kind, record, step))
		return false;
	if (*kind != SCP_MORE && *kind != SCP_BAD)
		return true;
	body_sink_ended(guard);
	*step = step_again();
	return false;
}

/* The sink refused the entry: nothing of it was stored. */
static void body_open_refused(struct guard *guard, enum scp_kind kind, const struct scp_record *record)
{
	struct guard_entry *entry = &guard->entry;
	char text[SCP_MESSAGE_MAX];
	if (guard->sink == CHILD) {
		body_fail(guard, REASON_CHILD, guard_text(record, text), kind == SCP_FATAL);
		return;
	}
	body_fail(guard, REASON_CLIENT, guard_text(record, text), kind == SCP_FATAL);
	entry->silent = true;
}

struct step body_open(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	struct scp_record record;
	enum scp_kind kind;
	struct step step;
	if (!body_word(guard, lane, in, &kind, &record, &step))
		return step;
	entry->expect--;
	if (kind != SCP_OK) {
		bool both = entry->expect > 0; /* times and entry went together; the second word is still to come */
		if (!entry->denied)
			body_open_refused(guard, kind, &record);
		entry->expect = both && kind != SCP_FATAL ? entry->expect : 0;
	} else if (entry->times_first && !entry->denied) {
		body_announce_entry(guard);
		if (body_early(guard))
			body_answer_source(guard);
	} else if (entry->expect == 0) {
		entry->opened = true;
		entry->scrub = entry->denied && guard->sink == CHILD;
		if (entry->need != 0 && entry->place.hopeless && !body_streams(guard)) {
			entry->opened = false; /* it should have failed: what it opened is not what was looked at */
			entry_deny(guard, OUTCOME_BLOCKED, REASON_MOVED, NULL);
			entry->fatal = guard->kill = true;
		}
	}
	guard_phase(guard, PHASE_BODY);
	return step_again();
}

static void body_store(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	bool warn = !entry->denied && entry->status == SCP_WARNING;
	guard_send_text(guard, guard->sink, warn ? SCP_WARNING : SCP_OK, warn ? entry->status_text : NULL);
	entry->expect = 1;
	guard->asked = true;
}

/* Upload: the status byte goes to the child, its word on the whole file comes back. */
struct step body_stored(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	struct scp_record record;
	enum scp_kind kind;
	struct step step;
	char text[SCP_MESSAGE_MAX];
	if (!guard->asked) {
		body_store(guard);
		return step_again();
	}
	if (!body_word(guard, lane, in, &kind, &record, &step))
		return step;
	entry->stored = true;
	entry->expect = 0;
	if (kind != SCP_OK && !entry->denied)
		body_fail(guard, REASON_CHILD, guard_text(&record, text), kind == SCP_FATAL);
	if (entry->outcome == OUTCOME_ALLOWED && entry->status == SCP_WARNING)
		guard->failed++;
	guard_phase(guard, PHASE_BODY);
	return step_again();
}

struct step body_status(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	struct scp_record record = { 0 };
	if (lane != guard->source)
		return step_of(STEP_WAIT);
	enum scp_kind kind = scp_next_reply(&guard->reader[lane], in, &record);
	if (kind == SCP_MORE && guard_at_end(guard, lane, in) && guard->source == CLIENT && guard->reader[lane].n == 0)
		kind = SCP_OK; /* libssh2 and phpseclib never send it */
	else if (kind == SCP_MORE && !guard_at_end(guard, lane, in))
		return step_of(STEP_READ);
	if (kind == SCP_MORE || kind == SCP_BAD || kind == SCP_FATAL) {
		entry->need = entry->opened ? entry->need : 0;
		body_source_ended(guard, kind == SCP_FATAL ? &record : NULL);
		return step_again();
	}
	entry->status = kind;
	entry->status_seen = true;
	if (kind == SCP_WARNING)
		guard_text(&record, entry->status_text);
	guard_phase(guard, PHASE_BODY);
	return step_again();
}

static enum scp_kind body_error(const struct guard *guard)
{
	return guard->entry.fatal && !guard->entry.soft ? SCP_FATAL : SCP_WARNING;
}

/* Upload: the client's reply. Its last OK is sent here and nowhere else. */
static void body_answer_upload(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (entry->denied && !entry->silent)
		guard_send_text(guard, CLIENT, body_error(guard), entry->text);
	else if (!entry->denied)
		guard_send(guard, CLIENT, SCP_OK, NULL);
	if (!entry->denied && entry->kind == ENTRY_DIRECTORY)
		guard->depth++;
	scp_entry_done(guard);
}

static void body_answer_refused_download(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	guard_send_text(guard, CHILD, entry->answered ? SCP_OK : SCP_WARNING, entry->answered ? NULL : "x");
	if (entry->fatal && !entry->silent) {
		guard_flush_deferred(guard);
		guard_send_text(guard, CLIENT, SCP_FATAL, entry->text);
	} else if (!entry->silent) {
		guard_defer(guard, span_str(entry->text));
	}
	scp_entry_done(guard);
}

/* Download: the client has the content and waits for the status byte. The child is let go on at once. */
static struct step body_answer_download(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	struct scp_record record;
	enum scp_kind kind;
	struct step step;
	if (!guard->asked) {
		bool warn = !entry->denied && entry->status == SCP_WARNING;
		enum scp_kind status = entry->denied ? body_error(guard) : entry->status;
		if (!entry->silent)
			guard_send_text(guard, CLIENT, status, entry->denied ? entry->text : warn ? entry->status_text : NULL);
		guard_send(guard, CHILD, SCP_OK, NULL);
		guard->failed += warn;
		guard->asked = true;
		if (entry->fatal)
			scp_entry_done(guard);
		return step_again();
	}
	if (lane != CLIENT)
		return step_of(STEP_WAIT);
	if (!body_reply(guard, lane, in, &kind, &record, &step))
		return step;
	guard->failed += kind != SCP_OK && kind != SCP_MORE; /* curl closes without a word */
	entry->fatal = kind == SCP_FATAL || kind == SCP_BAD;
	scp_entry_done(guard);
	return step_again();
}

static struct step body_answer_directory(struct guard *guard)
{
	guard_send(guard, CHILD, SCP_OK, NULL);
	guard->depth++;
	scp_entry_done(guard);
	return step_again();
}

struct step body_answer(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	if (guard->source == CLIENT)
		body_answer_upload(guard);
	else if (entry->denied && !entry->opened)
		body_answer_refused_download(guard);
	else if (entry->kind == ENTRY_DIRECTORY)
		return body_answer_directory(guard);
	else
		return body_answer_download(guard, lane, in);
	return step_again();
}
