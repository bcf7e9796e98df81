/* Text for people: lines that a client, a terminal or a log can be shown without harm. */
#ifndef XFERWARDEN_BASE_TEXT_H
#define XFERWARDEN_BASE_TEXT_H

#include "base/span.h"

/*
 * Copies src to dst as valid UTF-8 without control characters (C0, DEL, C1, line and paragraph separators, bidirectional
 * controls): each offending byte or character becomes '?'. Cuts at a character's border and marks the cut with "...". dst holds
 * at most cap - 1 bytes and a NUL. Returns its length.
 */
size_t text_clean(char *dst, size_t cap, struct span src);

/* The length of the valid UTF-8 character at the front of s (1 to 4), its code point in *code; 0 if there is none. */
size_t text_utf8(struct span s, uint32_t *code);

/* True for a code point that could change a line's look or layout: a control of any kind. */
bool text_is_control(uint32_t code);

/* Decimal digits without a sign, at least one, nothing else, at most max. */
bool text_number(struct span digits, uint64_t max, uint64_t *out);

#endif
