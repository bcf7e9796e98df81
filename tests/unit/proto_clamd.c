/* proto/clamd: replies as clamd 1.4.6 sent them, and what a clamd never sends; each whole, byte by byte and in every two pieces. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/clamd.h"

struct reply_case {
	enum clamd_command command;
	const char *in;
	size_t n;
	enum clamd_reply reply;
	const char *text; /* NULL: none */
};

#define CASE(command, in, reply, text) { command, in, sizeof(in) - 1, reply, text }

static const struct reply_case cases[] = {
	/* Recorded. */
	CASE(CLAMD_PING, "PONG\0", CLAMD_PONG, NULL),
	CASE(CLAMD_VERSION, "ClamAV 1.4.6\0", CLAMD_TEXT, "ClamAV 1.4.6"),
	CASE(CLAMD_VERSION, "ClamAV 1.4.6/27400/Mon Nov 16 09:05:51 2026\0", CLAMD_TEXT, "ClamAV 1.4.6/27400/Mon Nov 16 09:05:51 2026"),
	CASE(CLAMD_INSTREAM, "stream: OK\0", CLAMD_OK, NULL),
	CASE(CLAMD_INSTREAM, "stream: Test.Marker.UNOFFICIAL FOUND\0", CLAMD_FOUND, "Test.Marker.UNOFFICIAL"),
	CASE(CLAMD_INSTREAM, "stream: Heuristics.Encrypted.Zip FOUND\0", CLAMD_FOUND, "Heuristics.Encrypted.Zip"),
	CASE(CLAMD_INSTREAM, "stream: Win.Test.EICAR_HDB-1(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0", CLAMD_FOUND, "Win.Test.EICAR_HDB-1"),
	CASE(CLAMD_INSTREAM, "INSTREAM size limit exceeded. ERROR\0", CLAMD_LIMIT, NULL),
	CASE(CLAMD_INSTREAM, "stream: Can't create temporary file. ERROR\0", CLAMD_ERROR, "stream: Can't create temporary file."),
	CASE(CLAMD_INSTREAM, "Error writing to temporary file. ERROR\0", CLAMD_ERROR, "Error writing to temporary file."),
	CASE(CLAMD_FILDES, "fd[10]: OK\0", CLAMD_OK, NULL),
	CASE(CLAMD_FILDES, "fd[1234567890]: Test.Marker.UNOFFICIAL FOUND\0", CLAMD_FOUND, "Test.Marker.UNOFFICIAL"),
	CASE(CLAMD_FILDES, "No file descriptor received. ERROR\0", CLAMD_ERROR, "No file descriptor received."),
	CASE(CLAMD_FILDES, "fd[10]: File path check failure: No such file or directory. ERROR\0", CLAMD_ERROR, "fd[10]: File path check failure: No such file or directory."),
	CASE(CLAMD_INSTREAM, "UNKNOWN COMMAND\0", CLAMD_BAD, NULL),
	/* Not whole. */
	CASE(CLAMD_PING, "", CLAMD_MORE, NULL),
	CASE(CLAMD_PING, "PONG", CLAMD_MORE, NULL),
	CASE(CLAMD_INSTREAM, "stream: OK", CLAMD_MORE, NULL),
	CASE(CLAMD_INSTREAM, "stream: OK\n", CLAMD_MORE, NULL),
	/* Not replies. */
	CASE(CLAMD_PING, "\0", CLAMD_BAD, NULL),
	CASE(CLAMD_PING, "PONG \0", CLAMD_BAD, NULL),
	CASE(CLAMD_PING, "PONG\n\0", CLAMD_BAD, NULL),
	CASE(CLAMD_PING, "pong\0", CLAMD_BAD, NULL),
	CASE(CLAMD_PING, "stream: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_PING, "PONG\0PONG\0", CLAMD_BAD, NULL),
	CASE(CLAMD_VERSION, "SuperScanner 9\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: \0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: ok\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: OK\0x", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: OK\0\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: OK OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: OK\r\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, " stream: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream:  OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream:  FOUND\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: two words FOUND\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: (a:1) FOUND\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: Bad\001Name FOUND\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "stream: Bad\377Name FOUND\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "fd[10]: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_INSTREAM, "1: stream: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "stream: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "fd[]: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "fd[12345678901]: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "fd[1x]: OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "fd[1]:OK\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "fd[1]\0", CLAMD_BAD, NULL),
	CASE(CLAMD_FILDES, "fd[\0", CLAMD_BAD, NULL),
};

/* Feeds from a heap copy of exactly the piece's size, so that reading on is seen. */
static enum clamd_reply feed(struct clamd_reader *reader, const char *in, size_t n)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	cr_assert(exact);
	memcpy(exact, in, n);
	enum clamd_reply reply = clamd_next(reader, span_of(exact, n));
	free(exact);
	return reply;
}

static void expect(const struct clamd_reader *reader, const struct reply_case *c, const char *how)
{
	cr_assert_eq(reader->reply, c->reply, "%s, %s: %d", c->in, how, reader->reply);
	cr_assert(c->text == NULL ? reader->text.n == 0 : span_is(reader->text, c->text), "%s, %s: %.*s", c->in, how, (int)reader->text.n,
	          (const char *)reader->text.p);
}

Test(proto_clamd, replies)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct reply_case *c = &cases[i];
		struct clamd_reader reader;
		clamd_reader_init(&reader, c->command);
		(void)feed(&reader, c->in, c->n);
		expect(&reader, c, "whole");
		clamd_reader_init(&reader, c->command);
		for (size_t at = 0; at < c->n; at++)
			(void)feed(&reader, c->in + at, 1);
		expect(&reader, c, "byte by byte");
		for (size_t cut = 0; cut <= c->n; cut++) {
			clamd_reader_init(&reader, c->command);
			(void)feed(&reader, c->in, cut);
			(void)feed(&reader, c->in + cut, c->n - cut);
			expect(&reader, c, "in two pieces");
		}
	}
}

