/*
 * One request at a time, from its first question to its answer. The stages are what is done next; which of them a request needs is decided where it is begun and where
 * it is judged.
 */
#include "base/path.h"
#include "guard/talk.h"
#include "guard/verdict.h"

void call_stage(struct guard *guard, enum sftp_stage stage)
{
	sftp_of(guard)->call.stage = stage;
	guard->asked = false;
}

static struct sftp_call *call_new(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	memset(call, 0, offsetof(struct sftp_call, path));
	call->path[0] = call->other[0] = '\0';
	call->slot = GUARD_NO_SLOT;
	call_stage(guard, STAGE_QUEUED);
	return call;
}

struct sftp_call *call_own(struct guard *guard, enum sftp_kind kind, unsigned slot)
{
	struct sftp_call *call = call_new(guard);
	call->request.kind = kind;
	call->silent = true;
	call->slot = slot;
	return call;
}

void call_end(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	bool promoted = sftp->call.promote;
	if (sftp->call.copies) {
		sftp->call.copies = sftp->call.promote = false;
		sftp->call.slot = sftp->call.copy_from;
		if (sftp->file[sftp->call.second_slot].open)
			handle_copy(guard);
		else
			call_status(guard, SFTP_FAILURE);
		return;
	}
	call_stage(guard, STAGE_NONE);
	if (promoted && guard->phase != PHASE_SHUT)
		data_judged(guard);
}

void call_status(struct guard *guard, uint32_t code)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	call->code = code;
	call_stage(guard, STAGE_ANSWER);
}

void call_deny(struct guard *guard, enum reason reason, const struct verdict *verdict)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct policy *policy = guard->setup.policy;
	const struct ruleset *rules = &policy->rules[call->facts.direction];
	bool ruled = reason == REASON_RULE || reason == REASON_NOT_ALLOWED;
	struct span name = path_name(span_str(call->request.other.n > 0 ? call->other : call->path));
	struct message_facts facts = { .reason = reason, .rule = verdict ? verdict->rule : NULL, .message = ruled && verdict ? policy_message(rules, verdict) : NULL,
				       .name = name, .unscannable = call->facts.finding.unscannable & ~policy->accept_unscannable };
	bool recorded = path_changes(call->request.kind) || call->request.kind == SFTP_OPENDIR;
	if (verdict)
		call->verdict = *verdict;
	if (recorded)
		facts.ref = sftp_ref(guard, &call->number);
	(void)message_refusal(call->sentence, sizeof(call->sentence), &facts);
	call->denied = true;
	call->outcome = OUTCOME_BLOCKED;
	call->reason = reason;
	call->code = SFTP_PERMISSION_DENIED;
	call_stage(guard, recorded ? STAGE_RECORD : STAGE_ANSWER);
}

static bool call_keep(char dst[static PATH_BYTES_MAX], struct span *path)
{
	bool fits = span_copy(dst, PATH_BYTES_MAX, *path);
	*path = span_str(dst);
	return fits;
}

void call_begin(struct guard *guard, const struct sftp_packet *packet)
{
	struct sftp_call *call = call_new(guard);
	struct sftp_packet *request = &call->request;
	*request = *packet;
	call->second_slot = GUARD_NO_SLOT;
	if (!call_keep(call->path, &request->path) || !call_keep(call->other, &request->other))
		call->code = SFTP_BAD_MESSAGE;
	if (request->handle.n > 0 && file_find(guard, request->handle, &call->slot) == NULL)
		call->code = SFTP_FAILURE;
	if (request->handle2.n > 0 && file_find(guard, request->handle2, &call->second_slot) == NULL)
		call->code = SFTP_FAILURE;
	request->handle = request->handle2 = span_of(NULL, 0); /* the reader's */
	size_t n = request->ids.n, n2 = request->ids2.n;
	if (n + n2 > sizeof(call->ids))
		call->code = SFTP_BAD_MESSAGE;
	if (n + n2 == 0 || n + n2 > sizeof(call->ids))
		return;
	memcpy(call->ids, n ? request->ids.p : request->ids2.p, n ? n : n2);
	if (n > 0 && n2 > 0)
		memcpy(call->ids + n, request->ids2.p, n2);
	request->ids = span_of(call->ids, n);
	request->ids2 = span_of(call->ids + n, n2);
}

/* --- stages --- */

