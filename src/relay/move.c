/*
 * The ways of payload. Small pieces go through the lane's buffer and the other side's queue, so that a record, its content and its status byte leave in
 * one write. Bulk of an upload is spliced from pipe to pipe unseen, or teed where a hash or a copy is wanted; bulk of a download is copied in large pieces,
 * which costs less there, and teed only where a copy is kept.
 */
#include "relay/move.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "relay/step.h"
#include "sys/fd.h"

size_t move_room(const struct relay *relay, enum side to)
{
	return RELAY_OUT - relay->lane[to].out_n;
}

/* The same for payload, which leaves room for the guard. */
static size_t move_payload_room(const struct relay *relay, enum side to)
{
	size_t used = relay->lane[to].out_n;
	return used < RELAY_OUT - 2 * GUARD_ROOM ? RELAY_OUT - 2 * GUARD_ROOM - used : 0;
}

void move_queue(struct relay *relay, enum side to, struct span bytes)
{
	struct relay_lane *lane = &relay->lane[to];
	if (lane->broken)
		return;
	if (lane->out_at + lane->out_n + bytes.n > RELAY_OUT) {
		memmove(lane->queue, lane->queue + lane->out_at, lane->out_n);
		lane->out_at = 0;
	}
	memcpy(lane->queue + lane->out_at + lane->out_n, bytes.p, bytes.n);
	lane->out_n += bytes.n;
}

static void move_broken(struct relay *relay, enum side to)
{
	struct relay_lane *lane = &relay->lane[to];
	lane->broken = true;
	lane->stuck = false;
	lane->out_at = lane->out_n = 0;
}

bool move_flush(struct relay *relay, enum side to)
{
	struct relay_lane *lane = &relay->lane[to];
	while (lane->out_n > 0) {
		ssize_t put = write(lane->out, lane->queue + lane->out_at, lane->out_n);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return false;
		if (put < 0) {
			move_broken(relay, to);
			return true;
		}
		lane->out_at += (size_t)put;
		lane->out_n -= (size_t)put;
	}
	lane->out_at = 0;
	return true;
}

static void move_ended(struct relay *relay, enum side side)
{
	relay->progress = true;
	fd_close(&relay->lane[side].in);
	guard_ended(relay->guard, side);
}

void move_fill(struct relay *relay, enum side side)
{
	struct relay_lane *lane = &relay->lane[side];
	ssize_t got = read(lane->in, lane->buffer, sizeof(lane->buffer));
	if (got > 0)
		lane->left = span_of(lane->buffer, (size_t)got);
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		move_ended(relay, side);
}

void move_unheld(struct relay *relay, const struct relay_slot *slot, int error)
{
	char detail[FINDING_DETAIL_MAX];
	spool_explain(&slot->spool, error, detail, sizeof(detail));
	guard_spool_failed(relay->guard, detail);
}

/* Where in the content what moves next stands: SCP's comes in order, and is held in order. */
static uint64_t move_place(const struct relay *relay, const struct relay_slot *slot, const struct step *step)
{
	return relay->guard->setup.sftp != NULL ? step->offset : slot->spool.length;
}

/* Content that the guard's audit wants hashed and, in stream delivery, kept. 0 or the spool's negative errno. */
static int move_see(struct relay *relay, enum side from, const struct step *step, struct span bytes, bool keep)
{
	struct relay_slot *slot = step_slot(relay, step);
	if (slot == NULL)
		return 0;
	slot->passed = slot->passed || (from == CLIENT && !keep);
	if (relay->sha256)
		slot_saw(slot, relay->guard->setup.sftp != NULL ? step->offset : slot->hashed, bytes, from == CLIENT);
	return keep ? slot_write(slot, move_place(relay, slot, step), bytes) : 0;
}

/* What is already in the lane's buffer. */
static uint64_t move_pass_buffered(struct relay *relay, enum side from, const struct step *step)
{
	struct relay_lane *lane = &relay->lane[from];
	size_t room = move_payload_room(relay, step->to);
	size_t most = lane->left.n < room ? lane->left.n : room;
	struct span before = lane->left;
	struct span bytes = span_take(&lane->left, step->count < most ? (size_t)step->count : most);
	if (bytes.n == 0) {
		relay->lane[step->to].stuck = true;
		return 0;
	}
	int error = move_see(relay, from, step, bytes, step->keep);
	if (error < 0) {
		lane->left = before; /* not passed: the guard will have it swallowed */
		move_unheld(relay, step_slot(relay, step), error);
		return 0;
	}
	move_queue(relay, step->to, bytes);
	return bytes.n;
}

