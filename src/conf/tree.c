/*
 * Knows how libconfuse is called: with a text in memory, with one callback for all values, and with no trust. It copies the whole table
 * of options for each section, some kilobytes a rule; that is why a section is taken out of the tree as soon as it was used. Its parser
 * carries no context and its lexer is global, hence the one static pointer. After the parse the number of values and sections and the
 * sentinel have to be what the syntax check wrote: two readers that disagree about a security policy are a mistake, whoever is right.
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

/* The section that has just ended is the last of its kind. libconfuse does not look at it again. */
static int tree_remove(cfg_opt_t *option)
{
	return cfg_opt_rmnsec(option, option->nvalues - 1) == CFG_SUCCESS ? 0 : -1;
}

int tree_end_rule(cfg_t *direction, cfg_opt_t *option)
{
	parsing->sections++;
	parsing->rule(parsing->ctx, direction, option->values[option->nvalues - 1]->section, (enum schema_direction)(option - direction->opts));
	return tree_remove(option);
}

int tree_end_policy(cfg_t *file, cfg_opt_t *option)
{
	const cfg_t *section = option->values[option->nvalues - 1]->section;
	(void)file;
	parsing->sections += 1 + tree_count(section, POLICY_UPLOAD) + tree_count(section, POLICY_DOWNLOAD);
	parsing->policy(parsing->ctx, section);
	return tree_remove(option);
}

static void __attribute__((format(printf, 2, 0))) tree_error(cfg_t *section, const char *format, va_list args)
{
	char text[128];
	vsnprintf(text, sizeof(text), format, args);
	complain_mistake(parsing->complaints, (unsigned)section->line, "libconfuse: %s", text);
}

static bool tree_agrees(const struct tree *tree, const struct syntax *text)
{
	size_t rest = tree_count(tree->root, FILE_AUDIT) + tree_count(tree->root, FILE_SCANNER) + tree_count(tree->root, FILE_SPOOL);
	return tree->values == text->values && tree->sections + rest == text->sections && tree_count(tree->root, FILE_POLICY) == 0 &&
	       tree_count(tree->root, FILE_SENTINEL) == 1;
}

int tree_parse(struct tree *tree, const struct syntax *text)
{
	tree->values = 0;
	tree->sections = 0;
	tree->root = cfg_init(schema_file(), CFGF_NONE);
	if (tree->root == NULL)
		return -ENOMEM;
	cfg_set_error_function(tree->root, tree_error);
	size_t before = tree->complaints->mistakes;
	parsing = tree;
	int r = cfg_parse_buf(tree->root, text->text);
	parsing = NULL;
	if (r == CFG_SUCCESS && tree_agrees(tree, text))
		return 0;
	if (r != CFG_SUCCESS && tree->complaints->mistakes == before)
		complain_mistake(tree->complaints, 0, "libconfuse: the text could not be parsed");
	else if (r == CFG_SUCCESS)
		complain_mistake(tree->complaints, 0, "libconfuse: it reads this text otherwise than it was checked");
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
	out.line = (unsigned)strtoul(section->title, &end, 10);
	out.name = strcmp(end + 1, SYNTAX_UNUSABLE) == 0 ? NULL : end + 1;
	return out;
}
