/*
 * One made-up SFTP session: the client's view of it, a relay that keeps to its contract, and what has to hold whatever happens. guard_sftp.c makes the session up,
 * sftp_client.c is what the client knows, sftp_relay.c carries out the guard's steps.
 */
#ifndef XFERWARDEN_FUZZ_SFTP_MODEL_H
#define XFERWARDEN_FUZZ_SFTP_MODEL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "guard/guard.h"
#include "guard/sftp.h"
#include "sftp_world.h"

enum { MODEL_STREAM = 8 << 20, MODEL_REQUESTS = 4096, MODEL_LOOKED = 1024, MODEL_RULES = 8, MODEL_READS = 4096, MODEL_POISON = 0xdd };

#define REQUIRE(condition) do { if (!(condition)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); abort(); } } while (0)

struct model_bytes {
	uint8_t *p;
	size_t n, at, capacity;
};

/* What the relay keeps of an open file. */
struct model_slot {
	struct model_bytes content; /* the file as it will be: n of them */
	size_t settled, base;
	int node;                   /* that stood there; WORLD_NONE */
	unsigned born, changes;
	int lock, locked;           /* 0: none, 1: with others, 2: alone; the node */
	bool pinned;
	int handle;                 /* of the child, once pinned */
	int stored;                 /* the node behind it */
	bool given;                 /* the client has a handle for it: it is a file, and gets one record */
	unsigned records;
};

/* A request of the client's that is not answered. */
struct model_request {
	enum sftp_kind kind;
	uint32_t id;
	int handle;                 /* in the model's list; WORLD_NONE */
	uint32_t flags;
	uint64_t offset, size;
	uint32_t count;
	uint8_t letter, mark;       /* of what was written */
};

/* A file as the client believes it to be. */
struct model_handle {
	uint8_t bytes[8];
	bool file, writes, append, closed;
	bool disturbed;             /* it was changed by another way, too */
	char real[WORLD_PATH];
	struct model_bytes want;
};

struct model {
	struct guard guard;
	struct sftp *sftp;
	struct policy policy;
	struct rule rules[MODEL_RULES];
	struct policy content;      /* the same with those rules alone that are about names, types and viruses */
	struct rule content_rules[MODEL_RULES];
	bool bytes;                 /* byte by byte */
	uint32_t seed, asked[64];   /* questions of each kind so far: what is answered hangs on that alone */
	uint64_t room;
	struct model_bytes lane[SIDES];
	bool ended[SIDES];
	struct model_bytes replies; /* of the child, not said yet */
	struct world world;
	struct model_slot slot[GUARD_SLOTS];
	struct { struct sftp_reader reader; uint64_t owed, at; } ear[SIDES];
	struct sftp_packet serving; /* a WRITE of the guard's whose payload is on its way */
	uint8_t serving_handle[8];
	struct model_bytes payload;
	uint32_t served;
	struct sftp_reader heard;
	uint64_t heard_owed;
	struct model_request waiting[MODEL_REQUESTS];
	size_t waiting_at, waiting_n;
	struct model_handle handle[GUARD_SLOTS * 4];
	size_t handles;
	char looked[MODEL_LOOKED][WORLD_PATH];
	size_t looked_n;
	int last_look;              /* slot */
	bool steady;                /* other sessions are kept from giving names */
	int seen[2];                /* nodes that LOOK saw under the first and the second name of a request */
	char last_real[WORLD_PATH];
	struct place place;
	uint8_t numbers[8192];      /* of refs */
	uint64_t hash[SIDES], records;
	enum outcome last_outcome;
	bool timing;                /* as many requests were under way as can be */
	bool shut, killed, done, left, odd, mangled, wild; /* odd: what the child opened could not be told, and what it made may be left empty; mangled: bytes that nobody understands; wild: somebody else was there */
	unsigned long long moved;
};

void bytes_put(struct model_bytes *, struct span);
void bytes_resize(struct model_bytes *, uint64_t n);
void bytes_write(struct model_bytes *, uint64_t at, struct span);

/* Bits that follow from the seed, the kind of question, and how many of that kind there were. */
uint32_t model_random(struct model *, unsigned kind);
uint64_t model_piece(const struct model *, uint64_t n);
void model_hash(uint64_t *, const void *, size_t);

/* False: this lane has nothing more to do now. */
bool relay_step(struct model *, enum side lane, const struct step *);

/* What a WRITE brings. */
void client_payload(uint8_t *to, uint32_t n, uint8_t letter, uint8_t mark);
/* The client was told this. */
void model_answered(struct model *, const struct sftp_packet *);

/* What is under a name is what the rules allow; at the end by all of them. */
void model_check_world(struct model *, bool end);
/* By content alone. */
bool model_denied(const struct model *, const struct policy *, enum direction, const struct world_node *, const char *real);

#endif
