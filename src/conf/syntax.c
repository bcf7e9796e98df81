/*
 * The grammar, with a repair for each way to break it: a mistake is named once and reading goes on as if it were mended. Unknown and
 * repeated names are always reported, of the other faults the first on a line.
 */
#include "conf/syntax.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/complain.h"
#include "conf/reader.h"

static void reader_scalar(struct reader *r, const cfg_opt_t *option, unsigned line)
{
	bool next_statement = r->tok.kind == TOKEN_WORD && reader_peek(r) == TOKEN_EQUALS;
	if (reader_at_value(r) && !next_statement) {
		reader_put_value(r);
		reader_advance(r);
	} else if (r->tok.kind == TOKEN_OPEN) {
		complain_mistake(r->complaints, r->tok.line, "'%s' takes one value, not a list", option->name);
		reader_put_unusable(r, r->tok.line);
		repair_skip_braces(r);
	} else {
		reader_fault(r, line, "the value of '%s' is missing", option->name);
		reader_put_unusable(r, line);
	}
}

static void reader_list_item(struct reader *r, bool *comma)
{
	if (*comma) {
		reader_fault(r, r->tok.line, "',' is missing before '%.*s'", READER_SHOWN(r->tok.raw));
		reader_put(r, ",");
	}
	reader_put_value(r);
	*comma = true;
	reader_advance(r);
}

static void reader_list_comma(struct reader *r, bool *comma)
{
	if (!*comma)
		reader_fault(r, r->tok.line, "a ',' stands where a value has to be");
	else
		reader_put(r, ",");
	*comma = false;
	reader_advance(r);
}

/* After '{'. Returns the number of items; writes all but the closing brace. */
static size_t reader_list_items(struct reader *r, const struct frame *f, const cfg_opt_t *option, unsigned begin)
{
	size_t items = 0;
	bool comma = false; /* is due before the next item */
	bool full = false;
	while (r->tok.kind != TOKEN_CLOSE) {
		if (repair_leaves_list(r, f)) {
			complain_mistake(r->complaints, begin, "the list of '%s' is not closed: its '}' is missing", option->name);
			break;
		}
		if (reader_at_value(r) && ++items > CONF_ITEMS_MAX && !full) {
			complain_mistake(r->complaints, r->tok.line, "the list of '%s' has more than %d items", option->name, CONF_ITEMS_MAX);
			full = true;
			r->mute++;
		}
		if (reader_at_value(r)) {
			reader_list_item(r, &comma);
		} else if (r->tok.kind == TOKEN_COMMA) {
			reader_list_comma(r, &comma);
		} else {
			repair_unexpected(r);
			if (r->tok.kind == TOKEN_OPEN)
				repair_skip_braces(r);
			else
				reader_advance(r);
		}
	}
	if (full)
		r->mute--;
	return items;
}

static void reader_list(struct reader *r, const struct frame *f, const cfg_opt_t *option, unsigned line)
{
	if (r->tok.kind != TOKEN_OPEN) {
		reader_scalar(r, option, line);
		return;
	}
	unsigned begin = r->tok.line;
	reader_put_at(r, begin, "{");
	reader_advance(r);
	size_t items = reader_list_items(r, f, option, begin);
	if (items == 0) {
		reader_fault(r, begin, "the list of '%s' is empty", option->name);
		reader_put_unusable(r, begin);
	}
	reader_put(r, "}");
	if (r->tok.kind == TOKEN_CLOSE)
		reader_advance(r);
}

static void reader_option(struct reader *r, struct frame *f, int index)
{
	const cfg_opt_t *option = &f->table[index];
	unsigned line = r->tok.line;
	bool twice = f->seen[index] != 0;
	if (twice) {
		complain_mistake(r->complaints, line, "'%s' is set twice, first in line %u", option->name, f->seen[index]);
		r->mute++;
	} else {
		f->seen[index] = line;
	}
	reader_put_at(r, line, option->name);
	reader_put(r, " =");
	reader_advance(r);
	if (r->tok.kind == TOKEN_APPEND)
		complain_mistake(r->complaints, r->tok.line, "'+=' is not known; write all values of '%s' in one list", option->name);
	else if (r->tok.kind != TOKEN_EQUALS)
		reader_fault(r, line, "'=' is missing after '%s'", option->name);
	if (r->tok.kind == TOKEN_APPEND || r->tok.kind == TOKEN_EQUALS)
		reader_advance(r);
	if (option->flags & CFGF_LIST)
		reader_list(r, f, option, line);
	else
		reader_scalar(r, option, line);
	if (twice)
		r->mute--;
}

/* True if the section is one too many and is not to be written. */
static bool reader_too_many(struct reader *r, struct frame *f, const cfg_opt_t *section, bool rules)
{
	unsigned line = r->tok.line;
	f->sections++;
	r->sections++;
	if (rules && f->sections == POLICY_RULES_MAX + 1)
		complain_mistake(r->complaints, line, "more than %d rules in one direction", POLICY_RULES_MAX);
	if (r->sections == CONF_SECTIONS_MAX + 1)
		complain_mistake(r->complaints, line, "more than %d sections in one file; the first too many is this '%s'", CONF_SECTIONS_MAX, section->name);
	return (rules && f->sections > POLICY_RULES_MAX) || r->sections > CONF_SECTIONS_MAX;
}

