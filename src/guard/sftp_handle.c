/*
 * What is asked about handles, and the few requests that need no look at the file system. A file that the child does not have under its name is described,
 * and changed, here; everything else is passed on in the child's own terms.
 */
#include "base/path.h"
#include "guard/talk.h"

enum { HANDLE_MODE_FILE = 0100000 };

void handle_name(struct guard *guard, struct span name)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_packet entry = { .kind = SFTP_ENTRY, .name = name, .text = name };
	struct sftp_packet head = { .kind = SFTP_NAME, .id = call->request.id, .count = 1, .length = sftp_name_length(name, name, &entry.attrs) };
	guard_send_packet(guard, CLIENT, &head);
	guard_send_packet(guard, CLIENT, &entry);
	call_end(guard);
}

void handle_attrs(struct guard *guard, unsigned slot)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_packet reply = { .kind = SFTP_ATTRS, .id = sftp->call.request.id, .attrs = sftp->file[slot].shown };
	reply.attrs.size = sftp->file[slot].size;
	reply.attrs.mode |= HANDLE_MODE_FILE;
	guard_send_packet(guard, CLIENT, &reply);
	call_end(guard);
}

static void handle_limits(struct guard *guard)
{
	static const uint64_t limits[] = { SFTP_PACKET_MAX, SFTP_PAYLOAD_MAX, SFTP_PAYLOAD_MAX, GUARD_SLOTS };
	uint8_t body[sizeof(limits)];
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(limits[i / 8] >> (56 - 8 * (i % 8)));
	struct sftp_packet reply = { .kind = SFTP_EXTENDED_REPLY, .id = sftp_of(guard)->call.request.id, .body = span_of(body, sizeof(body)) };
	guard_send_packet(guard, CLIENT, &reply);
	call_end(guard);
}

/* The times and mode as they will be given: no owner, no bits beyond 0777. False: nothing is left of it. */
static bool handle_clean(struct sftp_attrs *attrs)
{
	attrs->flags &= SFTP_ATTR_SIZE | SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	attrs->mode &= 0777;
	return attrs->flags != 0;
}

/* A new size of what is held: judged at once where it grows beyond a rule's limit. */
static struct step handle_resize(struct guard *guard, unsigned slot, uint64_t size)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	struct sftp_call *call = &sftp_of(guard)->call;
	bool same = size == file->size;
	if (size > guard->setup.hold_limit && !same) {
		call_status(guard, SFTP_FAILURE);
		return step_again();
	}
	file->sized = file->sized || !same || !file->fresh;
	file->size = size;
	file->low = file->low < size ? file->low : size;
	file->again = file->again || (!same && size < GUARD_HEAD && (file->facts.finding.known & FACT_TYPE));
	file->prefix = file->prefix < size ? file->prefix : size;
	file->to = file->to < size ? file->to : size;
	file->from = file->from < file->to ? file->from : file->to;
	if (!same && file_judge(guard, slot, false) == DENY) {
		call_status(guard, SFTP_PERMISSION_DENIED);
		memcpy(call->sentence, file->sentence, sizeof(call->sentence));
		file->told = true;
		return step_again();
	}
	call_status(guard, SFTP_OK);
	return same ? step_again() : (struct step){ .kind = STEP_SIZE, .slot = slot, .count = size };
}

/* The child's file, and what is held of it. */
static struct step handle_set_open(struct guard *guard, unsigned slot, const struct sftp_attrs *attrs)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	if (!(attrs->flags & SFTP_ATTR_SIZE)) {
		call_stage(guard, STAGE_FORWARD);
		return step_again();
	}
	if (file->copied && attrs->size > guard->setup.hold_limit) {
		call_status(guard, SFTP_FAILURE);
		return step_again();
	}
	file->size = attrs->size;
	file->anew = true;
	if (attrs->size > file->next_size && file_judge(guard, slot, false) == DENY) {
		call_status(guard, SFTP_PERMISSION_DENIED);
		memcpy(sftp_of(guard)->call.sentence, file->sentence, sizeof(file->sentence));
		file->told = true;
		return step_again();
	}
	file->again = file->again || (file->headed && attrs->size < GUARD_HEAD);
	file->prefix = file->prefix < attrs->size ? file->prefix : attrs->size;
	call_stage(guard, STAGE_FORWARD);
	bool head = file->headed && attrs->size < GUARD_HEAD;
	return file->copied || head ? (struct step){ .kind = STEP_SIZE, .slot = slot, .count = attrs->size } : step_again();
}

