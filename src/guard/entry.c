/* One entry from its announcement to its verdict, and the record that is made of it. */
#include "guard/entry.h"

#include <stdio.h>

#include "base/path.h"
#include "base/text.h"
#include "guard/message.h"
#include "guard/verdict.h"

void entry_begin(struct guard *guard, enum scp_kind kind, const struct scp_record *record, bool more_waits)
{
	struct guard_entry *entry = &guard->entry;
	memset(entry, 0, sizeof(*entry));
	entry->active = true;
	entry->kind = kind == SCP_DIR ? ENTRY_DIRECTORY : ENTRY_FILE;
	entry->record = *record;
	if (record->name.n > 0 && record->name.n < sizeof(entry->name))
		memcpy(entry->name, record->name.p, record->name.n);
	entry->record.name = span_of(entry->name, record->name.n < sizeof(entry->name) ? record->name.n : 0);
	entry->has_times = guard->has_times;
	entry->times = guard->times;
	guard->has_times = false;
	entry->pipelined = more_waits && guard->source == CLIENT && entry->kind == ENTRY_FILE && kind != SCP_BAD;
	entry->number = ++guard->entries;
	entry->status = SCP_OK;
	if (kind == SCP_BAD || entry->kind == ENTRY_DIRECTORY)
		entry->record.size = 0;
	guard_phase(guard, PHASE_RESOLVE);
}

struct span entry_shown(const struct guard *guard)
{
	const struct guard_entry *entry = &guard->entry;
	struct span name = path_name(entry->place.asked.n > 0 ? entry->place.asked : entry->place.path);
	return guard->source == CLIENT && name.n > 0 ? name : entry->record.name;
}

static const char *entry_ref(struct guard *guard)
{
	(void)snprintf(guard->record.ref, sizeof(guard->record.ref), "%s-%u", guard->setup.session, guard->entry.number);
	return guard->record.ref;
}

void entry_deny(struct guard *guard, enum outcome outcome, enum reason reason, const char *text)
{
	struct guard_entry *entry = &guard->entry;
	entry->denied = true;
	entry->need = 0;
	entry->outcome = outcome;
	entry->reason = reason;
	if (text != NULL) {
		text_clean(entry->text, sizeof(entry->text), span_str(text));
	} else {
		const struct ruleset *rules = &guard->setup.policy->rules[guard->setup.direction];
		bool ruled = reason == REASON_RULE || reason == REASON_NOT_ALLOWED;
		const char *message = ruled ? policy_message(rules, &entry->verdict) : NULL;
		struct message_facts facts = { .reason = reason, .rule = entry->verdict.rule, .message = message, .name = entry_shown(guard), .ref = entry_ref(guard),
					       .unscannable = entry->facts.finding.unscannable & ~guard->setup.policy->accept_unscannable };
		message_refusal(entry->text, SCP_MESSAGE_MAX - 1, &facts);
	}
	guard->drop = guard->drop || (entry->spooled > 0 && !entry->dropped);
	entry->dropped = true;
	if (!entry->answered && !entry->pipelined) { /* nothing of it is on its way */
		entry->received = entry->record.size;
		entry->status_seen = true;
	}
}

void entry_refuse(struct guard *guard, const struct verdict *verdict)
{
	struct guard_entry *entry = &guard->entry;
	entry->verdict = *verdict;
	entry->scrub = entry->opened && guard->source == CLIENT;
	entry->fatal = guard->setup.policy->on_block == ON_BLOCK_STOP;
	entry_deny(guard, OUTCOME_BLOCKED, verdict->reason, NULL);
}

void entry_refuse_for(struct guard *guard, enum reason reason)
{
	struct verdict verdict = { .decision = DENY, .reason = reason };
	entry_refuse(guard, &verdict);
}

/* What the file system alone refuses, and what the policy permits besides content. */
static enum reason entry_place_reason(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	const struct place *place = &entry->place;
	bool uploads = guard->source == CLIENT, folder = entry->kind == ENTRY_DIRECTORY;
	unsigned operations = guard->setup.policy->operations;
	if (folder && guard->depth >= GUARD_DEPTH_MAX)
		return REASON_TOO_DEEP;
	enum reason reason = verdict_place(guard, place, entry->record.name, uploads);
	if (reason == REASON_INTERNAL && !uploads)
		return REASON_MOVED; /* the child has something open that is not what it said */
	if (reason != REASON_NONE)
		return reason;
	unsigned needs = !uploads ? (folder ? OPERATION_LIST : 0)
			: folder ? (place->kind == PLACE_ABSENT ? OPERATION_MKDIR : 0) : (place->kind == PLACE_FILE ? OPERATION_REPLACE : 0);
	return needs & ~operations ? REASON_OPERATION : REASON_NONE;
}

