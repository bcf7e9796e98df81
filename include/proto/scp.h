/*
 * The SCP protocol's records and replies. Pull: the caller asks for the next one; bytes of a record that is not whole yet are kept in the reader, payload
 * is never looked at. Grammar: OpenSSH scp.c sink() and source(), OpenSSH 9.2 to 10.5; limits here are tighter where noted.
 */
#ifndef XFERWARDEN_PROTO_SCP_H
#define XFERWARDEN_PROTO_SCP_H

#include "base/span.h"

enum {
	SCP_LINE_MAX = 1100,     /* C, D, T and E lines with LF; OpenSSH parses up to 2047 and then misreads the rest */
	SCP_TEXT_MAX = 2047,     /* messages with code byte and LF, as OpenSSH */
	SCP_MESSAGE_MAX = 126,   /* messages that we send, with code byte and LF: libssh reads replies into 128 bytes */
	SCP_PUT_MAX = SCP_LINE_MAX,
};

enum scp_kind {
	SCP_MORE,     /* the bytes so far are no whole record */
	SCP_TIMES,    /* T */
	SCP_FILE,     /* C */
	SCP_DIR,      /* D */
	SCP_LEAVE,    /* E */
	SCP_OK,       /* \0: replies and the status byte only */
	SCP_WARNING,  /* \1 text */
	SCP_FATAL,    /* \2 text */
	SCP_BAD_NAME, /* a C or D whose name leads elsewhere: empty, ".", ".." or with a slash; record.name holds it */
	SCP_BAD,      /* not the protocol; why says it. The reader says so from now on */
};

struct scp_times {
	uint64_t mtime, atime; /* seconds, at most INT64_MAX */
	uint32_t mtime_usec, atime_usec;
};

/* Spans point into the reader and live until its next call. */
struct scp_record {
	unsigned mode;          /* C, D: 0 to 07777 */
	uint64_t size;          /* C: at most INT64_MAX */
	struct scp_times times; /* T */
	struct span name;       /* C, D */
	struct span text;       /* messages, without code byte and LF */
	bool directory;         /* BAD_NAME: it was a D */
};

struct scp_reader {
	size_t n;
	const char *why; /* SCP_BAD: what was wrong, as OpenSSH words it where it has words */
	uint8_t line[SCP_TEXT_MAX + 1];
};

void scp_init(struct scp_reader *);

/* The next record a source may send. Takes what it used from *in. */
enum scp_kind scp_next_record(struct scp_reader *, struct span *in, struct scp_record *out);

/* The next reply a sink may send; also the source's status byte after the payload. OK, WARNING, FATAL, MORE or BAD. */
enum scp_kind scp_next_reply(struct scp_reader *, struct span *in, struct scp_record *out);

/* The stream ended: the text of a message that was begun and never ended by LF, as scp.py sends it. WARNING, FATAL, or MORE for none. */
enum scp_kind scp_last_reply(struct scp_reader *, struct scp_record *out);

/* Writes one record or reply for kind, canonical, into dst[SCP_PUT_MAX]. Returns its length. Modes are cut to 0777, D has size 0; texts
 * are cleaned and cut to SCP_MESSAGE_MAX. 0 if the record cannot be written within the limits. */
size_t scp_put(uint8_t *dst, enum scp_kind, const struct scp_record *);

#endif
