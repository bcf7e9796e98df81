/* Inside the guard: what the files of the SFTP conversation share. Not for other floors. */
#ifndef XFERWARDEN_GUARD_TALK_H
#define XFERWARDEN_GUARD_TALK_H

#include "guard/entry.h"
#include "guard/message.h"
#include "guard/sftp.h"

static inline struct sftp *sftp_of(struct guard *guard)
{
	return guard->setup.sftp;
}

/* guard.c */
bool guard_send_packet(struct guard *, enum side to, const struct sftp_packet *); /* false: too long to be sent */

/* sftp.c: both lanes, what is in flight, and answers. */
struct step sftp_step(struct guard *, enum side lane, struct span *in);
struct sftp_flight *sftp_fly(struct guard *, enum sftp_flight_kind, unsigned slot); /* only while there is room */
bool sftp_full(const struct sftp *);
void sftp_request(struct guard *, enum sftp_flight_kind, unsigned slot, struct sftp_packet *); /* to the child, with an id of ours */
void sftp_answer(struct guard *, uint32_t id, uint32_t code, const char *text);     /* a STATUS; text NULL: the code's own */
void sftp_answer_in_turn(struct guard *, uint32_t id, uint32_t code, unsigned slot); /* behind what is in flight; PERMISSION_DENIED: with the file's sentence */
void sftp_moved(struct guard *, uint64_t n);
void sftp_resolved(struct guard *, const struct place *);
void sftp_confirmed(struct guard *, bool yes);
bool sftp_met(struct guard *, struct span below, const struct place *);
void sftp_found(struct guard *, const struct finding *);
void sftp_recorded(struct guard *, bool written);
void sftp_spool_failed(struct guard *, const char *detail);
void sftp_client_left(struct guard *);
void sftp_aborted(struct guard *, enum reason);
uint64_t sftp_failures(struct guard *);              /* transfers that failed: what a client was merely refused by the file system is its own affair */
struct step sftp_sweep(struct guard *);             /* after the child's end: what is still open goes, and is recorded */

/* sftp_data.c: READ and WRITE. */
void data_write(struct guard *, const struct sftp_packet *);
void data_read(struct guard *, const struct sftp_packet *);
struct step data_write_step(struct guard *, struct span *in);
struct step data_reply_step(struct guard *, struct span *in);
void data_errand(struct guard *, unsigned slot, uint32_t id, uint64_t offset, uint32_t count); /* a READ for the child */
void data_fetch(struct guard *, unsigned slot);     /* a small file was opened to be read: all of it is asked for before the client does */
bool data_fetched(struct guard *, const struct sftp_flight *, const struct sftp_packet *reply); /* false: that is no answer to it */
void data_still(struct guard *, bool yes);
void data_judged(struct guard *);                   /* the call about the file that the current WRITE is for is over */

/* sftp_file.c: handles, and what is known of an open file. */
struct sftp_file *file_find(struct guard *, struct span handle, unsigned *slot);
struct sftp_file *file_new(struct guard *, enum sftp_use, unsigned *slot); /* NULL: too many */
size_t file_handle(const struct guard *, unsigned slot, uint8_t dst[8]);
struct sftp_file *file_at(struct guard *, struct span real, unsigned *slot); /* not yet under its name at the child */
bool file_written_below(struct guard *, struct span folder);
void file_refuse(struct guard *, unsigned slot, enum outcome, enum reason);
enum decision file_judge(struct guard *, unsigned slot, bool whole); /* DENY: refused; NEED: file->need */
bool file_set(struct guard *, unsigned slot, const struct sftp_attrs *); /* mode and times, as they will be; false: the mode is refused */
void file_record(struct guard *, unsigned slot);    /* fills guard->record */
const char *sftp_ref(struct guard *, unsigned *number);

/* sftp_open.c: OPEN. */
bool open_begin(struct guard *);                    /* false: too many files are open */
struct step open_judge(struct guard *);

/* sftp_store.c: from held content to the file at the child, and its end. */
void store_promote(struct guard *, unsigned slot);  /* begins a call of our own: judge, and open it at the child */
struct step store_judge(struct guard *);
struct step store_open(struct guard *);
struct step store_release(struct guard *);
struct step store_finish(struct guard *);
struct step store_finishing(struct guard *);
void store_replied(struct guard *, const struct sftp_packet *);
void store_pinned(struct guard *, bool yes);
void store_locked(struct guard *, bool yes);
void store_spoiled(struct guard *);                 /* the spool could not give what was asked of it */

/* sftp_call.c: every request but READ and WRITE. */
void call_begin(struct guard *, const struct sftp_packet *);
struct sftp_call *call_own(struct guard *, enum sftp_kind, unsigned slot); /* nobody waits for its answer */
struct step call_step(struct guard *);
void call_stage(struct guard *, enum sftp_stage);
void call_status(struct guard *, uint32_t code);    /* the answer is this, at once */
void call_deny(struct guard *, enum reason, const struct verdict *);
void call_end(struct guard *);

/* sftp_handle.c: requests about what is open, or about nothing; and what the child answers to what was passed on to it. */
void handle_request(struct guard *);
void handle_copy(struct guard *);
void handle_forward(struct guard *, struct sftp_packet *); /* the request in the child's terms */
void call_replied(struct guard *, const struct sftp_packet *);
void handle_name(struct guard *, struct span name); /* answers the call with one NAME */
void handle_attrs(struct guard *, unsigned slot);   /* and with what is known of a file that the child does not have */
struct step handle_set(struct guard *, unsigned slot, const struct sftp_attrs *); /* mode, times and size of an open file */

/* sftp_path.c: what is judged of a request about names. */
bool path_is_request(enum sftp_kind);
bool path_follows(enum sftp_kind);
bool path_changes(enum sftp_kind);
bool path_is_two(enum sftp_kind);                   /* RENAME, HARDLINK: content gets another name */
void path_begin(struct guard *);
struct step path_judge(struct guard *);
void rename_locked(struct guard *, bool yes);
void rename_stands(struct guard *, bool yes);
void path_record(struct guard *);
uint32_t path_hopeless(const struct place *);        /* the way to it is missing or broken: the answer. The child is not asked: the text, cleaned, may lead elsewhere */
struct step path_forward(struct guard *);
struct step path_deny(struct guard *, enum reason);
struct step path_status(struct guard *, uint32_t code);
struct facts path_facts(const struct place *, enum entry_kind, enum direction);
bool path_allowed(struct guard *, const struct facts *, struct span asked); /* false: refused, and it is said */
bool path_may_change(struct guard *, const struct place *, const char *path, bool itself); /* the same; itself: a link or device as such */

/* sftp_rename.c: what gets another name, or a second one. */
struct step rename_judge(struct guard *);
struct step rename_hard_link(struct guard *);
struct step rename_symbolic_link(struct guard *);

#endif
