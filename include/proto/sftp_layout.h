/*
 * The wire's side of SFTP packets: which number stands for which kind, which fields follow in which order, and where in struct sftp_packet each lies. What the
 * reader and the writer share; no other module needs it.
 */
#ifndef XFERWARDEN_PROTO_SFTP_LAYOUT_H
#define XFERWARDEN_PROTO_SFTP_LAYOUT_H

#include "proto/sftp.h"

enum {
	SFTP_HEAD = 9,       /* length, type and id; or length, type and version */
	SFTP_ENTRY_MIN = 12, /* two empty strings and empty attributes */
	SFTP_TYPE_EXTENDED = 200,
	SFTP_FIELDS_MAX = 6,
};
#define SFTP_ATTR_EXTENDED (UINT32_C(1) << 31)

enum sftp_shape {
	SFTP_SHAPE_NONE = 0,  /* no more fields */
	SFTP_SHAPE_WORD,      /* uint32_t */
	SFTP_SHAPE_LONG,      /* uint64_t */
	SFTP_SHAPE_OPEN,      /* uint32_t of SFTP_OPEN_* bits */
	SFTP_SHAPE_PATH,      /* span */
	SFTP_SHAPE_LONG_NAME, /* span */
	SFTP_SHAPE_HANDLE,    /* span */
	SFTP_SHAPE_IDS,       /* span */
	SFTP_SHAPE_ATTRS,     /* struct sftp_attrs */
	SFTP_SHAPE_PLAIN,     /* the same; extended ones are not passed over but wrong */
	SFTP_SHAPE_PASSED,    /* pairs of strings up to the end that nobody asks for */
	SFTP_SHAPE_OFFER,     /* pairs of strings up to the end: extensions and their revisions, as bits */
	SFTP_SHAPE_MESSAGE,   /* span; a text and its language, or neither */
	SFTP_SHAPE_REST,      /* span: all that is left */
};

struct sftp_field {
	uint8_t shape; /* enum sftp_shape */
	uint16_t at;   /* offset in struct sftp_packet */
};

struct sftp_layout {
	uint8_t type;          /* 0: ENTRY, which is a part of a packet */
	bool bare;             /* no id */
	const char *extension; /* type SFTP_TYPE_EXTENDED: its name */
	const char *revision;  /* and what VERSION says of it */
	struct sftp_field fields[SFTP_FIELDS_MAX];
};

/* NULL for what is no packet: MORE, BAD, UNKNOWN. */
const struct sftp_layout *sftp_layout(enum sftp_kind);

/* The kind that a type byte stands for, among requests or replies; SFTP_UNKNOWN for none. SFTP_TYPE_EXTENDED is SFTP_FIRST_EXTENSION, whichever it is. */
enum sftp_kind sftp_layout_kind(uint8_t type, bool reply);

/* The extension of this name, SFTP_UNKNOWN for none. */
enum sftp_kind sftp_layout_extension(struct span name);

/* Bytes of attributes with these flags, of SFTP_ATTR_ALL; the flags themselves included. */
size_t sftp_attrs_size(unsigned flags);

/*
 * Reads the fields of a packet or entry of this kind, which have to fill body. Returns the kind; SFTP_BAD and a sentence in *why; or SFTP_UNKNOWN for fields that
 * are well formed and too long.
 */
enum sftp_kind sftp_read_fields(enum sftp_kind, struct span body, struct sftp_packet *out, const char **why);

/* A number as SFTP has them, most significant byte first; p[4]. */
static inline uint32_t sftp_number(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Cuts a number or a string from the front. False: it is not all there, and s is as it was. */
bool sftp_take_word(struct span *s, uint32_t *out);
bool sftp_take_string(struct span *s, struct span *out);

#endif
