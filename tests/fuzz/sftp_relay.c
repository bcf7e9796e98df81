/* The model's relay: each step of the guard carried out in a world in memory, and checked against what the relay knows by itself. */
#include "sftp_model.h"

/* --- bytes --- */

static void bytes_room(struct model_bytes *bytes, size_t n)
{
	if (n <= bytes->capacity)
		return;
	bytes->capacity = 2 * n;
	bytes->p = realloc(bytes->p, bytes->capacity);
	REQUIRE(bytes->p != NULL);
}

void bytes_put(struct model_bytes *bytes, struct span more)
{
	bytes_room(bytes, bytes->n + more.n);
	if (more.n > 0)
		memcpy(bytes->p + bytes->n, more.p, more.n);
	bytes->n += more.n;
}

void bytes_resize(struct model_bytes *bytes, uint64_t n)
{
	REQUIRE(n <= MODEL_STREAM);
	bytes_room(bytes, (size_t)n + 1);
	if (n > bytes->n)
		memset(bytes->p + bytes->n, 0, (size_t)n - bytes->n);
	bytes->n = (size_t)n;
}

void bytes_write(struct model_bytes *bytes, uint64_t at, struct span more)
{
	if (more.n == 0)
		return;
	if (at + more.n > bytes->n)
		bytes_resize(bytes, at + more.n);
	memcpy(bytes->p + at, more.p, more.n);
}

/* --- what is said --- */

/* Places that a question was answered with, and names made from them. */
static bool relay_knows(const struct model *model, struct span path)
{
	struct span name = path_name(path), folder = path_parent(path);
	bool made = span_starts(name, span_str(".xferwarden-s-"));
	for (size_t i = 0; i < model->looked_n && i < MODEL_LOOKED; i++) {
		struct span real = span_str(model->looked[i]);
		if (span_equal(path, real) || (made && span_equal(folder, path_parent(real))))
			return true;
	}
	return false;
}

static void relay_check_names(const struct model *model, const struct sftp_packet *packet)
{
	bool link = packet->kind == SFTP_SYMLINK;
	if (packet->path.p != NULL && !link && packet->kind != SFTP_HOME_DIRECTORY)
		REQUIRE(packet->path.n > 0 && packet->path.p[0] == '/' && relay_knows(model, packet->path));
	if (packet->other.p != NULL)
		REQUIRE(packet->other.n > 0 && packet->other.p[0] == '/' && relay_knows(model, packet->other));
	REQUIRE(packet->kind != SFTP_OPEN || !(packet->flags & SFTP_OPEN_TRUNC));
	if (packet->attrs.flags & SFTP_ATTR_MODE)
		REQUIRE(packet->attrs.mode <= 0777);
	REQUIRE(!(packet->attrs.flags & SFTP_ATTR_OWNER));
}

/* The child carries it out, now; what it answers waits until it is let speak. */
static void relay_serve(struct model *model, const struct sftp_packet *request, struct span payload)
{
	struct sftp_packet reply, entry;
	struct span data;
	uint8_t bytes[SFTP_PUT_MAX];
	uint32_t r = model_random(model, 0);
	bool read = request->kind == SFTP_READ && request->handle.p[1] < WORLD_HANDLES && !(model->world.handle[request->handle.p[1]].flags & SFTP_OPEN_WRITE);
	bool poison = read && model_denied(model, &model->content, DOWNLOAD, &model->world.node[model->world.handle[request->handle.p[1]].node], NULL);
	bool refused = (r & 63) == 0 || (request->kind == SFTP_OPEN && model->place.unwritable);
	struct world_handle *touched = refused && request->handle.n == 4 && request->handle.p[1] < WORLD_HANDLES ? &model->world.handle[request->handle.p[1]] : NULL;
	if (touched != NULL && touched->used && request->kind != SFTP_READ)
		model->world.node[touched->node].foreign = true; /* half old, half new: nobody can judge that before */
	world_serve(&model->world, request, payload, refused, &reply, &entry, &data);
	if (model->killed)
		return;
	bytes_put(&model->replies, span_of(bytes, sftp_put(bytes, &reply)));
	size_t at = model->replies.n;
	bytes_put(&model->replies, data);
	if (poison)
		memset(model->replies.p + at, MODEL_POISON, data.n);
	if (reply.kind == SFTP_NAME)
		bytes_put(&model->replies, span_of(bytes, sftp_put(bytes, &entry)));
	if (request->kind != SFTP_INIT)
		model_check_world(model, false);
}

