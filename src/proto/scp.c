/*
 * The SCP grammar: what a line may look like, and how we write one. Strict where OpenSSH's sink is lenient and later versions or other sinks
 * could read a line differently: no NUL in a line, no line beyond the limit, a name is one component.
 */
#include "proto/scp.h"

#include <stdio.h>

#include "base/text.h"

void scp_init(struct scp_reader *reader)
{
	reader->n = 0;
	reader->why = NULL;
}

static enum scp_kind scp_bad(struct scp_reader *reader, const char *why)
{
	reader->why = why;
	return SCP_BAD;
}

/*
 * Moves bytes from *in up to and with the next LF into the line, at most cap bytes. True: the line is whole, reader->n is its length without
 * LF. The line is not reset: the caller does that when it has read it.
 */
static bool scp_line(struct scp_reader *reader, struct span *in, size_t cap)
{
	size_t room = cap - reader->n;
	struct span look = span_of(in->p, in->n < room ? in->n : room);
	const uint8_t *end = look.n > 0 ? memchr(look.p, '\n', look.n) : NULL;
	struct span piece = span_take(in, end ? (size_t)(end - look.p) + 1 : look.n);
	if (piece.n > 0)
		memcpy(reader->line + reader->n, piece.p, piece.n);
	reader->n += piece.n;
	if (end == NULL)
		return false;
	reader->n--;
	return true;
}

static bool scp_blank(struct span *s)
{
	return s->n > 0 && span_take(s, 1).p[0] == ' ';
}

static bool scp_digits(struct span *s, uint64_t max, uint64_t *out)
{
	size_t n = 0;
	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	return text_number(span_take(s, n), max, out);
}

static bool scp_usec(struct span *s, uint32_t *out)
{
	uint64_t value;
	if (!scp_digits(s, 999999, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}

static enum scp_kind scp_read_times(struct scp_reader *reader, struct span s, struct scp_record *out)
{
	if (!scp_digits(&s, INT64_MAX, &out->times.mtime) || !scp_blank(&s))
		return scp_bad(reader, "mtime.sec not delimited");
	if (!scp_usec(&s, &out->times.mtime_usec) || !scp_blank(&s))
		return scp_bad(reader, "mtime.usec not delimited");
	if (!scp_digits(&s, INT64_MAX, &out->times.atime) || !scp_blank(&s))
		return scp_bad(reader, "atime.sec not delimited");
	if (!scp_usec(&s, &out->times.atime_usec) || s.n != 0)
		return scp_bad(reader, "atime.usec not delimited");
	return SCP_TIMES;
}

static bool scp_mode(struct span *s, unsigned *out)
{
	struct span digits = span_take(s, 4);
	unsigned mode = 0;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '7')
			return false;
		mode = mode << 3 | (unsigned)(digits.p[i] - '0');
	}
	*out = mode;
	return digits.n == 4;
}

static bool scp_name_is_plain(struct span name)
{
	return name.n > 0 && !span_is(name, ".") && !span_is(name, "..") && memchr(name.p, '/', name.n) == NULL;
}

static enum scp_kind scp_read_entry(struct scp_reader *reader, struct span s, bool directory, struct scp_record *out)
{
	if (!scp_mode(&s, &out->mode))
		return scp_bad(reader, "bad mode");
	if (!scp_blank(&s))
		return scp_bad(reader, "mode not delimited");
	if (!scp_digits(&s, INT64_MAX, &out->size))
		return scp_bad(reader, "size out of range");
	if (!scp_blank(&s))
		return scp_bad(reader, "size not delimited");
	out->name = s;
	out->directory = directory;
	if (!scp_name_is_plain(s))
		return SCP_BAD_NAME;
	return directory ? SCP_DIR : SCP_FILE;
}

static enum scp_kind scp_read_line(struct scp_reader *reader, struct span line, struct scp_record *out)
{
	*out = (struct scp_record){ 0 };
	if (memchr(line.p, '\0', line.n) != NULL)
		return scp_bad(reader, "NUL in a control record");
	uint8_t letter = span_take(&line, 1).p[0];
	switch (letter) {
	case 'T':
		return scp_read_times(reader, line, out);
	case 'C':
	case 'D':
		return scp_read_entry(reader, line, letter == 'D', out);
	case 'E':
		return SCP_LEAVE;
	default: /* 1 or 2: other letters begin no line */
		out->text = line;
		return letter == 1 ? SCP_WARNING : SCP_FATAL;
	}
}