struct step handle_set(struct guard *guard, unsigned slot, const struct sftp_attrs *given)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_attrs attrs = *given, clean = *given;
	if (file->refused || file->removed) {
		call_status(guard, file->removed ? SFTP_OK : SFTP_PERMISSION_DENIED);
		memcpy(call->sentence, file->sentence, sizeof(call->sentence));
		return step_again();
	}
	if (!file->writes || !handle_clean(&clean)) {
		call_status(guard, SFTP_PERMISSION_DENIED);
		return step_again();
	}
	if (!file_set(guard, slot, &attrs)) {
		call_status(guard, SFTP_PERMISSION_DENIED);
		memcpy(call->sentence, file->sentence, sizeof(call->sentence));
		file->told = true;
		return step_again();
	}
	if (file->open) {
		call->request.attrs = clean;
		file->wanted.flags = 0;
		return handle_set_open(guard, slot, &clean);
	}
	if (clean.flags & SFTP_ATTR_SIZE)
		return handle_resize(guard, slot, clean.size);
	call_status(guard, SFTP_OK);
	return step_again();
}

/* A file that is only read: its attributes are changed as by its name, and judged so. */
static void handle_set_by_name(struct guard *guard, const struct sftp_file *file)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (call->request.attrs.flags & SFTP_ATTR_SIZE) {
		call_status(guard, SFTP_FAILURE);
		return;
	}
	memcpy(call->path, file->real, sizeof(call->path));
	call->request.kind = SFTP_SETSTAT;
	call->request.path = span_str(call->path);
	call->slot = GUARD_NO_SLOT;
	path_begin(guard);
}

/* What was written and is held, read again. */
static void handle_read(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	uint64_t offset = call->request.offset, most = call->request.count < SFTP_PAYLOAD_MAX ? call->request.count : SFTP_PAYLOAD_MAX;
	if (file->refused) {
		memcpy(call->sentence, file->sentence, sizeof(call->sentence));
		call_status(guard, SFTP_PERMISSION_DENIED);
	} else if (file->open && !file->fetched) { /* it was to be fetched, and was not */
		data_errand(guard, call->slot, call->request.id, offset, call->request.count);
		call_end(guard);
	} else if (offset >= file->size) {
		call_status(guard, SFTP_EOF);
	} else {
		call->at = offset;
		call->piece = (uint32_t)(file->size - offset < most ? file->size - offset : most);
		call->end = offset + call->piece;
		call_stage(guard, STAGE_SETTLE);
	}
}

static void handle_close(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (sftp_of(guard)->file[call->slot].use == USE_FOLDER)
		call_stage(guard, STAGE_FORWARD);
	else
		call_stage(guard, STAGE_JUDGE);
}

void handle_copy(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	const struct sftp_file *from = &sftp->file[call->slot];
	struct sftp_file *to = &sftp->file[call->second_slot];
	uint64_t length = call->request.length;
	if (!(sftp->extensions & sftp_extension(SFTP_COPY_DATA)) || !from->open || !from->reads || !to->writable || to->refused || to->removed) {
		call_status(guard, sftp->extensions & sftp_extension(SFTP_COPY_DATA) ? SFTP_FAILURE : SFTP_OP_UNSUPPORTED);
		return;
	}
	if (!to->open) { /* the copy is made behind our back: it has to be there first */
		call->copy_from = call->slot;
		call->slot = call->second_slot;
		call->promote = call->copies = true;
		call_stage(guard, STAGE_JUDGE);
		return;
	}
	if (length == 0 && from->facts.size > call->request.offset)
		length = from->facts.size - call->request.offset;
	to->anew = true;
	if (to->size < call->request.offset2 + length)
		to->size = call->request.offset2 + length;
	call_stage(guard, STAGE_FORWARD);
}

void handle_request(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = call->slot < GUARD_SLOTS ? &sftp_of(guard)->file[call->slot] : NULL;
	enum sftp_kind kind = call->request.kind;
	bool absent = file != NULL && file->use == USE_FILE && !file->open;
	if (call->promote)
		call_stage(guard, STAGE_JUDGE);
	else if (kind == SFTP_LIMITS)
		handle_limits(guard);
	else if (kind == SFTP_HOME_DIRECTORY)
		handle_name(guard, guard->setup.start);
	else if (kind == SFTP_USERS_GROUPS)
		call_stage(guard, STAGE_FORWARD);
	else if (file == NULL)
		call_status(guard, SFTP_FAILURE);
	else if (kind == SFTP_CLOSE)
		handle_close(guard);
	else if (kind == SFTP_READDIR)
		call_stage(guard, file->use == USE_FOLDER ? STAGE_FORWARD : STAGE_ANSWER);
	else if (file->use != USE_FILE)
		call_status(guard, SFTP_FAILURE);
	else if (kind == SFTP_READ)
		handle_read(guard);
	else if (kind == SFTP_FSTAT && (absent || file->temporary || file->copied))
		handle_attrs(guard, call->slot);
	else if (kind == SFTP_FSETSTAT && !file->writes)
		handle_set_by_name(guard, file);
	else if (kind == SFTP_FSETSTAT)
		call_stage(guard, STAGE_SET);
	else if (kind == SFTP_COPY_DATA)
		handle_copy(guard);
	else if (kind == SFTP_FSYNC && absent)
		call_status(guard, SFTP_OK);
	else if (absent)
		call_status(guard, SFTP_FAILURE);
	else
		call_stage(guard, STAGE_FORWARD);
	if (kind == SFTP_READDIR && call->stage == STAGE_ANSWER)
		call->code = SFTP_FAILURE;
}