static void relay_tell_child(struct model *model, const struct sftp_packet *packet)
{
	relay_check_names(model, packet);
	if (packet->kind != SFTP_INIT)
		REQUIRE(packet->id == model->served++);
	model->moved++;
	if (packet->kind != SFTP_WRITE || packet->count == 0) {
		relay_serve(model, packet, span_of(NULL, 0));
		return;
	}
	model->serving = *packet;
	REQUIRE(packet->handle.n <= sizeof(model->serving_handle));
	memcpy(model->serving_handle, packet->handle.p, packet->handle.n);
	model->serving.handle.p = model->serving_handle;
	model->payload.n = 0;
}

/* Each letter is one whole packet, or piece of one, canonical. */
static void relay_tell(struct model *model, const struct step *step)
{
	struct span in = step->bytes;
	struct sftp_packet packet;
	uint8_t again[SFTP_PUT_MAX];
	enum side to = step->to;
	REQUIRE(model->ear[to].owed == 0);
	enum sftp_kind kind = to == CLIENT ? sftp_next_reply(&model->ear[to].reader, &in, &packet) : sftp_next_request(&model->ear[to].reader, &in, &packet);
	REQUIRE(kind != SFTP_MORE && kind != SFTP_BAD && kind != SFTP_UNKNOWN && in.n == 0);
	REQUIRE(sftp_put(again, &packet) == step->bytes.n && memcmp(again, step->bytes.p, step->bytes.n) == 0);
	model_hash(&model->hash[to], step->bytes.p, step->bytes.n);
	if (kind == SFTP_DATA || kind == SFTP_WRITE)
		model->ear[to].owed = packet.count;
	model->ear[to].at = packet.offset;
	if (to == CHILD)
		relay_tell_child(model, &packet);
	else
		model_answered(model, &packet);
}

static void relay_payload(struct model *model, const struct step *step, struct span bytes)
{
	enum side to = step->to;
	const struct model_slot *slot = &model->slot[step->slot];
	REQUIRE(bytes.n <= model->ear[to].owed && step->count <= model->ear[to].owed);
	model->ear[to].owed -= bytes.n;
	model_hash(&model->hash[to], bytes.p, bytes.n);
	if (to == CLIENT) {
		REQUIRE(memchr(bytes.p, MODEL_POISON, bytes.n) == NULL);
		return;
	}
	REQUIRE(slot->pinned && model->serving_handle[1] == slot->handle && step->offset == model->ear[to].at);
	model->ear[to].at += bytes.n;
	bytes_put(&model->payload, bytes);
	if (model->ear[to].owed == 0)
		relay_serve(model, &model->serving, span_of(model->payload.p, model->payload.n));
}

/* --- movements --- */

static bool relay_take(struct model *model, enum side lane, const struct step *step)
{
	struct model_bytes *from = &model->lane[lane];
	bool hold = step->kind == STEP_HOLD;
	REQUIRE(step->slot < GUARD_SLOTS && step->count > 0 && !step->keep && (hold || lane != step->to));
	struct model_slot *slot = &model->slot[step->slot];
	if (hold && (step->offset > model->room || step->count > model->room - step->offset)) {
		guard_spool_failed(&model->guard, "spool: full");
		return true;
	}
	uint64_t n = model_piece(model, step->count);
	n = n < from->n - from->at ? n : from->n - from->at;
	if (n == 0)
		return false;
	struct span bytes = span_of(from->p + from->at, (size_t)n);
	from->at += (size_t)n;
	if (hold) {
		bytes_write(&slot->content, step->offset, bytes);
		if (step->offset + n > slot->settled)
			slot->settled = (size_t)(step->offset + n);
	} else {
		relay_payload(model, step, bytes);
	}
	guard_moved(&model->guard, n);
	return true;
}

