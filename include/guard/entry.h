/* Inside the guard: what its files share. Not for other floors. */
#ifndef XFERWARDEN_GUARD_ENTRY_H
#define XFERWARDEN_GUARD_ENTRY_H

#include "guard/guard.h"

/* A step of kind STEP_AGAIN never leaves the guard: the phase changed, ask again. */
enum { STEP_AGAIN = STEP_CLOSED + 1 };
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
/* A peer's own words, as a C string for messages and records. */
const char *guard_text(const struct scp_record *, char text[static SCP_MESSAGE_MAX]);

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
void entry_refuse_for(struct guard *, enum reason);
struct step entry_record(struct guard *);          /* fills guard->record, asks the relay to write it */
void entry_end(struct guard *);
struct span entry_shown(const struct guard *);     /* the name for messages */

/* body.c: the content of one file, and what follows it. */
struct step body_next(struct guard *, enum side lane, struct span *in);
void body_moved(struct guard *, uint64_t n);
void body_source_ended(struct guard *, const struct scp_record *said); /* the source stops inside the entry; said: with a word, or NULL */
void body_sink_ended(struct guard *);
void body_fail(struct guard *, enum reason, const char *text, bool fatal);
bool body_streams(const struct guard *);           /* content goes on before the verdict */
bool body_early(const struct guard *);             /* allowed and small: nobody waits for the other side */
void body_answer_source(struct guard *);
void body_announce_entry(struct guard *);

/* answer.c: what the two sides say of the entry. */
struct step body_open(struct guard *, enum side lane, struct span *in);
struct step body_stored(struct guard *, enum side lane, struct span *in);
struct step body_status(struct guard *, enum side lane, struct span *in);
struct step body_answer(struct guard *, enum side lane, struct span *in);

/* scp.c: between the entries. */
struct step scp_greeting(struct guard *, enum side lane, struct span *in);
struct step scp_header(struct guard *, enum side lane, struct span *in);
struct step scp_leave(struct guard *, enum side lane, struct span *in);
void scp_entry_done(struct guard *);               /* the entry is over: next record, or the session's end */

#endif
