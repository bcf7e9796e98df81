/* Inside the guard: what its files share. Not for other floors. */
#ifndef XFERWARDEN_GUARD_ENTRY_H
#define XFERWARDEN_GUARD_ENTRY_H

#include "guard/guard.h"

/* A step of kind STEP_AGAIN never leaves the guard: the phase changed, ask again. */
enum { STEP_AGAIN = STEP_DONE + 1 };
static inline struct step step_of(enum step_kind kind)
{
	return (struct step){ .kind = kind };
}
static inline struct step step_again(void)
{
	return (struct step){ .kind = (enum step_kind)STEP_AGAIN };
}

/* Emits the phase's step once, then waits for the relay's answer. */
struct step guard_ask(struct guard *, struct step);
void guard_phase(struct guard *, enum guard_phase);
void guard_send(struct guard *, enum side to, enum scp_kind, const struct scp_record *);
void guard_send_text(struct guard *, enum side to, enum scp_kind, const char *text);
void guard_flush_deferred(struct guard *);

/* Ends the session: the child's stdin is closed (or it is killed), its end awaited, then the client is read to its end where drain is set. */
void guard_finish(struct guard *, bool kill, bool drain);

/* Reading a lane: READ, or what its end means is to be found out by the caller. */
bool guard_at_end(const struct guard *, enum side lane, const struct span *in);

/* entry.c: from announcement to verdict, and the record of it. */
void entry_begin(struct guard *, enum scp_kind, const struct scp_record *, bool more_waits);
void entry_placed(struct guard *);                 /* the place is known: judge */
void entry_judge(struct guard *);                  /* with the facts so far; sets need, denied, or neither: allowed */
void entry_deny(struct guard *, enum outcome, enum reason, const char *text); /* text NULL: the reason's own sentence */
void entry_refuse(struct guard *, const struct verdict *);
struct step entry_record(struct guard *);          /* fills guard->record, asks the relay to write it */
void entry_end(struct guard *);
struct span entry_shown(const struct guard *);     /* the name for messages */

/* body.c: the content of one file, and what follows it. */
struct step body_next(struct guard *, enum side lane, struct span *in);
void body_moved(struct guard *, uint64_t n);
void body_source_ended(struct guard *);            /* the source fell silent for good inside the entry */

/* scp.c: between the entries. */
struct step scp_greeting(struct guard *, enum side lane, struct span *in);
struct step scp_header(struct guard *, enum side lane, struct span *in);
struct step scp_leave(struct guard *, enum side lane, struct span *in);
void scp_entry_done(struct guard *);               /* the entry is over: next record, or the session's end */

#endif