static void relay_release(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS && step->count > 0);
	const struct model_slot *slot = &model->slot[step->slot];
	REQUIRE(step->offset <= slot->settled && step->count <= slot->settled - step->offset);
	uint64_t n = model_piece(model, step->count);
	relay_payload(model, step, span_of(slot->content.p + step->offset, (size_t)n));
	guard_moved(&model->guard, n);
}

/* --- questions --- */

static void relay_place(struct model *model, const struct step *step, struct world_spot spot, uint32_t r)
{
	struct place *place = &model->place;
	char path[PATH_BYTES_MAX];
	struct span below;
	*place = (struct place){ .kind = PLACE_LOST };
	if (!span_copy(path, sizeof(path), step->bytes) || (r & 127) == 0 || model->last_real[0] == '\0')
		return;
	place->kind = spot.node >= 0 ? model->world.node[spot.node].kind : PLACE_ABSENT;
	place->real = span_str(model->last_real);
	place->outside = !path_below(place->real, span_str("/srv"), &below);
	place->above = span_is(place->real, "/");
	if (!place->outside)
		place->path = below;
	place->hopeless = !spot.folder;
	place->unwritable = (r >> 7 & 127) == 0;
	place->mode = 0644;
	if (spot.node >= 0) {
		place->size = model->world.node[spot.node].n;
		place->mode = model->world.node[spot.node].mode;
	}
}

static void relay_look(struct model *model, const struct step *step)
{
	char path[PATH_BYTES_MAX];
	static char asked[PATH_BYTES_MAX];
	(void)span_copy(path, sizeof(path), step->bytes);
	struct world_spot spot = world_walk(&model->world, path, step->follow, model->last_real);
	relay_place(model, step, spot, model_random(model, 1));
	if (model->place.kind != PLACE_LOST && path_join(asked, sizeof(asked), span_str("/srv"), step->bytes) && strcmp(asked, model->last_real) != 0) {
		struct span below;
		if (path_below(span_str(asked), span_str("/srv"), &below))
			model->place.asked = below;
	}
	if (model->place.kind != PLACE_LOST)
		memcpy(model->looked[model->looked_n++ % MODEL_LOOKED], model->last_real, WORLD_PATH);
	model->seen[step->other] = spot.node;
	model->last_look = step->slot < GUARD_SLOTS ? (int)step->slot : WORLD_NONE;
	if (step->slot < GUARD_SLOTS) {
		struct model_slot *slot = &model->slot[step->slot];
		const struct world_node *node = model->place.kind == PLACE_FILE ? &model->world.node[spot.node] : NULL;
		slot->content.n = slot->settled = slot->base = 0;
		slot->node = model->place.kind == PLACE_LOST ? WORLD_NONE : spot.node;
		slot->born = spot.node >= 0 ? model->world.node[spot.node].born : 0;
		slot->changes = spot.node >= 0 ? model->world.node[spot.node].changes : 0;
		slot->pinned = slot->given = false;
		slot->lock = 0;
		slot->records = 0;
		if (node != NULL)
			bytes_put(&slot->content, span_of(node->bytes, node->n));
		slot->base = slot->content.n;
	}
	guard_resolved(&model->guard, &model->place);
}

static bool relay_is_still(const struct model *model, const struct model_slot *slot)
{
	return slot->node >= 0 && model->world.node[slot->node].born == slot->born && model->world.node[slot->node].changes == slot->changes;
}