/* Nothing is in flight: what kind of request is it? */
static void call_start(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	enum sftp_kind kind = call->request.kind;
	if (call->code != SFTP_OK)
		call_stage(guard, STAGE_ANSWER);
	else if (path_is_request(kind))
		path_begin(guard);
	else
		handle_request(guard);
}

static struct step call_look(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	bool second = call->stage == STAGE_LOOK_OTHER;
	bool follow = !second && path_follows(call->request.kind);
	if (call->request.kind == SFTP_OPEN && (call->request.flags & SFTP_OPEN_EXCL) && (call->request.flags & SFTP_OPEN_CREAT))
		follow = false; /* as the kernel then does */
	if (second && call->request.kind == SFTP_SYMLINK)
		follow = true;
	const char *path = second ? call->other : call->path;
	unsigned slot = second || call->slot == GUARD_NO_SLOT ? GUARD_NO_SLOT : call->slot;
	return guard_ask(guard, (struct step){ .kind = STEP_LOOK, .slot = slot, .follow = follow, .other = second, .bytes = span_str(path) });
}

void sftp_resolved(struct guard *guard, const struct place *place)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (!guard->asked || (call->stage != STAGE_LOOK && call->stage != STAGE_LOOK_OTHER))
		return;
	bool second = call->stage == STAGE_LOOK_OTHER;
	struct place *kept = second ? &call->second : &call->place;
	char *real = second ? call->second_real : call->real, *asked = second ? call->second_asked : call->asked;
	*kept = *place;
	if (!span_copy(real, PATH_BYTES_MAX, place->real) || !span_copy(asked, PATH_BYTES_MAX, place->asked))
		kept->kind = PLACE_LOST;
	kept->real = span_str(real);
	kept->asked = span_str(asked);
	if (kept->outside || !path_below(kept->real, guard->setup.root, &kept->path))
		kept->path = span_of(NULL, 0);
	bool more = !second && call->request.other.n > 0;
	call_stage(guard, more ? STAGE_LOOK_OTHER : STAGE_JUDGE);
}

static struct step call_judge(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (call->request.kind == SFTP_OPEN)
		return open_judge(guard);
	if (path_is_request(call->request.kind))
		return path_judge(guard);
	return store_judge(guard);
}

static struct step call_inspect(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	return guard_ask(guard, (struct step){ .kind = STEP_INSPECT, .slot = call->slot, .need = call->need, .count = call->end, .file = call->content });
}

void sftp_found(struct guard *guard, const struct finding *found)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	if (call->stage != STAGE_INSPECT || !guard->asked)
		return;
	verdict_learn(call->content ? &call->facts.finding : &sftp->file[call->slot].facts.finding, found, call->need);
	call_stage(guard, STAGE_JUDGE);
}

/* The child is told a name, and follows whatever is there by then: it has to be what was judged, until it has answered. */
static struct step call_steady(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	enum sftp_kind kind = call->request.kind;
	bool other = call->stage == STAGE_STEADY_OTHER;
	call->steady = true;
	return guard_ask(guard, (struct step){ .kind = STEP_STEADY, .bytes = other ? call->second.real : call->place.real, .other = other,
					       .follow = !other && path_follows(kind), .count = path_changes(kind) ? 2 : 1 });
}

static void call_steadied(struct guard *guard, bool yes)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	bool more = call->stage == STAGE_STEADY && path_is_two(call->request.kind);
	if (yes)
		call_stage(guard, more ? STAGE_STEADY_OTHER : STAGE_FORWARD);
	else
		call_deny(guard, REASON_MOVED, NULL);
}

static bool call_is_steady(const struct sftp_call *call)
{
	enum sftp_stage stage = call->stage;
	return stage == STAGE_STEADY || stage == STAGE_STEADY_OTHER || stage == STAGE_FORWARD || stage == STAGE_AWAIT || stage == STAGE_STANDS;
}