void handle_forward(struct guard *guard, struct sftp_packet *packet)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	if (path_is_request(packet->kind) && !call->linking) {
		packet->path = call->place.real;
		packet->other = packet->other.n > 0 ? call->second.real : packet->other;
	}
	if (path_is_request(packet->kind))
		return;
	if (call->slot < GUARD_SLOTS)
		packet->handle = span_of(sftp->file[call->slot].child, sftp->file[call->slot].child_n);
	if (call->second_slot < GUARD_SLOTS)
		packet->handle2 = span_of(sftp->file[call->second_slot].child, sftp->file[call->second_slot].child_n);
}

/* A folder was opened: which one it is, is asked before anybody reads it. */
static void handle_folder(struct guard *guard, const struct sftp_packet *reply)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	if (reply->handle.n > sizeof(file->child)) {
		guard_aborted(guard, REASON_CHILD);
		return;
	}
	memcpy(file->child, reply->handle.p, reply->handle.n);
	file->child_n = reply->handle.n;
	call_stage(guard, STAGE_PIN);
}

static void handle_status(struct guard *guard, uint32_t code)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	bool changes = path_changes(call->request.kind) && !call->quiet;
	call->code = code;
	call->outcome = code == SFTP_OK ? OUTCOME_ALLOWED : OUTCOME_FAILED;
	call->reason = code == SFTP_OK ? REASON_NONE : REASON_CHILD;
	if (call->request.kind == SFTP_CLOSE) /* of a folder */
		call_stage(guard, STAGE_CLOSED);
	else if (call->request.kind == SFTP_OPENDIR)
		call_stage(guard, code == SFTP_OK ? STAGE_ANSWER : STAGE_DROP);
	else if (code == SFTP_OK && call->content && path_is_two(call->request.kind))
		call_stage(guard, STAGE_STANDS);
	else if (changes)
		call_stage(guard, STAGE_RECORD);
	else
		call_stage(guard, call->slot < GUARD_SLOTS && path_is_request(call->request.kind) ? STAGE_DROP : STAGE_ANSWER);
}

/* Any answer that the request cannot have ends the session: nothing unasked for is passed on. */
static bool handle_fits(enum sftp_kind request, enum sftp_kind reply)
{
	if (reply == SFTP_STATUS)
		return true;
	if (request == SFTP_OPENDIR)
		return reply == SFTP_HANDLE;
	if (request == SFTP_READDIR || request == SFTP_REALPATH || request == SFTP_READLINK)
		return reply == SFTP_NAME;
	if (request == SFTP_STAT || request == SFTP_LSTAT || request == SFTP_FSTAT)
		return reply == SFTP_ATTRS;
	return (request == SFTP_STATVFS || request == SFTP_FSTATVFS || request == SFTP_USERS_GROUPS) && reply == SFTP_EXTENDED_REPLY;
}

void call_replied(struct guard *guard, const struct sftp_packet *reply)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_call *call = &sftp->call;
	struct sftp_packet answer = *reply;
	if (call->stage != STAGE_AWAIT || !handle_fits(call->request.kind, reply->kind)) {
		guard_aborted(guard, REASON_CHILD);
	} else if (reply->kind == SFTP_STATUS) {
		handle_status(guard, reply->code);
	} else if (reply->kind == SFTP_HANDLE) {
		handle_folder(guard, reply);
	} else {
		answer.id = call->request.id;
		sftp->names = reply->kind == SFTP_NAME ? reply->count : 0;
		call->answered = guard_send_packet(guard, CLIENT, &answer);
		call->code = call->answered ? SFTP_OK : SFTP_FAILURE;
		call_stage(guard, call->slot < GUARD_SLOTS && path_is_request(call->request.kind) ? STAGE_DROP : STAGE_ANSWER);
	}
}
