/*
 * The steps that SFTP has more, and what a relay and both peers know of a session by themselves: what each slot holds, that payload is as long as its header said, that each
 * request gets one answer, in turn.
 */
#include <stdio.h>
#include <stdlib.h>

#include "player.h"

enum { SLOT_MAX = 8 << 20 };

static unsigned sftp_slot_of(const struct play *play, const struct step *step)
{
	if (step->slot >= GUARD_SLOTS)
		play_die("line %zu: a step needs a slot", play->at);
	return step->slot;
}

/* --- slots --- */

static void slot_forget(struct play_slot *slot)
{
	free(slot->bytes);
	*slot = (struct play_slot){ 0 };
}

/* Bytes that nobody gave are NULs; as many as a test can want are really there. */
static void slot_grow(struct play_slot *slot, uint64_t length)
{
	size_t real = length < SLOT_MAX ? (size_t)length : SLOT_MAX, before = slot->length < SLOT_MAX ? slot->length : SLOT_MAX;
	if (real > slot->capacity || slot->bytes == NULL) {
		slot->capacity = 2 * real + 1;
		slot->bytes = realloc(slot->bytes, slot->capacity);
		if (slot->bytes == NULL)
			abort();
	}
	if (real > before)
		memset(slot->bytes + before, 0, real - before);
	slot->length = (size_t)length;
}

static void slot_write(struct play_slot *slot, uint64_t at, struct span bytes)
{
	if (at + bytes.n > SLOT_MAX)
		play_die("held beyond what the player can hold");
	if (at + bytes.n > slot->length)
		slot_grow(slot, at + bytes.n);
	memcpy(slot->bytes + at, bytes.p, bytes.n);
	if (at + bytes.n > slot->settled)
		slot->settled = (size_t)at + bytes.n;
}

/* --- what is said --- */

static void ear_payload(struct play *play, enum side to, const struct step *step, uint64_t n)
{
	struct play_ear *ear = &play->ear[to];
	if (n > ear->owed || step->count > ear->owed)
		play_die("line %zu: payload beyond its header", play->at);
	if (to == CHILD && step->offset != ear->at)
		play_die("line %zu: payload for %llu where %llu was announced", play->at, (unsigned long long)step->offset, (unsigned long long)ear->at);
	ear->owed -= n;
	ear->at += n;
}

static void ear_answered(struct play *play, const struct sftp_packet *packet)
{
	if (packet->kind == SFTP_VERSION || packet->kind == SFTP_ENTRY)
		return;
	if (play->waiting_n == 0 || play->waiting[0] != packet->id)
		play_die("line %zu: an answer to %u, out of turn", play->at, packet->id);
	memmove(play->waiting, play->waiting + 1, --play->waiting_n * sizeof(play->waiting[0]));
}

/* "c12" */
static unsigned child_number(struct span handle)
{
	char text[16];
	return span_copy(text, sizeof(text), handle) ? (unsigned)strtoul(text + (text[0] == 'c'), NULL, 10) : 0;
}

static void child_asked(struct play *play, const struct sftp_packet *packet)
{
	if (packet->kind == SFTP_INIT)
		return;
	if (play->names.asked_n == PACKET_ASKED || play->due_n == PLAY_DUE)
		play_die("the child is asked too much");
	play->names.asked[play->names.asked_n++] = packet->id;
	play->due[play->due_n] = *packet;
	play->due_handle[play->due_n] = child_number(packet->handle);
	play->due_n += play->scene->answers;
}

static void sftp_tell(struct play *play, const struct step *step)
{
	struct play_ear *ear = &play->ear[step->to];
	struct span in = step->bytes;
	struct sftp_packet packet = { 0 };
	enum sftp_kind kind = step->to == CLIENT ? sftp_next_reply(&ear->reader, &in, &packet) : sftp_next_request(&ear->reader, &in, &packet);
	if (ear->owed > 0)
		play_die("line %zu: a packet in the middle of payload", play->at);
	if (kind == SFTP_MORE || kind == SFTP_BAD || kind == SFTP_UNKNOWN || in.n > 0)
		play_die("line %zu: the %s was told what is no packet: %s", play->at, play_side(step->to), kind == SFTP_BAD ? ear->reader.why : "");
	if (kind == SFTP_WRITE || kind == SFTP_DATA)
		ear->owed = packet.count;
	ear->at = packet.offset;
	if (step->to == CLIENT)
		ear_answered(play, &packet);
	else
		child_asked(play, &packet);
	char *words = packet_words(&play->names, &packet);
	play_settle(play);
	play_line(play, play_text("\ttells %s %s", play_side(step->to), words));
	free(words);
}

