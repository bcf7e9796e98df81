/* clamd's side of the wire: the four commands that are spoken here and the exact shape of their replies. */
#include "proto/clamd.h"

static const char *const clamd_words[] = {
	[CLAMD_PING] = "zPING",
	[CLAMD_VERSION] = "zVERSION",
	[CLAMD_INSTREAM] = "zINSTREAM",
	[CLAMD_FILDES] = "zFILDES",
};

struct span clamd_request(enum clamd_command command)
{
	struct span word = span_str(clamd_words[command]);
	word.n++;
	return word;
}

void clamd_chunk(uint8_t header[CLAMD_HEADER], uint32_t n)
{
	for (unsigned i = 0; i < CLAMD_HEADER; i++)
		header[i] = (uint8_t)(n >> (24 - 8 * i));
}

void clamd_reader_init(struct clamd_reader *reader, enum clamd_command command)
{
	*reader = (struct clamd_reader){ .command = command };
}

/* Cuts the suffix off *s if it is there. */
static bool clamd_cut_end(struct span *s, const char *suffix)
{
	struct span end = span_str(suffix);
	if (s->n < end.n || !span_equal(span_of(s->p + s->n - end.n, end.n), end))
		return false;
	s->n -= end.n;
	return true;
}

static bool clamd_cut_start(struct span *s, const char *prefix)
{
	struct span start = span_str(prefix);
	if (!span_starts(*s, start))
		return false;
	(void)span_take(s, start.n);
	return true;
}

/* "fd[12]: " in front of a reply to FILDES, "stream: " to INSTREAM. */
static bool clamd_cut_subject(struct span *s, enum clamd_command command)
{
	if (command == CLAMD_INSTREAM)
		return clamd_cut_start(s, "stream: ");
	struct span rest = *s;
	if (!clamd_cut_start(&rest, "fd["))
		return false;
	size_t digits = 0;
	while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9')
		digits++;
	(void)span_take(&rest, digits);
	if (digits == 0 || digits > 10 || !clamd_cut_start(&rest, "]: "))
		return false;
	*s = rest;
	return true;
}

static bool clamd_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* With ExtendedDetectionInfo clamd appends "(md5:size)" to a name, which never has a parenthesis of its own. */
static struct span clamd_name(struct span name)
{
	const uint8_t *extra = name.n > 0 ? memchr(name.p, '(', name.n) : NULL;
	if (extra != NULL && name.p[name.n - 1] == ')')
		name.n = (size_t)(extra - name.p);
	return name;
}

static enum clamd_reply clamd_scan_reply(struct clamd_reader *reader, struct span line)
{
	if (reader->command == CLAMD_INSTREAM && span_is(line, "INSTREAM size limit exceeded. ERROR"))
		return CLAMD_LIMIT;
	struct span rest = line;
	if (clamd_cut_subject(&rest, reader->command)) {
		if (span_is(rest, "OK"))
			return CLAMD_OK;
		if (clamd_cut_end(&rest, " FOUND")) {
			reader->text = clamd_name(rest);
			return reader->text.n > 0 && memchr(rest.p, ' ', rest.n) == NULL ? CLAMD_FOUND : CLAMD_BAD;
		}
	}
	if (!clamd_cut_end(&line, " ERROR"))
		return CLAMD_BAD;
	reader->text = line;
	return CLAMD_ERROR;
}

static enum clamd_reply clamd_judge(struct clamd_reader *reader)
{
	struct span line = span_of(reader->line, reader->length);
	if (line.n == 0 || !clamd_printable(line))
		return CLAMD_BAD;
	switch (reader->command) {
	case CLAMD_PING:
		return span_is(line, "PONG") ? CLAMD_PONG : CLAMD_BAD;
	case CLAMD_VERSION:
		reader->text = line;
		return span_starts(line, span_str("ClamAV ")) ? CLAMD_TEXT : CLAMD_BAD;
	case CLAMD_INSTREAM:
	case CLAMD_FILDES:
		return clamd_scan_reply(reader, line);
	}
	return CLAMD_BAD;
}

enum clamd_reply clamd_next(struct clamd_reader *reader, struct span in)
{
	if (in.n == 0 || reader->reply == CLAMD_BAD)
		return reader->reply;
	const uint8_t *end = reader->reply == CLAMD_MORE ? memchr(in.p, '\0', in.n) : NULL;
	size_t here = end != NULL ? (size_t)(end - in.p) : in.n;
	if (reader->reply != CLAMD_MORE || here > sizeof(reader->line) - reader->length || (end != NULL && here + 1 != in.n)) {
		reader->reply = CLAMD_BAD;
	} else {
		memcpy(reader->line + reader->length, in.p, here);
		reader->length += here;
		if (end != NULL)
			reader->reply = clamd_judge(reader);
	}
	if (reader->reply == CLAMD_BAD)
		reader->text = span_of(NULL, 0);
	return reader->reply;
}