enum scp_kind scp_next_record(struct scp_reader *reader, struct span *in, struct scp_record *out)
{
	if (reader->why != NULL)
		return SCP_BAD;
	if (reader->n == 0 && in->n == 0)
		return SCP_MORE;
	uint8_t letter = reader->n > 0 ? reader->line[0] : in->p[0];
	if (letter == '\0' || strchr("TCDE\1\2", letter) == NULL) /* said at once: who waits for a reply sends no line end */
		return scp_bad(reader, letter == '\n' ? "unexpected <newline>" : "expected control record");
	bool text = letter <= 2;
	size_t cap = text ? SCP_TEXT_MAX : SCP_LINE_MAX;
	if (!scp_line(reader, in, cap))
		return reader->n == cap ? scp_bad(reader, "control record too long") : SCP_MORE;
	struct span line = span_of(reader->line, reader->n);
	reader->n = 0;
	return scp_read_line(reader, line, out);
}

enum scp_kind scp_next_reply(struct scp_reader *reader, struct span *in, struct scp_record *out)
{
	if (reader->why != NULL)
		return SCP_BAD;
	if (reader->n == 0) {
		if (in->n == 0)
			return SCP_MORE;
		if (in->p[0] == 0) {
			span_take(in, 1);
			*out = (struct scp_record){ 0 };
			return SCP_OK;
		}
		if (in->p[0] > 2)
			return scp_bad(reader, "unexpected reply");
	}
	if (!scp_line(reader, in, SCP_TEXT_MAX))
		return reader->n == SCP_TEXT_MAX ? scp_bad(reader, "message too long") : SCP_MORE;
	struct span line = span_of(reader->line, reader->n);
	reader->n = 0;
	*out = (struct scp_record){ .text = span_of(line.p + 1, line.n - 1) };
	return line.p[0] == 1 ? SCP_WARNING : SCP_FATAL;
}

enum scp_kind scp_last_reply(struct scp_reader *reader, struct scp_record *out)
{
	if (reader->why != NULL || reader->n == 0 || reader->line[0] > 2)
		return SCP_MORE;
	*out = (struct scp_record){ .text = span_of(reader->line + 1, reader->n - 1) };
	reader->n = 0;
	return reader->line[0] == 1 ? SCP_WARNING : SCP_FATAL;
}

static size_t scp_put_entry(uint8_t *dst, char letter, unsigned mode, uint64_t size, struct span name)
{
	int head = snprintf((char *)dst, SCP_PUT_MAX, "%c%04o %llu ", letter, mode & 0777, (unsigned long long)size);
	if (head < 0 || (size_t)head + name.n + 1 > SCP_PUT_MAX || size > INT64_MAX || !scp_name_is_plain(name) ||
	    memchr(name.p, '\n', name.n) || memchr(name.p, '\0', name.n))
		return 0;
	memcpy(dst + head, name.p, name.n);
	dst[(size_t)head + name.n] = '\n';
	return (size_t)head + name.n + 1;
}

static size_t scp_put_text(uint8_t *dst, uint8_t code, struct span text)
{
	dst[0] = code;
	size_t n = 1 + text_clean((char *)dst + 1, SCP_MESSAGE_MAX - 1, text);
	dst[n] = '\n';
	return n + 1;
}

size_t scp_put(uint8_t *dst, enum scp_kind kind, const struct scp_record *record)
{
	switch (kind) {
	case SCP_OK:
		dst[0] = 0;
		return 1;
	case SCP_LEAVE:
		memcpy(dst, "E\n", 2);
		return 2;
	case SCP_TIMES: {
		int n = snprintf((char *)dst, SCP_PUT_MAX, "T%llu %u %llu %u\n", (unsigned long long)record->times.mtime, record->times.mtime_usec,
				 (unsigned long long)record->times.atime, record->times.atime_usec);
		return n > 0 ? (size_t)n : 0;
	}
	case SCP_FILE:
		return scp_put_entry(dst, 'C', record->mode, record->size, record->name);
	case SCP_DIR:
		return scp_put_entry(dst, 'D', record->mode, 0, record->name);
	case SCP_WARNING:
		return scp_put_text(dst, 1, record->text);
	case SCP_FATAL:
		return scp_put_text(dst, 2, record->text);
	case SCP_MORE:
	case SCP_BAD_NAME:
	case SCP_BAD:
		break;
	}
	return 0;
}
