/*
 * The SFTP conversation: what the guard keeps of it. Private to the guard, public for its size: it lies in memory of the caller's that is zero, and of
 * which only what is in use is touched.
 *
 * READ and WRITE on what the child has open are pipelined: `flight` remembers what is under way, and the replies that wait for it. Every other request is
 * a call: it begins when nothing is in flight and ends before the next request is looked at.
 */
#ifndef XFERWARDEN_GUARD_SFTP_H
#define XFERWARDEN_GUARD_SFTP_H

#include "base/path.h"
#include "guard/guard.h"
#include "proto/sftp.h"

enum {
	SFTP_FLIGHT = 512,               /* requests under way at once */
	SFTP_EARLY = 64 << 10,           /* files up to this are kept until CLOSE also where nothing is missing: fewer errands to the child */
	SFTP_CHILD_HANDLE_MAX = 32,      /* bytes; OpenSSH's server uses 4 */
	SFTP_SENTENCE_MAX = 200,
};

enum sftp_use { USE_NONE = 0, USE_FOLDER, USE_FILE };

/* One handle; its index is its slot. */
struct sftp_file {
	enum sftp_use use;
	uint32_t tag;                    /* the handle's other half */
	bool reads, writes, append;      /* writes: it is judged as an upload */
	bool writable;                   /* WRITEs are taken */
	bool open;                       /* the child has it open: child is its handle */
	bool held;                       /* what is written goes into the slot's content */
	bool fresh;                      /* nothing stands at its name */
	bool temporary;                  /* the child has it under another name, until the verdict */
	bool copied;                     /* open, and a copy of what is written is held: stream */
	bool headed;                     /* its type was told from the head, which stays held */
	bool again;                      /* and the head was written again since */
	bool fetching, fetched;          /* read: all of a small file is on its way into the slot, or is there: size bytes */
	bool inspected;                  /* read: it was looked into; what the child reads has to be unchanged */
	bool refused;                    /* nothing of it is kept; outcome, reason and sentence say why */
	bool locked;                     /* against other sessions */
	bool told;                       /* and a WRITE was answered so */
	bool removed;                    /* by the client, before it was whole */
	bool sized;                      /* its size has to be set when it is stored: writing alone does not give it */
	bool created_mode;               /* OPEN gave a mode: mode */
	unsigned mode;                   /* for the child's OPEN, which applies the umask */
	bool recorded, scrub;
	bool anew;                       /* it was changed by more than what moved: the hash of that is none */
	bool broken;                     /* the child could not write all of it */
	enum outcome outcome;
	enum reason reason;
	unsigned number;                 /* of the ref */
	unsigned need;                   /* FACT_* bit that is asked for next; 0: the verdict is there */
	unsigned missing;                /* all FACT_* bits that some rule may still ask for */
	bool late;                       /* size or mode rules: the verdict may change until CLOSE */
	uint64_t prefix;                 /* bytes written from the beginning on without a gap */
	uint64_t from, to;               /* what was written lies in here */
	uint64_t size;                   /* as it will be */
	uint64_t base, low;              /* of what stands there; and the least size it was cut to since: what was beyond is gone */
	uint64_t next_size;              /* beyond this another rule may match */
	uint64_t moved;                  /* content bytes to or from the client */
	struct sftp_attrs wanted;        /* mode and times to be given to it when it is stored */
	struct sftp_attrs shown;         /* what FSTAT says of it while the child does not have it */
	struct facts facts;
	struct verdict verdict;
	size_t child_n;
	uint8_t child[SFTP_CHILD_HANDLE_MAX];
	char sentence[SFTP_SENTENCE_MAX]; /* of the refusal */
	char real[PATH_BYTES_MAX];       /* where it belongs: absolute, real */
	char asked[PATH_BYTES_MAX];      /* below root, where links were on the way; else empty */
	char stored[PATH_BYTES_MAX];     /* temporary: where it is */
};

enum sftp_flight_kind { FLIGHT_NONE = 0, FLIGHT_READ, FLIGHT_WRITE, FLIGHT_LOCAL, FLIGHT_CALL, FLIGHT_STORE, FLIGHT_FETCH, FLIGHT_CLOSED };

/* A request of ours to the child that is not answered, or an answer of our own that waits for its turn. */
struct sftp_flight {
	enum sftp_flight_kind kind;
	uint32_t id;                     /* the client's; LOCAL, READ, WRITE */
	uint32_t ours;                   /* the child's */
	uint32_t count;                  /* READ: bytes asked for; LOCAL: the status code */
	uint64_t offset;
	unsigned slot;                   /* or GUARD_NO_SLOT */
};

