/*
 * The loop: asks the guard until nothing more can be done, writes, waits, reads. A descriptor that nobody waits for is not in the poll set, so nobody is
 * woken for nothing; only the client's outgoing end is always watched, because its error is the one sign that the client is gone.
 */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay/move.h"
#include "sys/fd.h"
#include "sys/spawn.h"

enum slot { SLOT_CLIENT_IN, SLOT_CLIENT_OUT, SLOT_CHILD_IN, SLOT_CHILD_OUT, SLOT_SCAN, SLOTS };

void relay_init(struct relay *relay)
{
	/* not the buffers: a page that is never touched costs no memory */
	for (int side = 0; side < SIDES; side++) {
		memset(&relay->lane[side], 0, offsetof(struct relay_lane, buffer));
		relay->lane[side].in = relay->lane[side].out = -1;
	}
	memset((char *)relay + offsetof(struct relay, guard), 0, offsetof(struct relay, bounce) - offsetof(struct relay, guard));
	relay->tap[0] = relay->tap[1] = -1;
	relay->child = -1;
	relay->drain_seconds = RELAY_DRAIN_SECONDS;
}

static uint64_t relay_since(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - start->tv_sec) * 1000000000u + (uint64_t)(now.tv_nsec - start->tv_nsec);
}

static void relay_resolve(struct relay *relay, const struct step *step)
{
	clock_gettime(CLOCK_MONOTONIC, &relay->entry_start);
	relay->hashed = 0;
	relay->tapped = relay->carry_n = 0;
	if (relay->sha256)
		digest_init(&relay->digest);
	bool upload = relay->guard->setup.direction == UPLOAD;
	struct place place = upload ? places_entry(relay->places, (unsigned)step->count, step->bytes, step->entry)
				    : places_opened(relay->places, (unsigned)step->count, step->bytes, step->entry);
	guard_resolved(relay->guard, &place);
}

static void relay_record(struct relay *relay, const struct step *step)
{
	struct record record = *step->record;
	uint8_t sum[DIGEST_BYTES];
	record.duration_ns = relay_since(&relay->entry_start);
	if (relay->sha256 && record.event == RECORD_FILE && relay->hashed == record.size && (record.size > 0 || record.outcome == OUTCOME_ALLOWED)) {
		digest_finish(&relay->digest, sum);
		record.sha256 = sum;
	}
	guard_recorded(relay->guard, audit_write(relay->audit, &record) == 0);
}

static void relay_inspect(struct relay *relay, const struct step *step)
{
	int reader = spool_reader(relay->spool);
	if (reader < 0) {
		struct finding lost = { .known = step->need, .unscannable = UNSCANNABLE_SCANNER_DOWN, .detail = "held content could not be opened" };
		guard_found(relay->guard, &lost);
		return;
	}
	relay->inspecting = true;
	scan_submit(relay->scan, reader, step->count, step->need);
}

static void relay_shut(struct relay *relay, const struct step *step)
{
	clock_gettime(CLOCK_MONOTONIC, &relay->shut_time);
	relay->shut_wanted = true;
	if (step->count != 0 && relay->child > 0)
		(void)kill(relay->child, SIGKILL);
}

static void relay_finding(struct relay *relay)
{
	struct finding found;
	if (!relay->inspecting || !scan_collect(relay->scan, &found))
		return;
	relay->inspecting = false;
	relay->progress = true;
	guard_found(relay->guard, &found);
}