/* The name is taken, and the policy gives another. Where the target is itself the file, the name does not matter, and it stays taken. */
static bool entry_rename(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	char name[PATH_BYTES_MAX];
	bool taken = guard->source == CLIENT && entry->kind == ENTRY_FILE && entry->place.kind == PLACE_FILE;
	if (!taken || !guard->setup.policy->unique || entry->renamed || !path_unique(name, sizeof(name), entry->record.name, entry_ref(guard)))
		return false;
	entry->renamed = true;
	(void)span_copy(entry->name, sizeof(entry->name), span_str(name));
	entry->record.name = span_str(entry->name);
	guard_phase(guard, PHASE_RESOLVE);
	return true;
}

void entry_placed(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	if (entry_rename(guard))
		return;
	entry->facts = (struct facts){
		.kind = entry->kind,
		.direction = guard->setup.direction,
		.path = entry->place.path,
		.name = path_name(entry->place.path),
		.mode = entry->record.mode,
		.size = entry->record.size,
	};
	enum reason reason = entry_place_reason(guard);
	if (reason != REASON_NONE) {
		entry_refuse_for(guard, reason);
		entry->fatal = entry->fatal || reason == REASON_INTERNAL;
	} else {
		entry_judge(guard);
	}
}

void entry_judge(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	struct verdict verdict = verdict_entry(guard, &entry->facts, entry->place.asked);
	if (verdict.decision == NEED && (verdict.need & FACT_SCAN) && entry->facts.size > guard->setup.hold_limit) {
		verdict_too_large(guard, &entry->facts.finding);
		verdict = verdict_entry(guard, &entry->facts, entry->place.asked);
	}
	switch (verdict.decision) {
	case DENY:
		entry_refuse(guard, &verdict);
		return;
	case ALLOW:
		entry->verdict = verdict;
		entry->need = 0;
		return;
	case NEED:
		break;
	}
	if (entry->kind == ENTRY_DIRECTORY || (verdict.need & ~entry->facts.finding.known) == 0) {
		entry_refuse_for(guard, REASON_INTERNAL); /* asked for what is known, or cannot be */
		return;
	}
	entry->verdict = verdict;
	entry->need = verdict.need;
}

/* What the record says in words: ours, the scanner's or the child's; a client's own words are marked as such. */
static const char *entry_detail(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	bool clients = false;
	const char *text = entry->facts.finding.detail;
	if (entry->outcome == OUTCOME_FAILED && entry->text[0]) {
		text = entry->text;
		clients = entry->reason == REASON_CLIENT;
	} else if (entry->outcome == OUTCOME_ALLOWED && entry->status_text[0]) {
		text = entry->status_text;
		clients = guard->source == CLIENT;
	}
	if (!clients || text[0] == '\0')
		return text;
	(void)snprintf(guard->said, sizeof(guard->said), "client: %s", text);
	return guard->said;
}

struct step entry_record(struct guard *guard)
{
	struct guard_entry *entry = &guard->entry;
	struct record *record = &guard->record;
	const struct ruleset *rules = &guard->setup.policy->rules[guard->setup.direction];
	if (guard->asked)
		return step_of(STEP_WAIT);
	*record = (struct record){
		.event = entry->kind == ENTRY_DIRECTORY ? RECORD_DIRECTORY : RECORD_FILE,
		.outcome = entry->outcome,
		.reason = entry->outcome == OUTCOME_ALLOWED ? REASON_NONE : entry->reason,
		.direction = guard->setup.direction,
		.kind = entry->kind,
		.path = entry->place.real.n > 0 ? entry->place.real : entry->record.name,
		.name = entry_shown(guard),
		.has_announced = true,
		.size = entry->record.size,
		.mode = entry->record.mode,
		.bytes = entry->sent - entry->padded,
		.type = span_str(entry->facts.finding.type),
		.virus = span_str(entry->facts.finding.virus),
		.unscannable = entry->facts.finding.unscannable,
		.detail = span_str(entry_detail(guard)),
		.rule = entry->verdict.rule && (entry->outcome == OUTCOME_ALLOWED || entry->reason == REASON_RULE || entry->reason == REASON_UNSCANNABLE)
				? entry->verdict.rule->name : NULL,
	};
	record->watched_count = policy_watched(rules, &entry->verdict, record->watched);
	entry_ref(guard);
	entry->recorded = true;
	return guard_ask(guard, (struct step){ .kind = STEP_RECORD, .record = record });
}
