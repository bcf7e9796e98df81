/*
 * The frame of an SFTP session: who is asked what, in which order answers go out, and how it ends. The child answers in the order in which it was asked,
 * and so do we: what is answered here waits behind what is in flight.
 */
#include "guard/talk.h"

/* What a refusal of the file says; NULL for the code's own text. */
static const char *sftp_sentence(struct sftp *sftp, unsigned slot, uint32_t code)
{
	if (slot >= GUARD_SLOTS || code != SFTP_PERMISSION_DENIED || sftp->file[slot].sentence[0] == '\0')
		return NULL;
	sftp->file[slot].told = true;
	return sftp->file[slot].sentence;
}

static const char *const sftp_texts[] = {
	[SFTP_OK] = "Success", [SFTP_EOF] = "End of file", [SFTP_NO_SUCH_FILE] = "No such file", [SFTP_PERMISSION_DENIED] = "Permission denied",
	[SFTP_FAILURE] = "Failure", [SFTP_BAD_MESSAGE] = "Bad message", [SFTP_NO_CONNECTION] = "No connection",
	[SFTP_CONNECTION_LOST] = "Connection lost", [SFTP_OP_UNSUPPORTED] = "Operation unsupported",
};

/* --- answers and errands --- */

void sftp_answer(struct guard *guard, uint32_t id, uint32_t code, const char *text)
{
	if (code > SFTP_OP_UNSUPPORTED)
		code = SFTP_FAILURE;
	struct sftp_packet status = { .kind = SFTP_STATUS, .id = id, .code = code, .text = span_str(text ? text : sftp_texts[code]) };
	guard_send_packet(guard, CLIENT, &status);
}

bool sftp_full(const struct sftp *sftp)
{
	return sftp->flying == SFTP_FLIGHT;
}

struct sftp_flight *sftp_fly(struct guard *guard, enum sftp_flight_kind kind, unsigned slot)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_flight *flight = &sftp->flight[(sftp->first + sftp->flying++) % SFTP_FLIGHT];
	*flight = (struct sftp_flight){ .kind = kind, .slot = slot };
	return flight;
}

static void sftp_land(struct sftp *sftp)
{
	sftp->first = (sftp->first + 1) % SFTP_FLIGHT;
	sftp->flying--;
}

void sftp_request(struct guard *guard, enum sftp_flight_kind kind, unsigned slot, struct sftp_packet *packet)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_flight *flight = sftp_fly(guard, kind, slot);
	flight->id = packet->id;
	flight->ours = packet->id = sftp->next_id++;
	flight->count = packet->count;
	flight->offset = packet->offset;
	guard_send_packet(guard, CHILD, packet);
}

void sftp_answer_in_turn(struct guard *guard, uint32_t id, uint32_t code, unsigned slot)
{
	struct sftp *sftp = sftp_of(guard);
	if (sftp->flying == 0 && sftp->data.left == 0 && sftp->names == 0) { /* nor in the middle of an answer */
		sftp_answer(guard, id, code, sftp_sentence(sftp, slot, code));
		return;
	}
	struct sftp_flight *flight = sftp_fly(guard, FLIGHT_LOCAL, slot);
	flight->id = id;
	flight->count = code;
}

/* --- the child's lane --- */

static struct step sftp_child_failed(struct guard *guard)
{
	guard_aborted(guard, REASON_CHILD);
	return step_again();
}

static bool sftp_offers_copies(const struct guard *guard)
{
	const struct ruleset *rules = &guard->setup.policy->rules[UPLOAD];
	unsigned late = CONDITION_SMALLER | CONDITION_LARGER | CONDITION_MODE;
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].conditions & late)
			return false;
	return policy_facts(guard->setup.policy, UPLOAD) == 0;
}

static void sftp_greet(struct guard *guard, const struct sftp_packet *version)
{
	struct sftp *sftp = sftp_of(guard);
	sftp->extensions = version->extensions | sftp_extension(SFTP_LIMITS) | sftp_extension(SFTP_EXPAND_PATH) | sftp_extension(SFTP_HOME_DIRECTORY);
	if (!sftp_offers_copies(guard))
		sftp->extensions &= ~sftp_extension(SFTP_COPY_DATA);
	struct sftp_packet ours = { .kind = SFTP_VERSION, .version = SFTP_VERSION_SPOKEN, .extensions = sftp->extensions };
	sftp->ready = true;
	guard_send_packet(guard, CLIENT, &ours);
}

