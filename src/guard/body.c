/*
 * The content of one entry on its way from source to sink. body_choose looks at what is known and what has moved, and says what comes next;
 * the order of its lines is the order of events. Uploads and downloads are the same road walked from the other end.
 */
#include "guard/entry.h"

static bool body_streams(const struct guard *guard)
{
	const struct guard_entry *entry = &guard->entry;
	return guard->setup.policy->delivery == DELIVERY_STREAM && entry->need == FACT_SCAN && entry->record.size > GUARD_HEAD;
}

/* How many bytes may go to the sink before the verdict. */
static uint64_t body_unjudged(const struct guard *guard)
{
	return guard->entry.record.size - GUARD_TAIL;
}

static void body_answer_source(struct guard *guard)
{
	guard->entry.answered = true;
	guard_send(guard, guard->source, SCP_OK, NULL);
}

static void body_announce_entry(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	entry->times_first = false;
	entry->expect++;
	guard_send(guard, guard->sink, entry->kind == ENTRY_DIRECTORY ? SCP_DIR : SCP_FILE, &entry->record);
}

/* Tells the sink. Small files that are allowed: the source is answered at once, so that nobody waits for somebody who waits. */
static void body_announce(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	bool small = entry->kind == ENTRY_FILE && entry->record.size <= guard->setup.early_max && entry->need == 0 && !entry->place.hopeless;
	entry->announced = true;
	if (small && !entry->answered && guard->source == CLIENT) {
		entry->early = true;
		body_answer_source(guard);
	}
	if (entry->has_times) {
		struct scp_record times = { .times = entry->times };
		guard_send(guard, guard->sink, SCP_TIMES, &times);
		entry->expect++;
		if (guard->sink == CLIENT) { /* clients want one record at a time */
			entry->times_first = true;
			return;
		}
	}
	body_announce_entry(guard);
	if (small && !entry->answered)
		body_answer_source(guard);
}

static enum guard_phase body_choose_denied(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (entry->pipelined && !entry->answered)
		body_answer_source(guard);
	if (entry->announced && entry->expect > 0)
		return PHASE_OPEN;
	if (entry->opened && entry->kind == ENTRY_FILE && entry->sent < entry->record.size)
		return PHASE_PAD;
	if (entry->received < entry->record.size)
		return PHASE_SWALLOW;
	if (!entry->status_seen)
		return PHASE_STATUS;
	if (entry->opened && !entry->stored && guard->sink == CHILD && entry->kind == ENTRY_FILE)
		return PHASE_STORED;
	if (entry->scrub)
		return PHASE_SCRUB;
	return entry->recorded ? PHASE_ANSWER : PHASE_RECORD;
}

/* Facts are missing: collect what they can be found in. */
static enum guard_phase body_choose_undecided(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	bool streams = body_streams(guard);
	if (entry->place.hopeless || streams) { /* the sink is told first: to hear its refusal, or to stream to it */
		if (!entry->announced)
			body_announce(guard);
		if (entry->expect > 0)
			return PHASE_OPEN;
		if (!entry->pinned && guard->sink == CHILD)
			return PHASE_PIN;
	}
	if (!entry->answered)
		body_answer_source(guard);
	if (streams && entry->sent < entry->spooled && entry->sent < body_unjudged(guard))
		return PHASE_RELEASE;
	if (streams && entry->received < body_unjudged(guard))
		return PHASE_PASS;
	uint64_t enough = entry->need == FACT_TYPE && entry->record.size > GUARD_HEAD ? GUARD_HEAD : entry->record.size;
	if (entry->received < enough)
		return PHASE_HOLD;
	if (entry->received == entry->record.size && !entry->status_seen)
		return PHASE_STATUS;
	return PHASE_INSPECT;
}

static enum guard_phase body_choose_directory(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (guard->sink == CLIENT)
		return PHASE_ANSWER;
	if (!entry->pinned)
		return PHASE_ENTER;
	return entry->place.kind == PLACE_ABSENT && !entry->recorded ? PHASE_RECORD : PHASE_ANSWER;
}

static enum guard_phase body_choose_allowed(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (!entry->announced)
		body_announce(guard);
	if (entry->early && entry->received < entry->record.size)
		return PHASE_HOLD;
	if (entry->early && !entry->status_seen)
		return PHASE_STATUS;
	if (entry->expect > 0 && !entry->stored && !entry->opened)
		return PHASE_OPEN;
	entry->outcome = OUTCOME_ALLOWED;
	if (entry->kind == ENTRY_DIRECTORY)
		return body_choose_directory(guard);
	if (!entry->pinned && guard->sink == CHILD)
		return PHASE_PIN;
	if (!entry->answered)
		body_answer_source(guard);
	if (entry->sent < entry->spooled)
		return PHASE_RELEASE;
	if (entry->received < entry->record.size)
		return PHASE_PASS;
	if (!entry->status_seen)
		return PHASE_STATUS;
	if (guard->sink == CHILD && !entry->stored)
		return PHASE_STORED;
	return entry->recorded ? PHASE_ANSWER : PHASE_RECORD;
}

