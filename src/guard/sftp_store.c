/*
 * The road of an upload to its place: judged by what is known, opened at the child, compared with what was judged, written, given its size, mode and
 * times, closed, and, where it was kept under another name, renamed. A file may begin the road long before its CLOSE (promoted), and then only the rest is
 * left for that.
 */
#include "guard/talk.h"

#include <stdio.h>

#include "base/path.h"

static struct sftp_file *store_file(struct guard *guard)
{
	return &sftp_of(guard)->file[sftp_of(guard)->call.slot];
}

void store_promote(struct guard *guard, unsigned slot)
{
	struct sftp_call *call = call_own(guard, SFTP_WRITE, slot);
	call->promote = true;
}

/* Nothing more can be done now: the file stays as it is. For a CLOSE there is no such thing. */
static struct step store_on(struct guard *guard)
{
	call_end(guard);
	return step_again();
}

static struct step store_inspect(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct sftp_file *file = store_file(guard);
	if (!file->fresh && !file->locked) {
		call_stage(guard, STAGE_LOCK);
		return step_again();
	}
	call->need = file->need;
	call->end = file->need == FACT_TYPE && file->size > GUARD_HEAD ? GUARD_HEAD : file->size;
	call_stage(guard, STAGE_SETTLE);
	/* what is held of an open file is its head, which may have been cut and passed over since */
	return file->headed && file->again && !file->copied ? (struct step){ .kind = STEP_SIZE, .slot = call->slot, .count = call->end } : step_again();
}

/* Under another name until its verdict: what is new, and whose verdict was, or is, not a matter of the name alone. */
static bool store_apart(const struct sftp_file *file)
{
	return file->fresh && (file->late || file->need != 0 || file->facts.finding.known != 0);
}

static struct step store_begin(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = store_file(guard);
	if (file->open) {
		call_stage(guard, STAGE_RELEASE);
		sftp->call.at = 0;
		sftp->call.end = file->again ? (file->size < GUARD_HEAD ? file->size : GUARD_HEAD) : 0;
		return step_again();
	}
	file->temporary = store_apart(file);
	call_stage(guard, STAGE_OPEN);
	return step_again();
}

/* With what the WRITE brings that waits for this. */
static bool store_is_large(struct guard *guard, const struct sftp_file *file)
{
	const struct sftp *sftp = sftp_of(guard);
	return file->size >= SFTP_EARLY || sftp->write.offset + sftp->write.left > SFTP_EARLY;
}

static struct step store_judge_promoted(struct guard *guard, enum decision decision)
{
	struct sftp_file *file = store_file(guard);
	if (decision == DENY || file->open)
		return store_on(guard);
	if (decision == ALLOW)
		return file->late && !file->fresh ? store_on(guard) : store_begin(guard);
	if (file->missing & FACT_TYPE)
		return file->prefix >= GUARD_HEAD ? store_inspect(guard) : store_on(guard);
	if (!(file->missing & FACT_SCAN))
		return file->fresh && store_is_large(guard, file) ? store_begin(guard) : store_on(guard);
	if (guard->setup.policy->delivery != DELIVERY_STREAM || file->prefix <= GUARD_HEAD)
		return store_on(guard);
	file->copied = true;
	return store_begin(guard);
}

/* For CLOSE, or a promotion. */
struct step store_judge(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	if (file->again && !call->again && (file->held || !call->promote)) { /* its head is not the one that was judged */
		file->facts.finding.known &= ~(unsigned)FACT_TYPE;
		file->again = file->open;
		call->again = true;
	}
	bool settled = !file->writes || file->refused || file->removed || (file->open && !file->late && file->need == 0 && !file->again);
	enum decision decision = file->refused ? DENY : settled ? ALLOW : file_judge(guard, call->slot, !call->promote);
	if (call->promote)
		return store_judge_promoted(guard, decision);
	if (decision == NEED)
		return store_inspect(guard);
	if (decision == ALLOW && !file->removed && file->writes)
		return store_begin(guard);
	call_stage(guard, STAGE_FINISH);
	return step_again();
}