/* One answer to what was asked longest ago. False: not what it should be. */
static bool sftp_replied(struct guard *guard, const struct sftp_packet *reply)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_flight flight = sftp->flight[sftp->first];
	if (sftp->flying == 0 || flight.ours != reply->id)
		return false;
	sftp_land(sftp);
	switch (flight.kind) {
	case FLIGHT_FETCH:
		return data_fetched(guard, &flight, reply);
	case FLIGHT_CLOSED:
		sftp->quiet--;
		return reply->kind == SFTP_STATUS;
	case FLIGHT_READ:
		if (reply->kind == SFTP_DATA && reply->count <= flight.count) {
			sftp->data.slot = flight.slot;
			sftp->data.id = flight.id;
			sftp->data.count = sftp->data.left = reply->count;
			sftp->data.offset = flight.offset;
			sftp->data.asked = sftp->data.still = sftp->data.fetch = false;
			return reply->count > 0;
		}
		if (reply->kind != SFTP_STATUS || reply->code == SFTP_OK)
			return false;
		sftp_answer(guard, flight.id, reply->code, NULL);
		return true;
	case FLIGHT_WRITE:
		if (reply->kind != SFTP_STATUS)
			return false;
		sftp_answer(guard, flight.id, reply->code, NULL);
		if (reply->code != SFTP_OK) {
			sftp->file[flight.slot].outcome = OUTCOME_FAILED;
			sftp->file[flight.slot].reason = REASON_CHILD;
			sftp->file[flight.slot].broken = true;
		}
		return true;
	case FLIGHT_STORE:
		store_replied(guard, reply);
		return true;
	case FLIGHT_CALL:
		call_replied(guard, reply);
		return true;
	case FLIGHT_LOCAL:
	case FLIGHT_NONE:
		break;
	}
	return false;
}

static struct step sftp_child(struct guard *guard, struct span *in)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_packet reply;
	if (sftp->data.left > 0)
		return data_reply_step(guard, in);
	enum sftp_kind kind = sftp_next_reply(&sftp->reader[CHILD], in, &reply);
	if (kind == SFTP_MORE) {
		if (guard_at_end(guard, CHILD, in))
			return sftp_child_failed(guard);
		return (struct step){ .kind = STEP_READ, .soon = sftp->names > 0 };
	}
	bool good = true;
	if (sftp->names > 0) {
		good = kind == SFTP_ENTRY;
		sftp->names--;
		guard_send_packet(guard, CLIENT, &reply);
	} else if (kind == SFTP_VERSION) {
		good = sftp->greeted && !sftp->ready && reply.version == SFTP_VERSION_SPOKEN;
		if (good)
			sftp_greet(guard, &reply);
	} else {
		good = kind != SFTP_BAD && sftp_replied(guard, &reply);
	}
	return good ? step_again() : sftp_child_failed(guard);
}

/* --- the client's lane --- */

/* The client has said all: what it left open is closed in its place, then the child's input. */
static struct step sftp_client_ended(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	sftp->ending = true;
	if (sftp->flying > 0 || sftp->data.left > 0 || sftp->names > 0)
		return step_of(STEP_WAIT);
	for (unsigned slot = 0; slot < sftp->files; slot++) {
		if (sftp->file[slot].use == USE_NONE)
			continue;
		(void)call_own(guard, SFTP_CLOSE, slot);
		return step_again();
	}
	guard_finish(guard, false, false);
	return step_again();
}

