/* For the tests of the judge: facts, one rule or a list of them, and what the verdict has to be. */
#ifndef XFERWARDEN_TESTS_POLICY_CASES_H
#define XFERWARDEN_TESTS_POLICY_CASES_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"

#define PATTERNS(...) { .items = (const char *const[]){ __VA_ARGS__ }, .count = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) }
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define JUDGE(rules, facts) judge(rules, COUNT(rules), 0, facts)

static inline struct verdict judge(const struct rule *rules, size_t count, unsigned accepted, const struct facts *facts)
{
	struct policy policy = { .name = "test", .accept_unscannable = accepted, .rules = { [UPLOAD] = { .permitted = true, .rules = rules,
		.count = count } } };
	return policy_judge(&policy, facts);
}

/* An uploaded file; path has to be a literal. */
static inline struct facts file(const char *path)
{
	const char *slash = strrchr(path, '/');
	return (struct facts){ .kind = ENTRY_FILE, .direction = UPLOAD, .path = span_str(path),
		.name = span_str(slash != NULL ? slash + 1 : path), .mode = 0644, .size = 1000 };
}

static inline struct facts folder(const char *path)
{
	struct facts facts = file(path);
	facts.kind = ENTRY_DIRECTORY;
	facts.mode = 0755;
	facts.size = 0;
	return facts;
}

static inline struct facts typed(struct facts facts, const char *type, unsigned unscannable)
{
	facts.finding.known |= FACT_TYPE;
	facts.finding.unscannable |= unscannable;
	snprintf(facts.finding.type, sizeof(facts.finding.type), "%s", type);
	return facts;
}

static inline struct facts scanned(struct facts facts, const char *virus, unsigned unscannable)
{
	facts.finding.known |= FACT_SCAN;
	facts.finding.unscannable |= unscannable;
	snprintf(facts.finding.virus, sizeof(facts.finding.virus), "%s", virus);
	return facts;
}

static inline void is_deny(struct verdict v, enum reason reason, const char *rule, int line)
{
	cr_expect_eq(v.decision, DENY, "line %d: decision %d", line, v.decision);
	cr_expect_eq(v.reason, reason, "line %d: reason %s", line, reason_word(v.reason));
	cr_expect_eq(v.need, 0, "line %d", line);
	if (rule == NULL)
		cr_expect_null(v.rule, "line %d: rule %s", line, v.rule != NULL ? v.rule->name : "");
	else
		cr_expect(v.rule != NULL && strcmp(v.rule->name, rule) == 0, "line %d: rule %s", line, v.rule != NULL ? v.rule->name : "none");
}

static inline void is_allow(struct verdict v, const char *rule, int line)
{
	cr_expect_eq(v.decision, ALLOW, "line %d: decision %d, reason %s", line, v.decision, reason_word(v.reason));
	cr_expect_eq(v.reason, REASON_NONE, "line %d", line);
	cr_expect_eq(v.need, 0, "line %d", line);
	cr_expect(rule == NULL ? v.rule == NULL : v.rule != NULL && strcmp(v.rule->name, rule) == 0, "line %d", line);
}

static inline void is_need(struct verdict v, unsigned need, int line)
{
	cr_expect_eq(v.decision, NEED, "line %d: decision %d, reason %s", line, v.decision, reason_word(v.reason));
	cr_expect_eq(v.need, need, "line %d: need %u", line, v.need);
	cr_expect_eq(v.reason, REASON_NONE, "line %d", line);
	cr_expect_null(v.rule, "line %d", line);
}

#define DENIED(v, reason, rule) is_deny(v, reason, rule, __LINE__)
#define ALLOWED(v, rule) is_allow(v, rule, __LINE__)
#define NEEDED(v, need) is_need(v, need, __LINE__)

static inline void keep_match(void *ctx, const struct rule *rule, struct rule_match match)
{
	(void)rule;
	*(struct rule_match *)ctx = match;
}

static inline struct rule_match match_one(const struct rule *rule, struct facts facts)
{
	struct rule_match match = { 0 };
	struct policy policy = { .rules = { [UPLOAD] = { .permitted = true, .rules = rule, .count = 1 } } };
	policy_explain(&policy, &facts, keep_match, &match);
	return match;
}

#endif