void sftp_play_heard(struct play *play, struct span bytes)
{
	while (bytes.n > 0) {
		struct sftp_packet packet;
		if (play->heard_owed > 0) {
			play->heard_owed -= span_take(&bytes, play->heard_owed < bytes.n ? (size_t)play->heard_owed : bytes.n).n;
			continue;
		}
		enum sftp_kind kind = sftp_next_request(&play->heard, &bytes, &packet);
		if (kind == SFTP_MORE || kind == SFTP_BAD)
			return;
		if (kind == SFTP_WRITE)
			play->heard_owed = packet.count;
		if (kind != SFTP_INIT && play->waiting_n < PLAY_WAITING)
			play->waiting[play->waiting_n++] = packet.id;
	}
}

void sftp_play_says(struct play *play, enum side side, const char *words)
{
	size_t n;
	uint8_t *bytes = packet_bytes(&play->names, words, side == CHILD, &n);
	play_say_bytes(play, side, span_of(bytes, n));
	free(bytes);
}

/* --- movements --- */

static void sftp_moves(struct play *play, const char *verb, enum side to, const struct step *step, struct span bytes)
{
	if (play->move.count > 0 && (play->move.slot != step->slot || play->move.at + play->move.count != step->offset))
		play_settle(play);
	play_move(play, verb, to, bytes, bytes.n);
	if (play->move.count == bytes.n) {
		play->move.slot = step->slot;
		play->move.at = step->offset;
	}
	guard_moved(play->guard, bytes.n);
}

static void sftp_no_room(struct play *play, const struct step *step, uint64_t until)
{
	play_settle(play);
	play_line(play, play_text("\tfinds no room for %llu in %u", (unsigned long long)until, step->slot));
	guard_spool_failed(play->guard, "spool /s: No space left on device");
}

static bool sftp_take(struct play *play, enum side lane, const struct step *step)
{
	struct span *left = &play->lane[lane].left;
	bool hold = step->kind == STEP_HOLD;
	unsigned slot = sftp_slot_of(play, step);
	if (step->count == 0 || step->keep)
		play_die("line %zu: nothing to move, or to keep", play->at);
	if (hold && step->offset + step->count > play->scene->room) {
		sftp_no_room(play, step, step->offset + step->count);
		return true;
	}
	uint64_t piece = play_piece(play, step->count);
	struct span bytes = span_take(left, piece < left->n ? (size_t)piece : left->n);
	if (bytes.n == 0)
		return false;
	if (hold)
		slot_write(&play->slot[slot], step->offset, bytes);
	else
		ear_payload(play, step->to, step, bytes.n);
	if (!hold && !play->slot[slot].pinned)
		play_die("line %zu: content of what is not pinned", play->at);
	sftp_moves(play, hold ? "holds" : "passes", step->to, step, bytes);
	return true;
}

static void sftp_release(struct play *play, const struct step *step)
{
	const struct play_slot *slot = &play->slot[sftp_slot_of(play, step)];
	if (step->count == 0 || step->offset > slot->settled || step->count > slot->settled - step->offset)
		play_die("line %zu: release of what is not held", play->at);
	if (step->to == CHILD && !slot->pinned)
		play_die("line %zu: release to what is not pinned", play->at);
	uint64_t n = play_piece(play, step->count);
	ear_payload(play, step->to, step, n);
	sftp_moves(play, "releases", step->to, step, span_of(slot->bytes + step->offset, (size_t)n));
}

/* --- questions --- */