static struct step sftp_client(struct guard *guard, struct span *in)
{
	struct sftp *sftp = sftp_of(guard);
	struct sftp_packet request;
	if (sftp->call.stage != STAGE_NONE)
		return call_step(guard);
	if (sftp->write.road != WRITE_NONE)
		return data_write_step(guard, in);
	if (sftp->ending)
		return sftp_client_ended(guard);
	if (sftp_full(sftp) || (sftp->greeted && !sftp->ready))
		return step_of(STEP_WAIT);
	enum sftp_kind kind = sftp_next_request(&sftp->reader[CLIENT], in, &request);
	if (kind == SFTP_MORE)
		return guard_at_end(guard, CLIENT, in) ? sftp_client_ended(guard) : step_of(STEP_READ);
	if (kind == SFTP_BAD) {
		guard_aborted(guard, REASON_PROTOCOL);
	} else if (kind == SFTP_INIT) {
		struct sftp_packet ours = { .kind = SFTP_INIT, .version = SFTP_VERSION_SPOKEN };
		sftp->greeted = true;
		guard_send_packet(guard, CHILD, &ours);
	} else if (kind == SFTP_WRITE) {
		data_write(guard, &request);
	} else if (kind == SFTP_READ) {
		data_read(guard, &request);
	} else if (kind == SFTP_UNKNOWN) {
		sftp_answer_in_turn(guard, request.id, request.code, GUARD_NO_SLOT);
	} else {
		call_begin(guard, &request);
	}
	return step_again();
}

struct step sftp_step(struct guard *guard, enum side lane, struct span *in)
{
	struct sftp *sftp = sftp_of(guard);
	const struct sftp_flight *first = &sftp->flight[sftp->first];
	if (sftp->flying > 0 && first->kind == FLIGHT_LOCAL && sftp->data.left == 0 && sftp->names == 0) {
		sftp_answer(guard, first->id, first->count, sftp_sentence(sftp, first->slot, first->count));
		sftp_land(sftp);
		return step_again();
	}
	return lane == CLIENT ? sftp_client(guard, in) : sftp_child(guard, in);
}

/* --- the end --- */

/* What was not judged, or has not got its name, goes; what the child has under its name stays, as without us. */
static void sftp_leave(struct guard *guard, unsigned slot, enum reason reason)
{
	struct sftp_file *file = &sftp_of(guard)->file[slot];
	if (file->recorded || file->refused || file->use != USE_FILE)
		return;
	file->outcome = OUTCOME_FAILED;
	file->reason = reason;
	file->scrub = file->writes && file->open && (file->temporary || file->copied || file->again);
}

void sftp_client_left(struct guard *guard)
{
	guard->gone = true;
	guard->drain = false;
	if (guard->phase == PHASE_DRAIN)
		guard_phase(guard, PHASE_DONE);
}

void sftp_aborted(struct guard *guard, enum reason reason)
{
	struct sftp *sftp = sftp_of(guard);
	if (guard->phase == PHASE_DONE)
		return;
	guard->lost = reason;
	for (unsigned slot = 0; slot < sftp->files; slot++)
		sftp_leave(guard, slot, reason);
	sftp->call.stage = STAGE_NONE;
	sftp->write.road = WRITE_NONE;
	guard->failed += guard->phase != PHASE_DRAIN;
	guard->drain = false;
	if (guard->phase == PHASE_DRAIN)
		guard_phase(guard, PHASE_DONE);
	else
		guard_finish(guard, true, false);
}

struct step sftp_sweep(struct guard *guard)
{
	struct sftp *sftp = sftp_of(guard);
	for (; sftp->swept < sftp->files; sftp->swept++) {
		struct sftp_file *file = &sftp->file[sftp->swept];
		if (file->use != USE_FILE)
			continue;
		if (file->scrub) {
			struct span at = span_str(file->temporary ? file->stored : file->real);
			return guard_ask(guard, (struct step){ .kind = STEP_SCRUB, .slot = sftp->swept, .bytes = at, .count = file->fresh || file->temporary });
		}
		if (!file->recorded) {
			if (guard->asked)
				return step_of(STEP_WAIT);
			file_record(guard, sftp->swept);
			return guard_ask(guard, (struct step){ .kind = STEP_RECORD, .slot = sftp->swept, .file = file->anew || file->told, .record = &guard->record });
		}
	}
	guard_phase(guard, guard->drain ? PHASE_DRAIN : PHASE_DONE);
	return step_again();
}

uint64_t sftp_failures(struct guard *guard)
{
	return sftp_of(guard)->transfers_failed + (guard->lost != REASON_NONE);
}
