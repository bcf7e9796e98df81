/* libconfuse at work, and what it read. Values and their texts lie in the arena; the tree itself is freed by tree_finish. */
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
	size_t values; /* noted so far */
};

/*
 * Parses what syntax_read wrote. 0; -EINVAL when libconfuse reads the text otherwise than the syntax check did, which is a complaint; -ENOMEM.
 */
int tree_parse(struct tree *out, const struct syntax *text, struct arena *arena, struct conf_complaints *complaints);
void tree_finish(struct tree *);

/* libconfuse's value callback. */
int tree_note_value(cfg_t *section, cfg_opt_t *option, const char *text, void *result);

/* By index in the section's table (schema.h). A value without text counts. */
size_t tree_count(const cfg_t *section, int option);
const struct conf_value *tree_item(const cfg_t *section, int option, size_t i);
cfg_t *tree_section(const cfg_t *section, int option, size_t i);

/* The option's only value; NULL if there is none, or none that can be used. */
const struct conf_value *tree_value(const cfg_t *section, int option);

/* What syntax_read put in front of the title, and the title, which is NULL if it can't be used. */
struct tree_title {
	unsigned long sequence;
	unsigned line;
	const char *name;
};
struct tree_title tree_title(const cfg_t *section);

#endif
