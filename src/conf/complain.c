/*
 * Keeps complaints in the order in which an administrator reads the file, although they are found in two passes. Where there are too
 * many, the first lines win: they are what will be mended first, and what follows may be their echo.
 */
#include "conf/complain.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

void complain_begin(struct conf_complaints *c)
{
	c->count = 0;
	c->dropped = 0;
	c->mistakes = 0;
}

static void complain_insert(struct conf_complaints *c, const struct conf_complaint *one)
{
	size_t at = c->count;
	while (at > 0 && c->list[at - 1].line > one->line)
		at--;
	if (c->count == CONF_COMPLAINTS_MAX) {
		c->dropped++;
		if (at == c->count)
			return;
		c->count--;
	}
	memmove(&c->list[at + 1], &c->list[at], (c->count - at) * sizeof(c->list[0]));
	c->list[at] = *one;
	c->count++;
}

static void __attribute__((format(printf, 4, 0))) complain_add(struct conf_complaints *c, unsigned line, bool warning, const char *format, va_list args)
{
	struct conf_complaint one = { .line = line, .warning = warning };
	char raw[1024];
	int n = vsnprintf(raw, sizeof(raw), format, args);
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(raw) ? (size_t)n : sizeof(raw) - 1;
	text_clean(one.text, sizeof(one.text), span_of(raw, length));
	complain_insert(c, &one);
}

void complain_mistake(struct conf_complaints *c, unsigned line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	c->mistakes++;
	complain_add(c, line, false, format, args);
	va_end(args);
}

void complain_warning(struct conf_complaints *c, unsigned line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	complain_add(c, line, true, format, args);
	va_end(args);
}
