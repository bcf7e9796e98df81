/*
 * The state of the syntax check, shared by its three parts: reader.c (tokens in, text out), repair.c (what was meant), syntax.c (the
 * grammar).
 */
#ifndef XFERWARDEN_CONF_READER_H
#define XFERWARDEN_CONF_READER_H

#include "conf/lexer.h"
#include "conf/schema.h"
#include "conf/syntax.h"

/* A section that is being read, within those around it. */
struct frame {
	const struct frame *up; /* NULL: the file */
	const cfg_opt_t *table;
	const char *what;       /* "block" */
	struct span title;
	unsigned line;
	unsigned seen[SCHEMA_OPTIONS_MAX]; /* line of the first mention */
	unsigned sections;
	bool unknown;           /* a name in it was */
};

enum reader_braces { BRACES_NOT_COUNTED = 0, BRACES_LACK_NONE, BRACES_LACK };

struct reader {
	struct lexer lex;
	struct token tok;
	struct span text;
	struct conf_complaints *complaints;
	struct syntax *out;
	size_t cap;
	unsigned out_line;
	unsigned mute;     /* > 0: nothing is written */
	unsigned sections;
	enum reader_braces braces; /* counted over the whole file when first asked for */
	bool out_of_memory;
};

/* For "%.*s": a name, as much of it as a message can bear. */
#define READER_SHOWN(s) reader_shown(s), (const char *)(s).p
static inline int reader_shown(struct span s)
{
	return s.n > 60 ? 60 : (int)s.n;
}

/* A mistake in syntax: reported unless its line has one already, for a repair may be the cause of the next. */
void reader_fault(struct reader *, unsigned line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Complains of bytes that no line of text should hold and puts question marks in their places in copy, which has text's bytes. */
void reader_check_bytes(struct reader *, char *copy, struct span text);

/* To the next token; complains of its fault. */
void reader_advance(struct reader *);
enum token_kind reader_peek(const struct reader *);
bool reader_at_value(const struct reader *);

/* Nothing is written while muted. put_at: on this line, so that libconfuse counts as an editor does. */
void reader_write(struct reader *, const char *text, size_t n);
void reader_put(struct reader *, const char *text);
void reader_put_at(struct reader *, unsigned line, const char *text);
void reader_put_value(struct reader *);
void reader_put_unusable(struct reader *, unsigned line);

/* Complaints and ways on, in repair.c. */
void repair_unexpected(struct reader *);
void repair_skip_braces(struct reader *);                          /* from '{' past its '}' */
void repair_unknown(struct reader *, struct frame *);              /* past the whole statement */
void repair_unclosed(struct reader *, const struct frame *);
bool repair_closes(struct reader *, const struct frame *);         /* the word here says that the section's '}' is missing */
bool repair_leaves_list(const struct reader *, const struct frame *);

#endif
