/*
 * Knows where libconfuse's lexer surprises, and stays clear of it. libconfuse 3.3 puts the environment into double-quoted strings and
 * bare ${…}, resolves C's escapes in double quotes, lets strings run over lines, counts a comment as a line too many, refuses one inside
 * a list, splits a bare word at "//", and skips bytes that it does not know. What this lexer lets pass without a fault means to
 * libconfuse what it says to a reader.
 */
#include "conf/lexer.h"

static const char lexer_no_environment[] = "the environment is never read; in single quotes ${ is plain text";

struct lexer lexer_of(struct span text)
{
	return (struct lexer){ .rest = text, .line = 1 };
}

static bool lexer_sees(const struct lexer *lex, const char *text)
{
	return span_starts(lex->rest, span_str(text));
}

static void lexer_step(struct lexer *lex, size_t n)
{
	struct span passed = span_take(&lex->rest, n);
	for (size_t i = 0; i < passed.n; i++)
		if (passed.p[i] == '\n')
			lex->line++;
}

static size_t lexer_to_line_end(const struct lexer *lex)
{
	const uint8_t *end = lex->rest.n > 0 ? memchr(lex->rest.p, '\n', lex->rest.n) : NULL;
	return end != NULL ? (size_t)(end - lex->rest.p) : lex->rest.n;
}

/* False if a comment is not closed. */
static bool lexer_skip_blank(struct lexer *lex)
{
	for (;;) {
		if (lex->rest.n == 0)
			return true;
		uint8_t c = lex->rest.p[0];
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			lexer_step(lex, 1);
		} else if (c == '#' || lexer_sees(lex, "//")) {
			lexer_step(lex, lexer_to_line_end(lex));
		} else if (lexer_sees(lex, "/*")) {
			const uint8_t *end = memmem(lex->rest.p + 2, lex->rest.n - 2, "*/", 2);
			if (end == NULL)
				return false;
			lexer_step(lex, (size_t)(end - lex->rest.p) + 2);
		} else {
			return true;
		}
	}
}

static const char *lexer_escape_fault(char quote, struct span after)
{
	if (quote == '\'' || (after.n > 0 && (after.p[0] == '\\' || after.p[0] == '"')))
		return NULL;
	return "the only escapes in double quotes are \\\\ and \\\"; use single quotes";
}

/*
 * The quote that is missing most likely belongs before the next comma or brace; reading on from there keeps one mistake from becoming
 * ten.
 */
static size_t lexer_unclosed(struct span line)
{
	size_t n = 0;
	while (n < line.n && line.p[n] != ',' && line.p[n] != '}')
		n++;
	while (n > 0 && (line.p[n - 1] == ' ' || line.p[n - 1] == '\t' || line.p[n - 1] == '\r'))
		n--;
	return n;
}

/* Passes over a string that does not end within LEXER_STRING_MAX bytes of its line, the current position being behind its opening quote. */
static void lexer_long_string(struct lexer *lex, struct token *out)
{
	struct span line = span_of(lex->rest.p, lexer_to_line_end(lex));
	const uint8_t *close = memchr(line.p + LEXER_STRING_MAX, out->quote, line.n - LEXER_STRING_MAX);
	out->fault = "the string is longer than 4095 bytes";
	out->raw = span_take(&lex->rest, close != NULL ? (size_t)(close - line.p) : line.n);
	if (close != NULL)
		span_take(&lex->rest, 1);
}

static void lexer_string(struct lexer *lex, struct token *out)
{
	out->kind = TOKEN_STRING;
	out->quote = (char)lex->rest.p[0];
	span_take(&lex->rest, 1);
	/* No further than a string may reach: a line can be as long as the file. */
	struct span line = span_of(lex->rest.p, lex->rest.n < LEXER_STRING_MAX + 1 ? lex->rest.n : LEXER_STRING_MAX + 1);
	const uint8_t *end = line.n > 0 ? memchr(line.p, '\n', line.n) : NULL;
	bool whole = end != NULL || line.n == lex->rest.n;
	if (end != NULL)
		line.n = (size_t)(end - line.p);
	size_t n = 0;
	while (n < line.n && line.p[n] != (uint8_t)out->quote) {
		struct span after = span_of(line.p + n + 1, line.n - n - 1);
		if (line.p[n] == '\\') {
			if (out->fault == NULL)
				out->fault = lexer_escape_fault(out->quote, after);
			n++;
		} else if (out->quote == '"' && line.p[n] == '$' && span_starts(after, span_str("{"))) {
			out->fault = lexer_no_environment;
		}
		n++;
	}
	bool closed = n < line.n;
	if (!closed && !whole) {
		lexer_long_string(lex, out);
		return;
	}
	if (!closed) {
		out->fault = "the string does not end on its line";
		n = lexer_unclosed(line);
	}
	out->raw = span_take(&lex->rest, n);
	if (closed)
		span_take(&lex->rest, 1);
}