static struct step body_choose(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	enum guard_phase phase = entry->denied ? body_choose_denied(guard) :
				 entry->need ? body_choose_undecided(guard) : body_choose_allowed(guard);
	if (guard->phase == PHASE_BODY) /* a letter that could not be written ends the session instead */
		guard_phase(guard, phase);
	return step_again();
}

static void body_fail(struct guard *guard, enum reason reason, const char *text, bool fatal)
{
	struct guard_entry *entry = &guard->entry;
	entry_deny(guard, OUTCOME_FAILED, reason, text);
	entry->fatal = fatal;
}

/* The source stopped inside the entry. */
void body_source_ended(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	bool unjudged = entry->need != 0 || entry->scrub;
	guard->lost = guard->source == CLIENT ? REASON_CLIENT_GONE : REASON_CHILD;
	if (!entry->denied)
		body_fail(guard, guard->source == CLIENT ? REASON_CLIENT_GONE : REASON_CHILD, NULL, true);
	entry->fatal = true;
	entry->received = entry->record.size;
	entry->status_seen = true;
	guard_phase(guard, PHASE_BODY);
	if (guard->source == CHILD)
		return;
	entry->silent = true;
	entry->scrub = entry->opened && unjudged;
	guard_finish(guard, false, false); /* no padding: a cut file has to look cut */
}

static void body_sink_ended(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	entry->expect = 0;
	if (entry->denied) {
		entry->stored = true;
		entry->fatal = true;
	} else if (guard->sink == CHILD) {
		entry->scrub = entry->opened && entry->need != 0;
		entry->opened = false;
		body_fail(guard, REASON_CHILD, NULL, true);
	} else {
		body_fail(guard, REASON_CLIENT_GONE, NULL, true);
		entry->opened = false;
		entry->silent = true;
	}
	guard_phase(guard, PHASE_BODY);
}

static const char *body_text(const struct scp_record *record, char *text)
{
	struct span from = record->text;
	size_t n = from.n < SCP_MESSAGE_MAX - 1 ? from.n : SCP_MESSAGE_MAX - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = from.p[i] ? (char)from.p[i] : '?';
	text[n] = '\0';
	return text;
}

/* A reply of the sink, whole: false if it has to be waited for, or if its end was dealt with. */
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
		body_fail(guard, REASON_CHILD, body_text(record, text), kind == SCP_FATAL);
		return;
	}
	body_fail(guard, REASON_CLIENT, body_text(record, text), kind == SCP_FATAL);
	entry->silent = true;
}

static struct step body_open(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	struct scp_record record;
	enum scp_kind kind;
	struct step step;
	if (!body_reply(guard, lane, in, &kind, &record, &step))
		return step;
	entry->expect--;
	if (kind != SCP_OK) {
		bool both = entry->expect > 0; /* times and entry went together; the second word is still to come */
		if (!entry->denied)
			body_open_refused(guard, kind, &record);
		entry->expect = both && kind != SCP_FATAL ? entry->expect : 0;
	} else if (entry->times_first && !entry->denied) {
		body_announce_entry(guard);
		if (entry->record.size <= guard->setup.early_max && entry->need == 0 && entry->kind == ENTRY_FILE && !entry->answered)
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
static struct step body_stored(struct guard *guard, enum side lane, struct span *in)
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
	if (!body_reply(guard, lane, in, &kind, &record, &step))
		return step;
	entry->stored = true;
	entry->expect = 0;
	if (kind != SCP_OK && !entry->denied)
		body_fail(guard, REASON_CHILD, body_text(&record, text), kind == SCP_FATAL);
	if (entry->outcome == OUTCOME_ALLOWED && entry->status == SCP_WARNING)
		guard->failed++;
	guard_phase(guard, PHASE_BODY);
	return step_again();
}

static struct step body_status(struct guard *guard, enum side lane, struct span *in)
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
		body_source_ended(guard);
		return step_again();
	}
	entry->status = kind;
	entry->status_seen = true;
	if (kind == SCP_WARNING)
		body_text(&record, entry->status_text);
	guard_phase(guard, PHASE_BODY);
	return step_again();
}

static struct step body_swallow(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	if (lane != guard->source)
		return step_of(STEP_WAIT);
	uint64_t missing = entry->record.size - entry->received;
	entry->received += span_take(in, missing < in->n ? (size_t)missing : in->n).n;
	if (entry->received == entry->record.size)
		guard_phase(guard, PHASE_BODY);
	else if (guard_at_end(guard, lane, in))
		body_source_ended(guard);
	else
		return step_of(STEP_READ);
	return step_again();
}

