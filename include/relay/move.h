/* Inside the relay: moving payload by the cheapest way that serves. Each returns bytes moved (0: nothing now; the lanes say what is waited for). */
#ifndef XFERWARDEN_RELAY_MOVE_H
#define XFERWARDEN_RELAY_MOVE_H

#include "relay/relay.h"

/* Free room in a side's out-queue, for what the guard says. */
size_t move_room(const struct relay *, enum side to);
/* Appends to it; the caller has looked at the room. */
void move_queue(struct relay *, enum side to, struct span);
/* Writes out what is queued. True when the queue is empty afterwards. */
bool move_flush(struct relay *, enum side to);
/* Reads into the lane's empty buffer. */
void move_fill(struct relay *, enum side lane);
/* The slot's spool failed with that negative errno: the guard hears it, with why, for the record. */
void move_unheld(struct relay *, const struct relay_slot *, int error);

uint64_t move_pass(struct relay *, enum side from, const struct step *);
uint64_t move_hold(struct relay *, enum side from, const struct step *);
uint64_t move_release(struct relay *, const struct step *);
uint64_t move_pad(struct relay *, const struct step *);

#endif
