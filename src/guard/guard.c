/* The frame: which phase runs, the letters that are waiting to be sent, and what the relay reports. */
#include "guard/guard.h"

#include <stdio.h>

#include "base/text.h"
#include "guard/entry.h"
#include "guard/message.h"
#include "guard/talk.h"
#include "guard/verdict.h"

void guard_init(struct guard *guard, const struct guard_setup *setup)
{
	memset(guard, 0, offsetof(struct guard, outbox));
	guard->setup = *setup;
	guard->source = setup->direction == UPLOAD ? CLIENT : CHILD;
	guard->sink = setup->direction == UPLOAD ? CHILD : CLIENT;
	guard->phase = setup->sftp ? PHASE_TALK : PHASE_GREETING;
	if (setup->sftp) {
		sftp_init(&setup->sftp->reader[CLIENT]);
		sftp_init(&setup->sftp->reader[CHILD]);
	}
	scp_init(&guard->reader[CLIENT]);
	scp_init(&guard->reader[CHILD]);
}

void guard_phase(struct guard *guard, enum guard_phase phase)
{
	guard->phase = phase;
	guard->asked = false;
}

struct step guard_ask(struct guard *guard, struct step step)
{
	if (guard->asked)
		return step_of(STEP_WAIT);
	guard->asked = true;
	return step;
}

bool guard_at_end(const struct guard *guard, enum side lane, const struct span *in)
{
	return guard->ended[lane] && in->n == 0;
}

/* The outbox is emptied before a phase runs, and no phase fills it: running out of room is a bug of ours. */
static uint8_t *guard_letter(struct guard *guard, enum side to, size_t *room)
{
	if (guard->out_at == guard->out_count)
		guard->out_at = guard->out_count = guard->out_used = 0;
	bool full = guard->out_count == GUARD_LETTERS;
	*room = full ? 0 : sizeof(guard->outbox) - guard->out_used;
	if (!full)
		guard->out[guard->out_count].to = to;
	return guard->outbox + guard->out_used;
}

static void guard_post(struct guard *guard, size_t n)
{
	guard->out[guard->out_count++].n = n;
	guard->out_used += n;
}

void guard_send(struct guard *guard, enum side to, enum scp_kind kind, const struct scp_record *record)
{
	size_t room;
	uint8_t *at = guard_letter(guard, to, &room);
	size_t n = room >= SCP_PUT_MAX ? scp_put(at, kind, record) : 0;
	if (n > 0)
		guard_post(guard, n);
	else
		guard_finish(guard, true, false);
}

bool guard_send_packet(struct guard *guard, enum side to, const struct sftp_packet *packet)
{
	size_t room;
	uint8_t *at = guard_letter(guard, to, &room);
	size_t n = room >= SFTP_PUT_MAX ? sftp_put(at, packet) : 0;
	if (n > 0)
		guard_post(guard, n);
	return n > 0;
}

void guard_send_text(struct guard *guard, enum side to, enum scp_kind kind, const char *text)
{
	struct scp_record record = { .text = span_str(text) };
	guard_send(guard, to, kind, &record);
}

const char *guard_text(const struct scp_record *record, char text[static SCP_MESSAGE_MAX])
{
	struct span from = record->text;
	size_t n = from.n < SCP_MESSAGE_MAX - 1 ? from.n : SCP_MESSAGE_MAX - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = from.p[i] ? (char)from.p[i] : '?';
	text[n] = '\0';
	return text;
}

void guard_defer(struct guard *guard, struct span text)
{
	struct scp_record record = { .text = text };
	uint8_t line[SCP_PUT_MAX];
	size_t n = scp_put(line, SCP_WARNING, &record);
	if (guard->deferred_used + n > sizeof(guard->deferred))
		guard_flush_deferred(guard);
	if (guard->deferred_used + n > sizeof(guard->deferred))
		return; /* before the session began: the audit has it */
	memcpy(guard->deferred + guard->deferred_used, line, n);
	guard->deferred_used += n;
}

void guard_flush_deferred(struct guard *guard)
{
	struct span rest = span_of(guard->deferred, guard->deferred_used);
	while (rest.n > 0) {
		size_t room;
		uint8_t *at = guard_letter(guard, CLIENT, &room);
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		size_t length = end ? (size_t)(end - rest.p) + 1 : rest.n;
		if (room < length || guard->out_count + 4 >= GUARD_LETTERS)
			break;
		struct span line = span_take(&rest, length);
		memcpy(at, line.p, line.n);
		guard_post(guard, line.n);
	}
	memmove(guard->deferred, rest.p, rest.n);
	guard->deferred_used = rest.n;
}

void guard_finish(struct guard *guard, bool kill, bool drain)
{
	guard->kill = guard->kill || kill;
	guard->drain = drain && !guard->gone;
	guard->winding_up = true;
	if (guard->phase != PHASE_CHILD_END && guard->phase != PHASE_DRAIN && guard->phase != PHASE_DONE)
		guard_phase(guard, PHASE_SHUT);
}