static void sftp_look(struct play *play, const struct step *step)
{
	char *path = play_quote(step->bytes), *name = play_text("%.*s", (int)step->bytes.n, (const char *)step->bytes.p), *line;
	const char *follow = step->follow ? " following" : "";
	if (step->slot < GUARD_SLOTS)
		line = play_text("\tlooks at %s%s in %u", path, follow, step->slot);
	else
		line = play_text("\tlooks at %s%s", path, follow);
	const char *answer = play_ask(play, line, "absent");
	struct span content = span_of(NULL, 0);
	uint8_t *owned = NULL;
	struct place place = answer_place(answer, name, play->real, play->asked);
	owned = answer_content(answer, &content);
	if (owned != NULL)
		place.size = content.n;
	if (step->slot < GUARD_SLOTS) {
		struct play_slot *slot = &play->slot[step->slot];
		slot_forget(slot);
		if (place.kind == PLACE_FILE) {
			slot_grow(slot, place.size);
			slot->base = (size_t)place.size;
		}
		if (content.n > 0)
			memcpy(slot->bytes, content.p, content.n);
	}
	free(owned);
	free(path);
	free(name);
	guard_resolved(play->guard, &place);
}

static void sftp_pin(struct play *play, const struct step *step)
{
	char *path = play_quote(step->bytes);
	char *line = play_text("\tpins %u%s %s%s", step->slot, step->entry == ENTRY_DIRECTORY ? " folder" : "", path, step->file ? " as it was" : "");
	bool yes = strcmp(play_ask(play, line, "yes"), "yes") == 0;
	play->slot[sftp_slot_of(play, step)].pinned = yes;
	play->slot[step->slot].handle = play->child_handles;
	free(path);
	guard_confirmed(play->guard, yes);
}

static void sftp_scrub(struct play *play, const struct step *step)
{
	char *path = play_quote(step->bytes);
	char *line = play_text("\tscrubs %s %u %s", step->count ? "name of" : "content of", step->slot, path);
	free(path);
	guard_confirmed(play->guard, strcmp(play_ask(play, line, "yes"), "yes") == 0);
}

/* `all`, `not all`, or `all: "a.php" file, "sub" directory` */
static void sftp_tree(struct play *play, const struct step *step)
{
	char *path = play_quote(step->bytes);
	const char *answer = play_ask(play, play_text("\twalks %s", path), "all"), *at = strchr(answer, ':');
	bool more = true;
	free(path);
	for (at = at ? at + 2 : NULL; more && at != NULL && *at == '"';) {
		size_t n;
		uint8_t *below = play_unquote(&at, &n);
		char *name = play_text("%.*s", (int)n, (const char *)below), *words = play_text("%.*s", (int)strcspn(at + 1, ","), at + 1);
		struct place place = answer_place(words, name, play->real, play->asked);
		more = guard_met(play->guard, span_of(below, n), &place);
		if (!more)
			play_line(play, play_text("\tenough at %s", name));
		at = strchr(at, ',');
		at = at ? at + 2 : NULL;
		free(below);
		free(name);
		free(words);
	}
	guard_confirmed(play->guard, more && strncmp(answer, "all", 3) == 0);
}

static void sftp_inspect(struct play *play, const struct step *step)
{
	const struct play_slot *slot = &play->slot[sftp_slot_of(play, step)];
	if (step->count > (step->file ? slot->base : slot->settled))
		play_die("line %zu: inspect of %llu bytes that are not there", play->at, (unsigned long long)step->count);
	bool type = step->need == FACT_TYPE;
	char *line = play_text("\tinspects %llu of %s%u for %s", (unsigned long long)step->count, step->file ? "what stands at " : "", step->slot, type ? "type" : "scan");
	struct finding found = answer_finding(play_ask(play, line, type ? "type text/plain" : "clean"), step->need);
	guard_found(play->guard, &found);
}

static void sftp_settle(struct play *play, const struct step *step)
{
	struct play_slot *slot = &play->slot[sftp_slot_of(play, step)];
	if (strcmp(play_ask(play, play_text("\tsettles %llu in %u", (unsigned long long)step->count, step->slot), "yes"), "yes") != 0) {
		guard_spool_failed(play->guard, "spool /s: Stale file handle");
		return;
	}
	size_t until = step->count < slot->length ? (size_t)step->count : slot->length;
	slot->settled = slot->settled > until ? slot->settled : until;
	guard_confirmed(play->guard, true);
}

static void sftp_size(struct play *play, const struct step *step)
{
	struct play_slot *slot = &play->slot[sftp_slot_of(play, step)];
	play_settle(play);
	play_line(play, play_text("\tsizes %u to %llu", step->slot, (unsigned long long)step->count));
	if (step->count > play->scene->room) {
		sftp_no_room(play, step, step->count);
		return;
	}
	slot->settled = slot->settled < step->count ? slot->settled : (size_t)step->count;
	if (step->count < slot->base)
		slot->base = (size_t)step->count;
	slot_grow(slot, step->count);
}

