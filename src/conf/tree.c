/*
 * Knows how libconfuse is called: with a text in memory, with one callback for all values, and with no trust. Its parser carries no context and its lexer is
 * global, hence the one static pointer. After the parse the number of values and sections and the sentinel have to be what the syntax check wrote:
 * two readers that disagree about a security policy are a mistake, whoever is right.
 */
#include "conf/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/complain.h"

static struct tree *parsing;

void *arena_take(struct arena *arena, size_t n)
{
	size_t rounded = (n + alignof(max_align_t) / 2 - 1) & ~(alignof(max_align_t) / 2 - 1);
	assert(arena->size - arena->used >= rounded);
	void *taken = arena->base + arena->used;
	arena->used += rounded;
	return taken;
}

const char *arena_text(struct arena *arena, const char *text)
{
	size_t n = strlen(text) + 1;
	return memcpy(arena_take(arena, n), text, n);
}

int tree_note_value(cfg_t *section, cfg_opt_t *option, const char *text, void *result)
{
	(void)option;
	struct conf_value *value = arena_take(parsing->arena, sizeof(*value));
	value->line = (unsigned)section->line;
	value->text = strcmp(text, SYNTAX_UNUSABLE) == 0 ? NULL : arena_text(parsing->arena, text);
	parsing->values++;
	*(void **)result = value;
	return 0;
}

static void __attribute__((format(printf, 2, 0))) tree_error(cfg_t *section, const char *format, va_list args)
{
	char text[128];
	vsnprintf(text, sizeof(text), format, args);
	complain_mistake(parsing->complaints, (unsigned)section->line, "libconfuse: %s", text);
}

static size_t tree_count_sections(const cfg_t *section)
{
	size_t n = 0;
	for (int i = 0; section->opts[i].name != NULL; i++) {
		if (!schema_is_section(&section->opts[i]))
			continue;
		for (size_t k = 0; k < tree_count(section, i); k++)
			n += 1 + tree_count_sections(tree_section(section, i, k));
	}
	return n;
}

static bool tree_agrees(const struct tree *tree, const struct syntax *text)
{
	return tree->values == text->values && tree_count_sections(tree->root) == text->sections && tree_count(tree->root, FILE_SENTINEL) == 1;
}

int tree_parse(struct tree *out, const struct syntax *text, struct arena *arena, struct conf_complaints *complaints)
{
	*out = (struct tree){ .arena = arena, .complaints = complaints };
	parsing = out;
	out->root = cfg_init(schema_file(), CFGF_NONE);
	if (out->root == NULL)
		return -ENOMEM;
	cfg_set_error_function(out->root, tree_error);
	size_t before = complaints->mistakes;
	int r = cfg_parse_buf(out->root, text->text);
	parsing = NULL;
	if (r == CFG_SUCCESS && tree_agrees(out, text))
		return 0;
	if (complaints->mistakes == before)
		complain_mistake(complaints, 0, "libconfuse: %s",
		                 r == CFG_SUCCESS ? "it reads this text otherwise than it was checked" : "the text could not be parsed");
	return -EINVAL;
}

void tree_finish(struct tree *tree)
{
	if (tree->root != NULL)
		cfg_free(tree->root);
	tree->root = NULL;
}

size_t tree_count(const cfg_t *section, int option)
{
	return section->opts[option].nvalues;
}

const struct conf_value *tree_item(const cfg_t *section, int option, size_t i)
{
	return section->opts[option].values[i]->ptr;
}

cfg_t *tree_section(const cfg_t *section, int option, size_t i)
{
	return section->opts[option].values[i]->section;
}

const struct conf_value *tree_value(const cfg_t *section, int option)
{
	const struct conf_value *value = tree_count(section, option) > 0 ? tree_item(section, option, 0) : NULL;
	return value != NULL && value->text != NULL ? value : NULL;
}

struct tree_title tree_title(const cfg_t *section)
{
	struct tree_title out = { 0 };
	char *end = NULL;
	out.sequence = strtoul(section->title, &end, 10);
	out.line = (unsigned)strtoul(end, &end, 10);
	out.name = strcmp(end + 1, SYNTAX_UNUSABLE) == 0 ? NULL : end + 1;
	return out;
}
