/*
 * Finds every mistake of syntax and every unknown name in one pass, and writes the text anew for libconfuse: comments left out, each
 * value on its line, what was mistaken left out or repaired, so that the values in the rest can be checked as well. A text that was
 * repaired is never accepted: a repair is a mistake.
 */
#ifndef XFERWARDEN_CONF_SYNTAX_H
#define XFERWARDEN_CONF_SYNTAX_H

#include "conf/conf.h"

enum {
	CONF_SECTIONS_MAX = 4096, /* in one file */
	CONF_ITEMS_MAX = 1024,    /* in one list */
};

/* What stands in place of a value that can't be used; no accepted value holds this byte. */
#define SYNTAX_UNUSABLE "\x01"

/* The text for libconfuse. Titles have a number in front, "LINE title": libconfuse forgets where a section began. */
struct syntax {
	char *text;          /* a C string to be freed by syntax_finish */
	size_t length;
	size_t values, value_bytes, sections, policies, rules; /* in text: what libconfuse has to find there; sections are all of them */
};

/* 0 or -ENOMEM. The mistakes are in complaints. */
int syntax_read(struct syntax *out, struct span text, struct conf_complaints *complaints);
void syntax_finish(struct syntax *);

#endif
