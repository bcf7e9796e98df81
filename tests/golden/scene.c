/* The lines with a star: what is to be transferred which way, under which rules. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "play.h"

/* The next word of *p, ended in place; NULL if there is none. */
static char *scene_word(char **p)
{
	while (**p == ' ')
		(*p)++;
	if (**p == '\0')
		return NULL;
	char *word = *p;
	while (**p != '\0' && **p != ' ')
		(*p)++;
	if (**p != '\0')
		*(*p)++ = '\0';
	return word;
}

static unsigned scene_unscannable(char *words)
{
	unsigned bits = 0;
	for (char *word; (word = scene_word(&words)) != NULL;) {
		unsigned bit = unscannable_bit(span_str(word));
		if (bit == 0)
			play_die("no such reason not to scan: %s", word);
		bits |= bit;
	}
	return bits;
}

static struct patterns scene_patterns(const char **items, char *words)
{
	struct patterns patterns = { .items = items };
	for (char *word; (word = scene_word(&words)) != NULL;) {
		if (patterns.count == PLAY_ITEMS)
			play_die("too many words");
		items[patterns.count++] = word;
	}
	return patterns;
}

static uint64_t scene_number(const char *text)
{
	uint64_t n;
	if (!text_number(span_str(text), UINT64_MAX, &n))
		play_die("not a number: %s", text);
	return n;
}

/* `block scripts: name *.php`, `watch zips: type application/zip`, `allow site: path pub/ ** (without the blank) says only pub is writable` */
static void scene_rule(struct scene *scene, char *line)
{
	struct ruleset *set = &scene->policy.rules[scene->setup.direction];
	struct rule *rule = &scene->rules[scene->setup.direction][set->count];
	const char **items = scene->items[scene->setup.direction][set->count++];
	char *says = strstr(line, " says ");
	if (set->count > PLAY_RULES)
		play_die("too many rules");
	if (says != NULL) {
		*says = '\0';
		rule->message = says + 6;
	}
	char *kind = scene_word(&line), *name = scene_word(&line), *condition = scene_word(&line);
	if (name == NULL || condition == NULL || name[strlen(name) - 1] != ':')
		play_die("a rule is KIND NAME: CONDITION");
	name[strlen(name) - 1] = '\0';
	rule->name = name;
	rule->kind = strcmp(kind, "block") == 0 ? RULE_BLOCK : strcmp(kind, "watch") == 0 ? RULE_WATCH : RULE_ALLOW;
	if (strcmp(condition, "name") == 0) {
		rule->conditions = CONDITION_NAME;
		rule->names = scene_patterns(items, line);
	} else if (strcmp(condition, "path") == 0) {
		rule->conditions = CONDITION_PATH;
		rule->paths = scene_patterns(items, line);
	} else if (strcmp(condition, "type") == 0) {
		rule->conditions = CONDITION_TYPE;
		rule->types = scene_patterns(items, line);
	} else if (strcmp(condition, "virus") == 0) {
		rule->conditions = CONDITION_VIRUS;
		rule->viruses = scene_patterns(items, line);
	} else if (strcmp(condition, "mismatch") == 0) {
		rule->conditions = CONDITION_MISMATCH;
		rule->type_mismatch = true;
	} else if (strcmp(condition, "larger") == 0) {
		rule->conditions = CONDITION_LARGER;
		rule->larger_than = scene_number(line);
	} else if (strcmp(condition, "smaller") == 0) {
		rule->conditions = CONDITION_SMALLER;
		rule->smaller_than = scene_number(line);
	} else if (strcmp(condition, "mode") == 0) {
		rule->conditions = CONDITION_MODE;
		rule->mode = (unsigned)strtoul(line, NULL, 8);
	} else if (strcmp(condition, "unscannable") == 0) {
		rule->conditions = CONDITION_UNSCANNABLE;
		rule->unscannable = scene_unscannable(line);
	} else {
		play_die("no such condition: %s", condition);
	}
}

static bool scene_value(char *words, const char *name, char **value)
{
	size_t n = strlen(name);
	if (strncmp(words, name, n) != 0 || words[n] != ' ')
		return false;
	*value = words + n + 1;
	return true;
}

