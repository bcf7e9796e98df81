/*
 * The guard decides, the relay moves. Protocol and policy as one pure machine: asked for a lane's next step it says what to do, told what came of it
 * it goes on. It never reads, writes, allocates or asks the time, so every decision can be tested and fuzzed without a process or a clock.
 *
 * A lane is named by the side that speaks on it. The relay asks each lane in turn until both say READ or WAIT, then moves bytes. A step is to be carried
 * out before the next question on any lane; its spans live until then.
 */
#ifndef XFERWARDEN_GUARD_GUARD_H
#define XFERWARDEN_GUARD_GUARD_H

#include "base/place.h"
#include "base/record.h"
#include "policy/policy.h"
#include "proto/scp.h"
#include "proto/sftp.h"

enum {
	GUARD_DEPTH_MAX = 64,          /* nested directories; the real sink crashes near 1840 */
	GUARD_HEAD = 256 << 10,        /* bytes that a type is told from */
	GUARD_TAIL = 64 << 10,         /* bytes held back in stream delivery until the verdict */
	GUARD_OUTBOX = 4 * SFTP_PUT_MAX,
	GUARD_LETTERS = 12,            /* waiting to be sent; a phase posts four at the most */
	GUARD_DEFERRED = 4096,         /* bytes of refusals that wait for the end of a downloaded directory */
	GUARD_SLOTS = 128,             /* files and folders that may be open at once; SCP has one, number 0 */
	GUARD_NO_SLOT = GUARD_SLOTS,
};

/*
 * What the relay keeps of an open file is its slot: the content held so far (the spool), the file that stood there before (its base, to be read), the hash of what moved,
 * when it began, and which file it was seen to be.
 */
enum step_kind {
	STEP_READ,    /* this lane needs more bytes, or its end; soon: they are likely there already */
	STEP_WAIT,    /* this lane is parked until something else moves */
	STEP_SEND,    /* bytes to `to` */
	STEP_PASS,    /* count payload bytes of this lane on to `to`; keep: a copy goes into the spool. SFTP: they stand at offset in the file. guard_moved */
	STEP_HOLD,    /* count payload bytes of this lane into the slot's content at offset. guard_moved */
	STEP_RELEASE, /* count bytes of the slot's content from offset on to `to`. guard_moved */
	STEP_PAD,     /* count NULs to `to`. guard_moved */
	STEP_DROP,    /* forget all about the slot */
	STEP_RESOLVE, /* SCP: where does the entry `bytes` at depth `count` lead (upload), or what has the child opened (download). guard_resolved */
	STEP_ENTER,   /* SCP: the child made or entered the directory just resolved: it is the place of what follows at depth `count`. guard_confirmed */
	STEP_PIN,     /* is what the child has open what was resolved? SCP: count: bytes announced. SFTP: for the slot, at the real path `bytes`. guard_confirmed */
	STEP_SCRUB,   /* what the child stored must go. SFTP: of the slot, now at `bytes`; count 1: the name goes, 0: the content. guard_confirmed */
	STEP_INSPECT, /* find the `need` facts of the first count bytes of the slot's content; file: of its base instead. guard_found */
	STEP_RECORD,  /* to the audit log before going on; of a file with the slot's hash and time. file: what moved says nothing of it. guard_recorded */
	STEP_SHUT,    /* no more bytes for the child; count not 0: it is to be killed */
	STEP_DONE,    /* all is over; count is the least exit status */
	/* SFTP alone: a client that names what it likes, in any order */
	STEP_LOOK,    /* where does the path `bytes` lead; follow: through a link at its end. A slot begins anew, with what is there as its base. guard_resolved */
	STEP_TREE,    /* all that is below the folder `bytes`: guard_met for each, then guard_confirmed: yes if it was all */
	STEP_SIZE,    /* the slot's content gets count bytes: cut, or filled with NULs */
	STEP_SETTLE,  /* the first count bytes of the slot's content have to be in the spool: those that nobody wrote come from its base. guard_confirmed */
	STEP_STILL,   /* is the slot's base as it was when it was looked at? guard_confirmed */
	STEP_LOCK,    /* the slot's file, at `bytes`, against other sessions: 1: nobody else writes it (file: nor did since LOOK); 0: it is written. guard_confirmed */
	STEP_STANDS,  /* is it the slot's base, unchanged, that stands at `bytes` now? guard_confirmed */
	STEP_STEADY,  /* no other session gives names (count 1), nor relies on them (2); what LOOK saw at `bytes` is there. 0: no more. 1, 2: guard_confirmed */
	STEP_CLOSED,  /* the child has closed what the slot was pinned to */
};

struct step {
	enum step_kind kind;
	enum side to;
	bool keep, soon, follow, file;
	bool other;                  /* LOOK, STEADY: it is the second of two names */
	enum entry_kind entry;       /* RESOLVE; PIN: what it opened is a folder */
	unsigned need;               /* INSPECT: FACT_* bits */
	unsigned slot;               /* 0 for SCP; or GUARD_NO_SLOT */
	uint64_t count, offset;
	struct span bytes;
	const struct record *record; /* RECORD; without sha256 and duration, which the relay knows */
};

struct guard_setup {
	const struct policy *policy;
	const char *session;        /* for refs */
	struct span home;           /* the user's home, absolute and real; empty if there is none */
	enum direction direction;   /* SCP */
	struct sftp *sftp;          /* SFTP: where that conversation is kept, large; NULL: SCP */
	struct span root, start;    /* SFTP: absolute and real: what is open to the client, and where relative paths begin */
	uint64_t secret;            /* SFTP: random, for handles that nobody guesses */
	bool recursive;
	bool preserve;              /* -p: a folder that stands there may get another mode */
	uint64_t hold_limit;        /* bytes the spool can take */
	uint64_t early_max;         /* files up to this are acknowledged before the other side has answered; 0: none */
	bool audit_refuse;          /* an entry whose record cannot be written is refused */
};

