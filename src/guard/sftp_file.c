/*
 * Handles, and the state of what they stand for. A handle is a slot's number and a tag that is never given twice, so that a stale one is known as such.
 * The file's facts are judged anew whenever they have changed; only store.c acts on it.
 */
#include "guard/talk.h"

#include <stdio.h>

#include "base/path.h"
#include "guard/verdict.h"

enum { FILE_HANDLE = 8 };

static void file_put32(uint8_t *dst, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		dst[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t file_handle(const struct guard *guard, unsigned slot, uint8_t dst[FILE_HANDLE])
{
	file_put32(dst, slot);
	file_put32(dst + 4, guard->setup.sftp->file[slot].tag);
	return FILE_HANDLE;
}

/* Numbers that follow each other, spread by a secret: nobody guesses the next. */
static uint32_t file_tag(struct guard *guard)
{
	uint64_t x = guard->setup.secret + UINT64_C(0x9e3779b97f4a7c15) * ++sftp_of(guard)->tags;
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> 32);
}

struct sftp_file *file_find(struct guard *guard, struct span handle, unsigned *slot)
{
	struct sftp *sftp = sftp_of(guard);
	uint8_t wanted[FILE_HANDLE];
	if (handle.n != FILE_HANDLE)
		return NULL;
	uint32_t at = (uint32_t)handle.p[0] << 24 | (uint32_t)handle.p[1] << 16 | (uint32_t)handle.p[2] << 8 | handle.p[3];
	if (at >= sftp->files || sftp->file[at].use == USE_NONE)
		return NULL;
	(void)file_handle(guard, at, wanted);
	if (memcmp(wanted, handle.p, FILE_HANDLE) != 0)
		return NULL;
	*slot = at;
	return &sftp->file[at];
}

struct sftp_file *file_new(struct guard *guard, enum sftp_use use, unsigned *slot)
{
	struct sftp *sftp = sftp_of(guard);
	for (unsigned i = 0; i < GUARD_SLOTS; i++) {
		struct sftp_file *file = &sftp->file[i];
		if (i < sftp->files && file->use != USE_NONE)
			continue;
		if (i >= sftp->files)
			sftp->files = i + 1;
		memset(file, 0, offsetof(struct sftp_file, real));
		file->real[0] = file->asked[0] = file->stored[0] = '\0';
		file->use = use;
		file->tag = file_tag(guard);
		*slot = i;
		return file;
	}
	return NULL;
}

struct sftp_file *file_at(struct guard *guard, struct span real, unsigned *slot)
{
	struct sftp *sftp = sftp_of(guard);
	for (unsigned i = 0; i < sftp->files; i++) {
		struct sftp_file *file = &sftp->file[i];
		bool waits = file->use == USE_FILE && file->writes && !file->refused && !file->removed && (file->held || file->temporary);
		if (!waits || !span_is(real, file->real))
			continue;
		*slot = i;
		return file;
	}
	return NULL;
}

bool file_written_below(struct guard *guard, struct span folder)
{
	struct sftp *sftp = sftp_of(guard);
	struct span below;
	for (unsigned i = 0; i < sftp->files; i++)
		if (sftp->file[i].use == USE_FILE && sftp->file[i].writes && path_below(span_str(sftp->file[i].real), folder, &below))
			return true;
	return false;
}

const char *sftp_ref(struct guard *guard, unsigned *number)
{
	if (*number == 0)
		*number = ++guard->entries;
	(void)snprintf(guard->record.ref, sizeof(guard->record.ref), "%s-%u", guard->setup.session, *number);
	return guard->record.ref;
}

static enum direction file_direction(const struct sftp_file *file)
{
	return file->writes ? UPLOAD : DOWNLOAD;
}

static struct span file_name(const struct sftp_file *file)
{
	return path_name(span_str(file->asked[0] ? file->asked : file->real));
}

void file_refuse(struct guard *guard, unsigned slot, enum outcome outcome, enum reason reason)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	if (file->refused)
		return;
	const struct policy *policy = guard->setup.policy;
	bool ruled = reason == REASON_RULE || reason == REASON_NOT_ALLOWED;
	struct message_facts facts = { .reason = reason, .rule = ruled ? file->verdict.rule : NULL, .name = file_name(file), .ref = sftp_ref(guard, &file->number),
				       .message = ruled ? policy_message(&policy->rules[file_direction(file)], &file->verdict) : NULL,
				       .unscannable = file->facts.finding.unscannable & ~policy->accept_unscannable };
	file->refused = true;
	file->outcome = outcome;
	file->reason = reason;
	file->scrub = file->writes && file->open;
	(void)message_refusal(file->sentence, sizeof(file->sentence), &facts);
}