/* What the child opened last is what was looked at, or was made by that opening. */
static bool relay_pin(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS);
	struct model_slot *slot = &model->slot[step->slot];
	const struct world_handle *handle = model->world.opened >= 0 ? &model->world.handle[model->world.opened] : NULL;
	if (handle == NULL || !handle->used || handle->folder != (step->entry == ENTRY_DIRECTORY))
		return false;
	bool same = slot->node >= 0 ? handle->node == slot->node && model->world.node[handle->node].born == slot->born : handle->made;
	if (handle->made)
		same = true; /* under a name of its own */
	if (step->file && !relay_is_still(model, slot))
		same = false;
	if ((model_random(model, 2) & 63) == 0) {
		same = false;
		model->odd = true;
	}
	if (!same)
		return false;
	slot->pinned = true;
	slot->handle = model->world.opened;
	slot->stored = handle->node;
	return true;
}

static bool relay_lock(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS);
	struct model_slot *slot = &model->slot[step->slot];
	int node = slot->pinned ? slot->stored : slot->node, wanted = step->count ? 2 : 1;
	if (node < 0 || (slot->node >= 0 && model->world.node[node].born != slot->born && !slot->pinned) || (model_random(model, 7) & 63) == 0)
		return false;
	for (size_t i = 0; i < GUARD_SLOTS; i++) {
		const struct model_slot *other = &model->slot[i];
		if (i != step->slot && other->lock != 0 && other->locked == node && (wanted == 2 || other->lock == 2))
			return false;
	}
	slot->lock = wanted;
	slot->locked = node;
	return true;
}

/* What was looked at last, or before that, is there. */
static bool relay_sees(const struct model *model, const struct step *step)
{
	char path[PATH_BYTES_MAX], real[WORLD_PATH];
	REQUIRE(step->bytes.n > 0 && relay_knows(model, step->bytes) && span_copy(path, sizeof(path), step->bytes));
	struct world_spot spot = world_walk(&model->world, path, false, real);
	return spot.node == model->seen[step->other];
}

/* A new name changes neither content nor what it is. */
static bool relay_stands(struct model *model, const struct step *step)
{
	char path[PATH_BYTES_MAX], real[WORLD_PATH];
	REQUIRE(step->slot < GUARD_SLOTS && span_copy(path, sizeof(path), step->bytes));
	const struct model_slot *slot = &model->slot[step->slot];
	struct world_spot spot = world_walk(&model->world, path, false, real);
	return spot.node >= 0 && spot.node == slot->node && relay_is_still(model, slot) && (model_random(model, 8) & 63) != 0;
}

static bool relay_scrub(struct model *model, const struct step *step)
{
	char path[PATH_BYTES_MAX], real[WORLD_PATH];
	struct model_slot *slot = &model->slot[step->slot];
	REQUIRE(step->slot < GUARD_SLOTS && span_copy(path, sizeof(path), step->bytes));
	struct world_spot spot = world_walk(&model->world, path, false, real);
	if (spot.node < 0 || slot->stored != spot.node)
		return spot.node < 0;
	if (step->count == 0)
		(void)world_resize(&model->world.node[spot.node], 0);
	else
		model->world.name[spot.name].path[0] = '\0';
	return true;
}

static bool relay_tree(struct model *model, const struct step *step)
{
	char path[PATH_BYTES_MAX];
	size_t n = step->bytes.n;
	REQUIRE(span_copy(path, sizeof(path), step->bytes));
	for (int i = 0; i < WORLD_NAMES; i++) {
		const struct world_name *name = &model->world.name[i];
		if (strncmp(name->path, path, n) != 0 || name->path[n] != '/')
			continue;
		const struct world_node *node = &model->world.node[name->node];
		struct place place = { .kind = node->kind, .real = span_str(name->path), .size = node->n, .mode = node->mode };
		(void)path_below(place.real, span_str("/srv"), &place.path);
		if (!guard_met(&model->guard, span_str(name->path + n + 1), &place))
			return false;
	}
	return (model_random(model, 3) & 31) != 0;
}

