/*
 * READ and WRITE: which road the bytes take. WRITE: held in the slot's content, or on to the child, or both; a WRITE that crosses the end of a head that
 * is held goes both ways in turn. READ: from the child, or, where the client reads what it wrote and nobody has judged yet, from the slot.
 */
#include "base/text.h"
#include "guard/talk.h"
#include "guard/verdict.h"

static void data_drop(struct sftp *sftp, uint32_t code)
{
	sftp->write.road = WRITE_DROP;
	sftp->write.code = code;
}

/* No scanner will see it: whether it may go on without is for the policy to say. */
static void data_too_large(struct guard *guard, struct sftp_file *file)
{
	file->copied = false;
	verdict_too_large(guard, &file->facts.finding);
	store_promote(guard, sftp_of(guard)->write.slot);
}

/* With these bytes it is larger than a rule bears with: judged before they go on. */
static void data_outgrow(struct guard *guard, struct sftp_file *file)
{
	file->size = sftp_of(guard)->write.offset + sftp_of(guard)->write.left;
	store_promote(guard, sftp_of(guard)->write.slot);
}

/* Where it cannot go on without knowing more: the call asks, data_judged goes on. */
static void data_hold(struct guard *guard, struct sftp_file *file)
{
	struct sftp *sftp = sftp_of(guard);
	uint64_t end = sftp->write.offset + sftp->write.left;
	bool decided = file->need == 0;
	if (decided && (!file->late || file->fresh) && (end > SFTP_EARLY || sftp->write.offset != file->prefix)) {
		store_promote(guard, sftp->write.slot);
		return;
	}
	if (file->missing == FACT_SIZE && file->fresh && end > SFTP_EARLY) {
		store_promote(guard, sftp->write.slot);
		return;
	}
	if (end <= guard->setup.hold_limit) {
		sftp->write.road = WRITE_HOLD;
		return;
	}
	if ((file->missing & FACT_SCAN) && !(file->missing & FACT_TYPE)) {
		data_too_large(guard, file);
		return;
	}
	file_refuse(guard, sftp->write.slot, OUTCOME_BLOCKED, REASON_SPOOL);
	data_drop(sftp, SFTP_PERMISSION_DENIED);
}

/* Chooses the road for what is left of the current WRITE. */
static void data_choose(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[sftp->write.slot];
	if (file->refused)
		data_drop(sftp, SFTP_PERMISSION_DENIED);
	else if (file->removed)
		data_drop(sftp, SFTP_OK);
	else if (file->held)
		data_hold(guard, file);
	else if (sftp->write.offset + sftp->write.left > file->next_size)
		data_outgrow(guard, file);
	else if (file->headed && sftp->write.offset < GUARD_HEAD)
		sftp->write.road = WRITE_HOLD;
	else if (file->copied && sftp->write.offset + sftp->write.left > guard->setup.hold_limit)
		data_too_large(guard, file);
	else if (file->copied)
		sftp->write.road = WRITE_HOLD;
	else
		sftp->write.road = WRITE_PASS;
}

void data_write(struct guard *guard, const struct sftp_packet *packet)
{
	struct sftp *sftp = sftp_of(guard);
	unsigned slot = GUARD_NO_SLOT;
	struct sftp_file *file = file_find(guard, packet->handle, &slot);
	sftp->write.slot = slot;
	sftp->write.id = packet->id;
	sftp->write.count = sftp->write.left = packet->count;
	sftp->write.offset = file && file->append ? file->size : packet->offset;
	sftp->write.sent = false;
	if (file == NULL || !file->writable)
		data_drop(sftp, SFTP_FAILURE);
	else if (sftp->write.offset > (uint64_t)INT64_MAX - packet->count)
		data_drop(sftp, SFTP_BAD_MESSAGE);
	else
		data_choose(guard);
}

/* The current WRITE has been taken whole. */
static void data_done(struct guard *guard, uint32_t code)
{
	struct sftp *sftp = sftp_of(guard);
	sftp->write.road = WRITE_NONE;
	guard_phase(guard, PHASE_TALK);
	sftp_answer_in_turn(guard, sftp->write.id, code, sftp->write.slot);
}