/* The child has ended. What it left unjudged goes, what was not recorded is recorded, then the client may be read to its end. */
static void guard_wind_up(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (guard->setup.sftp)
		guard_phase(guard, PHASE_SWEEP);
	else if (entry->active && entry->scrub)
		guard_phase(guard, PHASE_SCRUB);
	else if (entry->active && !entry->recorded)
		guard_phase(guard, PHASE_RECORD);
	else
		guard_phase(guard, guard->drain ? PHASE_DRAIN : PHASE_DONE);
}

/* Back from the relay's answer to where the entry, or the end, goes on. */
static void guard_resume(struct guard *guard)
{
	if (guard->winding_up)
		guard_wind_up(guard);
	else
		guard_phase(guard, PHASE_BODY);
}

static struct step guard_child_end(struct guard *guard, enum side lane, struct span *in)
{
	if (lane != CHILD)
		return step_of(STEP_WAIT);
	span_take(in, in->n);
	if (!guard->ended[CHILD])
		return step_of(STEP_READ);
	guard_wind_up(guard);
	return step_again();
}

static struct step guard_drain(struct guard *guard, enum side lane, struct span *in)
{
	if (lane != CLIENT)
		return step_of(STEP_WAIT);
	span_take(in, in->n);
	if (!guard->ended[CLIENT])
		return step_of(STEP_READ);
	guard_phase(guard, PHASE_DONE);
	return step_again();
}

static struct step guard_shut(struct guard *guard)
{
	guard_phase(guard, PHASE_CHILD_END);
	return (struct step){ .kind = STEP_SHUT, .count = guard->kill };
}

static struct step guard_phase_step(struct guard *guard, enum side lane, struct span *in)
{
	switch (guard->phase) {
	case PHASE_GREETING:
		return scp_greeting(guard, lane, in);
	case PHASE_HEADER:
		return scp_header(guard, lane, in);
	case PHASE_LEAVE:
		return scp_leave(guard, lane, in);
	case PHASE_SHUT:
		return guard_shut(guard);
	case PHASE_CHILD_END:
		return guard_child_end(guard, lane, in);
	case PHASE_DRAIN:
		return guard_drain(guard, lane, in);
	case PHASE_DONE:
		return (struct step){ .kind = STEP_DONE, .count = guard->blocked + (guard->setup.sftp ? sftp_failures(guard) : guard->failed) > 0 };
	case PHASE_TALK:
		return sftp_step(guard, lane, in);
	case PHASE_SWEEP:
		return sftp_sweep(guard);
	case PHASE_RECORD:
		return entry_record(guard);
	case PHASE_RESOLVE:
	case PHASE_BODY:
	case PHASE_HOLD:
	case PHASE_PASS:
	case PHASE_SWALLOW:
		return guard->setup.sftp ? sftp_step(guard, lane, in) : body_next(guard, lane, in);
	case PHASE_STATUS:
	case PHASE_INSPECT:
	case PHASE_OPEN:
	case PHASE_PIN:
	case PHASE_RELEASE:
	case PHASE_PAD:
	case PHASE_STORED:
	case PHASE_SCRUB:
	case PHASE_ANSWER:
	case PHASE_ENTER:
		return body_next(guard, lane, in);
	}
	return step_of(STEP_WAIT);
}

struct step guard_next(struct guard *guard, enum side lane, struct span *in)
{
	for (;;) {
		if (guard->out_at < guard->out_count) {
			size_t before = 0;
			for (size_t i = 0; i < guard->out_at; i++)
				before += guard->out[i].n;
			size_t at = guard->out_at++;
			return (struct step){ .kind = STEP_SEND, .to = guard->out[at].to, .bytes = span_of(guard->outbox + before, guard->out[at].n) };
		}
		if (guard->drop) {
			guard->drop = false;
			return step_of(STEP_DROP);
		}
		struct step step = guard_phase_step(guard, lane, in);
		if (step.kind != (enum step_kind)STEP_AGAIN)
			return step;
	}
}

void guard_moved(struct guard *guard, uint64_t n)
{
	if (guard->setup.sftp)
		sftp_moved(guard, n);
	else
		body_moved(guard, n);
}

void guard_resolved(struct guard *guard, const struct place *place)
{
	if (guard->setup.sftp) {
		sftp_resolved(guard, place);
		return;
	}
	if (guard->phase != PHASE_RESOLVE || !guard->asked)
		return;
	guard->entry.place = *place;
	guard_phase(guard, PHASE_BODY);
	entry_placed(guard);
}

void guard_confirmed(struct guard *guard, bool yes)
{
	struct guard_entry *entry = &guard->entry;
	if (guard->setup.sftp) {
		sftp_confirmed(guard, yes);
		return;
	}
	if (!guard->asked)
		return;
	if (guard->phase == PHASE_SCRUB) {
		entry->scrub = false;
		if (!yes) {
			guard->failed++;
			struct finding *finding = &entry->facts.finding;
			(void)snprintf(finding->detail, sizeof(finding->detail), "what was stored of it could not be removed");
		}
		guard_resume(guard);
		return;
	}
	if (guard->phase != PHASE_PIN && guard->phase != PHASE_ENTER)
		return;
	entry->pinned = yes;
	guard_phase(guard, PHASE_BODY);
	if (yes)
		return;
	entry_deny(guard, OUTCOME_BLOCKED, REASON_MOVED, NULL);
	entry->fatal = true;
	entry->opened = false; /* nothing more for the child: it holds a file that nobody judged */
	guard->kill = true;
}

