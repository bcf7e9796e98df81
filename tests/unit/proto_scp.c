/* proto/scp: every line of the grammar, each whole, byte by byte and in every two pieces; and what is written for it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/scp.h"

struct line_case {
	const char *in;
	size_t n;
	enum scp_kind kind;
	const char *text;    /* what is written anew; for BAD: why */
};

#define CASE(in, kind, text) { in, sizeof(in) - 1, kind, text }

static const struct line_case records[] = {
	CASE("C0644 5 a\n", SCP_FILE, "C0644 5 a\n"),
	CASE("C4755 0 a\n", SCP_FILE, "C0755 0 a\n"),
	CASE("C7777 9223372036854775807 a\n", SCP_FILE, "C0777 9223372036854775807 a\n"),
	CASE("C0000 000000000000000000000000000007 a\n", SCP_FILE, "C0000 7 a\n"),
	CASE("C0644 5  a \n", SCP_FILE, "C0644 5  a \n"),
	CASE("C0644 5 a\r\n", SCP_FILE, "C0644 5 a\r\n"),
	CASE("C0644 5 \xff\xfe\n", SCP_FILE, "C0644 5 \xff\xfe\n"),
	CASE("C0644 5 -rf\n", SCP_FILE, "C0644 5 -rf\n"),
	CASE("C0644 5 ...\n", SCP_FILE, "C0644 5 ...\n"),
	CASE("D0755 0 d\n", SCP_DIR, "D0755 0 d\n"),
	CASE("D0755 123 d\n", SCP_DIR, "D0755 0 d\n"),
	CASE("T1 2 3 4\n", SCP_TIMES, "T1 2 3 4\n"),
	CASE("T0001 000002 9223372036854775807 999999\n", SCP_TIMES, "T1 2 9223372036854775807 999999\n"),
	CASE("E\n", SCP_LEAVE, "E\n"),
	CASE("E with anything\n", SCP_LEAVE, "E\n"),
	CASE("\1scp: no\n", SCP_WARNING, "\1scp: no\n"),
	CASE("\2scp: no\n", SCP_FATAL, "\2scp: no\n"),
	CASE("\1\n", SCP_WARNING, "\1\n"),
	CASE("\1a\33[2Jb\x7f\n", SCP_WARNING, "\1a?[2Jb?\n"),
	CASE("C0644 5 \n", SCP_BAD_NAME, ""),
	CASE("C0644 5 .\n", SCP_BAD_NAME, "."),
	CASE("C0644 5 ..\n", SCP_BAD_NAME, ".."),
	CASE("C0644 5 a/b\n", SCP_BAD_NAME, "a/b"),
	CASE("C0644 5 /\n", SCP_BAD_NAME, "/"),
	CASE("D0644 5 ..\n", SCP_BAD_NAME, ".."),
	CASE("C644 5 a\n", SCP_BAD, "bad mode"),
	CASE("C06440 5 a\n", SCP_BAD, "mode not delimited"),
	CASE("C0648 5 a\n", SCP_BAD, "bad mode"),
	CASE("C\n", SCP_BAD, "bad mode"),
	CASE("C0644\n", SCP_BAD, "mode not delimited"),
	CASE("C0644 \n", SCP_BAD, "size out of range"),
	CASE("C0644 5\n", SCP_BAD, "size not delimited"),
	CASE("C0644 5\ta\n", SCP_BAD, "size not delimited"),
	CASE("C0644  5 a\n", SCP_BAD, "size out of range"),
	CASE("C0644 -1 a\n", SCP_BAD, "size out of range"),
	CASE("C0644 +1 a\n", SCP_BAD, "size out of range"),
	CASE("C0644 0x1 a\n", SCP_BAD, "size not delimited"),
	CASE("C0644 9223372036854775808 a\n", SCP_BAD, "size out of range"),
	CASE("C0644 18446744073709551617 a\n", SCP_BAD, "size out of range"),
	CASE("D0644 18446744073709551617 a\n", SCP_BAD, "size out of range"),
	CASE("C0644 5 a\0b\n", SCP_BAD, "NUL in a control record"),
	CASE("\1a\0b\n", SCP_BAD, "NUL in a control record"),
	CASE("T 1 2 3 4\n", SCP_BAD, "mtime.sec not delimited"),
	CASE("T1 1000000 3 4\n", SCP_BAD, "mtime.usec not delimited"),
	CASE("T1 2 9223372036854775808 4\n", SCP_BAD, "atime.sec not delimited"),
	CASE("T1 2 3 4 \n", SCP_BAD, "atime.usec not delimited"),
	CASE("T1 2 3\n", SCP_BAD, "atime.sec not delimited"),
	CASE("T-1 2 3 4\n", SCP_BAD, "mtime.sec not delimited"),
	CASE("\n", SCP_BAD, "unexpected <newline>"),
	CASE("\0", SCP_BAD, "expected control record"),
	CASE("\3", SCP_BAD, "expected control record"),
	CASE("x", SCP_BAD, "expected control record"),
	CASE("c0644 5 a\n", SCP_BAD, "expected control record"),
	CASE("", SCP_MORE, ""),
	CASE("C0644 5 a", SCP_MORE, ""),
	CASE("\1text", SCP_MORE, ""),
};