void data_judged(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	if (sftp->write.road != WRITE_HOLD || sftp->write.left > 0)
		data_choose(guard);
	else
		data_done(guard, sftp->file[sftp->write.slot].refused ? SFTP_PERMISSION_DENIED : SFTP_OK);
}

/* Bytes were held: what is known now may be enough for a verdict. */
static void data_held(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[sftp->write.slot];
	if (file->headed && !file->held) {
		file->again = true;
		if (sftp->write.left > 0 && !file->copied)
			return; /* the rest goes on to the child */
		data_done(guard, SFTP_OK);
		return;
	}
	bool headed = file->held && (file->missing & FACT_TYPE) && file->prefix >= GUARD_HEAD;
	bool streams = guard->setup.policy->delivery == DELIVERY_STREAM && file->held && (file->missing & (FACT_SCAN | FACT_TYPE)) == FACT_SCAN &&
		       file->prefix > GUARD_HEAD;
	if (headed || streams || file->size > file->next_size)
		store_promote(guard, sftp->write.slot);
	else
		data_done(guard, SFTP_OK);
}

static void data_grow(struct sftp_file *file, uint64_t offset, uint64_t n)
{
	if (offset <= file->prefix && offset + n > file->prefix)
		file->prefix = offset + n;
	if (file->to == file->from)
		file->from = file->to = offset;
	file->from = offset < file->from ? offset : file->from;
	file->to = offset + n > file->to ? offset + n : file->to;
	if (offset + n > file->size)
		file->size = offset + n;
	file->moved += n;
}

static struct step data_hold_step(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[sftp->write.slot];
	uint64_t n = sftp->write.left;
	if (file->headed && !file->held && !file->copied && n > GUARD_HEAD - sftp->write.offset)
		n = GUARD_HEAD - sftp->write.offset;
	sftp->moving = MOVE_HOLD;
	return (struct step){ .kind = STEP_HOLD, .slot = sftp->write.slot, .offset = sftp->write.offset, .count = n };
}

/* The header of what is left of it, once; then its bytes. */
static struct step data_pass_step(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[sftp->write.slot];
	if (!sftp->write.sent) {
		if (sftp_full(sftp))
			return step_of(STEP_WAIT);
		uint32_t n = sftp->write.road == WRITE_COPY ? sftp->write.count : sftp->write.left;
		struct sftp_packet packet = { .kind = SFTP_WRITE, .id = sftp->write.id, .handle = span_of(file->child, file->child_n), .count = n,
					      .offset = sftp->write.road == WRITE_COPY ? sftp->write.offset - n : sftp->write.offset };
		sftp->write.offset = packet.offset;
		sftp->write.left = n;
		sftp->write.sent = true;
		sftp_request(guard, FLIGHT_WRITE, sftp->write.slot, &packet);
		return step_again();
	}
	bool copy = sftp->write.road == WRITE_COPY;
	sftp->moving = copy ? MOVE_COPY : MOVE_PASS;
	return (struct step){ .kind = copy ? STEP_RELEASE : STEP_PASS, .to = CHILD, .slot = sftp->write.slot, .offset = sftp->write.offset, .count = sftp->write.left };
}

static struct step data_drop_step(struct guard *guard, struct span *in)
{
	struct sftp *sftp = sftp_of(guard);
	sftp->write.left -= (uint32_t)span_take(in, sftp->write.left).n;
	if (sftp->write.left == 0)
		data_done(guard, sftp->write.code);
	else
		guard_phase(guard, PHASE_SWALLOW);
	return sftp->write.left == 0 ? step_again() : step_of(STEP_READ);
}

/* The client stopped inside a WRITE. What is promised to the child cannot be taken back; what was held can. */
static struct step data_cut(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	if (sftp->write.sent) {
		guard_aborted(guard, REASON_CLIENT_GONE);
	} else {
		sftp->write.road = WRITE_NONE;
		guard_phase(guard, PHASE_TALK);
	}
	return step_again();
}