enum guard_phase {
	PHASE_GREETING, PHASE_HEADER, PHASE_RESOLVE, PHASE_BODY, PHASE_HOLD, PHASE_PASS, PHASE_SWALLOW, PHASE_STATUS, PHASE_INSPECT, PHASE_OPEN,
	PHASE_PIN, PHASE_RELEASE, PHASE_PAD, PHASE_STORED, PHASE_SCRUB, PHASE_RECORD, PHASE_ANSWER, PHASE_ENTER, PHASE_LEAVE, PHASE_SHUT,
	PHASE_CHILD_END, PHASE_DRAIN, PHASE_DONE,
	PHASE_TALK, PHASE_SWEEP, /* SFTP */
};

/* One file or directory on its way from source to sink. */
struct guard_entry {
	bool active, recorded;
	enum entry_kind kind;
	struct scp_record record;    /* as announced; record.name points to name */
	char name[SCP_LINE_MAX];
	bool has_times;
	struct scp_times times;
	struct place place;
	struct facts facts;
	struct verdict verdict;
	enum outcome outcome;
	enum reason reason;
	unsigned need;               /* FACT_* bit asked for; 0: decided */
	bool denied;                 /* it will not be stored; outcome, reason and text say why */
	bool silent;                 /* denied, and the client knows already */
	bool scrub;                  /* denied, and what the child stored of it has to go */
	bool fatal;                  /* the session ends with it */
	bool soft;                   /* fatal, and still said as a warning, as the real sink does */
	bool pipelined;              /* the client sent on before it was answered */
	bool answered;               /* the source was told to send */
	bool renamed;                /* its own name was taken */
	bool early;                  /* answered before the sink agreed: the content is held until it does */
	bool times_first;            /* the sink was told the times and not yet the entry */
	bool announced;              /* the sink was told of it */
	bool opened;                 /* the sink agreed */
	bool pinned;
	bool stored;                 /* the sink took it whole */
	bool status_seen;
	unsigned expect;             /* replies of the sink to the announcement that are missing */
	bool dropped;                /* the spool is forgotten already */
	uint64_t received, spooled, sent;
	uint64_t padded;             /* of those that were sent: NULs */
	enum scp_kind status;        /* the source's status byte */
	char status_text[SCP_MESSAGE_MAX];
	char text[SCP_MESSAGE_MAX];  /* the error line for the client, without code and LF */
	unsigned number;             /* of the ref */
};

/* Private to the guard; public for its size. */
struct guard {
	struct guard_setup setup;
	enum side source, sink;      /* who sends files, who writes them */
	enum guard_phase phase;
	bool asked;                  /* the phase's question is with the relay */
	bool ended[SIDES];
	enum reason lost;            /* why the session ended before its time; NONE if it did not */
	bool gone;                   /* the client cannot be told anything any more */
	bool drain;                  /* read the client to its end before DONE */
	bool kill;
	bool winding_up;             /* the end has begun: no entry goes on */
	bool drop;                   /* the spool is to be forgotten */
	bool has_times;
	struct scp_times times;
	struct scp_reader reader[SIDES];
	struct guard_entry entry;
	struct record record;
	char said[SCP_MESSAGE_MAX + 16]; /* of the record: a client's words, marked */
	unsigned depth, entries;
	uint64_t allowed, blocked, failed; /* entries; failed counts what either side complained of, too */
	uint64_t bytes;
	struct {
		enum side to;
		size_t n;
	} out[GUARD_LETTERS];
	size_t out_count, out_at, out_used;
	size_t deferred_used;
	uint8_t outbox[GUARD_OUTBOX];
	uint8_t deferred[GUARD_DEFERRED];
};

void guard_init(struct guard *, const struct guard_setup *);

/* A refusal that was found before the child was started: told to the client of a download where it does no harm. The caller counts it. */
void guard_defer(struct guard *, struct span text);

struct step guard_next(struct guard *, enum side lane, struct span *in);

void guard_moved(struct guard *, uint64_t n);                  /* of the last PASS, HOLD, RELEASE or PAD; may be less than asked */
void guard_resolved(struct guard *, const struct place *);
void guard_confirmed(struct guard *, bool yes);                /* ENTER, PIN, SCRUB, TREE, SETTLE, STILL, LOCK, STANDS */
bool guard_met(struct guard *, struct span below, const struct place *); /* TREE: something at the path below the folder; false: enough */
void guard_found(struct guard *, const struct finding *);
void guard_recorded(struct guard *, bool written);             /* not written: refuse */
/*
 * HOLD, SIZE, SETTLE or PASS keep found no room. What HOLD took from its lane all the same: guard_moved first; PASS has taken nothing. detail: why, for the record; it is
 * copied.
 */
void guard_spool_failed(struct guard *, const char *detail);
void guard_ended(struct guard *, enum side lane);              /* no more bytes from this side */
void guard_client_left(struct guard *);                        /* nothing can be said to the client any more */
void guard_aborted(struct guard *, enum reason);               /* TIMEOUT, CLIENT_GONE: end now, leave nothing unjudged */

/* The number of bytes that the out-queues need to have free before guard_next is called. */
enum { GUARD_ROOM = GUARD_OUTBOX + GUARD_DEFERRED };

#endif
