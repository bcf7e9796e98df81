/*
 * clamd's commands and replies, one command a connection. Source: clamd(8), and replies of clamd 1.4.6 as recorded in
 * tests/unit/proto_clamd.c. Commands are written in the NUL-terminated form ("z"), so that replies end with a NUL.
 */
#ifndef XFERWARDEN_PROTO_CLAMD_H
#define XFERWARDEN_PROTO_CLAMD_H

#include "base/span.h"

enum { CLAMD_LINE_MAX = 1024, CLAMD_HEADER = 4 };

enum clamd_command {
	CLAMD_PING,     /* answered with CLAMD_PONG */
	CLAMD_VERSION,  /* CLAMD_TEXT */
	CLAMD_INSTREAM, /* then chunks, the last one empty; CLAMD_OK, _FOUND, _LIMIT, _ERROR */
	CLAMD_FILDES,   /* then one byte with a descriptor; CLAMD_OK, _FOUND, _ERROR */
};

enum clamd_reply {
	CLAMD_MORE = 0, /* the reply is not whole yet */
	CLAMD_BAD,      /* not a reply to this command; found once, it stays */
	CLAMD_OK,       /* no alert: whether clamd looked everywhere is another question */
	CLAMD_FOUND,    /* text: the signature's name */
	CLAMD_LIMIT,    /* the stream is longer than clamd takes */
	CLAMD_ERROR,    /* text: clamd's own words */
	CLAMD_PONG,
	CLAMD_TEXT,     /* text: the version */
};

/* The bytes of a command, its NUL included. */
struct span clamd_request(enum clamd_command);

/* The header of a chunk of n bytes, in front of its data; 0 ends the stream. */
void clamd_chunk(uint8_t header[CLAMD_HEADER], uint32_t n);

struct clamd_reader {
	enum clamd_command command;
	enum clamd_reply reply;
	struct span text; /* within line */
	size_t length;
	uint8_t line[CLAMD_LINE_MAX];
};

void clamd_reader_init(struct clamd_reader *, enum clamd_command);

/*
 * Takes the whole of in. A reply is whole with its NUL; anything behind that, also in a later call, is CLAMD_BAD, as is a reply that is
 * too long or is none that the command can have. reader->text is valid as long as the reader.
 */
enum clamd_reply clamd_next(struct clamd_reader *, struct span in);

#endif
