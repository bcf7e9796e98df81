/* What each step means for descriptors, places, scanner and audit; what it moves is moved elsewhere. */
#include "relay/step.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "relay/move.h"
#include "sys/fd.h"

enum { STEP_NAPS = 10000, STEP_NAP_NANOSECONDS = 100000 };

uint64_t step_since(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - start->tv_sec) * 1000000000u + (uint64_t)(now.tv_nsec - start->tv_nsec);
}

struct relay_slot *step_slot(struct relay *relay, const struct step *step)
{
	if (step->slot >= GUARD_SLOTS)
		return NULL;
	uint64_t bit = UINT64_C(1) << (step->slot % 64), *begun = &relay->begun[step->slot / 64];
	struct relay_slot *slot = &relay->slot[step->slot];
	if ((*begun & bit) == 0)
		slot_init(slot, relay->store);
	*begun |= bit;
	return slot;
}

/* For steps that are about a file. */
static struct relay_slot *step_file(struct relay *relay, const struct step *step)
{
	struct relay_slot *slot = step_slot(relay, step);
	assert(slot != NULL);
	return slot;
}

void step_finish(struct relay *relay)
{
	for (struct step step = { 0 }; step.slot < GUARD_SLOTS; step.slot++)
		if (relay->begun[step.slot / 64] >> (step.slot % 64) & 1)
			slot_drop(step_slot(relay, &step), relay->places);
	fd_close(&relay->steady);
}

static bool step_is_sftp(const struct relay *relay)
{
	return relay->guard->setup.sftp != NULL;
}

/* --- names --- */

static void step_resolve(struct relay *relay, const struct step *step)
{
	slot_begin(step_file(relay, step));
	relay->lane[CLIENT].tapped = relay->lane[CHILD].tapped = relay->carry_n = 0;
	bool upload = relay->guard->setup.direction == UPLOAD;
	struct place place = upload ? places_entry(relay->places, (unsigned)step->count, step->bytes, step->entry)
				    : places_opened(relay->places, (unsigned)step->count, step->bytes, step->entry);
	guard_resolved(relay->guard, &place);
}

static void step_look(struct relay *relay, const struct step *step)
{
	char path[PATH_BYTES_MAX];
	struct place place = { .kind = PLACE_LOST };
	struct relay_slot *slot = step_slot(relay, step);
	if (slot != NULL) {
		slot_drop(slot, relay->places);
		slot_begin(slot);
	}
	if (span_copy(path, sizeof(path), step->bytes))
		place = places_locate(relay->places, path, step->follow, slot != NULL ? &slot->spot : NULL);
	if (slot != NULL && place.kind == PLACE_FILE)
		slot_rest_on(slot, place.real);
	relay->looked[step->other].device = place.device;
	relay->looked[step->other].inode = place.inode;
	guard_resolved(relay->guard, &place);
}

static bool step_met(void *ctx, struct span below, const struct place *place)
{
	return guard_met(ctx, below, place);
}

static bool step_tree(struct relay *relay, const struct step *step)
{
	char path[PATH_BYTES_MAX];
	return span_copy(path, sizeof(path), step->bytes) && places_walk(relay->places, path, step_met, relay->guard);
}

static bool step_still(struct relay *relay, const struct step *step)
{
	struct relay_slot *slot = step_file(relay, step);
	int base = slot_base(slot);
	return base >= 0 && places_still(&slot->spot, base);
}