/* What only SFTP has. False: not one of these. */
static bool scene_sftp_setting(struct scene *scene, char *words)
{
	struct policy *policy = &scene->policy;
	char *value;
	if (strcmp(words, "sftp") == 0) {
		scene->sftp = true;
		scene->setup.root = scene->setup.start = span_str("/srv");
	} else if (strcmp(words, "greets itself") == 0) {
		scene->greets = true;
	} else if (strcmp(words, "child answers") == 0) {
		scene->answers = true;
	} else if (strcmp(words, "unique names") == 0) {
		policy->unique = true;
	} else if (strcmp(words, "no uploads") == 0) {
		policy->rules[UPLOAD].permitted = false;
	} else if (strcmp(words, "no downloads") == 0) {
		policy->rules[DOWNLOAD].permitted = false;
	} else if (scene_value(words, "child offers", &value)) {
		scene->extensions = value;
	} else if (scene_value(words, "begins in", &value)) {
		scene->setup.start = span_str(value);
	} else if (scene_value(words, "operations", &value)) {
		policy->operations = 0;
		for (char *word; (word = scene_word(&value)) != NULL;)
			policy->operations |= operation_bit(span_str(word));
	} else {
		return false;
	}
	return true;
}

static void scene_setting(struct scene *scene, char *words)
{
	struct guard_setup *setup = &scene->setup;
	struct policy *policy = &scene->policy;
	char *value;
	if (scene_sftp_setting(scene, words))
		return;
	if (strcmp(words, "upload") == 0 || strcmp(words, "download") == 0)
		setup->direction = words[0] == 'u' ? UPLOAD : DOWNLOAD;
	else if (strcmp(words, "hold") == 0 || strcmp(words, "stream") == 0)
		policy->delivery = words[0] == 'h' ? DELIVERY_HOLD : DELIVERY_STREAM;
	else if (strcmp(words, "stop") == 0 || strcmp(words, "skip") == 0)
		policy->on_block = words[1] == 't' ? ON_BLOCK_STOP : ON_BLOCK_SKIP;
	else if (strcmp(words, "recursive") == 0)
		setup->recursive = true;
	else if (strcmp(words, "closed") == 0)
		policy->rules[UPLOAD].permitted = policy->rules[DOWNLOAD].permitted = false;
	else if (strcmp(words, "unrecorded goes on") == 0)
		setup->audit_refuse = false;
	else if (strcmp(words, "together") == 0)
		scene->timing = true;
	else if (scene_value(words, "holds", &value))
		setup->hold_limit = scene_number(value);
	else if (scene_value(words, "room", &value))
		scene->room = scene_number(value);
	else if (scene_value(words, "early", &value))
		setup->early_max = scene_number(value);
	else if (scene_value(words, "home", &value))
		setup->home = span_str(value);
	else if (scene_value(words, "lifts", &value))
		policy->login_files = scene_patterns(scene->lifted, value);
	else if (scene_value(words, "accepts", &value))
		policy->accept_unscannable = scene_unscannable(value);
	else if (scene_value(words, "refused before", &value))
		scene->operand = value;
	else
		play_die("no such setting: %s", words);
}

static bool scene_is_rule(const char *line)
{
	return strncmp(line, "block ", 6) == 0 || strncmp(line, "watch ", 6) == 0 || strncmp(line, "allow ", 6) == 0;
}

void scene_read(struct scene *scene, const struct lines *head)
{
	memset(scene, 0, sizeof(*scene));
	scene->policy.name = "golden";
	scene->policy.operations = OPERATION_ALL;
	scene->policy.rules[UPLOAD].permitted = scene->policy.rules[DOWNLOAD].permitted = true;
	scene->policy.rules[UPLOAD].rules = scene->rules[UPLOAD];
	scene->policy.rules[DOWNLOAD].rules = scene->rules[DOWNLOAD];
	scene->room = UINT64_MAX;
	scene->setup = (struct guard_setup){ .policy = &scene->policy, .session = "s", .hold_limit = UINT64_MAX, .audit_refuse = true };
	for (size_t i = 0; i < head->n; i++) {
		char *line = head->at[i] + 2;
		if (scene_is_rule(line)) {
			scene_rule(scene, line);
			continue;
		}
		for (char *word = strtok(line, ","); word != NULL; word = strtok(NULL, ","))
			scene_setting(scene, word + strspn(word, " "));
	}
}