/* Carries out one step. True: ask this lane again. */
static bool relay_step(struct relay *relay, enum side side, const struct step *step)
{
	uint64_t moved = 0;
	switch (step->kind) {
	case STEP_READ:
		relay->lane[side].want = true;
		relay->lane[side].soon = step->soon;
		return false;
	case STEP_WAIT:
		return false;
	case STEP_SEND:
		move_queue(relay, step->to, step->bytes);
		return true;
	case STEP_PASS:
		moved = move_pass(relay, side, step);
		break;
	case STEP_HOLD:
		moved = move_hold(relay, side, step);
		break;
	case STEP_RELEASE:
		moved = move_release(relay, step);
		break;
	case STEP_PAD:
		moved = move_pad(relay, step);
		break;
	case STEP_DROP:
		spool_drop(relay->spool);
		return true;
	case STEP_RESOLVE:
		relay_resolve(relay, step);
		return true;
	case STEP_ENTER:
		guard_confirmed(relay->guard, places_enter(relay->places, (unsigned)step->count));
		return true;
	case STEP_PIN:
		guard_confirmed(relay->guard, places_pin(relay->places, step->count == 0));
		return true;
	case STEP_SCRUB:
		guard_confirmed(relay->guard, places_scrub(relay->places));
		return true;
	case STEP_INSPECT:
		relay_inspect(relay, step);
		relay_finding(relay);
		return true;
	case STEP_RECORD:
		relay_record(relay, step);
		return true;
	case STEP_SHUT:
		relay_shut(relay, step);
		return true;
	case STEP_DONE:
		relay->done = true;
		relay->status = (int)step->count;
		return false;
	}
	if (moved > 0)
		guard_moved(relay->guard, moved);
	/* nothing moved and nobody waited for: the way was changed (an end, an error, another method), ask again */
	return moved > 0 || !(relay->lane[side].want || relay->lane[step->to].stuck);
}

static bool relay_has_room(const struct relay *relay)
{
	return move_room(relay, CLIENT) >= GUARD_ROOM && move_room(relay, CHILD) >= GUARD_ROOM;
}

/* Asks one lane until it has nothing to do without waiting; returns how many steps were carried out. */
static unsigned relay_lane(struct relay *relay, enum side side)
{
	struct relay_lane *lane = &relay->lane[side];
	unsigned steps = 0;
	lane->want = false;
	while (relay_has_room(relay) && !relay->done && !lane->want) {
		size_t before = lane->left.n;
		struct step step = guard_next(relay->guard, side, &lane->left);
		if (relay->guard->phase == PHASE_SWALLOW && lane->left.n < before) /* content that nobody wants is content: the client is not idle */
			relay->progress = true;
		if (!relay_step(relay, side, &step))
			break;
		steps++;
	}
	relay->progress = relay->progress || steps > 0;
	return steps;
}

/* What one lane did may have set the other free: in turn, until neither moved. */
static void relay_steps(struct relay *relay)
{
	relay->lane[CLIENT].stuck = relay->lane[CHILD].stuck = false;
	unsigned parked = 0;
	for (enum side side = CLIENT; parked < SIDES && !relay->done; side = side == CLIENT ? CHILD : CLIENT)
		parked = relay_lane(relay, side) > 0 ? 1 : parked + 1;
}

static short relay_out_events(const struct relay_lane *lane)
{
	return lane->out_n > 0 || lane->stuck ? POLLOUT : 0;
}

static void relay_slots(const struct relay *relay, struct pollfd slot[static SLOTS])
{
	const struct relay_lane *client = &relay->lane[CLIENT], *child = &relay->lane[CHILD];
	slot[SLOT_CLIENT_IN] = (struct pollfd){ .fd = client->want && client->left.n == 0 ? client->in : -1, .events = POLLIN };
	slot[SLOT_CHILD_IN] = (struct pollfd){ .fd = child->want && child->left.n == 0 ? child->in : -1, .events = POLLIN };
	slot[SLOT_CLIENT_OUT] = (struct pollfd){ .fd = client->broken ? -1 : client->out, .events = relay_out_events(client) };
	slot[SLOT_CHILD_OUT] = (struct pollfd){ .fd = relay_out_events(child) ? child->out : -1, .events = POLLOUT };
	slot[SLOT_SCAN] = relay->inspecting ? scan_poll(relay->scan) : (struct pollfd){ .fd = -1 };
}