static void store_name(struct guard *guard, struct sftp_file *file)
{
	struct span folder = path_parent(span_str(file->real));
	(void)snprintf(file->stored, sizeof(file->stored), "%.*s/.xferwarden-%s-%x", (int)folder.n, (const char *)folder.p, guard->setup.session, (unsigned)file->tag);
}

struct step store_open(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	uint32_t flags = (file->reads ? SFTP_OPEN_READ : 0) | (file->writes ? SFTP_OPEN_WRITE : 0) | (file->append && !file->held ? SFTP_OPEN_APPEND : 0);
	if (file->writes && file->fresh)
		flags |= SFTP_OPEN_CREAT | SFTP_OPEN_EXCL;
	if (file->temporary)
		store_name(guard, file);
	struct sftp_packet open = { .kind = SFTP_OPEN, .path = span_str(file->temporary ? file->stored : file->real), .flags = flags };
	if (file->fresh && file->created_mode)
		open.attrs = (struct sftp_attrs){ .flags = SFTP_ATTR_MODE, .mode = file->mode };
	sftp_request(guard, FLIGHT_STORE, call->slot, &open);
	call_stage(guard, STAGE_OPENING);
	return step_again();
}

/* The child does not open it: with its own code, or once more under another name where the name was taken meanwhile. */
static void store_unopened(struct guard *guard, uint32_t code)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	bool taken = code == SFTP_FAILURE && file->writes && file->fresh && !file->temporary && !(call->request.flags & SFTP_OPEN_EXCL);
	if (taken && !call->doomed && (guard->setup.policy->operations & OPERATION_REPLACE)) {
		file->temporary = true;
		call_stage(guard, STAGE_OPEN);
		return;
	}
	call->failed = true;
	call->code = code == SFTP_OK ? SFTP_FAILURE : code;
	file->outcome = OUTCOME_FAILED;
	file->reason = REASON_CHILD;
	if (call->request.kind == SFTP_OPEN) {
		call_stage(guard, call->doomed ? STAGE_DROP : STAGE_RECORD);
	} else {
		file->temporary = false;
		file_refuse(guard, call->slot, OUTCOME_FAILED, REASON_CHILD);
		if (call->promote)
			call_end(guard);
		else
			call_stage(guard, STAGE_FINISH);
	}
}

/* The answer to OPEN. */
static void store_opened(struct guard *guard, const struct sftp_packet *reply)
{
	struct sftp_file *file = store_file(guard);
	if (reply->kind == SFTP_STATUS) {
		store_unopened(guard, reply->code);
		return;
	}
	if (reply->kind != SFTP_HANDLE || reply->handle.n > sizeof(file->child)) {
		guard_aborted(guard, REASON_CHILD);
		return;
	}
	memcpy(file->child, reply->handle.p, reply->handle.n);
	file->child_n = reply->handle.n;
	call_stage(guard, STAGE_PIN);
}

/* What stood there, without what is to be gone of it. */
static void store_cut(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	if (file->low >= file->base)
		return;
	struct sftp_packet cut = { .kind = SFTP_FSETSTAT, .handle = span_of(file->child, file->child_n), .attrs = { .flags = SFTP_ATTR_SIZE, .size = file->low } };
	file->base = file->low;
	call->missing++;
	sftp_request(guard, FLIGHT_STORE, call->slot, &cut);
}

void store_pinned(struct guard *guard, bool yes)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = store_file(guard);
	if (!yes || sftp->call.doomed) { /* it holds something that nobody judged, and nothing of it was touched: away with it */
		struct sftp_packet close = { .kind = SFTP_CLOSE, .handle = span_of(file->child, file->child_n) };
		sftp->call.unpinned = true;
		sftp->call.missing = 1;
		sftp_request(guard, FLIGHT_STORE, sftp->call.slot, &close);
		call_stage(guard, STAGE_FINISHING);
		return;
	}
	if (file->writes && !file->temporary && !file->locked && policy_facts(guard->setup.policy, UPLOAD) != 0) {
		sftp->call.pinned = true;
		call_stage(guard, STAGE_LOCK);
		return;
	}
	file->open = true;
	file->inspected = file->inspected && !file->writes; /* who writes it will see it change */
	store_cut(guard);
	if (!file->held) {
		if (file->use == USE_FILE && !file->writes && file->facts.size < SFTP_EARLY)
			data_fetch(guard, sftp->call.slot);
		call_stage(guard, STAGE_FINISHING);
		return;
	}
	sftp->call.at = file->from;
	sftp->call.end = file->to;
	call_stage(guard, STAGE_RELEASE);
}