static void sftp_record(struct play *play, const struct step *step)
{
	char *line = show_record(step->record);
	if (step->slot < GUARD_SLOTS) {
		char *with = play_text("%s of %u, %s", line, step->slot, direction_word(step->record->direction));
		free(line);
		line = with;
	}
	guard_recorded(play->guard, strcmp(play_ask(play, line, "written"), "written") == 0);
}

static void sftp_closed(struct play *play, const struct step *step)
{
	play_settle(play);
	play_line(play, play_text("\tunpins %u", sftp_slot_of(play, step)));
	play->slot[step->slot].pinned = false;
}

static void sftp_drop(struct play *play, const struct step *step)
{
	play_settle(play);
	play_line(play, play_text("\tdrops %u", sftp_slot_of(play, step)));
	slot_forget(&play->slot[step->slot]);
}

static void sftp_lock(struct play *play, const struct step *step)
{
	char *path = play_quote(step->bytes);
	char *line = play_text("\tlocks %u %s%s", sftp_slot_of(play, step), path, step->count ? " alone" : "");
	free(path);
	guard_confirmed(play->guard, strcmp(play_ask(play, line, "yes"), "yes") == 0);
}

static void sftp_stands(struct play *play, const struct step *step)
{
	char *path = play_quote(step->bytes);
	char *line = play_text("\tcompares %u with %s", sftp_slot_of(play, step), path);
	free(path);
	guard_confirmed(play->guard, strcmp(play_ask(play, line, "yes"), "yes") == 0);
}

/* Names that no other session gives, nor (alone) relies on, until they are let go. */
static void sftp_steady(struct play *play, const struct step *step)
{
	if (step->count == 0) {
		play_settle(play);
		play_line(play, play_text("\tlets names go"));
		return;
	}
	char *path = play_quote(step->bytes);
	char *line = play_text("\tsteadies %s%s", path, step->count == 2 ? " alone" : "");
	free(path);
	guard_confirmed(play->guard, strcmp(play_ask(play, line, "yes"), "yes") == 0);
}

static void sftp_still(struct play *play, const struct step *step)
{
	char *line = play_text("\tchecks %u", sftp_slot_of(play, step));
	guard_confirmed(play->guard, strcmp(play_ask(play, line, "yes"), "yes") == 0);
}

bool sftp_play_step(struct play *play, enum side lane, const struct step *step)
{
	bool more = true;
	switch (step->kind) {
	case STEP_READ:
		if (play->lane[lane].left.n > 0)
			play_die("line %zu: more bytes are wanted, but some are left", play->at);
		return false;
	case STEP_WAIT:
		return false;
	case STEP_SEND:
		sftp_tell(play, step);
		break;
	case STEP_PASS:
	case STEP_HOLD:
		more = sftp_take(play, lane, step);
		break;
	case STEP_RELEASE:
		sftp_release(play, step);
		break;
	case STEP_DROP:
		sftp_drop(play, step);
		break;
	case STEP_PIN:
		sftp_pin(play, step);
		break;
	case STEP_SCRUB:
		sftp_scrub(play, step);
		break;
	case STEP_INSPECT:
		sftp_inspect(play, step);
		break;
	case STEP_RECORD:
		sftp_record(play, step);
		break;
	case STEP_LOOK:
		sftp_look(play, step);
		break;
	case STEP_TREE:
		sftp_tree(play, step);
		break;
	case STEP_SIZE:
		sftp_size(play, step);
		break;
	case STEP_SETTLE:
		sftp_settle(play, step);
		break;
	case STEP_STILL:
		sftp_still(play, step);
		break;
	case STEP_LOCK:
		sftp_lock(play, step);
		break;
	case STEP_STANDS:
		sftp_stands(play, step);
		break;
	case STEP_STEADY:
		sftp_steady(play, step);
		break;
	case STEP_CLOSED:
		sftp_closed(play, step);
		break;
	case STEP_PAD:
	case STEP_RESOLVE:
	case STEP_ENTER:
		play_die("line %zu: a step of SCP's", play->at);
	case STEP_SHUT:
	case STEP_DONE:
		break;
	}
	return more;
}