/* PASS and HOLD: payload of the source's lane. */
static struct step body_take(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	if (lane != guard->source)
		return step_of(STEP_WAIT);
	uint64_t until = entry->record.size;
	bool undecided = entry->need != 0;
	if (undecided && guard->phase == PHASE_PASS)
		until = body_unjudged(guard);
	else if (entry->need == FACT_TYPE && until > GUARD_HEAD)
		until = GUARD_HEAD;
	if (entry->received >= until) {
		guard_phase(guard, PHASE_BODY);
		return step_again();
	}
	if (guard_at_end(guard, lane, in)) {
		body_source_ended(guard);
		return step_again();
	}
	if (guard->phase == PHASE_PASS && guard->ended[guard->sink]) {
		body_sink_ended(guard);
		return step_again();
	}
	return (struct step){ .kind = guard->phase == PHASE_PASS ? STEP_PASS : STEP_HOLD, .to = guard->sink,
			      .keep = undecided && guard->phase == PHASE_PASS, .count = until - entry->received };
}

static struct step body_release(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	uint64_t until = entry->need != 0 && body_unjudged(guard) < entry->spooled ? body_unjudged(guard) : entry->spooled;
	if (entry->sent >= until) {
		guard_phase(guard, PHASE_BODY);
		return step_again();
	}
	if (guard->ended[guard->sink]) {
		body_sink_ended(guard);
		return step_again();
	}
	return (struct step){ .kind = STEP_RELEASE, .to = guard->sink, .offset = entry->sent, .count = until - entry->sent };
}

static struct step body_pad(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (entry->sent >= entry->record.size || guard->ended[guard->sink]) {
		entry->sent = entry->record.size;
		guard_phase(guard, PHASE_BODY);
		return step_again();
	}
	return (struct step){ .kind = STEP_PAD, .to = guard->sink, .count = entry->record.size - entry->sent };
}

void body_moved(struct guard *guard, uint64_t n)
{
	struct guard_entry *entry = &guard->entry;
	switch (guard->phase) {
	case PHASE_HOLD:
		entry->received += n;
		entry->spooled += n;
		return;
	case PHASE_PASS:
		entry->received += n;
		entry->sent += n;
		entry->spooled += entry->need != 0 ? n : 0;
		guard->bytes += n;
		return;
	case PHASE_RELEASE:
		guard->bytes += n;
		entry->sent += n;
		return;
	case PHASE_PAD:
		entry->sent += n;
		return;
	case PHASE_GREETING:
	case PHASE_HEADER:
	case PHASE_RESOLVE:
	case PHASE_BODY:
	case PHASE_SWALLOW:
	case PHASE_STATUS:
	case PHASE_INSPECT:
	case PHASE_OPEN:
	case PHASE_PIN:
	case PHASE_STORED:
	case PHASE_SCRUB:
	case PHASE_RECORD:
	case PHASE_ANSWER:
	case PHASE_ENTER:
	case PHASE_LEAVE:
	case PHASE_SHUT:
	case PHASE_CHILD_END:
	case PHASE_DRAIN:
	case PHASE_DONE:
		return;
	}
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
	if (guard->ended[CLIENT] && in->n == 0 && guard->reader[CLIENT].n == 0) { /* curl closes without a word */
		scp_entry_done(guard);
		return step_again();
	}
	if (!body_reply(guard, lane, in, &kind, &record, &step))
		return step;
	guard->failed += kind != SCP_OK;
	entry->fatal = kind == SCP_FATAL;
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

static struct step body_answer(struct guard *guard, enum side lane, struct span *in)
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

struct step body_next(struct guard *guard, enum side lane, struct span *in)
{
	struct guard_entry *entry = &guard->entry;
	switch (guard->phase) {
	case PHASE_RESOLVE:
		return guard_ask(guard, (struct step){ .kind = STEP_RESOLVE, .count = guard->depth, .bytes = entry->record.name, .entry = entry->kind });
	case PHASE_BODY:
		return body_choose(guard);
	case PHASE_HOLD:
	case PHASE_PASS:
		return body_take(guard, lane, in);
	case PHASE_SWALLOW:
		return body_swallow(guard, lane, in);
	case PHASE_STATUS:
		return body_status(guard, lane, in);
	case PHASE_INSPECT:
		return guard_ask(guard, (struct step){ .kind = STEP_INSPECT, .need = entry->need, .count = entry->spooled });
	case PHASE_OPEN:
		return body_open(guard, lane, in);
	case PHASE_PIN:
		return guard_ask(guard, step_of(STEP_PIN));
	case PHASE_ENTER:
		return guard_ask(guard, (struct step){ .kind = STEP_ENTER, .count = guard->depth + 1, .bytes = entry->record.name });
	case PHASE_RELEASE:
		return body_release(guard);
	case PHASE_PAD:
		return body_pad(guard);
	case PHASE_STORED:
		return body_stored(guard, lane, in);
	case PHASE_SCRUB:
		return guard_ask(guard, step_of(STEP_SCRUB));
	case PHASE_ANSWER:
		return body_answer(guard, lane, in);
	case PHASE_RECORD:
	case PHASE_GREETING:
	case PHASE_HEADER:
	case PHASE_LEAVE:
	case PHASE_SHUT:
	case PHASE_CHILD_END:
	case PHASE_DRAIN:
	case PHASE_DONE:
		break;
	}
	return step_of(STEP_WAIT);
}