struct step data_write_step(struct guard *guard, struct span *in)
{
	struct sftp *sftp = sftp_of(guard);
	if (sftp->write.left > 0 && sftp->write.road != WRITE_COPY && guard_at_end(guard, CLIENT, in))
		return data_cut(guard);
	if (sftp_full(sftp) && !sftp->write.sent)
		return step_of(STEP_WAIT); /* for the answer's place in the queue */
	switch (sftp->write.road) {
	case WRITE_DROP:
		return data_drop_step(guard, in);
	case WRITE_HOLD:
		if (sftp->write.left > 0)
			return data_hold_step(guard);
		data_held(guard); /* an empty one */
		return step_again();
	case WRITE_PASS:
	case WRITE_COPY:
		if (sftp->write.left > 0 || !sftp->write.sent)
			return data_pass_step(guard);
		break;
	case WRITE_NONE:
		break;
	}
	sftp->write.road = WRITE_NONE;
	return step_again();
}

/* --- what moved --- */

static void data_moved_held(struct guard *guard, uint64_t n)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[sftp->write.slot];
	if (file->held && sftp->write.offset < GUARD_HEAD && (file->facts.finding.known & FACT_TYPE))
		file->again = true;
	data_grow(file, sftp->write.offset, n);
	sftp->write.offset += n;
	sftp->write.left -= (uint32_t)n;
	if (file->headed && !file->held && !file->copied && sftp->write.offset >= GUARD_HEAD && sftp->write.left > 0) {
		file->again = true;
		sftp->write.road = WRITE_PASS;
	} else if (sftp->write.left == 0 && file->copied) {
		sftp->write.road = WRITE_COPY;
		file->again = file->again || (file->headed && sftp->write.offset - sftp->write.count < GUARD_HEAD);
	} else if (sftp->write.left == 0) {
		data_held(guard);
	}
}

static void data_moved_passed(struct sftp *sftp, uint64_t n)
{
	if (sftp->moving == MOVE_PASS)
		data_grow(&sftp->file[sftp->write.slot], sftp->write.offset, n);
	sftp->write.offset += n;
	sftp->write.left -= (uint32_t)n;
	if (sftp->write.left == 0)
		sftp->write.road = WRITE_NONE; /* the child's answer is the client's */
}

void sftp_moved(struct guard *guard, uint64_t n)
{
	struct sftp *sftp = sftp_of(guard);
	switch (sftp->moving) {
	case MOVE_NONE:
		return;
	case MOVE_HOLD:
		data_moved_held(guard, n);
		return;
	case MOVE_PASS:
	case MOVE_COPY:
		data_moved_passed(sftp, n);
		return;
	case MOVE_DATA:
		sftp->file[sftp->data.slot].moved += n;
		sftp->data.left -= (uint32_t)n;
		sftp->data.offset += n;
		return;
	case MOVE_FETCH:
		sftp->data.left -= (uint32_t)n;
		sftp->data.offset += n;
		return;
	case MOVE_READ:
		if (!sftp->file[sftp->call.slot].writes)
			sftp->file[sftp->call.slot].moved += n;
		/* fall through */
	case MOVE_RELEASE:
		sftp->call.at += n;
		sftp->call.piece -= (uint32_t)n;
		return;
	}
}

void sftp_spool_failed(struct guard *guard, const char *detail)
{
	struct sftp *sftp = sftp_of(guard);
	bool writing = sftp->call.stage == STAGE_NONE && sftp->write.road == WRITE_HOLD;
	if (sftp->moving == MOVE_FETCH && sftp->data.left > 0) { /* it is not there then, and read from the child */
		sftp->file[sftp->data.slot].fetched = false;
		return;
	}
	unsigned slot = writing ? sftp->write.slot : sftp->call.slot;
	if (slot >= GUARD_SLOTS)
		return;
	struct finding *finding = &sftp->file[slot].facts.finding;
	text_clean(finding->detail, sizeof(finding->detail), span_str(detail));
	file_refuse(guard, slot, OUTCOME_BLOCKED, REASON_SPOOL);
	if (writing)
		data_drop(sftp, SFTP_PERMISSION_DENIED);
	else
		store_spoiled(guard);
}

/* --- READ --- */

void data_errand(struct guard *guard, unsigned slot, uint32_t id, uint64_t offset, uint32_t count)
{
	const struct sftp_file *file = &sftp_of(guard)->file[slot];
	struct sftp_packet errand = { .kind = SFTP_READ, .id = id, .handle = span_of(file->child, file->child_n), .offset = offset,
				      .count = count < SFTP_PAYLOAD_MAX ? count : SFTP_PAYLOAD_MAX };
	sftp_request(guard, FLIGHT_READ, slot, &errand);
}