/* Alone, before its content is judged; or, once it is open, as one of those who write it: then nobody gives it another name meanwhile. */
void store_locked(struct guard *guard, bool yes)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	store_file(guard)->locked = yes;
	if (call->pinned) {
		call->pinned = false;
		store_pinned(guard, yes);
	} else if (yes) {
		call_stage(guard, STAGE_JUDGE);
	} else {
		file_refuse(guard, call->slot, OUTCOME_BLOCKED, REASON_MOVED);
		if (call->promote)
			call_end(guard);
		else
			call_stage(guard, STAGE_FINISH);
	}
}

/* The content that was held, as WRITEs. */
struct step store_release(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	struct sftp_file *file = store_file(guard);
	if (call->piece > 0) {
		sftp->moving = MOVE_RELEASE;
		return (struct step){ .kind = STEP_RELEASE, .to = CHILD, .slot = call->slot, .offset = call->at, .count = call->piece };
	}
	if (call->at < call->end) {
		if (sftp_full(sftp))
			return step_of(STEP_WAIT);
		call->piece = call->end - call->at < SFTP_PAYLOAD_MAX ? (uint32_t)(call->end - call->at) : SFTP_PAYLOAD_MAX;
		struct sftp_packet write = { .kind = SFTP_WRITE, .handle = span_of(file->child, file->child_n), .offset = call->at, .count = call->piece };
		call->missing++;
		sftp_request(guard, FLIGHT_STORE, call->slot, &write);
		return step_again();
	}
	file->headed = file->headed || (file->facts.finding.known & FACT_TYPE);
	file->again = false;
	if (call->promote) {
		file->held = false;
		call_stage(guard, STAGE_FINISHING);
	} else {
		call_stage(guard, STAGE_FINISH);
	}
	return step_again();
}

/* It was read: what the child says to CLOSE makes no difference to anybody, and is not waited for. */
static struct step store_read(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	struct sftp_packet close = { .kind = SFTP_CLOSE, .handle = span_of(file->child, file->child_n) };
	sftp_of(guard)->quiet++;
	sftp_request(guard, FLIGHT_CLOSED, GUARD_NO_SLOT, &close);
	file->outcome = file->refused ? file->outcome : OUTCOME_ALLOWED;
	call->code = file->refused && !file->told ? SFTP_PERMISSION_DENIED : SFTP_OK;
	call_stage(guard, STAGE_RECORD);
	return step_again();
}

/* All that is still to be said to the child of this file, in one go. */
struct step store_finish(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	if (file->open && !file->writes)
		return store_read(guard);
	call_stage(guard, STAGE_FINISHING);
	if (!file->open)
		return step_again();
	struct sftp_packet packet = { .kind = SFTP_FSETSTAT, .handle = span_of(file->child, file->child_n), .attrs = file->wanted };
	if (file->sized) {
		packet.attrs.flags |= SFTP_ATTR_SIZE;
		packet.attrs.size = file->size;
	}
	if (packet.attrs.flags != 0 && file->writes && !file->refused && !file->removed) {
		call->missing++;
		sftp_request(guard, FLIGHT_STORE, call->slot, &packet);
	}
	packet = (struct sftp_packet){ .kind = SFTP_CLOSE, .handle = span_of(file->child, file->child_n) };
	call->missing++;
	sftp_request(guard, FLIGHT_STORE, call->slot, &packet);
	return step_again();
}

