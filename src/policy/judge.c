/*
 * How rules become a verdict. A condition has four answers: no, yes, not known yet, and never to be known ("blind"). A rule is as good as
 * its worst condition, in the order no, not known yet, blind, yes; and the verdict takes what denies before what asks, and what asks
 * before what allows. So to allow takes positive knowledge from every rule that could have objected.
 */
#include "policy/fit.h"
#include "policy/glob.h"
#include "policy/policy.h"

enum { CONDITION_ALL = (CONDITION_UNSCANNABLE << 1) - 1 };

static struct span judge_text(const char *s, size_t cap)
{
	return span_of(s, strnlen(s, cap));
}

static enum match judge_yes(bool yes)
{
	return yes ? MATCH_YES : MATCH_NO;
}

static enum match judge_any(const struct patterns *patterns, struct span text, unsigned flags)
{
	for (size_t i = 0; i < patterns->count; i++) {
		if (glob_match(patterns->items[i], text, flags))
			return MATCH_YES;
	}
	return MATCH_NO;
}

static enum match judge_path(const struct rule *rule, const struct facts *facts)
{
	unsigned flags = GLOB_PATH;
	if (rule->ignore_case)
		flags |= GLOB_IGNORE_CASE;
	/* A name may be a folder's: who takes it away takes what is below it. So it counts as below itself for those rules only that object to that. */
	if (facts->kind == ENTRY_DIRECTORY || (facts->kind == ENTRY_NAME && rule->kind != RULE_ALLOW))
		flags |= GLOB_FOLDER;
	return judge_any(&rule->paths, facts->path, flags);
}

/* A size that may yet grow never shrinks: what is above a limit stays there. */
static enum match judge_size(const struct rule *rule, enum condition condition, const struct facts *facts)
{
	bool larger = condition == CONDITION_LARGER;
	if (larger ? facts->size > rule->larger_than : facts->size >= rule->smaller_than)
		return judge_yes(larger);
	return facts->growing ? MATCH_NEED : judge_yes(!larger);
}

/* A content that gave no answer. An acceptable reason makes it one that has nothing of what was asked for; no reason at all is not acceptable. */
static enum match judge_unanswered(const struct finding *finding, unsigned accepted)
{
	return finding->unscannable != 0 && (finding->unscannable & ~accepted) == 0 ? MATCH_NO : MATCH_BLIND;
}

static enum match judge_type(const struct rule *rule, enum condition condition, const struct facts *facts, unsigned accepted)
{
	const struct finding *finding = &facts->finding;
	struct span type = judge_text(finding->type, sizeof(finding->type));
	if (!(finding->known & FACT_TYPE))
		return MATCH_NEED;
	if (type.n == 0)
		return judge_unanswered(finding, accepted);
	if (condition == CONDITION_TYPE)
		return judge_any(&rule->types, type, GLOB_TEXT | GLOB_IGNORE_CASE);
	return judge_yes(fit_mismatch(facts->name, type) == rule->type_mismatch);
}

/* A scanner stops at the first signature it finds: one that the rule does not name says nothing about the part that was not looked into. */
static enum match judge_virus(const struct rule *rule, const struct finding *finding, unsigned accepted)
{
	struct span virus = judge_text(finding->virus, sizeof(finding->virus));
	if (!(finding->known & FACT_SCAN))
		return MATCH_NEED;
	if (virus.n > 0 && judge_any(&rule->viruses, virus, GLOB_TEXT) == MATCH_YES)
		return MATCH_YES;
	return finding->unscannable == 0 ? MATCH_NO : judge_unanswered(finding, accepted);
}

static enum match judge_unscannable(const struct rule *rule, const struct finding *finding)
{
	if (finding->known != 0 && (finding->unscannable & rule->unscannable) != 0)
		return MATCH_YES;
	return finding->known & FACT_SCAN ? MATCH_NO : MATCH_NEED;
}

static enum match judge_condition(const struct rule *rule, enum condition condition, const struct facts *facts, unsigned accepted)
{
	switch (condition) {
	case CONDITION_NAME:
		return judge_any(&rule->names, facts->name, GLOB_NAME | (rule->ignore_case ? GLOB_IGNORE_CASE : 0));
	case CONDITION_PATH:
		return judge_path(rule, facts);
	case CONDITION_MODE:
		return judge_yes((facts->mode & rule->mode) != 0);
	case CONDITION_SMALLER:
	case CONDITION_LARGER:
		return judge_size(rule, condition, facts);
	case CONDITION_TYPE:
	case CONDITION_MISMATCH:
		return judge_type(rule, condition, facts, accepted);
	case CONDITION_VIRUS:
		return judge_virus(rule, &facts->finding, accepted);
	case CONDITION_UNSCANNABLE:
		return judge_unscannable(rule, &facts->finding);
	}
	return MATCH_BLIND;
}

