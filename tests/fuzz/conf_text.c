/*
 * Any bytes as a configuration. What has to hold: it is refused if and only if a mistake is named; complaints stand in line order, on lines that exist, and are fit for a
 * terminal; libconfuse never disagrees with the syntax check; what is accepted is complete; and a comment in front moves every line by one and changes nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_complaints(const struct conf_complaints *c, unsigned lines, int result)
{
	must(result == (c->mistakes > 0 ? -EINVAL : 0));
	must(c->count <= CONF_COMPLAINTS_MAX);
	for (size_t i = 0; i < c->count; i++) {
		const struct conf_complaint *one = &c->list[i];
		must(one->line <= lines);
		must(i == 0 || c->list[i - 1].line <= one->line);
		must(strncmp(one->text, "libconfuse", 10) != 0);
		must(one->text[0] != '\0');
		for (struct span s = span_str(one->text); s.n > 0;) {
			uint32_t code = 0;
			size_t n = text_utf8(s, &code);
			must(n > 0 && !text_is_control(code));
			span_take(&s, n);
		}
	}
}

static size_t check_patterns(const struct patterns *list)
{
	size_t bytes = 0;
	for (size_t i = 0; i < list->count; i++) {
		must(list->items[i][0] != '\0');
		bytes += strlen(list->items[i]);
	}
	return bytes;
}

static void check_rule(const struct rule *rule, unsigned lines)
{
	must(rule->conditions != 0);
	must(rule->line >= 1 && rule->line <= lines);
	must(rule->name[0] != '\0' && strlen(rule->name) <= 40);
	must(((rule->conditions & CONDITION_NAME) != 0) == (check_patterns(&rule->names) > 0));
	must(((rule->conditions & CONDITION_PATH) != 0) == (check_patterns(&rule->paths) > 0));
	must(((rule->conditions & CONDITION_TYPE) != 0) == (check_patterns(&rule->types) > 0));
	must(((rule->conditions & CONDITION_VIRUS) != 0) == (check_patterns(&rule->viruses) > 0));
	must(((rule->conditions & CONDITION_UNSCANNABLE) != 0) == (rule->unscannable != 0));
	must(((rule->conditions & CONDITION_MODE) != 0) == (rule->mode != 0));
}

static void check_policy(const struct policy *policy, unsigned lines)
{
	must(policy->root != NULL && (policy->root[0] == '/' || strncmp(policy->root, "%h", 2) == 0));
	must(strstr(policy->root, "/../") == NULL);
	must(policy->protocols != 0);
	must((policy->operations & ~(unsigned)OPERATION_ALL) == 0);
	must(policy->rules[UPLOAD].permitted || ((policy->operations & ~(unsigned)(OPERATION_LIST | OPERATION_STAT)) == 0 && !policy->unique));
	must(!policy->unique || (policy->operations == 0 && !policy->rules[DOWNLOAD].permitted));
	check_patterns(&policy->users);
	check_patterns(&policy->groups);
	check_patterns(&policy->keys);
	check_patterns(&policy->login_files);
	for (int d = 0; d < DIRECTIONS; d++) {
		const struct ruleset *rules = &policy->rules[d];
		must(rules->count == 0 || rules->permitted);
		must(rules->count <= POLICY_RULES_MAX);
		for (size_t i = 0; i < rules->count; i++) {
			check_rule(&rules->rules[i], lines);
			must(i == 0 || rules->rules[i - 1].line <= rules->rules[i].line);
		}
	}
}

static unsigned count_lines(const uint8_t *data, size_t n)
{
	unsigned lines = 1;
	for (size_t i = 0; i < n; i++)
		lines += data[i] == '\n';
	return lines;
}

static void check_moved(const uint8_t *data, size_t n, const struct conf_complaints *before)
{
	static struct conf_complaints after;
	struct conf conf;
	char *text = malloc(n + 2);
	must(text != NULL);
	memcpy(text, "#\n", 2);
	if (n > 0)
		memcpy(text + 2, data, n);
	conf_parse(&conf, text, n + 2, &after);
	must(after.count == before->count && after.mistakes == before->mistakes);
	for (size_t i = 0; i < after.count; i++) {
		const struct conf_complaint *a = &after.list[i];
		must(a->warning == before->list[i].warning);
		must(a->line == (before->list[i].line > 0 ? before->list[i].line + 1 : 0));
	}
	conf_free(&conf);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct conf_complaints complaints;
	struct conf conf;
	unsigned lines = count_lines(data, n);
	int r = conf_parse(&conf, (const char *)data, n, &complaints);
	check_complaints(&complaints, lines, r);
	if (r == 0)
		for (size_t i = 0; i < conf.policy_count; i++)
			check_policy(&conf.policies[i], lines);
	conf_free(&conf);
	check_moved(data, n, &complaints);
	return 0;
}
