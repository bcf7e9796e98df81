/*
 * libconfuse at work, and what it read. Values and their texts lie in the arena. A rule and a policy are handed out when they are
 * complete, in the order of the file, and removed from the tree, which so stays small however many there are.
 */
#ifndef XFERWARDEN_CONF_TREE_H
#define XFERWARDEN_CONF_TREE_H

#include "conf/schema.h"
#include "conf/syntax.h"

/* One block of memory that is given out from the front, zeroed. */
struct arena {
	char *base;
	size_t size, used;
};

/* Aligned for any struct here. The size was computed beforehand: running out is a bug of ours and aborts. */
void *arena_take(struct arena *, size_t n);
const char *arena_text(struct arena *, const char *text);

struct tree {
	cfg_t *root;
	struct arena *arena;
	struct conf_complaints *complaints;
	void (*rule)(void *ctx, const cfg_t *direction, const cfg_t *section, enum schema_direction kind);
	void (*policy)(void *ctx, const cfg_t *section);
	void *ctx;
	size_t values, sections; /* seen so far */
};

/*
 * Parses what syntax_read wrote; the tree has its arena, complaints and functions. 0; -EINVAL when libconfuse reads the text otherwise
 * than the syntax check did, which is a complaint; -ENOMEM.
 */
int tree_parse(struct tree *, const struct syntax *text);
void tree_finish(struct tree *);

/* libconfuse's callbacks: for each value, and at the end of each rule and policy. */
int tree_note_value(cfg_t *section, cfg_opt_t *option, const char *text, void *result);
int tree_end_rule(cfg_t *direction, cfg_opt_t *option);
int tree_end_policy(cfg_t *file, cfg_opt_t *option);

/* By index in the section's table (schema.h). A value without text counts. */
size_t tree_count(const cfg_t *section, int option);
const struct conf_value *tree_item(const cfg_t *section, int option, size_t i);
cfg_t *tree_section(const cfg_t *section, int option, size_t i);

/* The option's only value; NULL if there is none, or none that can be used. */
const struct conf_value *tree_value(const cfg_t *section, int option);

/* What syntax_read put in front of the title, and the title, which is NULL if it can't be used. */
struct tree_title {
	unsigned line;
	const char *name;
};
struct tree_title tree_title(const cfg_t *section);

#endif