/* Only sessions of ours look at such a lock; that is enough, for they are whom it is about. */
static bool step_lock(struct relay *relay, const struct step *step)
{
	char real[PATH_BYTES_MAX];
	struct relay_slot *slot = step_file(relay, step);
	if (slot->lock < 0 && span_copy(real, sizeof(real), step->bytes))
		slot->lock = places_open_spot(&slot->spot, real);
	if (slot->lock < 0 || flock(slot->lock, (step->count ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
		return false;
	return !step->file || places_still(&slot->spot, slot->lock);
}

static bool step_stands(struct relay *relay, const struct step *step)
{
	char real[PATH_BYTES_MAX];
	struct relay_slot *slot = step_file(relay, step);
	return span_copy(real, sizeof(real), step->bytes) && places_stands(&slot->spot, real);
}

/* Who swaps a folder for a link between a look and what the child does comes by another session of ours: those take turns at root. */
static bool step_alone(struct relay *relay, int how)
{
	static const struct timespec nap = { .tv_nsec = STEP_NAP_NANOSECONDS };
	if (relay->steady < 0)
		relay->steady = openat(relay->places->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; relay->steady >= 0 && flock(relay->steady, how | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return true; /* nothing can be locked there */
		if (i == STEP_NAPS)
			return false;
		(void)nanosleep(&nap, NULL);
	}
	return true;
}

static bool step_is_there(struct relay *relay, const struct step *step)
{
	char real[PATH_BYTES_MAX];
	return span_copy(real, sizeof(real), step->bytes) &&
	       places_is_there(real, step->follow, relay->looked[step->other].device, relay->looked[step->other].inode);
}

static void step_steady(struct relay *relay, const struct step *step)
{
	if (step->count > 0)
		guard_confirmed(relay->guard, step_alone(relay, step->count > 1 ? LOCK_EX : LOCK_SH) && step_is_there(relay, step));
	else if (relay->steady >= 0)
		(void)flock(relay->steady, LOCK_UN);
}

static bool step_pin(struct relay *relay, const struct step *step)
{
	char real[PATH_BYTES_MAX];
	if (!step_is_sftp(relay))
		return places_pin(relay->places, step->count == 0);
	struct relay_slot *slot = step_file(relay, step);
	if (!span_copy(real, sizeof(real), step->bytes) || !places_pin_spot(relay->places, &slot->spot, real, step->entry == ENTRY_DIRECTORY))
		return false;
	if (span_starts(path_name(step->bytes), span_str(PLACES_TEMPORARY)) && slot->held < 0) {
		int held = places_hold_spot(relay->places, &slot->spot);
		slot->held = held < 0 ? -1 : held;
	}
	return !step->file || slot->base < 0 || places_still(&slot->spot, slot->base);
}

static bool step_scrub(struct relay *relay, const struct step *step)
{
	char real[PATH_BYTES_MAX];
	if (!step_is_sftp(relay))
		return places_scrub(relay->places);
	const struct relay_slot *slot = step_file(relay, step);
	bool name = step->count != 0;
	return (span_copy(real, sizeof(real), step->bytes) && places_scrub_spot(&slot->spot, real, name)) || places_scrub_held(&slot->spot, slot->held, name);
}

/* --- content --- */

static void step_lost(struct relay *relay, const struct step *step, const char *what, int error)
{
	struct finding lost = { .known = step->need, .unscannable = UNSCANNABLE_SCANNER_DOWN };
	(void)snprintf(lost.detail, sizeof(lost.detail), "%s: %s", what, strerror(-error));
	guard_found(relay->guard, &lost);
}

/* What stood there: a change within the tick in which it was looked at would not be seen later. */
static int step_inspect_base(struct relay_slot *slot)
{
	int base = slot_base(slot);
	if (base < 0)
		return base;
	places_tick(&slot->spot);
	return lseek(base, 0, SEEK_SET) < 0 ? -errno : base;
}

static void step_inspect(struct relay *relay, const struct step *step)
{
	struct relay_slot *slot = step_file(relay, step);
	int fd = step->file ? step_inspect_base(slot) : slot_settle(slot, step->count);
	if (fd == 0 && !step->file)
		fd = spool_reader(&slot->spool);
	if (fd < 0) {
		step_lost(relay, step, step->file ? "the file could not be opened" : "held content could not be opened", fd);
		return;
	}
	relay->inspecting = true;
	scan_submit(relay->scan, fd, step->count, step->need);
}

void step_found(struct relay *relay)
{
	struct finding found;
	if (!relay->inspecting || !scan_collect(relay->scan, &found))
		return;
	relay->inspecting = false;
	relay->progress = true;
	guard_found(relay->guard, &found);
}

static void step_size(struct relay *relay, const struct step *step)
{
	struct relay_slot *slot = step_file(relay, step);
	int error = slot_resize(slot, step->count);
	if (error < 0)
		move_unheld(relay, slot, error);
}

static void step_settle(struct relay *relay, const struct step *step)
{
	struct relay_slot *slot = step_file(relay, step);
	int error = slot_settle(slot, step->count);
	if (error < 0)
		move_unheld(relay, slot, error);
	else
		guard_confirmed(relay->guard, true);
}

/* SCP drops what it held of an entry that is still to be recorded. */
static void step_drop(struct relay *relay, const struct step *step)
{
	slot_drop(step_file(relay, step), relay->places);
}

/* --- words --- */

static void step_record(struct relay *relay, const struct step *step)
{
	struct record record = *step->record;
	uint8_t sum[DIGEST_BYTES];
	struct relay_slot *slot = step_slot(relay, step);
	bool file = slot != NULL && record.event == RECORD_FILE;
	if (slot != NULL)
		record.duration_ns = step_since(&slot->start);
	if (relay->sha256 && file && (record.size > 0 || record.outcome == OUTCOME_ALLOWED) &&
	    slot_sum(slot, &record, step->file, relay->bounce, sizeof(relay->bounce), sum))
		record.sha256 = sum;
	guard_recorded(relay->guard, audit_write(relay->audit, &record) == 0);
}

static void step_shut(struct relay *relay, const struct step *step)
{
	clock_gettime(CLOCK_MONOTONIC, &relay->shut_time);
	relay->shut_wanted = true;
	if (relay->steady >= 0) /* the end may come amid a request */
		(void)flock(relay->steady, LOCK_UN);
	if (step->count != 0 && relay->child > 0)
		(void)kill(relay->child, SIGKILL);
}

static bool step_moved(struct relay *relay, enum side side, const struct step *step, uint64_t moved)
{
	relay->moved += moved;
	if (moved > 0)
		guard_moved(relay->guard, moved);
	/* nothing moved and nobody waited for: the way was changed (an end, an error, another method), ask again */
	return moved > 0 || !(relay->lane[side].want || relay->lane[step->to].stuck);
}

/* The steps after which the lane has nothing more to do for now. */
static bool step_rest(struct relay *relay, enum side side, const struct step *step)
{
	if (step->kind == STEP_READ) {
		relay->lane[side].want = true;
		relay->lane[side].soon = step->soon;
	} else if (step->kind == STEP_DONE) {
		relay->done = true;
		relay->status = (int)step->count;
	}
	return false;
}

bool step_do(struct relay *relay, enum side side, const struct step *step)
{
	switch (step->kind) {
	case STEP_READ:
	case STEP_WAIT:
	case STEP_DONE:
		return step_rest(relay, side, step);
	case STEP_PASS:
		return step_moved(relay, side, step, move_pass(relay, side, step));
	case STEP_HOLD:
		return step_moved(relay, side, step, move_hold(relay, side, step));
	case STEP_RELEASE:
		return step_moved(relay, side, step, move_release(relay, step));
	case STEP_PAD:
		return step_moved(relay, side, step, move_pad(relay, step));
	case STEP_SEND:
		move_queue(relay, step->to, step->bytes);
		return true;
	case STEP_DROP:
		step_drop(relay, step);
		return true;
	case STEP_RESOLVE:
		step_resolve(relay, step);
		return true;
	case STEP_ENTER:
		guard_confirmed(relay->guard, places_enter(relay->places, (unsigned)step->count));
		return true;
	case STEP_PIN:
		guard_confirmed(relay->guard, step_pin(relay, step));
		return true;
	case STEP_SCRUB:
		guard_confirmed(relay->guard, step_scrub(relay, step));
		return true;
	case STEP_INSPECT:
		step_inspect(relay, step);
		step_found(relay);
		return true;
	case STEP_RECORD:
		step_record(relay, step);
		return true;
	case STEP_SHUT:
		step_shut(relay, step);
		return true;
	case STEP_LOOK:
		step_look(relay, step);
		return true;
	case STEP_TREE:
		guard_confirmed(relay->guard, step_tree(relay, step));
		return true;
	case STEP_SIZE:
		step_size(relay, step);
		return true;
	case STEP_SETTLE:
		step_settle(relay, step);
		return true;
	case STEP_STILL:
		guard_confirmed(relay->guard, step_still(relay, step));
		return true;
	case STEP_LOCK:
		guard_confirmed(relay->guard, step_lock(relay, step));
		return true;
	case STEP_STANDS:
		guard_confirmed(relay->guard, step_stands(relay, step));
		return true;
	case STEP_STEADY:
		step_steady(relay, step);
		return true;
	case STEP_CLOSED:
		places_unpin(relay->places, &step_file(relay, step)->spot);
		return true;
	}
	return false;
}