static const struct line_case replies[] = {
	CASE("\0", SCP_OK, "\0"),
	CASE("\1scp: no\n", SCP_WARNING, "\1scp: no\n"),
	CASE("\2scp: no\n", SCP_FATAL, "\2scp: no\n"),
	CASE("\2\n", SCP_FATAL, "\2\n"),
	CASE("\1a\0b\n", SCP_WARNING, "\1a?b\n"),
	CASE("", SCP_MORE, ""),
	CASE("\1scp: no", SCP_MORE, ""),
	CASE("C0644 5 a\n", SCP_BAD, "unexpected reply"),
	CASE("\n", SCP_BAD, "unexpected reply"),
	CASE("\3", SCP_BAD, "unexpected reply"),
};

/* From a heap copy of exactly the piece's size, so that reading on is seen. */
static enum scp_kind feed(bool reply, struct scp_reader *reader, const char *in, size_t n, struct scp_record *out)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	cr_assert(exact);
	memcpy(exact, in, n);
	struct span span = span_of(exact, n);
	enum scp_kind kind = reply ? scp_next_reply(reader, &span, out) : scp_next_record(reader, &span, out);
	cr_expect(kind == SCP_BAD || span.n == 0, "something was left");
	free(exact);
	return kind;
}

static void check_event(const struct line_case *c, enum scp_kind kind, const struct scp_reader *reader,
	const struct scp_record *record, const char *how)
{
	uint8_t line[SCP_PUT_MAX];
	cr_expect_eq(kind, c->kind, "%s: %s: kind %d", c->in, how, kind);
	if (kind != c->kind)
		return;
	if (kind == SCP_BAD) {
		cr_expect_str_eq(reader->why, c->text, "%s: %s", c->in, how);
	} else if (kind == SCP_BAD_NAME) {
		cr_expect(span_is(record->name, c->text), "%s: %s", c->in, how);
	} else if (kind != SCP_MORE) {
		size_t n = scp_put(line, kind, record), want = kind == SCP_OK ? 1 : strlen(c->text);
		cr_expect(n == want && memcmp(line, c->text, n) == 0, "%s: %s: written as %.*s", c->in, how, (int)n, (const char *)line);
	}
}

static void check_case(bool reply, const struct line_case *c)
{
	struct scp_reader reader;
	struct scp_record record = { 0 };
	scp_init(&reader);
	check_event(c, feed(reply, &reader, c->in, c->n, &record), &reader, &record, "whole");
	enum scp_kind kind = SCP_MORE;
	scp_init(&reader);
	for (size_t i = 0; i < c->n && kind == SCP_MORE; i++)
		kind = feed(reply, &reader, c->in + i, 1, &record);
	check_event(c, kind, &reader, &record, "byte by byte");
	for (size_t cut = 1; cut < c->n; cut++) {
		scp_init(&reader);
		kind = feed(reply, &reader, c->in, cut, &record);
		if (kind == SCP_MORE)
			kind = feed(reply, &reader, c->in + cut, c->n - cut, &record);
		check_event(c, kind, &reader, &record, "in two");
	}
}

Test(scp, records)
{
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		check_case(false, &records[i]);
}

Test(scp, replies)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		check_case(true, &replies[i]);
}

Test(scp, bad_stays_bad)
{
	struct scp_reader reader;
	struct scp_record record;
	scp_init(&reader);
	cr_expect_eq(feed(false, &reader, "x", 1, &record), SCP_BAD);
	cr_expect_eq(feed(false, &reader, "C0644 5 a\n", 10, &record), SCP_BAD);
	cr_expect_eq(feed(true, &reader, "\0", 1, &record), SCP_BAD);
	cr_expect_eq(scp_last_reply(&reader, &record), SCP_MORE);
}

