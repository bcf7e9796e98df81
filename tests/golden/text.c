/* How bytes are written in a script: quoted, with C's escapes; a NUL is \0 whatever follows, any other byte that does not show is \x and two digits. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "play.h"

enum { QUOTE_MOST = 1200 };

_Noreturn void play_die(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	fputs("golden: ", stderr);
	vfprintf(stderr, format, list);
	fputc('\n', stderr);
	va_end(list);
	exit(2);
}

char *play_text(const char *format, ...)
{
	char *text = NULL;
	va_list list;
	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		abort();
	va_end(list);
	return text;
}

static unsigned unquote_hex(const char *p)
{
	unsigned value;
	if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) || sscanf(p, "%2x", &value) != 1)
		play_die("bad \\x in %s", p);
	return value;
}

static uint8_t unquote_escape(const char **p)
{
	char letter = *(*p)++;
	switch (letter) {
	case '0':
		return 0;
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '\\':
	case '"':
		return (uint8_t)letter;
	case 'x':
		*p += 2;
		return (uint8_t)unquote_hex(*p - 2);
	default:
		play_die("unknown escape \\%c", letter);
	}
}

static uint8_t *unquote_once(const char **p, size_t *n)
{
	uint8_t *bytes = malloc(strlen(*p) + 1);
	if (bytes == NULL || *(*p)++ != '"')
		play_die("a quoted text is missing: %s", *p);
	*n = 0;
	while (**p != '"') {
		if (**p == '\0')
			play_die("a quote has no end");
		if (**p == '\\') {
			(*p)++;
			bytes[(*n)++] = unquote_escape(p);
		} else {
			bytes[(*n)++] = (uint8_t)*(*p)++;
		}
	}
	(*p)++;
	return bytes;
}

/* Appends more, the given number of times. */
static uint8_t *unquote_append(uint8_t *bytes, size_t *n, const uint8_t *more, size_t more_n, unsigned long times)
{
	bytes = realloc(bytes, *n + more_n * times + 1);
	if (bytes == NULL)
		abort();
	for (; times > 0; times--) {
		memcpy(bytes + *n, more, more_n);
		*n += more_n;
	}
	return bytes;
}

uint8_t *play_unquote(const char **p, size_t *n)
{
	uint8_t *bytes = NULL;
	*n = 0;
	for (;;) {
		unsigned long times = 1;
		size_t once_n;
		if (isdigit((unsigned char)**p)) {
			char *end;
			times = strtoul(*p, &end, 10);
			if (strncmp(end, " x ", 3) != 0 || times > 10000000)
				play_die("after a number has to come ' x ': %s", *p);
			*p = end + 3;
		}
		uint8_t *once = unquote_once(p, &once_n);
		bytes = unquote_append(bytes, n, once, once_n, times);
		free(once);
		if (strncmp(*p, " + ", 3) != 0)
			return bytes;
		*p += 3;
	}
}

char *play_quote(struct span s)
{
	char *text = malloc(4 * s.n + 3);
	char *at = text;
	if (text == NULL)
		abort();
	if (s.n > QUOTE_MOST) {
		free(text);
		return play_text("%zu bytes", s.n);
	}
	*at++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		uint8_t byte = s.p[i];
		if (byte == '\n' || byte == 0)
			at += sprintf(at, "\\%c", byte ? 'n' : '0');
		else if (byte == '"' || byte == '\\')
			at += sprintf(at, "\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			at += sprintf(at, "\\x%02x", byte);
		else
			*at++ = (char)byte;
	}
	*at++ = '"';
	*at = '\0';
	return text;
}
