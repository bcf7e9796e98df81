/* Inside the relay: one step of the guard's, carried out. */
#ifndef XFERWARDEN_RELAY_STEP_H
#define XFERWARDEN_RELAY_STEP_H

#include "relay/relay.h"

/* The slot that a step is about, initialised on first use; NULL: it is about none. */
struct relay_slot *step_slot(struct relay *, const struct step *);

/* Carries it out. True: ask this lane again. */
bool step_do(struct relay *, enum side, const struct step *);

/* The scanner's answer, if it is there, goes to the guard. */
void step_found(struct relay *);

/* Nanoseconds since then, by CLOCK_MONOTONIC. */
uint64_t step_since(const struct timespec *);

/* At the session's end: all that slots hold. */
void step_finish(struct relay *);

#endif
