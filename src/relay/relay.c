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
#include "relay/step.h"
#include "sys/fd.h"
#include "sys/spawn.h"

enum watch { WATCH_CLIENT_IN, WATCH_CLIENT_OUT, WATCH_CHILD_IN, WATCH_CHILD_OUT, WATCH_SCAN, WATCHES };

void relay_init(struct relay *relay)
{
	/* not the buffers: a page that is never touched costs no memory */
	memset(relay, 0, offsetof(struct relay, lane));
	for (int side = 0; side < SIDES; side++) {
		memset(&relay->lane[side], 0, offsetof(struct relay_lane, buffer));
		relay->lane[side].in = relay->lane[side].out = -1;
	}
	relay->tap[0] = relay->tap[1] = relay->steady = -1;
	relay->child = -1;
	relay->drain_seconds = RELAY_DRAIN_SECONDS;
}

/*
 * What a lane may say has to fit. A child that does not read before its own words are read is listened to all the same: what the client's lane said has left room for
 * what the child's may.
 */
static bool relay_has_room(const struct relay *relay, enum side lane)
{
	return move_room(relay, CLIENT) >= GUARD_ROOM && move_room(relay, CHILD) >= (lane == CLIENT ? 2 : 1) * (size_t)GUARD_ROOM;
}

/* Asks one lane until it has nothing to do without waiting; returns how many steps were carried out. */
static unsigned relay_lane(struct relay *relay, enum side side)
{
	struct relay_lane *lane = &relay->lane[side];
	unsigned steps = 0;
	size_t arrived = lane->left.n;
	lane->want = false;
	while (relay_has_room(relay, side) && !relay->done && !lane->want) {
		size_t before = lane->left.n;
		struct step step = guard_next(relay->guard, side, &lane->left);
		if (relay->guard->phase == PHASE_SWALLOW && lane->left.n < before) /* content that nobody wants is content: the client is not idle */
			relay->progress = true;
		if (!step_do(relay, side, &step))
			break;
		steps++;
	}
	relay->progress = relay->progress || steps > 0;
	return steps + (lane->left.n < arrived); /* a packet that asks for no step may still be what the other lane waited for */
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

static void relay_watches(const struct relay *relay, struct pollfd watch[static WATCHES])
{
	const struct relay_lane *client = &relay->lane[CLIENT], *child = &relay->lane[CHILD];
	watch[WATCH_CLIENT_IN] = (struct pollfd){ .fd = client->want && client->left.n == 0 ? client->in : -1, .events = POLLIN };
	watch[WATCH_CHILD_IN] = (struct pollfd){ .fd = child->want && child->left.n == 0 ? child->in : -1, .events = POLLIN };
	watch[WATCH_CLIENT_OUT] = (struct pollfd){ .fd = client->broken ? -1 : client->out, .events = relay_out_events(client) };
	watch[WATCH_CHILD_OUT] = (struct pollfd){ .fd = relay_out_events(child) ? child->out : -1, .events = POLLOUT };
	watch[WATCH_SCAN] = relay->inspecting ? scan_poll(relay->scan) : (struct pollfd){ .fd = -1 };
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
	return (int64_t)relay_idle_seconds(relay) * 1000 - (int64_t)(step_since(&relay->last_progress) / 1000000);
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
		left = (int64_t)relay->drain_seconds * 1000 - (int64_t)(step_since(&relay->drain_start) / 1000000);
	else if (relay->shut_wanted)
		left = RELAY_CHILD_SECONDS * 1000 - (int64_t)(step_since(&relay->shut_time) / 1000000);
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

/* Who did not take in time what is queued for it hears no more: the last steps, and the end, would wait for it. */
static void relay_give_up_queues(struct relay *relay)
{
	if (relay->lane[CLIENT].out_n > 0)
		relay_client_gone(relay);
	if (relay->lane[CHILD].out_n > 0) {
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
		return; /* step_found looks */
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
	struct pollfd watch[WATCHES];
	if (relay_read_soon(relay, CHILD))
		return;
	relay_watches(relay, watch);
	int patience = relay_patience(relay);
	struct timespec limit = { .tv_sec = patience / 1000, .tv_nsec = patience % 1000 * 1000000 };
	int ready = ppoll(watch, WATCHES, patience < 0 ? NULL : &limit, relay->wait_mask);
	relay_told_to_stop(relay);
	if (ready < 0)
		return;
	if (ready == 0 || patience == 0) /* who sends without end, and nothing that counts, is late all the same */
		relay_overdue(relay);
	if (watch[WATCH_CLIENT_OUT].revents & (POLLERR | POLLHUP | POLLNVAL))
		relay_client_gone(relay);
	if (watch[WATCH_CLIENT_IN].revents && relay->lane[CLIENT].left.n == 0)
		move_fill(relay, CLIENT);
	if (watch[WATCH_CHILD_IN].revents)
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
		int64_t left = RELAY_CHILD_SECONDS * 1000 - (int64_t)(step_since(&relay->shut_time) / 1000000);
		struct pollfd slot = { .fd = relay->lane[CLIENT].out, .events = POLLOUT };
		if (left <= 0 || (poll(&slot, 1, (int)left) < 0 && errno != EINTR))
			return;
	}
}

static bool relay_must_wait(const struct relay *relay)
{
	bool waits = relay->inspecting;
	for (enum side side = CLIENT; side <= CHILD; side++)
		waits = waits || !relay_has_room(relay, side) || relay->lane[side].want || relay->lane[side].stuck;
	return waits;
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
		if (relay_must_wait(relay))
			relay_wait(relay);
		step_found(relay);
	}
	relay_last_words(relay);
	int status = relay_child_status(relay);
	step_finish(relay);
	for (int i = 0; i < 2; i++)
		fd_close(&relay->tap[i]);
	(void)fd_nonblock(relay->lane[CLIENT].in, false);
	(void)fd_nonblock(relay->lane[CLIENT].out, false);
	return status;
}
