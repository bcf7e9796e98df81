/*
 * The content of one entry on its way from source to sink. body_choose looks at what is known and what has moved, and says what comes next;
 * the order of its lines is the order of events. Uploads and downloads are the same road walked from the other end.
 */
#include "guard/entry.h"

bool body_streams(const struct guard *guard)
{
	const struct guard_entry *entry = &guard->entry;
	return guard->setup.policy->delivery == DELIVERY_STREAM && entry->need == FACT_SCAN && entry->record.size > GUARD_HEAD;
}

/* How many bytes may go to the sink before the verdict. */
static uint64_t body_unjudged(const struct guard *guard)
{
	return guard->entry.record.size - GUARD_TAIL;
}

void body_answer_source(struct guard *guard)
{
	guard->entry.answered = true;
	guard_send(guard, guard->source, SCP_OK, NULL);
}

void body_announce_entry(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	entry->times_first = false;
	entry->expect++;
	guard_send(guard, guard->sink, entry->kind == ENTRY_DIRECTORY ? SCP_DIR : SCP_FILE, &entry->record);
}

bool body_early(const struct guard *guard)
{
	const struct guard_entry *entry = &guard->entry;
	uint64_t most = guard->setup.early_max;
	return entry->kind == ENTRY_FILE && most > 0 && entry->record.size <= most && entry->need == 0 && !entry->place.hopeless && !entry->answered;
}

/* Tells the sink. Small files that are allowed: the source is answered at once, so that nobody waits for somebody who waits. */
static void body_announce(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	entry->announced = true;
	if (body_early(guard) && guard->source == CLIENT) {
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
	if (body_early(guard))
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
	bool changes = entry->place.kind == PLACE_ABSENT || entry->has_times || guard->setup.preserve;
	return changes && !entry->recorded ? PHASE_RECORD : PHASE_ANSWER;
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

void body_fail(struct guard *guard, enum reason reason, const char *text, bool fatal)
{
	struct guard_entry *entry = &guard->entry;
	entry_deny(guard, OUTCOME_FAILED, reason, text);
	entry->fatal = fatal;
}

/* The source stopped inside the entry. */
void body_source_ended(struct guard *guard, const struct scp_record *said)
{
	struct guard_entry *entry = &guard->entry;
	char text[SCP_MESSAGE_MAX];
	bool unjudged = entry->need != 0 || entry->scrub;
	guard->lost = guard->source == CHILD ? REASON_CHILD : said ? REASON_CLIENT :
		      guard->reader[CLIENT].why ? REASON_PROTOCOL : REASON_CLIENT_GONE;
	if (!entry->denied)
		body_fail(guard, guard->lost, said ? guard_text(said, text) : NULL, true);
	entry->fatal = true;
	entry->received = entry->record.size;
	entry->status_seen = true;
	guard_phase(guard, PHASE_BODY);
	if (guard->source == CHILD)
		return;
	entry->silent = true;
	entry->scrub = entry->opened && unjudged;
	guard_finish(guard, false, false); /* no padding: what was not sent is not made up */
}

void body_sink_ended(struct guard *guard)
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
		body_fail(guard, guard->reader[CLIENT].why ? REASON_PROTOCOL : REASON_CLIENT_GONE, NULL, true);
		entry->opened = false;
		entry->silent = true;
	}
	guard_phase(guard, PHASE_BODY);
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
		body_source_ended(guard, NULL);
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
		body_source_ended(guard, NULL);
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
	if (guard->ended[guard->sink] && entry->sent < entry->record.size) {
		body_moved(guard, entry->record.size - entry->sent);
		entry->silent = entry->silent || guard->sink == CLIENT; /* it would take words for content */
		body_sink_ended(guard);
		return step_again();
	}
	if (entry->sent >= entry->record.size) {
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
		entry->padded += n;
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
	case PHASE_TALK:
	case PHASE_SWEEP:
	case PHASE_DONE:
		return;
	}
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
		return guard_ask(guard, (struct step){ .kind = STEP_PIN, .count = entry->record.size });
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
	case PHASE_TALK:
	case PHASE_SWEEP:
	case PHASE_DONE:
		break;
	}
	return step_of(STEP_WAIT);
}
