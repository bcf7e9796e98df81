/*
 * One JSON object (RFC 8259), written member by member into the caller's buffer. It never overruns, it is valid JSON whatever it is given, and a member
 * that does not fit is left out whole and remembered. Text may be any bytes: what could change the look of a line is escaped.
 */
#ifndef XFERWARDEN_BASE_JSON_H
#define XFERWARDEN_BASE_JSON_H

#include "base/span.h"

enum { JSON_CAP_MIN = 8 };

struct json {
	char *dst;
	size_t room;   /* bytes of dst that members may use; the closing brackets and the NUL have their own */
	size_t at;
	size_t spare;  /* set aside by json_reserve */
	bool comma;    /* something stands before the next member or item */
	bool in_list;
	bool dropped;  /* a member or item was left out */
};

/* What became of a text; bits. */
enum {
	JSON_REPLACED = 1, /* bytes that are not UTF-8 became U+FFFD */
	JSON_CUT = 2,      /* cut at a character's border, and marked with "..." */
	JSON_DROPPED = 4,  /* left out */
};

/* cap counts the NUL and is at least JSON_CAP_MIN. */
void json_begin(struct json *, char *dst, size_t cap);

/* Sets n bytes aside for a member that has to fit at the end: json_release gives them back. */
void json_reserve(struct json *, size_t n);
void json_release(struct json *);

/* Names are ours: ASCII without quotes, backslashes and controls. limit: bytes between the quotes, after escaping. Returns JSON_* bits. */
unsigned json_text(struct json *, const char *name, struct span text, size_t limit);
/* A C string of ours or of the configuration; NULL writes nothing. */
unsigned json_string(struct json *, const char *name, const char *text, size_t limit);
/* The bytes as lower-case hexadecimal digits; cut without a mark at whole bytes. */
unsigned json_hex(struct json *, const char *name, struct span bytes, size_t limit);
void json_number(struct json *, const char *name, uint64_t value);
void json_bool(struct json *, const char *name, bool value);

/* A list of texts; lists do not nest. False if there was no room to begin it: then write no items. */
bool json_list_begin(struct json *, const char *name);
unsigned json_item(struct json *, struct span text, size_t limit);
void json_list_end(struct json *);

/* Closes the object; returns its length. */
size_t json_end(struct json *);

#endif