/* One byte more than there should be: then less than was asked for is all there is. */
void data_fetch(struct guard *guard, unsigned slot)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	struct sftp_packet errand = { .kind = SFTP_READ, .handle = span_of(file->child, file->child_n), .count = (uint32_t)file->facts.size + 1 };
	file->fetching = true;
	sftp_request(guard, FLIGHT_FETCH, slot, &errand);
}

bool data_fetched(struct guard *guard, const struct sftp_flight *flight, const struct sftp_packet *reply)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[flight->slot];
	file->fetching = false;
	if (reply->kind == SFTP_STATUS) {
		file->fetched = reply->code == SFTP_EOF;
		file->size = 0;
		return reply->code != SFTP_OK;
	}
	if (reply->kind != SFTP_DATA || reply->count == 0 || reply->count > flight->count)
		return false;
	sftp->data.slot = flight->slot;
	sftp->data.offset = 0;
	sftp->data.count = sftp->data.left = reply->count;
	sftp->data.asked = sftp->data.still = false;
	sftp->data.fetch = true;
	file->fetched = reply->count < flight->count;
	file->size = reply->count;
	return true;
}

void data_read(struct guard *guard, const struct sftp_packet *packet)
{
	unsigned slot = GUARD_NO_SLOT;
	struct sftp_file *file = file_find(guard, packet->handle, &slot);
	if (file == NULL || !file->reads || file->removed) {
		sftp_answer_in_turn(guard, packet->id, SFTP_FAILURE, GUARD_NO_SLOT);
	} else if (file->refused) {
		sftp_answer_in_turn(guard, packet->id, SFTP_PERMISSION_DENIED, slot);
	} else if (packet->count == 0 || packet->offset > (uint64_t)INT64_MAX - packet->count) {
		sftp_answer_in_turn(guard, packet->id, packet->count == 0 ? SFTP_EOF : SFTP_BAD_MESSAGE, GUARD_NO_SLOT);
	} else if (file->open && !file->fetching && !file->fetched) {
		data_errand(guard, slot, packet->id, packet->offset, packet->count);
	} else {
		call_begin(guard, packet);
	}
}

struct step data_reply_step(struct guard *guard, struct span *in)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_file *file = &sftp->file[sftp->data.slot];
	if (sftp->data.left == sftp->data.count && !sftp->data.asked) {
		sftp->data.said = false;
		if (file->inspected && !sftp->data.still && !file->refused) {
			sftp->data.waiting = true;
			return (struct step){ .kind = STEP_STILL, .slot = sftp->data.slot };
		}
		sftp->data.asked = true;
		if (sftp->data.fetch || file->refused)
			return step_again();
		sftp->data.said = true;
		struct sftp_packet header = { .kind = SFTP_DATA, .id = sftp->data.id, .count = sftp->data.count };
		guard_send_packet(guard, CLIENT, &header);
		return step_again();
	}
	if (guard_at_end(guard, CHILD, in)) {
		guard_aborted(guard, REASON_CHILD);
		return step_again();
	}
	if (!sftp->data.said && (file->refused || (sftp->data.fetch && !file->fetched))) {
		sftp->data.left -= (uint32_t)span_take(in, sftp->data.left).n;
		if (sftp->data.left > 0)
			return step_of(STEP_READ);
		if (!sftp->data.fetch)
			sftp_answer(guard, sftp->data.id, SFTP_PERMISSION_DENIED, file->sentence);
		return step_again();
	}
	if (sftp->data.fetch) {
		sftp->moving = MOVE_FETCH;
		return (struct step){ .kind = STEP_HOLD, .slot = sftp->data.slot, .offset = sftp->data.offset, .count = sftp->data.left };
	}
	sftp->moving = MOVE_DATA;
	return (struct step){ .kind = STEP_PASS, .to = CLIENT, .slot = sftp->data.slot, .offset = sftp->data.offset, .count = sftp->data.left };
}

void data_still(struct guard *guard, bool yes)
{
	struct sftp *sftp = sftp_of(guard);
	sftp->data.waiting = false;
	sftp->data.still = yes;
	if (!yes) {
		sftp->data.asked = true; /* no header: it is swallowed */
		file_refuse(guard, sftp->data.slot, OUTCOME_BLOCKED, REASON_MOVED);
	}
}