enum sftp_stage {
	STAGE_NONE = 0, STAGE_QUEUED, STAGE_LOOK, STAGE_LOOK_OTHER, STAGE_TREE, STAGE_JUDGE, STAGE_SETTLE, STAGE_INSPECT, STAGE_LOCK, STAGE_OPEN,
	STAGE_OPENING, STAGE_PIN, STAGE_STANDS, STAGE_SET, STAGE_RELEASE, STAGE_FINISH, STAGE_FINISHING, STAGE_CLOSED, STAGE_SCRUB, STAGE_RECORD,
	STAGE_STEADY, STAGE_STEADY_OTHER, STAGE_FORWARD, STAGE_AWAIT, STAGE_READ, STAGE_DROP, STAGE_ANSWER,
};

/* The one request that is being dealt with. */
struct sftp_call {
	enum sftp_stage stage;
	struct sftp_packet request;      /* its spans point to path and other */
	bool answered;
	bool quiet;                      /* nothing can come of it: no record */
	bool resizing, linking;
	bool silent;                     /* of our own: nobody waits for an answer */
	bool denied;
	bool again;                      /* it was begun anew, because what stood there changed meanwhile */
	bool content;                    /* what is to be judged is the content of something that stands there */
	bool promote;                    /* a WRITE that goes on when the file is open at the child */
	bool placed, read_judged, cut;   /* OPEN: what is done of it */
	bool pinned;                     /* LOCK is about what the child has just opened */
	bool locked;                     /* what is renamed or linked */
	bool steady;                     /* names are kept as they are, for the child's sake */
	bool undone;                     /* STANDS said no: what was put there is being removed */
	bool unpinned;                   /* the child opened something else, and is closing it */
	bool doomed;                     /* asked of the child only for its own words of refusal */
	bool failed;                     /* something of the store road was refused by the child */
	bool closing;                    /* what was opened in vain is known to be closed */
	bool renaming;                   /* the last step of the store road */
	uint32_t piece;                  /* RELEASE: payload bytes of the current WRITE to come */
	enum outcome outcome;
	enum reason reason;
	bool copies;                     /* COPY_DATA, whose target is being opened at the child; copy_from is the other */
	unsigned copy_from;
	unsigned slot, second_slot;      /* or GUARD_NO_SLOT */
	unsigned number;                 /* of the ref; 0: none yet */
	uint32_t code;                   /* of the answer */
	uint64_t at, end;                /* RELEASE: of the content */
	unsigned missing;                /* replies of the store road */
	bool tree_seen, tree_whole;      /* TREE */
	enum reason tree_reason;
	struct place place, second;      /* of path and of other; their spans point to the buffers below */
	struct facts facts;              /* of what is judged */
	struct span facts_asked;
	struct verdict verdict;
	unsigned need;
	char sentence[SFTP_SENTENCE_MAX];
	char path[PATH_BYTES_MAX], other[PATH_BYTES_MAX];
	char real[PATH_BYTES_MAX], asked[PATH_BYTES_MAX], second_real[PATH_BYTES_MAX], second_asked[PATH_BYTES_MAX];
	char words[PATH_BYTES_MAX];      /* SYMLINK: what the link is to say */
	char ids[2 * 4 * SFTP_IDS_MAX];
};

struct sftp {
	bool greeted;                    /* the child was asked for its version */
	bool ready;                      /* and the client has ours */
	bool ending;                     /* the client has said all: what is still open is closed */
	unsigned extensions;             /* of the child, that we pass on */
	uint32_t next_id;
	uint32_t tags;
	uint64_t transfers_failed;
	unsigned files;                  /* slots that were ever in use: those from here on were not */
	unsigned swept;                  /* files that the end has dealt with */
	enum { MOVE_NONE, MOVE_HOLD, MOVE_PASS, MOVE_COPY, MOVE_DATA, MOVE_FETCH, MOVE_RELEASE, MOVE_READ } moving; /* what guard_moved tells of */
	struct {
		unsigned slot;
		uint32_t id, count;
		uint32_t left;           /* payload bytes of the current WRITE to come */
		uint64_t offset;         /* where the next of them stands in the file */
		uint32_t code;           /* DROP: of the answer */
		enum { WRITE_NONE, WRITE_DROP, WRITE_HOLD, WRITE_PASS, WRITE_COPY } road;
		bool sent;               /* PASS, COPY: the header is on its way */
	} write;
	struct {
		unsigned slot;
		uint32_t left;           /* payload bytes of the current DATA to come */
		uint32_t id, count;
		uint64_t offset;
		bool fetch;              /* it is for the slot, not for the client */
		bool waiting, asked, still; /* STILL is with the relay; was dealt with; and it is */
		bool said;               /* the header went out: the rest of it has to */
	} data;
	uint32_t names;                  /* entries of the current NAME to come */
	size_t first, flying;            /* of flight */
	size_t quiet;                    /* of those: CLOSEs that nobody waits for */
	struct sftp_call call;
	struct sftp_flight flight[SFTP_FLIGHT];
	struct sftp_reader reader[SIDES];
	struct sftp_file file[GUARD_SLOTS];
};

#endif
