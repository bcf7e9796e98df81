/* The player's own state, shared by its files: what both protocols need, and what SFTP does in addition. */
#ifndef XFERWARDEN_GOLDEN_PLAYER_H
#define XFERWARDEN_GOLDEN_PLAYER_H

#include "guard/sftp.h"
#include "packet.h"
#include "play.h"

enum { PLAY_STEPS_MAX = 2000000, PLAY_SHOWN = 40, PLAY_WAITING = 4096, PLAY_DUE = 1024 };

struct play_lane {
	uint8_t *bytes;      /* exactly n, so that a read beyond is seen */
	size_t n;
	struct span left;
	bool ended;
};

/* An open file as the relay keeps it: [0, settled) is held, what is beyond comes from the base as far as that goes. */
struct play_slot {
	uint8_t *bytes;      /* the file as it will be: length of them */
	size_t length, settled, base, capacity;
	bool pinned;
	unsigned handle;     /* of the child, by its number */
};

/* What a side was told, read as that side reads it. */
struct play_ear {
	struct sftp_reader reader;
	uint64_t owed;       /* payload that has to come before the next packet */
	uint64_t at;         /* where it stands in the file, for WRITE */
};

struct play {
	const struct scene *scene;
	const struct lines *body;
	struct lines *out;
	size_t at, answer;               /* the line that is played; where its answers are looked for */
	struct guard *guard;
	struct play_lane lane[SIDES];
	uint8_t *spool;
	size_t spooled, capacity;
	struct {                         /* the movement that is under way */
		const char *verb;
		enum side to;
		unsigned slot;
		uint64_t at, count;
		uint8_t shown[PLAY_SHOWN];
	} move;
	char *path[GUARD_DEPTH_MAX + 2]; /* of the folder at each depth */
	char real[4200], asked[4200];
	enum play_cut cut;
	unsigned seed;
	bool done;
	/* SFTP */
	struct sftp *sftp;
	struct play_slot slot[GUARD_SLOTS];
	struct play_ear ear[SIDES];
	struct packet_names names;
	struct sftp_packet due[PLAY_DUE]; /* what the child was told and has not answered, where it answers by itself */
	unsigned due_handle[PLAY_DUE];
	size_t due_n;
	unsigned child_handles;          /* c1, c2, … */
	bool shut;
	struct sftp_reader heard;        /* what the client says, read once more: each request has to get its one answer, in turn */
	uint64_t heard_owed;
	uint32_t waiting[PLAY_WAITING];
	size_t waiting_n;
};

void play_line(struct play *, char *line);
const char *play_side(enum side);
void play_settle(struct play *);
void play_move(struct play *, const char *verb, enum side to, struct span bytes, uint64_t n);
const char *play_ask(struct play *, char *question, const char *otherwise);
uint64_t play_piece(struct play *, uint64_t n);
void play_ends(struct play *, enum side);
void play_say_bytes(struct play *, enum side, struct span bytes);

/* play_sftp.c */
void sftp_play_begin(struct play *);    /* with the greeting, unless the script has it */
void sftp_play_heard(struct play *, struct span bytes);
bool sftp_play_step(struct play *, enum side lane, const struct step *); /* false: the lane rests */
void sftp_play_child(struct play *);    /* lets it answer all that it was asked, where it answers by itself */
void sftp_play_says(struct play *, enum side, const char *words);
void sftp_play_end(struct play *);

#endif
