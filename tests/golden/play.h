/* What the player's files share: a script, one dialogue of it, and the text that a playing of it gives. */
#ifndef XFERWARDEN_GOLDEN_PLAY_H
#define XFERWARDEN_GOLDEN_PLAY_H

#include "guard/guard.h"

enum { PLAY_RULES = 16, PLAY_ITEMS = 8, PLAY_LINES = 2048 };

/* Lines of one text; what one is about is told by its first words, a step of the guard by the tab before them. */
struct lines {
	char *at[PLAY_LINES];
	size_t n;
};

struct dialogue {
	const char *title;
	struct lines head, body;
};

/* What the lines with a star set up. Strings live as long as the script. */
struct scene {
	struct guard_setup setup;
	struct policy policy;
	struct rule rules[DIRECTIONS][PLAY_RULES];
	const char *items[DIRECTIONS][PLAY_RULES][PLAY_ITEMS];
	const char *lifted[PLAY_ITEMS];
	const char *operand;   /* an operand refused before the start, or NULL */
	uint64_t room;         /* of the spool */
	bool sftp;             /* the words upload and download say for which way the rules are that follow */
	bool greets;           /* the script has INIT and VERSION itself */
	bool answers;          /* the child does what it is asked and says so; what else it says stands behind `child answers … = ` */
	const char *extensions; /* that the child offers; NULL: all */
	bool timing;           /* what happens depends on what arrives together: played whole only */
};

/* How the bytes arrive and move. */
enum play_cut { PLAY_WHOLE, PLAY_BYTES, PLAY_RANDOM };

_Noreturn void play_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *play_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A quoted text at *p, with C's escapes and, in front, `300 x ` for repetition; *p goes behind it. The caller frees. */
uint8_t *play_unquote(const char **p, size_t *n);
/* The same the other way; long texts become a count. */
char *play_quote(struct span);

void scene_read(struct scene *, const struct lines *head);

/* Plays the dialogue's inputs and answers; what happened is added to out. */
void play(const struct scene *, const struct lines *body, enum play_cut, unsigned seed, struct lines *out);

/* The place, finding or yes that a script's answer describes. path: where the name is when nothing else is said. */
struct place answer_place(const char *answer, const char *path, char *real, char *asked);
/* What a file that stands there holds, by `holds "…"`: in *content, which the caller frees by what is returned; or NULL. */
uint8_t *answer_content(const char *answer, struct span *content);
struct finding answer_finding(const char *answer, unsigned need);

/* The record as one line. */
char *show_record(const struct record *);

#endif