/* For how long nothing may move: 0 for ever. A client that left is waited for no longer than it takes to judge and store what it sent. */
static unsigned relay_idle_seconds(const struct relay *relay)
{
	bool shorter = relay->idle_timeout == 0 || relay->idle_timeout > RELAY_GONE_SECONDS;
	return relay->guard->gone && shorter ? RELAY_GONE_SECONDS : relay->idle_timeout;
}

/* Milliseconds of it that are left. */
static int64_t relay_idle_left(const struct relay *relay)
{
	return (int64_t)relay_idle_seconds(relay) * 1000 - (int64_t)(relay_since(&relay->last_progress) / 1000000);
}

static int64_t relay_scan_left(const struct relay *relay)
{
	int64_t scan = scan_wait(relay->scan), idle = relay->guard->gone ? relay_idle_left(relay) : scan;
	return scan < 0 || idle < scan ? idle : scan;
}

/* Milliseconds until something is due at the latest; -1: nothing is. */
static int relay_patience(const struct relay *relay)
{
	int64_t left = -1;
	if (relay->guard->phase == PHASE_DRAIN)
		left = (int64_t)relay->drain_seconds * 1000 - (int64_t)(relay_since(&relay->drain_start) / 1000000);
	else if (relay->shut_wanted)
		left = RELAY_CHILD_SECONDS * 1000 - (int64_t)(relay_since(&relay->shut_time) / 1000000);
	else if (relay->inspecting)
		left = relay_scan_left(relay);
	else if (relay_idle_seconds(relay) > 0)
		left = relay_idle_left(relay);
	else
		return -1;
	return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

static void relay_client_gone(struct relay *relay)
{
	relay->lane[CLIENT].broken = true;
	relay->lane[CLIENT].out_n = 0;
	guard_client_left(relay->guard);
}

/* Who did not take what is queued for it hears no more: without room in its queue no step would be carried out, the last ones neither. */
static void relay_give_up_queues(struct relay *relay)
{
	if (move_room(relay, CLIENT) < GUARD_ROOM)
		relay_client_gone(relay);
	if (move_room(relay, CHILD) < GUARD_ROOM) {
		relay->lane[CHILD].broken = true;
		relay->lane[CHILD].out_n = 0;
	}
}

/* Nothing came in time. */
static void relay_overdue(struct relay *relay)
{
	if (!relay->inspecting && relay_patience(relay) == 0)
		relay_give_up_queues(relay);
	if (relay->inspecting && !relay->guard->gone)
		return; /* relay_finding looks */
	if (relay->guard->phase == PHASE_DRAIN) {
		guard_aborted(relay->guard, REASON_TIMEOUT);
	} else if (relay->shut_wanted && !relay->guard->ended[CHILD]) {
		if (relay->child > 0)
			(void)kill(relay->child, SIGKILL);
		fd_close(&relay->lane[CHILD].in);
		guard_ended(relay->guard, CHILD);
	} else if (relay_idle_seconds(relay) > 0 && relay_idle_left(relay) <= 0) {
		relay->inspecting = false;
		guard_aborted(relay->guard, relay->guard->gone ? REASON_CLIENT_GONE : REASON_TIMEOUT);
	}
}

/* Bytes that are said to be there are read without asking the kernel first. True: there was something. */
static bool relay_read_soon(struct relay *relay, enum side side)
{
	struct relay_lane *lane = &relay->lane[side];
	bool try = lane->want && lane->soon && lane->left.n == 0 && lane->in >= 0;
	lane->soon = false;
	if (try)
		move_fill(relay, side);
	return try && (lane->left.n > 0 || lane->in < 0);
}

/* A signal asked the session to end: it ends in order, nothing unjudged stays, and the records say so. */
static void relay_told_to_stop(struct relay *relay)
{
	if (relay->stop == NULL || *relay->stop == 0 || relay->stopped)
		return;
	relay->stopped = true;
	relay->inspecting = false;
	guard_aborted(relay->guard, REASON_STOPPED);
}

static void relay_wait(struct relay *relay)
{
	struct pollfd slot[SLOTS];
	if (relay_read_soon(relay, CHILD))
		return;
	relay_slots(relay, slot);
	int patience = relay_patience(relay);
	struct timespec limit = { .tv_sec = patience / 1000, .tv_nsec = patience % 1000 * 1000000 };
	int ready = ppoll(slot, SLOTS, patience < 0 ? NULL : &limit, relay->wait_mask);
	relay_told_to_stop(relay);
	if (ready < 0)
		return;
	if (ready == 0 || patience == 0) /* who sends without end, and nothing that counts, is late all the same */
		relay_overdue(relay);
	if (slot[SLOT_CLIENT_OUT].revents & (POLLERR | POLLHUP | POLLNVAL))
		relay_client_gone(relay);
	if (slot[SLOT_CLIENT_IN].revents && relay->lane[CLIENT].left.n == 0)
		move_fill(relay, CLIENT);
	if (slot[SLOT_CHILD_IN].revents)
		move_fill(relay, CHILD);
}

/* Writes what is queued; closes the child's input once it has all that was for it. */
static void relay_flush(struct relay *relay)
{
	(void)move_flush(relay, CLIENT);
	if (relay->lane[CLIENT].broken && !relay->guard->gone)
		relay_client_gone(relay);
	if (move_flush(relay, CHILD) && relay->shut_wanted) {
		fd_close(&relay->lane[CHILD].out);
		relay->lane[CHILD].broken = true;
	}
}

static void relay_note_progress(struct relay *relay)
{
	static const struct timespec never;
	if (relay->progress)
		clock_gettime(CLOCK_MONOTONIC, &relay->last_progress);
	relay->progress = false;
	if (relay->guard->phase == PHASE_DRAIN && memcmp(&relay->drain_start, &never, sizeof(never)) == 0)
		clock_gettime(CLOCK_MONOTONIC, &relay->drain_start);
}

static void relay_prepare(struct relay *relay)
{
	for (int side = 0; side < SIDES; side++) {
		(void)fd_nonblock(relay->lane[side].in, true);
		(void)fd_nonblock(relay->lane[side].out, true);
	}
	clock_gettime(CLOCK_MONOTONIC, &relay->last_progress);
}

static int relay_child_status(struct relay *relay)
{
	fd_close(&relay->lane[CHILD].out);
	fd_close(&relay->lane[CHILD].in);
	if (relay->child <= 0)
		return relay->status;
	int status = spawn_reap(relay->child, 2000);
	relay->child = -1;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	return code != 0 ? code : relay->status;
}

/* What the client is still to be told, for as long as it may take its time. */
static void relay_last_words(struct relay *relay)
{
	clock_gettime(CLOCK_MONOTONIC, &relay->shut_time);
	while (!move_flush(relay, CLIENT)) {
		int64_t left = RELAY_CHILD_SECONDS * 1000 - (int64_t)(relay_since(&relay->shut_time) / 1000000);
		struct pollfd slot = { .fd = relay->lane[CLIENT].out, .events = POLLOUT };
		if (left <= 0 || (poll(&slot, 1, (int)left) < 0 && errno != EINTR))
			return;
	}
}

int relay_run(struct relay *relay)
{
	relay_prepare(relay);
	for (;;) {
		relay_steps(relay);
		relay_flush(relay);
		if (relay->done)
			break;
		relay_note_progress(relay);
		if (!relay_has_room(relay) || relay->lane[CLIENT].want || relay->lane[CHILD].want || relay->lane[CLIENT].stuck || relay->lane[CHILD].stuck ||
		    relay->inspecting)
			relay_wait(relay);
		relay_finding(relay);
	}
	relay_last_words(relay);
	int status = relay_child_status(relay);
	for (int i = 0; i < 2; i++)
		fd_close(&relay->tap[i]);
	(void)fd_nonblock(relay->lane[CLIENT].in, false);
	(void)fd_nonblock(relay->lane[CLIENT].out, false);
	return status;
}