/* Which side a splice waits for: both ends were tried, so the one that cannot go on is found by looking. */
static void move_blocked(struct relay *relay, enum side from, enum side to)
{
	int waiting = 0;
	if (ioctl(relay->lane[from].in, FIONREAD, &waiting) == 0 && waiting > 0)
		relay->lane[to].stuck = true;
	else
		relay->lane[from].want = true;
}

static ssize_t move_splice(struct relay *relay, enum side from, enum side to, uint64_t count)
{
	size_t n = count > RELAY_PIPE ? RELAY_PIPE : (size_t)count;
	ssize_t moved = splice(relay->lane[from].in, NULL, relay->lane[to].out, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (moved > 0)
		return moved;
	if (moved == 0) {
		move_ended(relay, from);
		return 0;
	}
	if (errno == EAGAIN)
		move_blocked(relay, from, to);
	else if (errno == EINVAL)
		relay->no_splice = true;
	else if (errno != EINTR)
		move_broken(relay, to);
	return errno == EINTR || errno == EINVAL ? -errno : 0;
}

static bool move_tap_open(struct relay *relay)
{
	if (relay->tap[0] >= 0)
		return true;
	if (pipe2(relay->tap, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	(void)fcntl(relay->tap[1], F_SETPIPE_SZ, RELAY_PIPE);
	return true;
}

/* Reads n bytes from the tap, which has them, for hash and spool. 0 or negative errno. */
static int move_tap_read(struct relay *relay, enum side from, const struct step *step, size_t n)
{
	struct step next = *step;
	int kept = 0;
	while (n > 0) {
		ssize_t got = read(relay->tap[0], relay->bounce, n < sizeof(relay->bounce) ? n : sizeof(relay->bounce));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		if (kept == 0)
			kept = move_see(relay, from, &next, span_of(relay->bounce, (size_t)got), step->keep);
		next.offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return kept;
}

/* What was seen in the tap already, and cannot be spliced to where it has to go: read out of the pipe, and only passed on. */
static uint64_t move_pass_tapped(struct relay *relay, enum side from, const struct step *step)
{
	struct relay_lane *lane = &relay->lane[from];
	size_t room = move_payload_room(relay, step->to);
	size_t n = lane->tapped < sizeof(relay->bounce) ? (size_t)lane->tapped : sizeof(relay->bounce);
	ssize_t got = read(lane->in, relay->bounce, n < room ? n : room);
	if (got <= 0) { /* it was there to be teed */
		if (got == 0 || errno != EINTR)
			move_ended(relay, from);
		return 0;
	}
	move_queue(relay, step->to, span_of(relay->bounce, (size_t)got));
	lane->tapped -= (uint64_t)got;
	return (uint64_t)got;
}

/* Bulk that has to be seen: a copy of the pipe's pages is read here while the pages themselves go on. */
static uint64_t move_pass_seen(struct relay *relay, enum side from, const struct step *step)
{
	struct relay_lane *lane = &relay->lane[from];
	if (lane->tapped == 0) {
		size_t n = step->count > RELAY_PIPE ? RELAY_PIPE : (size_t)step->count;
		ssize_t teed = tee(lane->in, relay->tap[1], n, SPLICE_F_NONBLOCK);
		if (teed == 0)
			move_ended(relay, from);
		else if (teed < 0 && errno == EAGAIN)
			lane->want = true;
		else if (teed < 0 && errno != EINTR)
			relay->no_tee = true;
		if (teed <= 0)
			return 0;
		int kept = move_tap_read(relay, from, step, (size_t)teed);
		if (kept < 0) {
			move_unheld(relay, step_slot(relay, step), kept);
			return 0;
		}
		lane->tapped = (uint64_t)teed;
	}
	if (relay->no_splice)
		return move_pass_tapped(relay, from, step);
	ssize_t moved = move_splice(relay, from, step->to, lane->tapped);
	if (moved <= 0)
		return 0;
	lane->tapped -= (uint64_t)moved;
	return (uint64_t)moved;
}

/* Big pipes are what makes splicing pay; where the kernel refuses them it only costs speed. */
static void move_widen(struct relay *relay, uint64_t count)
{
	bool sftp = relay->guard->setup.sftp != NULL; /* much comes in small pieces */
	if (relay->big_pipes || (count < RELAY_PIPE && (!sftp || relay->moved < RELAY_PIPE)))
		return;
	relay->big_pipes = true;
	for (int side = 0; side < SIDES; side++) {
		if (relay->lane[side].in >= 0)
			(void)fcntl(relay->lane[side].in, F_SETPIPE_SZ, RELAY_PIPE);
		if (relay->lane[side].out >= 0)
			(void)fcntl(relay->lane[side].out, F_SETPIPE_SZ, RELAY_PIPE);
	}
}

/*
 * From the child to the client copies beat splices: scp writes small pieces, and what sshd then reads page by page it reads here in one go. Bytes count as moved when
 * they are written.
 */
static uint64_t move_pass_copied(struct relay *relay, enum side from, const struct step *step)
{
	if (relay->carry_n == 0) {
		size_t n = step->count < sizeof(relay->carry) ? (size_t)step->count : sizeof(relay->carry);
		ssize_t got = read(relay->lane[from].in, relay->carry, n);
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			move_ended(relay, from);
		else if (got < 0 && errno == EAGAIN)
			relay->lane[from].want = true;
		if (got <= 0)
			return 0;
		(void)move_see(relay, from, step, span_of(relay->carry, (size_t)got), false);
		relay->carry_at = 0;
		relay->carry_n = (size_t)got;
	}
	ssize_t put = write(relay->lane[step->to].out, relay->carry + relay->carry_at, relay->carry_n);
	if (put < 0 && errno == EAGAIN)
		relay->lane[step->to].stuck = true;
	else if (put < 0 && errno != EINTR)
		move_broken(relay, step->to);
	if (put <= 0)
		return 0;
	relay->carry_at += (size_t)put;
	relay->carry_n -= (size_t)put;
	return (uint64_t)put;
}

/* The other side is gone: what was for it is swallowed. */
static uint64_t move_pass_lost(struct relay *relay, enum side from, const struct step *step)
{
	struct relay_slot *slot = step_slot(relay, step);
	uint64_t carried = from == CHILD ? relay->carry_n : 0;
	if (relay->lane[from].tapped > 0 && slot != NULL)
		slot->lost = true; /* those bytes come along once more */
	relay->lane[from].tapped = 0;
	relay->carry_n -= (size_t)carried;
	relay->lane[from].want = carried == 0;
	return carried;
}

/* Content that goes without the lane's buffer. */
static bool move_is_bulk(struct relay *relay, enum side from, const struct step *step, bool seen)
{
	if (from == CHILD && relay->carry_n > 0)
		return true;
	if (step->count < RELAY_BULK || relay->lane[step->to].broken)
		return false;
	if (from == CHILD && !step->keep)
		return true;
	return !relay->no_splice && !(seen && (relay->no_tee || !move_tap_open(relay)));
}

uint64_t move_pass(struct relay *relay, enum side from, const struct step *step)
{
	struct relay_lane *lane = &relay->lane[from];
	struct relay_slot *slot = step_slot(relay, step);
	bool seen = slot != NULL && (relay->sha256 || step->keep);
	move_widen(relay, step->count);
	if (lane->left.n > 0 && lane->tapped == 0 && (from == CLIENT || relay->carry_n == 0))
		return move_pass_buffered(relay, from, step);
	bool bulk = move_is_bulk(relay, from, step, seen);
	if (!bulk && lane->tapped == 0) {
		lane->want = true;
		lane->soon = from == CHILD; /* it reads from a disk; clients are further away */
		return 0;
	}
	if (!move_flush(relay, step->to)) {
		relay->lane[step->to].stuck = true;
		return 0;
	}
	if (relay->lane[step->to].broken)
		return move_pass_lost(relay, from, step);
	if (from == CHILD && !step->keep)
		return move_pass_copied(relay, from, step);
	if (seen)
		return move_pass_seen(relay, from, step);
	ssize_t moved = move_splice(relay, from, step->to, step->count);
	if (moved > 0 && slot != NULL)
		slot->passed = slot->passed || from == CLIENT;
	return moved > 0 ? (uint64_t)moved : 0;
}

static uint64_t move_hold_seen(struct relay *relay, enum side from, const struct step *step, struct span bytes)
{
	int error = move_see(relay, from, step, bytes, true);
	if (error == 0)
		return bytes.n;
	guard_moved(relay->guard, bytes.n); /* gone from the lane all the same */
	move_unheld(relay, step_slot(relay, step), error);
	return 0;
}

/* Bulk that nobody has to see, into what holds the content already. 0 or negative errno as if it had been read; -EINVAL: it has to be. */
static ssize_t move_hold_spliced(struct relay *relay, int from, struct relay_slot *slot, const struct step *step)
{
	bool placed = slot->spool.in_memfd || slot->spool.in_file; /* not in the buffer, which no pipe leads to */
	if (relay->sha256 || relay->no_splice || !placed)
		return -EINVAL;
	uint64_t at = move_place(relay, slot, step);
	slot_need(slot, at);
	ssize_t got = spool_splice(&slot->spool, from, at, step->count > RELAY_PIPE ? RELAY_PIPE : (size_t)step->count);
	relay->no_splice = got == -EINVAL;
	return got;
}

uint64_t move_hold(struct relay *relay, enum side from, const struct step *step)
{
	struct relay_lane *lane = &relay->lane[from];
	struct relay_slot *slot = step_slot(relay, step);
	move_widen(relay, step->count);
	int error = spool_reserve(&slot->spool, move_place(relay, slot, step) + step->count);
	if (error < 0) {
		move_unheld(relay, slot, error);
		return 0;
	}
	if (lane->left.n > 0)
		return move_hold_seen(relay, from, step, span_take(&lane->left, step->count < lane->left.n ? (size_t)step->count : lane->left.n));
	if (step->count < RELAY_BULK) {
		lane->want = true;
		return 0;
	}
	ssize_t got = move_hold_spliced(relay, lane->in, slot, step);
	if (got > 0)
		return (uint64_t)got;
	bool ours = got < 0 && got != -EAGAIN && got != -EINTR && got != -EINVAL;
	if (got == -EINVAL) {
		got = read(lane->in, relay->bounce, step->count < sizeof(relay->bounce) ? (size_t)step->count : sizeof(relay->bounce));
		if (got > 0)
			return move_hold_seen(relay, from, step, span_of(relay->bounce, (size_t)got));
		got = got < 0 ? -errno : 0;
	}
	if (got == -EAGAIN)
		lane->want = true;
	else if (ours)
		move_unheld(relay, slot, (int)got);
	else if (got != -EINTR) /* the lane's fault, not the spool's */
		move_ended(relay, from);
	return 0;
}

/* What of the slot's content lies in memory, by way of the queue. */
static uint64_t move_release_queued(struct relay *relay, const struct step *step, struct span held)
{
	size_t room = move_payload_room(relay, step->to);
	size_t most = held.n < room ? held.n : room;
	struct span bytes = span_take(&held, step->count < most ? (size_t)step->count : most);
	relay->lane[step->to].stuck = bytes.n == 0;
	move_queue(relay, step->to, bytes);
	return bytes.n;
}

uint64_t move_release(struct relay *relay, const struct step *step)
{
	struct relay_lane *lane = &relay->lane[step->to];
	struct relay_slot *slot = step_slot(relay, step);
	if (lane->broken)
		return step->count;
	int error = slot->spool.settled > step->offset ? 0 : slot_settle(slot, step->offset + step->count);
	struct span held = spool_memory(&slot->spool, step->offset);
	if (held.n > 0)
		return move_release_queued(relay, step, held);
	if (!move_flush(relay, step->to)) {
		lane->stuck = true;
		return 0;
	}
	ssize_t sent = error < 0 ? error : spool_send(&slot->spool, lane->out, step->offset, step->count);
	if (sent > 0)
		return (uint64_t)sent;
	if (sent == -EAGAIN && error == 0)
		lane->stuck = true;
	else if (sent != -EINTR)
		move_broken(relay, step->to);
	return 0;
}

uint64_t move_pad(struct relay *relay, const struct step *step)
{
	static const uint8_t nuls[4096];
	if (relay->lane[step->to].broken)
		return step->count;
	uint64_t moved = 0;
	for (size_t room; moved < step->count && (room = move_payload_room(relay, step->to)) > 0;) {
		uint64_t n = step->count - moved < sizeof(nuls) ? step->count - moved : sizeof(nuls);
		n = n < room ? n : room;
		move_queue(relay, step->to, span_of(nuls, (size_t)n));
		moved += n;
	}
	relay->lane[step->to].stuck = moved == 0;
	return moved;
}
