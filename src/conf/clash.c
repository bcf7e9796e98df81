/* Knows which rules and policies make no sense beside each other, though each alone is right. */
#include "conf/build.h"
#include "conf/complain.h"

static const char *clash_kind(enum rule_kind kind)
{
	switch (kind) {
	case RULE_BLOCK:
		return "block";
	case RULE_WATCH:
		return "watch";
	case RULE_ALLOW:
		return "allow";
	}
	return "?";
}

static bool clash_holds(const struct patterns *list, const char *item)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], item) == 0)
			return true;
	return false;
}

/* Lists without repetitions are equal as sets if they are of one length and one holds the other. */
static bool clash_same_list(const struct patterns *a, const struct patterns *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!clash_holds(b, a->items[i]))
			return false;
	return true;
}

static bool clash_same_conditions(const struct rule *a, const struct rule *b)
{
	return a->conditions == b->conditions && a->ignore_case == b->ignore_case && a->type_mismatch == b->type_mismatch && a->unscannable == b->unscannable &&
	       a->mode == b->mode && a->smaller_than == b->smaller_than && a->larger_than == b->larger_than && clash_same_list(&a->names, &b->names) &&
	       clash_same_list(&a->paths, &b->paths) && clash_same_list(&a->types, &b->types) && clash_same_list(&a->viruses, &b->viruses);
}

static bool clash_matches_all(const struct rule *rule)
{
	const unsigned open = CONDITION_NAME | CONDITION_PATH | CONDITION_TYPE;
	return rule->conditions != 0 && (rule->conditions & ~open) == 0 && (rule->names.count == 0 || clash_holds(&rule->names, "*")) &&
	       (rule->paths.count == 0 || clash_holds(&rule->paths, "**")) &&
	       (rule->types.count == 0 || clash_holds(&rule->types, "*") || clash_holds(&rule->types, "*/*"));
}

/* True if something was wrong with the two: one complaint for each rule is enough. */
static bool clash_pair(struct conf_complaints *c, const struct rule *first, const struct rule *second)
{
	if (first->name[0] != '\0' && strcmp(first->name, second->name) == 0) {
		complain_mistake(c, second->line, "there is a rule '%s' in this direction already, in line %u", second->name, first->line);
		return true;
	}
	if (first->conditions == 0 || !clash_same_conditions(first, second))
		return false;
	if (first->kind == second->kind)
		complain_warning(c, second->line, "%s '%s' asks for the same as '%s' in line %u", clash_kind(second->kind), second->name, first->name, first->line);
	else if (first->kind != RULE_WATCH && second->kind != RULE_WATCH)
		complain_mistake(c, second->line, "%s '%s' contradicts %s '%s' in line %u, which has the same conditions", clash_kind(second->kind),
		                 second->name, clash_kind(first->kind), first->name, first->line);
	else
		return false;
	return true;
}

void clash_rules(struct conf_complaints *c, const struct ruleset *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		for (size_t k = 0; k < i && !clash_pair(c, &rules->rules[k], rule); k++)
			;
		if (rule->kind == RULE_BLOCK && rules->count > 1 && clash_matches_all(rule))
			complain_warning(c, rule->line, "block '%s' matches everything: the other rules of this direction can't let anything pass", rule->name);
	}
}

static bool clash_any(const struct patterns *list)
{
	return list->count == 0 || clash_holds(list, "*");
}

static bool clash_takes_all(const struct policy *p)
{
	return clash_any(&p->users) && clash_any(&p->groups) && p->keys.count == 0 && p->from_count == 0;
}

void clash_policies(struct conf_complaints *c, const struct policy *policies, size_t count)
{
	const struct policy *all = NULL;
	unsigned taken = 0; /* protocols that an earlier policy takes from everybody */
	for (size_t i = 0; i < count; i++) {
		const struct policy *policy = &policies[i];
		for (size_t k = 0; k < i && policy->name[0] != '\0'; k++)
			if (strcmp(policies[k].name, policy->name) == 0) {
				complain_mistake(c, policy->line, "there is a policy '%s' already, in line %u", policy->name, policies[k].line);
				break;
			}
		if (all != NULL && (policy->protocols & ~taken) == 0)
			complain_warning(c, policy->line, "policy '%s' is never reached: '%s' in line %u is for everybody", policy->name, all->name, all->line);
		if (clash_takes_all(policy)) {
			all = policy;
			taken |= policy->protocols;
		}
	}
}