static bool lexer_ends_word(uint8_t c)
{
	return c == '\0' || strchr(" \t\r\n{}=,'\"#();", c) != NULL;
}

static const char lexer_straight[] = "straight quotes ' are needed";

/* The length of what a word processor, or a shell's user, takes for a quote; 0: it is none. */
static size_t lexer_odd_quote(struct span at)
{
	static const char *const quotes[] = {
		"`", "\xc2\xab", "\xc2\xb4", "\xc2\xbb", "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9a", "\xe2\x80\x9b", "\xe2\x80\x9c", "\xe2\x80\x9d",
		"\xe2\x80\x9e", "\xe2\x80\x9f", "\xe2\x80\xb2", "\xe2\x80\xb3", "\xe2\x80\xb9", "\xe2\x80\xba",
	};
	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++)
		if (span_starts(at, span_str(quotes[i])))
			return strlen(quotes[i]);
	return 0;
}

/* The length of a text between two of those, as far as it is likely one; else 0. */
static size_t lexer_oddly_quoted(struct span at)
{
	size_t n = lexer_odd_quote(at);
	for (size_t most = n > 0 ? at.n : 0; n < most && n <= LEXER_STRING_MAX && strchr("\n,{}=", at.p[n]) == NULL; n++) {
		size_t close = lexer_odd_quote(span_of(at.p + n, at.n - n));
		if (close > 0)
			return n + close;
	}
	return 0;
}

static bool lexer_in_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("_-.:%/", c) != NULL;
}

static void lexer_word(struct lexer *lex, struct token *out)
{
	static const char quote_it[] = "this has to stand in single quotes";
	size_t n = lexer_oddly_quoted(lex->rest);
	out->kind = TOKEN_WORD;
	out->fault = n > 0 ? lexer_straight : NULL;
	bool bracket = false; /* of a pattern: the word has one that opens */
	while (n < lex->rest.n && !lexer_ends_word(lex->rest.p[n])) {
		uint8_t c = lex->rest.p[n];
		uint8_t next = n + 1 < lex->rest.n ? lex->rest.p[n + 1] : '\0';
		if ((c == '+' && next == '=') || (c == ']' && !bracket))
			break;
		bracket = bracket || c == '[';
		if (c == '$' && next == '{') {
			out->fault = lexer_no_environment;
			size_t to_end = lexer_to_line_end(lex);
			const uint8_t *close = memchr(lex->rest.p + n, '}', to_end - n);
			n = close != NULL ? (size_t)(close - lex->rest.p) + 1 : to_end;
			continue;
		}
		if (out->fault == NULL && (c == '\0' || !lexer_in_word(c) || (c == '/' && (next == '/' || next == '*'))))
			out->fault = lexer_odd_quote(span_of(lex->rest.p + n, lex->rest.n - n)) > 0 ? lexer_straight : quote_it;
		n++;
	}
	if (n > LEXER_STRING_MAX)
		out->fault = "the word is longer than 4095 bytes";
	out->raw = span_take(&lex->rest, n);
}

static enum token_kind lexer_mark(uint8_t c)
{
	switch (c) {
	case '{':
	case '[':
		return TOKEN_OPEN;
	case '}':
	case ']':
		return TOKEN_CLOSE;
	case '=':
		return TOKEN_EQUALS;
	case ',':
		return TOKEN_COMMA;
	default:
		return TOKEN_BAD;
	}
}

/* Why a mark that other languages have is none here. */
static const char *lexer_mark_fault(uint8_t c)
{
	return c == ';' ? "no ';' is needed here" : c == '[' || c == ']' ? "lists and sections stand in { }" : NULL;
}

struct token lexer_next(struct lexer *lex)
{
	bool closed = lexer_skip_blank(lex);
	struct token out = { .kind = TOKEN_END, .line = lex->line, .raw = span_of(lex->rest.p, 0) };
	if (!closed) {
		out.kind = TOKEN_BAD;
		out.raw.n = 2;
		out.fault = "/*: this comment is never closed";
		lexer_step(lex, lex->rest.n);
	} else if (lex->rest.n == 0) {
		return out;
	} else if (lex->rest.p[0] == '\'' || lex->rest.p[0] == '"') {
		lexer_string(lex, &out);
	} else if (lexer_sees(lex, "+=")) {
		out.kind = TOKEN_APPEND;
		out.raw = span_take(&lex->rest, 2);
	} else if (lexer_ends_word(lex->rest.p[0]) || lexer_mark_fault(lex->rest.p[0]) != NULL) {
		out.kind = lexer_mark(lex->rest.p[0]);
		out.fault = lexer_mark_fault(lex->rest.p[0]);
		out.raw = span_take(&lex->rest, 1);
	} else {
		lexer_word(lex, &out);
	}
	return out;
}