/* The size beyond which a rule may match that does not now. */
static uint64_t file_next_size(const struct ruleset *rules, uint64_t size)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < rules->count; i++)
		if ((rules->rules[i].conditions & CONDITION_LARGER) && rules->rules[i].larger_than >= size && rules->rules[i].larger_than < next)
			next = rules->rules[i].larger_than;
	return next;
}

enum decision file_judge(struct guard *guard, unsigned slot, bool whole)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	if (file->writes) {
		file->facts.size = file->size;
		file->facts.growing = !whole;
		file->next_size = file_next_size(&guard->setup.policy->rules[UPLOAD], file->size);
	}
	struct verdict verdict = verdict_entry(guard, &file->facts, span_str(file->asked));
	if (verdict.decision == NEED && verdict.need == FACT_SCAN && whole && file->size > guard->setup.hold_limit && file->writes) {
		verdict_too_large(guard, &file->facts.finding);
		verdict = verdict_entry(guard, &file->facts, span_str(file->asked));
	}
	file->verdict = verdict;
	file->need = verdict.decision == NEED ? verdict.need : 0;
	file->missing = verdict.decision == NEED ? verdict_missing(guard, &file->facts, span_str(file->asked)) : 0;
	if (verdict.decision == NEED && ((verdict.need & file->facts.finding.known) || (whole && verdict.need == FACT_SIZE))) {
		verdict.decision = DENY; /* asked for what is known */
		verdict.reason = REASON_INTERNAL;
	}
	if (verdict.decision == DENY)
		file_refuse(guard, slot, OUTCOME_BLOCKED, verdict.reason);
	return verdict.decision;
}

bool file_set(struct guard *guard, unsigned slot, const struct sftp_attrs *attrs)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	if (attrs->flags & SFTP_ATTR_MODE) {
		file->facts.mode = attrs->mode & 07777;
		if (file_judge(guard, slot, false) == DENY)
			return false;
		file->wanted.mode = file->shown.mode = attrs->mode & 0777;
	}
	if (attrs->flags & SFTP_ATTR_TIMES) {
		file->wanted.atime = file->shown.atime = attrs->atime;
		file->wanted.mtime = file->shown.mtime = attrs->mtime;
	}
	file->wanted.flags |= attrs->flags & (SFTP_ATTR_MODE | SFTP_ATTR_TIMES);
	return true;
}

void file_record(struct guard *guard, unsigned slot)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	struct record *record = &guard->record;
	const struct finding *finding = &file->facts.finding;
	bool allowed = file->outcome == OUTCOME_ALLOWED;
	*record = (struct record){
		.event = RECORD_FILE,
		.outcome = file->outcome,
		.reason = allowed ? REASON_NONE : file->reason,
		.direction = file_direction(file),
		.kind = ENTRY_FILE,
		.path = span_str(file->real),
		.name = file_name(file),
		.has_announced = true,
		.size = file->writes ? file->size : file->facts.size,
		.mode = file->facts.mode,
		.bytes = file->writes && (file->refused || (!allowed && !file->open)) ? 0 : file->moved,
		.type = span_str(finding->type),
		.virus = span_str(finding->virus),
		.unscannable = finding->unscannable,
		.detail = span_str(finding->detail),
		.rule = file->verdict.rule && (allowed || file->reason == REASON_RULE || file->reason == REASON_UNSCANNABLE) ? file->verdict.rule->name : NULL,
	};
	record->watched_count = policy_watched(&guard->setup.policy->rules[file_direction(file)], &file->verdict, record->watched);
	(void)sftp_ref(guard, &file->number);
	file->recorded = true;
}