/* What the child opened was not what was judged: it is looked at once more, if nothing is lost by that; what is held would be. */
static void store_unpinned(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	bool opening = call->request.kind == SFTP_OPEN;
	call->unpinned = false;
	if ((opening && call->doomed) || file->use == USE_FOLDER) {
		call->code = SFTP_FAILURE;
		call_stage(guard, STAGE_DROP);
	} else if (opening && !call->again) {
		call->again = true;
		call->placed = call->read_judged = call->cut = call->content = call->closing = false;
		call->facts.finding = (struct finding){ 0 };
		call_stage(guard, STAGE_LOOK);
	} else {
		file_refuse(guard, call->slot, OUTCOME_BLOCKED, REASON_MOVED);
		file->scrub = file->temporary = false;
		call->code = SFTP_PERMISSION_DENIED;
		if (call->promote)
			call_end(guard);
		else
			call_stage(guard, STAGE_RECORD);
	}
}

/* The last answer is in. */
static void store_whole(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	struct sftp_file *file = store_file(guard);
	if (call->unpinned) {
		store_unpinned(guard);
		return;
	}
	if (call->undone) {
		call_deny(guard, REASON_MOVED, NULL);
		return;
	}
	if (call->promote) {
		if (call->failed)
			file_refuse(guard, call->slot, OUTCOME_FAILED, REASON_CHILD);
		call_end(guard);
		return;
	}
	if (call->request.kind == SFTP_OPEN && call->failed) {
		call->request.kind = SFTP_CLOSE; /* it could not be cut: then it is not opened */
		call_stage(guard, STAGE_FINISH);
		return;
	}
	if (call->request.kind == SFTP_OPEN || call->request.kind == SFTP_OPENDIR) {
		call_stage(guard, STAGE_ANSWER);
		return;
	}
	if (file->temporary && !call->renaming && !call->failed && !file->broken && !file->refused && !file->removed) {
		bool over = (sftp->extensions & sftp_extension(SFTP_POSIX_RENAME)) && (guard->setup.policy->operations & OPERATION_REPLACE);
		struct sftp_packet rename = { .kind = over ? SFTP_POSIX_RENAME : SFTP_RENAME, .path = span_str(file->stored), .other = span_str(file->real) };
		call->renaming = true;
		call->missing = 1;
		sftp_request(guard, FLIGHT_STORE, call->slot, &rename);
		return;
	}
	if (file->writes && (call->failed || file->broken) && !file->refused) {
		file->scrub = file->temporary || (file->fresh && file->held && file->open); /* each WRITE was called good, and many clients do not listen at CLOSE */
		file->outcome = OUTCOME_FAILED;
		file->reason = REASON_CHILD;
	} else if (!file->refused && !file->removed) {
		file->temporary = false;
		file->outcome = OUTCOME_ALLOWED;
	}
	if (file->removed) {
		file->outcome = OUTCOME_FAILED;
		file->reason = REASON_CLIENT;
		file->scrub = file->open;
	}
	if (call->code == SFTP_OK && file->refused && !file->told)
		call->code = SFTP_PERMISSION_DENIED;
	call_stage(guard, file->open ? STAGE_CLOSED : STAGE_SCRUB);
}

void store_replied(struct guard *guard, const struct sftp_packet *reply)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (call->stage == STAGE_OPENING) {
		store_opened(guard, reply);
		return;
	}
	if (reply->kind != SFTP_STATUS || call->missing == 0) {
		guard_aborted(guard, REASON_CHILD);
		return;
	}
	call->missing--;
	if (reply->code != SFTP_OK && !call->failed) {
		call->failed = true;
		call->code = reply->code;
	}
}

/* STAGE_FINISHING: until nothing is missing. */
struct step store_finishing(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (call->missing > 0)
		return step_of(STEP_WAIT);
	if (call->unpinned && !call->closing) {
		call->closing = true;
		return (struct step){ .kind = STEP_CLOSED, .slot = call->slot };
	}
	store_whole(guard);
	return step_again();
}

void store_spoiled(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = store_file(guard);
	enum sftp_kind kind = call->request.kind;
	if (call->promote) {
		call_end(guard);
	} else if (kind == SFTP_CLOSE || path_is_request(kind)) {
		call_stage(guard, STAGE_FINISH);
	} else { /* it stays open until it is closed */
		call_status(guard, SFTP_PERMISSION_DENIED);
		memcpy(call->sentence, file->sentence, sizeof(call->sentence));
		file->told = true;
	}
}