static unsigned judge_fact(enum condition condition)
{
	switch (condition) {
	case CONDITION_TYPE:
	case CONDITION_MISMATCH:
		return FACT_TYPE;
	case CONDITION_VIRUS:
	case CONDITION_UNSCANNABLE:
		return FACT_SCAN;
	case CONDITION_SMALLER:
	case CONDITION_LARGER:
		return FACT_SIZE;
	case CONDITION_NAME:
	case CONDITION_PATH:
	case CONDITION_MODE:
		return 0;
	}
	return 0;
}

/*
 * The conditions that count for this entry. A folder has to be entered before anything in it can be judged, so an allow rule for *.jpg in
 * images may not stop the folder images; while a block rule about content must not be taken for one about folders.
 */
static unsigned judge_conditions(const struct rule *rule, const struct facts *facts)
{
	if (facts->kind != ENTRY_FILE && rule->kind == RULE_ALLOW)
		return rule->conditions & CONDITION_PATH;
	return rule->conditions;
}

/* Those that can hold of it. */
static unsigned judge_possible(enum entry_kind kind)
{
	switch (kind) {
	case ENTRY_FILE:
		return CONDITION_ALL;
	case ENTRY_DIRECTORY:
		return CONDITION_NAME | CONDITION_PATH;
	case ENTRY_NAME:
		return CONDITION_PATH;
	}
	return 0;
}

static struct rule_match judge_rule(const struct rule *rule, const struct facts *facts, unsigned accepted)
{
	struct rule_match all = { .match = MATCH_YES };
	unsigned conditions = judge_conditions(rule, facts), possible = judge_possible(facts->kind);
	for (unsigned bit = 1; bit <= CONDITION_ALL; bit <<= 1) {
		if (!(conditions & bit))
			continue;
		enum match match = MATCH_NO;
		if (possible & bit)
			match = judge_condition(rule, (enum condition)bit, facts, accepted);
		switch (match) {
		case MATCH_NO:
			return (struct rule_match){ .match = MATCH_NO, .failed = bit };
		case MATCH_YES:
			break;
		case MATCH_NEED:
			all.match = MATCH_NEED;
			all.need |= judge_fact((enum condition)bit);
			break;
		case MATCH_BLIND:
			if (all.match == MATCH_YES)
				all.match = MATCH_BLIND;
			if (all.failed == 0)
				all.failed = bit;
			break;
		}
	}
	if (all.match == MATCH_NEED)
		all.failed = 0;
	return all;
}

/* What the rules of a direction say together. */
struct judge_tally {
	const struct rule *block;  /* the first that matches */
	const struct rule *allow;  /* the same */
	bool allow_rules;          /* there are some */
	bool block_blind, allow_blind;
	unsigned need;             /* of block and watch rules */
	unsigned allow_need;
};

static void judge_count_block(struct judge_tally *tally, const struct rule *rule, struct rule_match match)
{
	if (match.match == MATCH_YES && tally->block == NULL)
		tally->block = rule;
	tally->block_blind |= match.match == MATCH_BLIND;
	tally->need |= match.need;
}

static void judge_count_allow(struct judge_tally *tally, const struct rule *rule, struct rule_match match)
{
	tally->allow_rules = true;
	if (match.match == MATCH_YES && tally->allow == NULL)
		tally->allow = rule;
	tally->allow_blind |= match.match == MATCH_BLIND;
	tally->allow_need |= match.need;
}

static struct verdict judge_conclude(struct verdict verdict, const struct judge_tally *tally)
{
	bool allowed = tally->allow != NULL || !tally->allow_rules;
	unsigned need = tally->need | (allowed ? 0 : tally->allow_need);
	if (tally->block != NULL) {
		verdict.reason = REASON_RULE;
		verdict.rule = tally->block;
	} else if (tally->block_blind) {
		verdict.reason = REASON_UNSCANNABLE;
	} else if (!allowed && tally->allow_need == 0) {
		verdict.reason = tally->allow_blind ? REASON_UNSCANNABLE : REASON_NOT_ALLOWED;
	} else if (need != 0) {
		verdict.decision = NEED;
		verdict.need = need & FACT_TYPE ? FACT_TYPE : need & FACT_SIZE ? FACT_SIZE : FACT_SCAN;
	} else {
		verdict.decision = ALLOW;
		verdict.rule = tally->allow;
	}
	return verdict;
}