/* Writes the section's head with its title, its line in front. */
static struct span reader_title(struct reader *r, const cfg_opt_t *section, unsigned line)
{
	struct span title = { 0 };
	reader_put_at(r, line, section->name);
	reader_advance(r);
	if (!(section->flags & CFGF_TITLE)) {
		if (reader_at_value(r) && reader_peek(r) == TOKEN_OPEN) {
			reader_fault(r, r->tok.line, "'%s' takes no name", section->name);
			reader_advance(r);
		}
		return title;
	}
	bool given = reader_at_value(r) && reader_peek(r) != TOKEN_EQUALS;
	char quote[2] = { given && r->tok.kind == TOKEN_STRING ? r->tok.quote : '\'', '\0' };
	char number[20];
	snprintf(number, sizeof(number), "%s%u ", quote, line);
	reader_put_at(r, line, number);
	if (given && r->tok.fault == NULL) {
		title = r->tok.raw;
		reader_write(r, (const char *)title.p, title.n);
		r->out->value_bytes += title.n;
	} else {
		if (!given)
			reader_fault(r, line, "the name of this '%s' is missing", section->name);
		reader_put(r, SYNTAX_UNUSABLE);
	}
	reader_put(r, quote);
	if (given)
		reader_advance(r);
	return title;
}

static void reader_body(struct reader *r, struct frame *f);

static void reader_section(struct reader *r, struct frame *f, int index)
{
	const cfg_opt_t *section = &f->table[index];
	struct frame inner = { .up = f, .table = section->subopts, .what = section->name, .line = r->tok.line };
	if (!(section->flags & CFGF_TITLE) && f->seen[index] != 0)
		complain_mistake(r->complaints, inner.line, "'%s' is named twice, first in line %u", section->name, f->seen[index]);
	else
		f->seen[index] = inner.line;
	bool rule = f->up != NULL && f->up->up != NULL;
	bool too_many = reader_too_many(r, f, section, rule);
	r->mute += too_many;
	inner.title = reader_title(r, section, inner.line);
	reader_put(r, " {");
	if (r->mute == 0) {
		r->out->sections++;
		r->out->policies += !rule && (section->flags & CFGF_TITLE) != 0;
		r->out->rules += rule;
	}
	bool open = r->tok.kind == TOKEN_OPEN;
	if (open)
		reader_advance(r);
	else
		reader_fault(r, inner.line, "'{' is missing after '%s'", section->name);
	if (open || (r->tok.kind == TOKEN_WORD && schema_find(inner.table, r->tok.raw) >= 0))
		reader_body(r, &inner);
	if (inner.unknown && schema_has_unknown(inner.table)) {
		reader_put(r, " " SCHEMA_UNKNOWN " = ''");
		r->out->values += r->mute == 0;
	}
	reader_put(r, " }");
	r->mute -= too_many;
}

/* The statements of one section, its closing brace included. */
static void reader_body(struct reader *r, struct frame *f)
{
	for (;;) {
		if (r->tok.kind == TOKEN_END) {
			if (f->up != NULL)
				repair_unclosed(r, f);
			return;
		}
		if (r->tok.kind == TOKEN_CLOSE && f->up != NULL) {
			reader_advance(r);
			return;
		}
		int index = r->tok.kind == TOKEN_WORD ? schema_find(f->table, r->tok.raw) : -1;
		if (index >= 0 && schema_is_section(&f->table[index])) {
			reader_section(r, f, index);
		} else if (index >= 0) {
			reader_option(r, f, index);
		} else if (r->tok.kind == TOKEN_WORD && repair_closes(r, f)) {
			repair_unclosed(r, f);
			return;
		} else if (r->tok.kind == TOKEN_WORD) {
			repair_unknown(r, f);
		} else {
			if (r->tok.kind == TOKEN_CLOSE)
				reader_fault(r, r->tok.line, "this '}' closes nothing");
			else
				repair_unexpected(r);
			reader_advance(r);
		}
	}
}

int syntax_read(struct syntax *out, struct span text, struct conf_complaints *complaints)
{
	*out = (struct syntax){ 0 };
	struct reader r = { .complaints = complaints, .out = out, .out_line = 1 };
	char *copy = malloc(text.n + 1);
	if (copy == NULL)
		return -ENOMEM;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	reader_check_bytes(&r, copy, text);
	r.text = span_of(copy, text.n);
	r.lex = lexer_of(r.text);
	struct frame file = { .table = schema_file(), .what = "the file" };
	reader_advance(&r);
	reader_body(&r, &file);
	reader_put_at(&r, r.out_line + 1, SCHEMA_SENTINEL " = ''");
	out->values++;
	free(copy);
	return r.out_of_memory ? -ENOMEM : 0;
}

void syntax_finish(struct syntax *syntax)
{
	free(syntax->text);
	syntax->text = NULL;
}