void sftp_confirmed(struct guard *guard, bool yes)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	if (guard->phase == PHASE_SWEEP) {
		sftp->file[sftp->swept].scrub = false;
		guard->asked = false;
		return;
	}
	if (sftp->data.waiting) { /* then no call is further than its beginning */
		data_still(guard, yes);
		return;
	}
	if (!guard->asked)
		return;
	if (call->stage == STAGE_PIN) {
		store_pinned(guard, yes);
	} else if (call->stage == STAGE_LOCK) {
		if (path_is_two(call->request.kind))
			rename_locked(guard, yes);
		else
			store_locked(guard, yes);
	} else if (call->stage == STAGE_STEADY || call->stage == STAGE_STEADY_OTHER) {
		call_steadied(guard, yes);
	} else if (call->stage == STAGE_STANDS) {
		rename_stands(guard, yes);
	} else if (call->stage == STAGE_TREE) {
		call->tree_seen = true;
		call->tree_whole = yes;
		call_stage(guard, STAGE_JUDGE);
	} else if (call->stage == STAGE_SETTLE) {
		call_stage(guard, call->request.kind == SFTP_READ ? STAGE_READ : STAGE_INSPECT);
	} else if (call->stage == STAGE_SCRUB) {
		sftp->file[call->slot].scrub = false;
		call_stage(guard, sftp->file[call->slot].recorded ? STAGE_DROP : STAGE_RECORD);
	}
}

static struct step call_scrub(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	if (!file->scrub) {
		call_stage(guard, file->recorded || file->use == USE_FOLDER ? STAGE_DROP : STAGE_RECORD);
		return step_again();
	}
	struct span at = span_str(file->temporary ? file->stored : file->real);
	return guard_ask(guard, (struct step){ .kind = STEP_SCRUB, .slot = call->slot, .bytes = at, .count = file->fresh || file->temporary });
}

static struct step call_record(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (guard->asked)
		return step_of(STEP_WAIT);
	const struct sftp_file *of = call->slot < GUARD_SLOTS ? &sftp_of(guard)->file[call->slot] : NULL;
	bool file = of != NULL && of->use == USE_FILE && (of->writes || !path_changes(call->request.kind));
	if (file)
		file_record(guard, call->slot);
	else
		path_record(guard);
	unsigned slot = file ? call->slot : GUARD_NO_SLOT;
	return guard_ask(guard, (struct step){ .kind = STEP_RECORD, .slot = slot, .file = file && (of->anew || of->told), .record = &guard->record });
}

void sftp_recorded(struct guard *guard, bool written)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	enum outcome outcome = guard->record.outcome;
	bool sweeping = guard->phase == PHASE_SWEEP;
	bool file = guard->record.event == RECORD_FILE;
	if (!sweeping && (call->stage != STAGE_RECORD || !guard->asked))
		return;
	bool refused = !written && guard->setup.audit_refuse && outcome == OUTCOME_ALLOWED;
	if (refused)
		outcome = OUTCOME_BLOCKED;
	guard->allowed += outcome == OUTCOME_ALLOWED;
	guard->blocked += outcome == OUTCOME_BLOCKED;
	guard->failed += outcome == OUTCOME_FAILED;
	sftp->transfers_failed += file && outcome == OUTCOME_FAILED;
	if (file && outcome == OUTCOME_ALLOWED)
		guard->bytes += guard->record.bytes;
	guard->asked = false;
	if (sweeping)
		return;
	if (!refused) {
		call_stage(guard, file || call->slot < GUARD_SLOTS ? STAGE_DROP : STAGE_ANSWER);
		return;
	}
	struct message_facts facts = { .reason = REASON_AUDIT, .ref = guard->record.ref };
	(void)message_refusal(call->sentence, sizeof(call->sentence), &facts);
	call->code = SFTP_PERMISSION_DENIED;
	call->denied = true;
	if (file)
		sftp->file[call->slot].scrub = sftp->file[call->slot].writes;
	call_stage(guard, file ? STAGE_SCRUB : STAGE_ANSWER);
}

/* The slot is free again; what is said of its refusal is said first. */
static struct step call_drop(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	struct sftp_file *file = &sftp->file[call->slot];
	if (file->refused && !call->denied)
		memcpy(call->sentence, file->sentence, sizeof(call->sentence));
	file->use = USE_NONE;
	call_stage(guard, STAGE_ANSWER);
	return (struct step){ .kind = STEP_DROP, .slot = call->slot };
}

static struct step call_answer(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	bool opened = (call->request.kind == SFTP_OPEN || call->request.kind == SFTP_OPENDIR) && call->code == SFTP_OK && call->slot < GUARD_SLOTS &&
		      sftp->file[call->slot].use != USE_NONE;
	if (opened) {
		uint8_t handle[8];
		struct sftp_packet reply = { .kind = SFTP_HANDLE, .id = call->request.id, .handle = span_of(handle, file_handle(guard, call->slot, handle)) };
		guard_send_packet(guard, CLIENT, &reply);
	} else if (!call->silent && !call->answered) {
		const char *text = call->code == SFTP_PERMISSION_DENIED && call->sentence[0] ? call->sentence : NULL;
		sftp_answer(guard, call->request.id, call->code, text);
	}
	call_end(guard);
	return step_again();
}

