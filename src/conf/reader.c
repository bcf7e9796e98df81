/* Tokens in, text for libconfuse out: what is written is token for token what was read, on the same lines. */
#include "conf/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/complain.h"

static bool reader_has_fault(const struct reader *r, unsigned line)
{
	for (size_t i = r->complaints->count; i > 0 && r->complaints->list[i - 1].line >= line; i--)
		if (r->complaints->list[i - 1].line == line)
			return true;
	return false;
}

void reader_fault(struct reader *r, unsigned line, const char *format, ...)
{
	if (reader_has_fault(r, line))
		return;
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	complain_mistake(r->complaints, line, "%s", text);
}

void reader_write(struct reader *r, const char *text, size_t n)
{
	struct syntax *out = r->out;
	if (r->mute > 0 || r->out_of_memory)
		return;
	if (r->cap - out->length <= n) {
		size_t cap = 2 * (r->cap + n) + 64;
		char *grown = realloc(out->text, cap);
		if (grown == NULL) {
			r->out_of_memory = true;
			return;
		}
		out->text = grown;
		r->cap = cap;
	}
	memcpy(out->text + out->length, text, n);
	out->length += n;
	out->text[out->length] = '\0';
}

void reader_put(struct reader *r, const char *text)
{
	reader_write(r, text, strlen(text));
}

void reader_put_at(struct reader *r, unsigned line, const char *text)
{
	if (r->mute > 0)
		return;
	for (; r->out_line < line; r->out_line++)
		reader_put(r, "\n");
	reader_put(r, " ");
	reader_put(r, text);
}

void reader_advance(struct reader *r)
{
	r->tok = lexer_next(&r->lex);
	if (r->tok.fault != NULL && reader_at_value(r))
		reader_fault(r, r->tok.line, "%.*s: %s", READER_SHOWN(r->tok.raw), r->tok.fault);
	else if (r->tok.fault != NULL)
		reader_fault(r, r->tok.line, "%s", r->tok.fault);
}

enum token_kind reader_peek(const struct reader *r)
{
	struct lexer ahead = r->lex;
	return lexer_next(&ahead).kind;
}

bool reader_at_value(const struct reader *r)
{
	return r->tok.kind == TOKEN_WORD || r->tok.kind == TOKEN_STRING;
}

/* Strings go on as they are written: it is libconfuse that reads them. */
void reader_put_value(struct reader *r)
{
	const struct token *t = &r->tok;
	char quote[2] = { t->kind == TOKEN_STRING ? t->quote : '\'', '\0' };
	reader_put_at(r, t->line, quote);
	if (t->fault != NULL)
		reader_put(r, SYNTAX_UNUSABLE);
	else
		reader_write(r, (const char *)t->raw.p, t->raw.n);
	reader_put(r, quote);
	if (r->mute == 0) {
		r->out->values++;
		r->out->value_bytes += t->raw.n;
	}
}

void reader_put_unusable(struct reader *r, unsigned line)
{
	reader_put_at(r, line, "'" SYNTAX_UNUSABLE "'");
	if (r->mute == 0)
		r->out->values++;
}

void reader_check_bytes(struct reader *r, char *copy, struct span text)
{
	unsigned line = 1;
	while (text.n > 0) {
		uint8_t c = text.p[0];
		uint32_t code = 0;
		size_t n = c < 0x80 ? 1 : text_utf8(text, &code);
		bool control = c < 0x80 ? (c < 0x20 && c != '\t' && c != '\n' && !(c == '\r' && text.n > 1 && text.p[1] == '\n')) || c == 0x7f
		                        : n > 0 && text_is_control(code);
		if (n == 0)
			reader_fault(r, line, "byte 0x%02x is not UTF-8", c);
		else if (control)
			reader_fault(r, line, "the control character U+%04X is not allowed", c < 0x80 ? c : code);
		if (n == 0 || control)
			memset(copy, '?', n > 0 ? n : 1);
		line += c == '\n';
		copy += n > 0 ? n : 1;
		span_take(&text, n > 0 ? n : 1);
	}
}