Test(proto_clamd, an_error_stays)
{
	struct clamd_reader reader;
	clamd_reader_init(&reader, CLAMD_PING);
	cr_assert_eq(feed(&reader, "NO\0", 3), CLAMD_BAD);
	cr_assert_eq(feed(&reader, "PONG\0", 5), CLAMD_BAD);
	clamd_reader_init(&reader, CLAMD_PING);
	cr_assert_eq(feed(&reader, "PONG\0", 5), CLAMD_PONG);
	cr_assert_eq(feed(&reader, "", 0), CLAMD_PONG, "nothing changes nothing");
	cr_assert_eq(feed(&reader, "x", 1), CLAMD_BAD, "a second reply");
	cr_assert_eq(reader.text.n, 0);
}

Test(proto_clamd, length_is_bounded)
{
	static char line[CLAMD_LINE_MAX + 2];
	struct clamd_reader reader;
	memset(line, 'a', sizeof(line));
	memcpy(line, "stream: ", 8);
	memcpy(line + CLAMD_LINE_MAX - 6, " FOUND", 7);
	clamd_reader_init(&reader, CLAMD_INSTREAM);
	cr_assert_eq(feed(&reader, line, CLAMD_LINE_MAX + 1), CLAMD_FOUND, "the longest line and its NUL");
	memset(line, 'a', sizeof(line));
	clamd_reader_init(&reader, CLAMD_INSTREAM);
	cr_assert_eq(feed(&reader, line, CLAMD_LINE_MAX), CLAMD_MORE);
	cr_assert_eq(feed(&reader, line, 1), CLAMD_BAD, "one byte more");
	clamd_reader_init(&reader, CLAMD_INSTREAM);
	cr_assert_eq(feed(&reader, line, CLAMD_LINE_MAX + 2), CLAMD_BAD);
}

Test(proto_clamd, requests)
{
	static const struct {
		enum clamd_command command;
		const char *bytes;
		size_t n;
	} requests[] = {
		{ CLAMD_PING, "zPING", 6 }, { CLAMD_VERSION, "zVERSION", 9 }, { CLAMD_INSTREAM, "zINSTREAM", 10 }, { CLAMD_FILDES, "zFILDES", 8 },
	};
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		cr_assert(span_equal(clamd_request(requests[i].command), span_of(requests[i].bytes, requests[i].n)), "%s", requests[i].bytes);
	uint8_t header[CLAMD_HEADER];
	clamd_chunk(header, 0x01020304);
	cr_assert(memcmp(header, "\1\2\3\4", 4) == 0);
	clamd_chunk(header, 0);
	cr_assert(memcmp(header, "\0\0\0\0", 4) == 0);
}
