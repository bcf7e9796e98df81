/*
 * What was most likely meant: where a missing brace belongs, how far an unknown statement reaches, which name was mistyped. Nothing here
 * is ever accepted; it only keeps one mistake from hiding the next or from becoming ten.
 */
#include "conf/reader.h"

#include <stdio.h>

#include "conf/complain.h"

void repair_unexpected(struct reader *r)
{
	switch (r->tok.kind) {
	case TOKEN_END:
		reader_fault(r, r->tok.line, "the file ends too early");
		break;
	case TOKEN_WORD:
	case TOKEN_STRING:
	case TOKEN_OPEN:
	case TOKEN_CLOSE:
	case TOKEN_EQUALS:
	case TOKEN_APPEND:
	case TOKEN_COMMA:
	case TOKEN_BAD:
		reader_fault(r, r->tok.line, "'%.*s' is not expected here", READER_SHOWN(r->tok.raw));
		break;
	}
}

/* Passes over a group in braces; the current token is the opening one. */
void repair_skip_braces(struct reader *r)
{
	unsigned begin = r->tok.line;
	size_t depth = 0;
	do {
		if (r->tok.kind == TOKEN_OPEN)
			depth++;
		else if (r->tok.kind == TOKEN_CLOSE)
			depth--;
		else if (r->tok.kind == TOKEN_END) {
			complain_mistake(r->complaints, begin, "'{' is not closed: its '}' is missing");
			return;
		}
		reader_advance(r);
	} while (depth > 0);
}

/* Passes over what follows an unknown name: a value, a list, a section, arguments. */
static void repair_skip_statement(struct reader *r)
{
	unsigned line = r->tok.line;
	reader_advance(r);
	if (r->tok.kind == TOKEN_EQUALS || r->tok.kind == TOKEN_APPEND) {
		reader_advance(r);
		if (reader_at_value(r) && !(r->tok.kind == TOKEN_WORD && reader_peek(r) == TOKEN_EQUALS))
			reader_advance(r);
		else if (r->tok.kind == TOKEN_OPEN)
			repair_skip_braces(r);
		return;
	}
	if (r->tok.line == line && (r->tok.kind == TOKEN_STRING || (r->tok.kind == TOKEN_WORD && reader_peek(r) == TOKEN_OPEN)))
		reader_advance(r);
	if (r->tok.kind == TOKEN_OPEN) {
		repair_skip_braces(r);
		return;
	}
	while (r->tok.line == line && (r->tok.kind == TOKEN_BAD || r->tok.kind == TOKEN_STRING || r->tok.kind == TOKEN_COMMA))
		reader_advance(r);
}

/* More '{' than '}' in the whole file. */
static bool repair_lacks_braces(struct reader *r)
{
	if (r->braces == BRACES_NOT_COUNTED) {
		struct lexer lex = lexer_of(r->text);
		size_t open = 0;
		size_t close = 0;
		for (struct token tok = lexer_next(&lex); tok.kind != TOKEN_END; tok = lexer_next(&lex)) {
			open += tok.kind == TOKEN_OPEN;
			close += tok.kind == TOKEN_CLOSE;
		}
		r->braces = open > close ? BRACES_LACK : BRACES_LACK_NONE;
	}
	return r->braces == BRACES_LACK;
}

/* A section's keyword that belongs further out says that a '}' is missing, if one is. */
bool repair_closes(struct reader *r, const struct frame *f)
{
	for (const struct frame *up = f->up; up != NULL; up = up->up) {
		int index = schema_find(up->table, r->tok.raw);
		if (index >= 0 && schema_is_section(&up->table[index]))
			return repair_lacks_braces(r);
	}
	return false;
}

void repair_unclosed(struct reader *r, const struct frame *f)
{
	char before[32] = "the end of the file";
	if (r->tok.kind != TOKEN_END)
		snprintf(before, sizeof(before), "line %u", r->tok.line);
	const char *quote = f->title.n > 0 ? "'" : "";
	complain_mistake(r->complaints, f->line, "%s%s%s%.*s%s is not closed: a '}' is missing before %s", f->what, f->title.n > 0 ? " " : "", quote,
	                 READER_SHOWN(f->title), quote, before);
}

void repair_unknown(struct reader *r, struct frame *f)
{
	f->unknown = true;
	struct span name = r->tok.raw;
	const char *nearest = schema_nearest(f->table, name);
	const char *home = schema_home(name);
	char hint[96] = "";
	if (home != NULL && home[0] == '\0')
		snprintf(hint, sizeof(hint), "; it belongs outside of all sections");
	else if (home != NULL)
		snprintf(hint, sizeof(hint), "; it belongs in %s", home);
	else if (nearest != NULL)
		snprintf(hint, sizeof(hint), "; did you mean '%s'?", nearest);
	if (r->tok.fault == NULL)
		complain_mistake(r->complaints, r->tok.line, "'%.*s' is unknown %s%s%s", READER_SHOWN(name), f->up != NULL ? "in " : "here", f->up != NULL ? f->what : "",
		                 hint);
	repair_skip_statement(r);
}

/* The next statement begins: the list before it was never closed. */
bool repair_leaves_list(const struct reader *r, const struct frame *f)
{
	if (r->tok.kind == TOKEN_END)
		return true;
	if (r->tok.kind != TOKEN_WORD)
		return false;
	enum token_kind next = reader_peek(r);
	if (next == TOKEN_EQUALS || next == TOKEN_APPEND)
		return true;
	if (next != TOKEN_STRING && next != TOKEN_WORD && next != TOKEN_OPEN)
		return false;
	for (; f != NULL; f = f->up) {
		int index = schema_find(f->table, r->tok.raw);
		if (index >= 0 && schema_is_section(&f->table[index]))
			return true;
	}
	return false;
}
