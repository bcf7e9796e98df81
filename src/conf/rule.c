/* Knows what a rule may ask for. */
#include "conf/build.h"
#include "conf/complain.h"
#include "conf/value.h"
#include "policy/glob.h"

static const char *rule_name_check(const char *text)
{
	return glob_check(text, GLOB_NAME);
}

static const char *rule_path_check(const char *text)
{
	return glob_check(text, GLOB_PATH);
}

/* The conditions that are lists of patterns. */
static void rule_build_patterns(struct build *b, const cfg_t *section, struct rule *rule)
{
	if (build_patterns(b, section, RULE_OPTION_NAME, rule_name_check, 0, &rule->names))
		rule->conditions |= CONDITION_NAME;
	if (build_patterns(b, section, RULE_OPTION_PATH, rule_path_check, 0, &rule->paths))
		rule->conditions |= CONDITION_PATH;
	if (build_patterns(b, section, RULE_OPTION_TYPE, value_type, 0, &rule->types))
		rule->conditions |= CONDITION_TYPE;
	if (build_patterns(b, section, RULE_OPTION_VIRUS, NULL, GLOB_TEXT, &rule->viruses))
		rule->conditions |= CONDITION_VIRUS;
}

static void rule_build_mode(struct build *b, const cfg_t *section, struct rule *rule)
{
	const struct conf_value *value = tree_value(section, RULE_OPTION_MODE);
	if (value == NULL)
		return;
	const char *why = value_mode(value->text, &rule->mode);
	if (why != NULL)
		build_refuse(b, value, why);
	else
		rule->conditions |= CONDITION_MODE;
}

static void rule_build_sizes(struct build *b, const cfg_t *section, struct rule *rule)
{
	if (build_size_value(b, section, RULE_OPTION_SMALLER_THAN, &rule->smaller_than)) {
		rule->conditions |= CONDITION_SMALLER;
		if (rule->smaller_than == 0)
			build_refuse(b, tree_value(section, RULE_OPTION_SMALLER_THAN), "no file is smaller than that");
	}
	if (build_size_value(b, section, RULE_OPTION_LARGER_THAN, &rule->larger_than))
		rule->conditions |= CONDITION_LARGER;
	unsigned both = CONDITION_SMALLER | CONDITION_LARGER;
	if ((rule->conditions & both) == both && rule->smaller_than > 0 && rule->smaller_than - 1 <= rule->larger_than)
		complain_mistake(b->complaints, rule->line, "no size is above 'larger_than' and below 'smaller_than' at once: the rule never matches");
}

static void rule_build_rest(struct build *b, const cfg_t *section, struct rule *rule)
{
	static const char words[] = "encrypted, too-large, too-deep, timeout, damaged, scanner-down, scanner-blind";
	if (build_flag(b, section, RULE_OPTION_TYPE_MISMATCH, &rule->type_mismatch))
		rule->conditions |= CONDITION_MISMATCH;
	if (build_bits(b, section, RULE_OPTION_UNSCANNABLE, unscannable_bit, words, &rule->unscannable))
		rule->conditions |= CONDITION_UNSCANNABLE;
	build_flag(b, section, RULE_OPTION_IGNORE_CASE, &rule->ignore_case);
	build_text(b, section, RULE_OPTION_MESSAGE, value_message, &rule->message);
}

static bool rule_asks(const cfg_t *section)
{
	for (int i = 0; section->opts[i].name != NULL; i++)
		if (i != RULE_OPTION_IGNORE_CASE && i != RULE_OPTION_MESSAGE && tree_count(section, i) > 0)
			return true;
	return false;
}

static void rule_check(struct build *b, const cfg_t *section, const struct rule *rule)
{
	const struct conf_value *fold = tree_value(section, RULE_OPTION_IGNORE_CASE);
	const struct conf_value *message = tree_value(section, RULE_OPTION_MESSAGE);
	if (!rule_asks(section))
		complain_mistake(b->complaints, rule->line, "the rule has no condition: it would match everything");
	if (fold != NULL && tree_count(section, RULE_OPTION_NAME) == 0 && tree_count(section, RULE_OPTION_PATH) == 0)
		complain_warning(b->complaints, fold->line, "'ignore_case' is about 'name' and 'path', which this rule does not have");
	if (message != NULL && rule->kind == RULE_WATCH)
		complain_warning(b->complaints, message->line, "a watch rule refuses nothing, so nobody sees its 'message'");
}

static void rule_build(struct build *b, const cfg_t *section, enum rule_kind kind, struct rule *rule)
{
	struct tree_title title = tree_title(section);
	*rule = (struct rule){ .kind = kind, .line = title.line, .name = "" };
	if (title.name != NULL) {
		const char *why = value_name(title.name);
		if (why != NULL)
			complain_mistake(b->complaints, rule->line, "'%.80s': %s", title.name, why);
		rule->name = arena_text(b->arena, title.name);
	}
	rule_build_patterns(b, section, rule);
	rule_build_mode(b, section, rule);
	rule_build_sizes(b, section, rule);
	rule_build_rest(b, section, rule);
	rule_check(b, section, rule);
}

/* The rules of its direction so far; NULL in a policy that names a direction twice, which is a mistake already. */
static struct ruleset *rule_home(struct build *b, const cfg_t *direction)
{
	for (int i = 0; i < DIRECTIONS; i++) {
		if (b->direction[i].section == NULL) {
			b->direction[i].section = direction;
			b->direction[i].rules = (struct ruleset){ .permitted = true, .rules = &b->rules[b->rule_count] };
		}
		if (b->direction[i].section == direction)
			return &b->direction[i].rules;
	}
	return NULL;
}

void build_rule(void *build, const cfg_t *direction, const cfg_t *section, enum schema_direction kind)
{
	static const enum rule_kind kinds[] = { [SECTION_BLOCK] = RULE_BLOCK, [SECTION_WATCH] = RULE_WATCH, [SECTION_ALLOW] = RULE_ALLOW };
	struct build *b = build;
	struct ruleset *home = rule_home(b, direction);
	rule_build(b, section, kinds[kind], &b->rules[b->rule_count++]);
	if (home != NULL)
		home->count++;
}