Test(scp, takes_one_record_at_a_time)
{
	struct scp_reader reader;
	struct scp_record record;
	struct span in = span_str("T1 2 3 4\nC0644 5 a\nhello");
	scp_init(&reader);
	cr_expect_eq(scp_next_record(&reader, &in, &record), SCP_TIMES);
	cr_expect_eq(scp_next_record(&reader, &in, &record), SCP_FILE);
	cr_expect(span_is(in, "hello"), "content is not looked at");
}

static enum scp_kind line_of(size_t n, char letter, bool reply)
{
	static char line[4096];
	struct scp_reader reader;
	struct scp_record record;
	scp_init(&reader);
	memset(line, 'n', n);
	memcpy(line, "C0644 5 ", 8);
	if (letter != 'C')
		line[0] = letter;
	line[n - 1] = '\n';
	return feed(reply, &reader, line, n, &record);
}

Test(scp, lengths)
{
	cr_expect_eq(line_of(SCP_LINE_MAX, 'C', false), SCP_FILE);
	cr_expect_eq(line_of(SCP_LINE_MAX + 1, 'C', false), SCP_BAD);
	cr_expect_eq(line_of(SCP_LINE_MAX + 1, 'E', false), SCP_BAD);
	cr_expect_eq(line_of(SCP_TEXT_MAX, 1, false), SCP_WARNING);
	cr_expect_eq(line_of(SCP_TEXT_MAX + 1, 1, false), SCP_BAD);
	cr_expect_eq(line_of(SCP_TEXT_MAX, 2, true), SCP_FATAL);
	cr_expect_eq(line_of(SCP_TEXT_MAX + 1, 2, true), SCP_BAD);
}

Test(scp, last_reply_without_an_end)
{
	struct scp_reader reader;
	struct scp_record record;
	scp_init(&reader);
	cr_expect_eq(scp_last_reply(&reader, &record), SCP_MORE);
	cr_expect_eq(feed(true, &reader, "\1no", 3, &record), SCP_MORE);
	cr_expect_eq(scp_last_reply(&reader, &record), SCP_WARNING);
	cr_expect(span_is(record.text, "no"));
	cr_expect_eq(scp_last_reply(&reader, &record), SCP_MORE, "only once");
	cr_expect_eq(feed(true, &reader, "\2", 1, &record), SCP_MORE);
	cr_expect_eq(scp_last_reply(&reader, &record), SCP_FATAL);
	cr_expect_eq(record.text.n, 0);
}

Test(scp, messages_are_cut_and_clean)
{
	uint8_t line[SCP_PUT_MAX];
	char text[500];
	for (size_t n = 0; n < sizeof(text); n++) {
		memset(text, 'x', n);
		struct scp_record record = { .text = span_of(text, n) };
		size_t length = scp_put(line, SCP_WARNING, &record);
		cr_expect(length <= SCP_MESSAGE_MAX && length >= (n < 100 ? n + 2 : 100), "%zu: %zu", n, length);
		cr_expect(line[0] == 1 && line[length - 1] == '\n' && memchr(line + 1, '\n', length - 2) == NULL);
	}
	struct scp_record forged = { .text = span_str("a\n\1b\r\nC0644 1 c\n") };
	size_t n = scp_put(line, SCP_FATAL, &forged);
	cr_expect(span_is(span_of(line, n), "\2a??b??C0644 1 c?\n"));
}

Test(scp, what_cannot_be_written)
{
	uint8_t line[SCP_PUT_MAX];
	static char name[SCP_LINE_MAX];
	static const char *const names[] = { "", ".", "..", "a/b", "/", "a\nb" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct scp_record record = { .name = span_str(names[i]) };
		cr_expect_eq(scp_put(line, SCP_FILE, &record), 0, "%s", names[i]);
		cr_expect_eq(scp_put(line, SCP_DIR, &record), 0, "%s", names[i]);
	}
	struct scp_record nul = { .name = span_of("a\0b", 3) };
	cr_expect_eq(scp_put(line, SCP_FILE, &nul), 0);
	memset(name, 'n', sizeof(name));
	struct scp_record longest = { .name = span_of(name, SCP_LINE_MAX - 9) };
	cr_expect_eq(scp_put(line, SCP_FILE, &longest), SCP_LINE_MAX);
	longest.name.n++;
	cr_expect_eq(scp_put(line, SCP_FILE, &longest), 0);
	struct scp_record large = { .name = span_str("a"), .size = (uint64_t)INT64_MAX + 1 };
	cr_expect_eq(scp_put(line, SCP_FILE, &large), 0);
	cr_expect_eq(scp_put(line, SCP_MORE, &large), 0);
	cr_expect_eq(scp_put(line, SCP_BAD, &large), 0);
	cr_expect_eq(scp_put(line, SCP_BAD_NAME, &large), 0);
}