/* NULL: facts or rules that nobody should have made. */
static const struct ruleset *judge_rules(const struct policy *policy, const struct facts *facts)
{
	if ((facts->direction != UPLOAD && facts->direction != DOWNLOAD) || judge_possible(facts->kind) == 0)
		return NULL;
	const struct ruleset *set = &policy->rules[facts->direction];
	return set->count <= POLICY_RULES_MAX ? set : NULL;
}

struct verdict policy_explain(const struct policy *policy, const struct facts *facts, policy_trace *trace, void *ctx)
{
	struct verdict verdict = { .decision = DENY, .reason = REASON_INTERNAL };
	struct judge_tally tally = { 0 };
	if (policy == NULL) {
		verdict.reason = REASON_NO_POLICY;
		return verdict;
	}
	const struct ruleset *set = judge_rules(policy, facts);
	if (set == NULL)
		return verdict;
	verdict.reason = set->permitted ? REASON_NONE : REASON_NOT_PERMITTED;
	if (!set->permitted)
		return verdict;
	for (size_t i = 0; i < set->count; i++) {
		const struct rule *rule = &set->rules[i];
		struct rule_match match = judge_rule(rule, facts, policy->accept_unscannable);
		if (trace != NULL)
			trace(ctx, rule, match);
		switch (rule->kind) {
		case RULE_BLOCK:
			judge_count_block(&tally, rule, match);
			break;
		case RULE_ALLOW:
			judge_count_allow(&tally, rule, match);
			break;
		case RULE_WATCH:
			if (match.match == MATCH_YES)
				verdict.watched[i / 64] |= UINT64_C(1) << (i % 64);
			tally.need |= match.need;
			break;
		}
	}
	return judge_conclude(verdict, &tally);
}

struct verdict policy_judge(const struct policy *policy, const struct facts *facts)
{
	return policy_explain(policy, facts, NULL, NULL);
}

/* Two matches that ask for a type are alike only if every type suits both names, or neither. */
static bool judge_alike(const struct rule *rule, const struct facts *a, const struct facts *b, unsigned accepted)
{
	struct rule_match first = judge_rule(rule, a, accepted), second = judge_rule(rule, b, accepted);
	if (first.match != second.match || first.need != second.need || first.failed != second.failed)
		return false;
	return !(first.need & FACT_TYPE) || !(rule->conditions & CONDITION_MISMATCH) || fit_alike(a->name, b->name);
}

bool policy_same(const struct policy *policy, const struct facts *a, const struct facts *b)
{
	if (policy == NULL || a->direction != b->direction)
		return false;
	const struct ruleset *set = judge_rules(policy, a);
	if (set == NULL || judge_rules(policy, b) == NULL || !set->permitted)
		return false;
	for (size_t i = 0; i < set->count; i++) {
		if (!judge_alike(&set->rules[i], a, b, policy->accept_unscannable))
			return false;
	}
	return true;
}

unsigned policy_facts(const struct policy *policy, enum direction direction)
{
	unsigned facts = 0;
	const struct ruleset *set = &policy->rules[direction];
	if (!set->permitted)
		return 0;
	for (size_t i = 0; i < set->count; i++) {
		for (unsigned bit = 1; bit <= CONDITION_ALL; bit <<= 1)
			facts |= set->rules[i].conditions & bit ? judge_fact((enum condition)bit) : 0;
	}
	return facts & (FACT_TYPE | FACT_SCAN);
}

size_t policy_watched(const struct ruleset *set, const struct verdict *verdict, const char **names)
{
	size_t n = 0;
	for (size_t i = 0; i < set->count && i < POLICY_RULES_MAX && n < RECORD_WATCHED_MAX; i++) {
		if (verdict->watched[i / 64] >> (i % 64) & 1)
			names[n++] = set->rules[i].name;
	}
	return n;
}

const char *policy_message(const struct ruleset *set, const struct verdict *verdict)
{
	if (verdict->rule != NULL)
		return verdict->rule->message;
	if (verdict->reason != REASON_NOT_ALLOWED)
		return NULL;
	for (size_t i = 0; i < set->count; i++) {
		if (set->rules[i].kind == RULE_ALLOW && set->rules[i].message != NULL)
			return set->rules[i].message;
	}
	return NULL;
}