static void relay_inspect(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS && (step->need == FACT_TYPE || step->need == FACT_SCAN));
	const struct model_slot *slot = &model->slot[step->slot];
	uint32_t r = model_random(model, 4);
	struct finding found = { .known = (r & 31) == 0 ? 0 : step->need };
	const uint8_t *bytes = slot->content.p;
	size_t n = (size_t)step->count;
	if (step->file) {
		const struct world_node *node = slot->node >= 0 ? &model->world.node[slot->node] : NULL;
		if (node == NULL || node->born != slot->born || n > node->n) {
			found.known = 0; /* it is not there any more */
			n = 0;
		} else {
			bytes = node->bytes;
		}
	} else {
		REQUIRE(n <= slot->settled);
	}
	if (found.known & FACT_TYPE)
		(void)snprintf(found.type, sizeof(found.type), "%s", world_type(bytes, n));
	if ((found.known & FACT_SCAN) && world_virus(bytes, n))
		(void)snprintf(found.virus, sizeof(found.virus), "Test");
	if ((r >> 5 & 31) == 0)
		found.unscannable = r >> 10 & UNSCANNABLE_ALL;
	guard_found(&model->guard, &found);
}

static void relay_size(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS);
	struct model_slot *slot = &model->slot[step->slot];
	if (step->count > model->room) {
		guard_spool_failed(&model->guard, "spool: full");
		return;
	}
	slot->settled = slot->settled < step->count ? slot->settled : (size_t)step->count;
	slot->base = slot->base < step->count ? slot->base : (size_t)step->count;
	bytes_resize(&slot->content, step->count);
}

static void relay_settle(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS);
	struct model_slot *slot = &model->slot[step->slot];
	size_t until = step->count < slot->content.n ? (size_t)step->count : slot->content.n;
	if (slot->settled < slot->base && slot->settled < until && !relay_is_still(model, slot)) {
		guard_spool_failed(&model->guard, "spool: stale");
		return;
	}
	slot->settled = slot->settled > until ? slot->settled : until;
	guard_confirmed(&model->guard, true);
}

static void relay_record(struct model *model, const struct step *step)
{
	const struct record *record = step->record;
	unsigned number = 0;
	REQUIRE(sscanf(record->ref, "s-%u", &number) == 1 && number > 0 && number <= model->guard.entries && number < sizeof(model->numbers));
	REQUIRE(model->numbers[number]++ == 0);
	REQUIRE((record->outcome == OUTCOME_ALLOWED) == (record->reason == REASON_NONE));
	if (step->slot < GUARD_SLOTS && record->event == RECORD_FILE)
		REQUIRE(model->slot[step->slot].records++ == 0);
	model->last_outcome = record->outcome;
	model_hash(&model->records, &record->outcome, sizeof(record->outcome));
	model_hash(&model->records, &record->reason, sizeof(record->reason));
	model_hash(&model->records, record->path.p, record->path.n);
	if (record->outcome == OUTCOME_ALLOWED)
		model_hash(&model->records, &record->bytes, sizeof(record->bytes));
	bool written = (model_random(model, 5) & 63) != 0;
	if (!written && model->guard.setup.audit_refuse)
		model->last_outcome = OUTCOME_BLOCKED;
	guard_recorded(&model->guard, written);
}

/* SHUT: the child ends when it has said all; killed it says no more. */
static void relay_shut(struct model *model, const struct step *step)
{
	REQUIRE(!model->shut);
	model->shut = true;
	model->killed = step->count != 0;
	if (model->killed)
		model->replies.n = model->replies.at = 0;
}

static void relay_done(struct model *model, const struct step *step)
{
	model->done = true;
	model_hash(&model->records, &step->count, sizeof(step->count));
	REQUIRE(step->count != 0 || model->guard.blocked == 0);
	REQUIRE(!model->steady || model->guard.lost != REASON_NONE);
}

static void relay_drop(struct model *model, const struct step *step)
{
	REQUIRE(step->slot < GUARD_SLOTS);
	struct model_slot *slot = &model->slot[step->slot];
	REQUIRE(!slot->given || slot->records == 1);
	slot->pinned = slot->given = false;
	slot->lock = 0;
	slot->content.n = slot->settled = slot->base = 0;
}