/* --- a child that answers by itself --- */

/* What stands in the file that a READ is about. */
static struct span child_content(const struct play *play, const struct sftp_packet *read, unsigned handle)
{
	for (unsigned i = 0; i < GUARD_SLOTS; i++) {
		const struct play_slot *slot = &play->slot[i];
		if (!slot->pinned || slot->handle != handle || read->offset >= slot->length)
			continue;
		size_t left = slot->length - (size_t)read->offset;
		return span_of(slot->bytes + read->offset, left < read->count ? left : read->count);
	}
	return span_of(NULL, 0);
}

static void child_gives(struct play *play, struct span content, uint32_t id)
{
	struct sftp_packet data = { .kind = SFTP_DATA, .id = id, .count = (uint32_t)content.n };
	uint8_t *bytes = malloc(SFTP_PUT_MAX + content.n);
	if (bytes == NULL)
		abort();
	size_t n = sftp_put(bytes, &data);
	memcpy(bytes + n, content.p, content.n);
	memmove(play->names.asked, play->names.asked + 1, --play->names.asked_n * sizeof(play->names.asked[0]));
	play_say_bytes(play, CHILD, span_of(bytes, n + content.n));
	free(bytes);
}

static void child_answers(struct play *play, const struct sftp_packet *asked, unsigned handle)
{
	char *otherwise, *kind = packet_words(&play->names, asked);
	struct span content = asked->kind == SFTP_READ ? child_content(play, asked, handle) : span_of(NULL, 0);
	kind[strcspn(kind, " ")] = '\0';
	if (asked->kind == SFTP_OPEN || asked->kind == SFTP_OPENDIR)
		otherwise = play_text("HANDLE handle=\"c%u\"", ++play->child_handles);
	else if (asked->kind == SFTP_READ)
		otherwise = play_text(content.n > 0 ? "its content" : "STATUS code=eof");
	else
		otherwise = play_text("STATUS code=ok");
	const char *answer = play_ask(play, play_text("\tchild answers %s", kind), otherwise);
	if (strcmp(answer, "its content") == 0)
		child_gives(play, content, asked->id);
	else if (strcmp(answer, "nothing") != 0)
		sftp_play_says(play, CHILD, answer);
	play_settle(play);
	free(kind);
	free(otherwise);
}

void sftp_play_child(struct play *play)
{
	while (play->due_n > 0 && !play->done) {
		bool half = play->due_n == 1 && play->due[0].kind == SFTP_WRITE && play->ear[CHILD].owed > 0;
		if (half)
			break; /* it is answered when it is whole */
		struct sftp_packet asked = play->due[0];
		unsigned handle = play->due_handle[0];
		play->due_n--;
		memmove(play->due, play->due + 1, play->due_n * sizeof(play->due[0]));
		memmove(play->due_handle, play->due_handle + 1, play->due_n * sizeof(play->due_handle[0]));
		asked.path = asked.other = asked.handle = asked.handle2 = asked.ids = asked.ids2 = span_of(NULL, 0);
		child_answers(play, &asked, handle);
	}
	if (play->shut && !play->lane[CHILD].ended && !play->done) {
		play->lane[CHILD].ended = true;
		play_line(play, play_text("\tchild has ended"));
		play_ends(play, CHILD);
	}
}

void sftp_play_begin(struct play *play)
{
	sftp_init(&play->ear[CLIENT].reader);
	sftp_init(&play->ear[CHILD].reader);
	sftp_init(&play->heard);
	if (play->scene->greets)
		return;
	size_t before = play->out->n;
	char *version = play_text("VERSION version=3 extensions=%s", play->scene->extensions ? play->scene->extensions : "all");
	enum play_cut cut = play->cut;
	play->cut = PLAY_WHOLE;
	sftp_play_says(play, CLIENT, "INIT version=3");
	sftp_play_says(play, CHILD, version);
	play->cut = cut;
	free(version);
	while (play->out->n > before)
		free(play->out->at[--play->out->n]);
}

void sftp_play_end(struct play *play)
{
	for (unsigned i = 0; i < GUARD_SLOTS; i++)
		slot_forget(&play->slot[i]);
	free(play->sftp);
}