static struct step call_forward(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_packet packet = call->request;
	handle_forward(guard, &packet);
	sftp_request(guard, FLIGHT_CALL, call->slot, &packet);
	call_stage(guard, STAGE_AWAIT);
	return step_again();
}

static struct step call_read(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	if (call->piece == 0) {
		call_end(guard);
		return step_again();
	}
	if (!call->answered) {
		struct sftp_packet header = { .kind = SFTP_DATA, .id = call->request.id, .count = call->piece };
		call->answered = guard_send_packet(guard, CLIENT, &header);
		return step_again();
	}
	sftp->moving = MOVE_READ;
	return (struct step){ .kind = STEP_RELEASE, .to = CLIENT, .slot = call->slot, .offset = call->at, .count = call->piece };
}

static struct step call_settle(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (call->content) {
		call_stage(guard, STAGE_INSPECT);
		return step_again();
	}
	return guard_ask(guard, (struct step){ .kind = STEP_SETTLE, .slot = call->slot, .count = call->end });
}

static struct step call_pin(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	struct span at = span_str(file->temporary ? file->stored : file->real);
	enum entry_kind kind = file->use == USE_FOLDER ? ENTRY_DIRECTORY : ENTRY_FILE;
	return guard_ask(guard, (struct step){ .kind = STEP_PIN, .slot = call->slot, .file = file->inspected, .bytes = at, .entry = kind });
}

static struct step call_lock(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	bool two = path_is_two(call->request.kind);
	struct span at = two ? call->place.real : span_str(file->real);
	bool rests = file->low > 0 || file->base == 0; /* else nothing that stands there is left in it */
	return guard_ask(guard, (struct step){ .kind = STEP_LOCK, .slot = call->slot, .bytes = at, .count = !call->pinned, .file = !call->pinned && rests });
}

struct step call_step(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	if (call->steady && !call_is_steady(call)) {
		call->steady = false;
		return (struct step){ .kind = STEP_STEADY, .slot = GUARD_NO_SLOT };
	}
	switch (call->stage) {
	case STAGE_QUEUED:
		if (sftp->flying > sftp->quiet || sftp->data.left > 0 || sftp->names > 0)
			return step_of(STEP_WAIT);
		call_start(guard);
		return step_again();
	case STAGE_LOOK:
	case STAGE_LOOK_OTHER:
		return call_look(guard);
	case STAGE_TREE:
		return guard_ask(guard, (struct step){ .kind = STEP_TREE, .bytes = call->place.real });
	case STAGE_JUDGE:
		return call_judge(guard);
	case STAGE_SETTLE:
		return call_settle(guard);
	case STAGE_INSPECT:
		return call_inspect(guard);
	case STAGE_OPEN:
		return store_open(guard);
	case STAGE_LOCK:
		return call_lock(guard);
	case STAGE_STEADY:
	case STAGE_STEADY_OTHER:
		return call_steady(guard);
	case STAGE_STANDS:
		return guard_ask(guard, (struct step){ .kind = STEP_STANDS, .slot = call->slot, .bytes = call->second.real });
	case STAGE_PIN:
		return call_pin(guard);
	case STAGE_SET:
		return handle_set(guard, call->slot, &call->request.attrs);
	case STAGE_RELEASE:
		return store_release(guard);
	case STAGE_FINISH:
		return store_finish(guard);
	case STAGE_FINISHING:
		return store_finishing(guard);
	case STAGE_CLOSED:
		call_stage(guard, STAGE_SCRUB);
		return (struct step){ .kind = STEP_CLOSED, .slot = call->slot };
	case STAGE_SCRUB:
		return call_scrub(guard);
	case STAGE_RECORD:
		return call_record(guard);
	case STAGE_FORWARD:
		return call_forward(guard);
	case STAGE_READ:
		return call_read(guard);
	case STAGE_DROP:
		return call_drop(guard);
	case STAGE_ANSWER:
		return call_answer(guard);
	case STAGE_OPENING:
	case STAGE_AWAIT:
	case STAGE_NONE:
		break;
	}
	return step_of(STEP_WAIT);
}