static bool relay_answer(struct model *model, const struct step *step)
{
	bool yes = true;
	switch ((unsigned)step->kind) {
	case STEP_PIN:
		yes = relay_pin(model, step);
		break;
	case STEP_SCRUB:
		yes = relay_scrub(model, step);
		break;
	case STEP_TREE:
		yes = relay_tree(model, step);
		break;
	case STEP_LOCK:
		yes = relay_lock(model, step);
		break;
	case STEP_STANDS:
		yes = relay_stands(model, step);
		break;
	case STEP_STILL:
		yes = relay_is_still(model, &model->slot[step->slot]) && (model_random(model, 6) & 63) != 0;
		break;
	case STEP_STEADY:
		yes = (model_random(model, 9) & 63) != 0 && relay_sees(model, step);
		break;
	}
	guard_confirmed(&model->guard, yes);
	return true;
}

/* With FUZZ_TRACE set in the environment: what happens, for whoever looks into a crash; set to 2: when it is played byte by byte. */
static void relay_trace(const struct model *model, enum side lane, const struct step *step)
{
	static const char *const words[] = { "read", "wait", "send", "pass", "hold", "release", "pad", "drop", "resolve", "enter", "pin", "scrub", "inspect", "record", "shut", "done",
					     "look", "tree", "size", "settle", "still", "lock", "stands", "steady", "closed" };
	const char *wanted = getenv("FUZZ_TRACE");
	if (wanted == NULL || model->bytes != (wanted[0] == '2'))
		return;
	fprintf(stderr, "%s %s to %s slot %u count %llu offset %llu bytes", lane == CLIENT ? "client" : "child", words[step->kind], step->to == CLIENT ? "client" : "child", step->slot,
		(unsigned long long)step->count, (unsigned long long)step->offset);
	for (size_t i = 0; i < step->bytes.n && i < 100; i++)
		fprintf(stderr, step->bytes.p[i] >= 32 && step->bytes.p[i] < 127 ? "%c" : " %02x ", step->bytes.p[i]);
	if (step->record != NULL)
		fprintf(stderr, " %d %s %.*s", step->record->outcome, reason_word(step->record->reason), (int)step->record->path.n, (const char *)step->record->path.p);
	fputc('\n', stderr);
}

bool relay_step(struct model *model, enum side lane, const struct step *step)
{
	relay_trace(model, lane, step);
	switch (step->kind) {
	case STEP_READ:
		REQUIRE(model->lane[lane].at == model->lane[lane].n);
		return false;
	case STEP_WAIT:
		return false;
	case STEP_SEND:
		relay_tell(model, step);
		break;
	case STEP_PASS:
	case STEP_HOLD:
		return relay_take(model, lane, step);
	case STEP_RELEASE:
		relay_release(model, step);
		break;
	case STEP_DROP:
		relay_drop(model, step);
		break;
	case STEP_PIN:
	case STEP_SCRUB:
	case STEP_TREE:
	case STEP_STILL:
	case STEP_LOCK:
	case STEP_STANDS:
		return relay_answer(model, step);
	case STEP_STEADY:
		REQUIRE(step->count > 0 || model->steady);
		model->steady = step->count > 0;
		return step->count == 0 || relay_answer(model, step);
	case STEP_INSPECT:
		relay_inspect(model, step);
		break;
	case STEP_RECORD:
		relay_record(model, step);
		break;
	case STEP_LOOK:
		relay_look(model, step);
		break;
	case STEP_SIZE:
		relay_size(model, step);
		break;
	case STEP_SETTLE:
		relay_settle(model, step);
		break;
	case STEP_CLOSED:
		model->slot[step->slot].pinned = false;
		break;
	case STEP_SHUT:
		relay_shut(model, step);
		break;
	case STEP_DONE:
		relay_done(model, step);
		return false;
	case STEP_PAD:
	case STEP_RESOLVE:
	case STEP_ENTER:
		REQUIRE(step->kind > STEP_DONE); /* these are SCP's */
	}
	return true;
}