void guard_found(struct guard *guard, const struct finding *found)
{
	struct guard_entry *entry = &guard->entry;
	if (guard->setup.sftp) {
		sftp_found(guard, found);
		return;
	}
	if (guard->phase != PHASE_INSPECT || !guard->asked)
		return;
	verdict_learn(&entry->facts.finding, found, entry->need);
	guard_phase(guard, PHASE_BODY);
	entry_judge(guard);
}

void guard_recorded(struct guard *guard, bool written)
{
	struct guard_entry *entry = &guard->entry;
	if (guard->setup.sftp) {
		sftp_recorded(guard, written);
		return;
	}
	if (guard->phase != PHASE_RECORD || !guard->asked)
		return;
	bool refused = !written && guard->setup.audit_refuse && entry->outcome == OUTCOME_ALLOWED;
	if (refused) {
		entry_deny(guard, OUTCOME_BLOCKED, REASON_AUDIT, NULL);
		entry->scrub = guard->source == CLIENT && entry->kind == ENTRY_FILE;
		entry->fatal = true;
	}
	guard->allowed += entry->outcome == OUTCOME_ALLOWED;
	guard->blocked += entry->outcome == OUTCOME_BLOCKED;
	guard->failed += entry->outcome == OUTCOME_FAILED;
	guard_resume(guard);
}

void guard_spool_failed(struct guard *guard, const char *detail)
{
	struct finding *finding = &guard->entry.facts.finding;
	if (guard->setup.sftp) {
		sftp_spool_failed(guard, detail);
		return;
	}
	if (guard->phase != PHASE_HOLD && guard->phase != PHASE_PASS)
		return;
	text_clean(finding->detail, sizeof(finding->detail), span_str(detail));
	entry_refuse_for(guard, REASON_SPOOL);
	guard_phase(guard, PHASE_BODY);
}

bool guard_met(struct guard *guard, struct span below, const struct place *place)
{
	return guard->setup.sftp != NULL && sftp_met(guard, below, place);
}

void guard_ended(struct guard *guard, enum side lane)
{
	guard->ended[lane] = true;
}

static bool guard_delivered(const struct guard_entry *entry)
{
	return entry->active && entry->opened && !entry->denied && entry->kind == ENTRY_FILE && entry->need == 0 && entry->sent == entry->record.size;
}

/*
 * Nothing can be said to the client any more. What it sent before it left is still taken, judged and stored: some clients leave without waiting for
 * the last reply. A download is over, unless all was said that the client had to hear.
 */
void guard_client_left(struct guard *guard)
{
	if (guard->setup.sftp) {
		sftp_client_left(guard);
		return;
	}
	guard->gone = true;
	guard->drain = false;
	if (guard->phase == PHASE_DRAIN)
		guard_phase(guard, PHASE_DONE);
	else if (guard->source == CHILD && (guard->phase == PHASE_HEADER || (guard->phase == PHASE_ANSWER && guard->asked)))
		guard->ended[CLIENT] = true;
	else if (guard->source == CHILD && !guard->winding_up && guard_delivered(&guard->entry))
		guard->ended[CLIENT] = true; /* it has the content and did not wait for the child's word on it, as libssh2 */
	else if (guard->source == CHILD && !guard->winding_up)
		guard_aborted(guard, REASON_CLIENT_GONE);
}

void guard_aborted(struct guard *guard, enum reason reason)
{
	struct guard_entry *entry = &guard->entry;
	bool content = guard->source == CHILD && entry->opened && entry->sent < entry->record.size; /* it would take words for that */
	bool deaf = guard->gone || guard->winding_up || (entry->active && (entry->silent || content));
	if (guard->setup.sftp) {
		sftp_aborted(guard, reason);
		return;
	}
	if (guard->phase == PHASE_DONE)
		return;
	guard->lost = reason;
	if (!deaf) {
		char text[SCP_MESSAGE_MAX];
		struct message_facts facts = { .reason = reason };
		message_refusal(text, sizeof(text) - 2, &facts);
		guard_send_text(guard, CLIENT, SCP_FATAL, text);
	}
	if (entry->active && !entry->recorded) {
		bool unjudged = entry->need != 0 || entry->denied;
		if (!entry->denied)
			entry_deny(guard, OUTCOME_FAILED, reason, NULL);
		entry->silent = entry->fatal = true;
		entry->scrub = entry->scrub || (unjudged && entry->opened && guard->source == CLIENT);
	}
	guard->failed += guard->phase != PHASE_DRAIN && !(entry->active && !entry->recorded);
	guard->drain = false;
	if (guard->phase == PHASE_DRAIN)
		guard_phase(guard, PHASE_DONE);
	else
		guard_finish(guard, true, false);
}
