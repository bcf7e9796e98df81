/*
 * The decision in bulk: random policies judge random files, step by step as the guard would ask, and every verdict is compared with a
 * second judge. That one knows all facts at once, knows the few patterns by heart, and follows the manual: any block that matches; then
 * doubt; then the allow rules. And where policy_same calls two names alike, no fact may ever tell their verdicts apart.
 */
#include "policy/policy.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { ROUNDS = 200000, RULES = 5 };

static uint64_t seed = 0x9e3779b97f4a7c15;

/* xorshift64*: the same run every time. */
static unsigned pick(unsigned below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (unsigned)((seed * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* What is the case, whether or not anybody has looked. Indices into the words below; 0 is none. */
struct world {
	enum entry_kind kind;
	unsigned name, folder, mode, type, virus;
	uint64_t size, so_far;         /* so_far: at first it is known only that the size is no less than this */
	bool growing;
	unsigned type_bits, scan_bits; /* UNSCANNABLE_* that looking at the type, at the content, brings */
};

static const char *const name_words[] = { "a.php", "b.jpg", "c", "d.jpeg" };
/* By name, then by folder: none, in, in/deep, out. */
static const char *const path_words[][4] = {
	{ "a.php", "in/a.php", "in/deep/a.php", "out/a.php" }, { "b.jpg", "in/b.jpg", "in/deep/b.jpg", "out/b.jpg" }, { "c", "in/c",
		"in/deep/c", "out/c" }, { "d.jpeg", "in/d.jpeg", "in/deep/d.jpeg", "out/d.jpeg" },
};
static const char *const type_words[] = { "", "text/x-php", "image/jpeg" };
static const char *const virus_words[] = { "", "V1", "V2" };

/* Lists by number; the second judge knows what each matches. */
static const struct patterns name_lists[] = {
	{ .items = (const char *const[]){ "*.php" }, .count = 1 }, { .items = (const char *const[]){ "c", "b.*" }, .count = 2 },
		{ .items = (const char *const[]){ "*" }, .count = 1 },
};
static const bool name_list_has[3][4] = { { true, false, false, false }, { false, true, true, false }, { true, true, true, true } };
static const struct patterns path_lists[] = {
	{ .items = (const char *const[]){ "in/**" }, .count = 1 }, { .items = (const char *const[]){ "*" }, .count = 1 },
		{ .items = (const char *const[]){ "**" }, .count = 1 },
};
static const bool path_list_has[3][4] = { { false, true, true, false }, { true, false, false, false }, { true, true, true, true } };
static const struct patterns type_lists[] = {
	{ .items = (const char *const[]){ "text/*" }, .count = 1 }, { .items = (const char *const[]){ "image/*", "text/*" }, .count = 2 },
};
static const bool type_list_has[2][3] = { { false, true, false }, { false, true, true } };
static const struct patterns virus_lists[] = {
	{ .items = (const char *const[]){ "*" }, .count = 1 }, { .items = (const char *const[]){ "V1" }, .count = 1 },
};
static const bool virus_list_has[2][3] = { { false, true, true }, { false, true, false } };
/* a.php promises text, b.jpg and d.jpeg a picture, c nothing. */
static const bool differs[4][3] = { { false, false, true }, { false, true, false }, { false, false, false }, { false, true, false } };

struct plan {
	struct rule rule;
	unsigned names, paths, types, viruses;
};

static struct plan random_rule(void)
{
	struct plan plan = { .names = pick(3), .paths = pick(3), .types = pick(2), .viruses = pick(2) };
	struct rule *rule = &plan.rule;
	rule->kind = (enum rule_kind)pick(3);
	for (unsigned n = 1 + pick(3); n > 0; n--)
		rule->conditions |= 1U << pick(9);
	if (pick(16) == 0)
		rule->conditions = 0;
	rule->names = name_lists[plan.names];
	rule->paths = path_lists[plan.paths];
	rule->types = type_lists[plan.types];
	rule->viruses = virus_lists[plan.viruses];
	rule->type_mismatch = pick(2);
	rule->unscannable = 1U << pick(2) | 1U << pick(2);
	rule->mode = pick(2) ? 0111 : 04000;
	rule->smaller_than = rule->larger_than = 10;
	return plan;
}

static struct world random_world(void)
{
	static const enum entry_kind kinds[] = { ENTRY_FILE, ENTRY_FILE, ENTRY_FILE, ENTRY_FILE, ENTRY_DIRECTORY, ENTRY_NAME };
	struct world world = { .kind = kinds[pick(6)], .name = pick(4), .folder = pick(4), .mode = pick(2) ? 0755 : 0644, .size = 9 + pick(3) };
	world.growing = pick(2);
	world.so_far = pick(2) ? world.size : world.size - pick(4);
	world.type = pick(4) == 0 ? 0 : 1 + pick(2);
	world.virus = pick(2) ? 0 : 1 + pick(2);
	if (world.type == 0)
		world.type_bits = pick(3);
	if (pick(2))
		world.scan_bits = pick(4);
	return world;
}

enum answer { FALSE, TRUE, UNKNOWABLE };

static enum answer world_yes(bool yes)
{
	return yes ? TRUE : FALSE;
}

static enum answer world_type(const struct world *w, unsigned bits, unsigned accepted, bool yes)
{
	if (w->type == 0)
		return bits == 0 || (bits & ~accepted) ? UNKNOWABLE : FALSE;
	return world_yes(yes);
}

static enum answer world_condition(const struct plan *plan, enum condition condition, const struct world *w, unsigned bits, unsigned accepted)
{
	switch (condition) {
	case CONDITION_NAME:
		return world_yes(name_list_has[plan->names][w->name]);
	case CONDITION_PATH:
		return world_yes(path_list_has[plan->paths][w->folder]);
	case CONDITION_MODE:
		return world_yes(plan->rule.mode == 0111 && w->mode == 0755);
	case CONDITION_SMALLER:
		return world_yes(w->size == 9);
	case CONDITION_LARGER:
		return world_yes(w->size == 11);
	case CONDITION_TYPE:
		return world_type(w, bits, accepted, type_list_has[plan->types][w->type]);
	case CONDITION_MISMATCH:
		return world_type(w, bits, accepted, differs[w->name][w->type] == plan->rule.type_mismatch);
	case CONDITION_VIRUS:
		bits |= w->scan_bits;
		if (virus_list_has[plan->viruses][w->virus])
			return TRUE;
		return bits & ~accepted ? UNKNOWABLE : FALSE;
	case CONDITION_UNSCANNABLE:
		return world_yes((bits | w->scan_bits) & plan->rule.unscannable);
	}
	abort();
}

static enum answer world_rule(const struct plan *plan, const struct world *w, unsigned bits, unsigned accepted)
{
	enum answer all = TRUE;
	for (unsigned bit = 1; bit <= CONDITION_UNSCANNABLE; bit <<= 1) {
		if (!(plan->rule.conditions & bit))
			continue;
		if (w->kind != ENTRY_FILE && plan->rule.kind == RULE_ALLOW && bit != CONDITION_PATH)
			continue;
		if (w->kind != ENTRY_FILE && bit != CONDITION_PATH && (bit != CONDITION_NAME || w->kind == ENTRY_NAME))
			return FALSE;
		enum answer answer = world_condition(plan, (enum condition)bit, w, bits, accepted);
		if (answer == FALSE)
			return FALSE;
		if (answer == UNKNOWABLE)
			all = UNKNOWABLE;
	}
	return all;
}

/* bits: those that have come to light; those of a scan count as well, for a rule that they concern has to ask for it. */
static bool world_allows(const struct plan *plans, size_t count, const struct world *w, unsigned bits, unsigned accepted)
{
	bool allow_rules = false, allowed = false;
	for (size_t i = 0; i < count; i++) {
		enum answer answer = world_rule(&plans[i], w, bits, accepted);
		if (plans[i].rule.kind == RULE_BLOCK && answer != FALSE)
			return false;
		allow_rules |= plans[i].rule.kind == RULE_ALLOW;
		allowed |= plans[i].rule.kind == RULE_ALLOW && answer == TRUE;
	}
	return allowed || !allow_rules;
}

static struct facts world_facts(const struct world *w, unsigned known)
{
	const char *path = path_words[w->name][w->folder];
	struct facts facts = { .kind = w->kind, .path = span_str(path), .name = span_str(name_words[w->name]), .mode = w->mode, .size = w->size };
	facts.finding.known = known & (FACT_TYPE | FACT_SCAN);
	if (w->growing && !(known & FACT_SIZE)) {
		facts.growing = true;
		facts.size = w->so_far;
	}
	if (known & FACT_TYPE) {
		strcpy(facts.finding.type, type_words[w->type]);
		facts.finding.unscannable |= w->type_bits;
	}
	if (known & FACT_SCAN) {
		strcpy(facts.finding.virus, virus_words[w->virus]);
		facts.finding.unscannable |= w->scan_bits;
	}
	return facts;
}

/* So that the test is known to have met every kind of verdict. */
static struct {
	unsigned allowed, denied, asked, asked_size, by_reason[REASONS], alike, unlike;
} seen;

static void judge_one(const struct policy *policy, const struct plan *plans, size_t count, const struct world *w)
{
	unsigned accepted = policy->accept_unscannable, known = 0, possible = policy_facts(policy, UPLOAD);
	for (;;) {
		struct facts facts = world_facts(w, known);
		struct verdict v = policy_judge(policy, &facts);
		if (v.decision == NEED) {
			cr_assert(v.need == FACT_TYPE || v.need == FACT_SIZE || v.need == FACT_SCAN, "one fact at a time, not %#x", v.need);
			cr_assert((v.need & known) == 0, "asked again for what is known");
			cr_assert(v.need == FACT_SIZE ? w->growing : (v.need & ~possible) == 0, "asked for what policy_facts denies");
			cr_assert(w->kind == ENTRY_FILE, "only a file has content");
			known |= v.need;
			seen.asked++;
			seen.asked_size += v.need == FACT_SIZE;
			continue;
		}
		/* The verdict has to stand whatever the facts are that were not asked for. */
		bool allows = world_allows(plans, count, w, facts.finding.unscannable, accepted);
		if (v.decision == ALLOW) {
			cr_assert(allows, "allowed against the manual");
			seen.allowed++;
		} else {
			cr_assert_not(allows, "denied (%d) against the manual", v.reason);
			cr_assert(v.reason == REASON_RULE || v.reason == REASON_UNSCANNABLE || v.reason == REASON_NOT_ALLOWED);
			cr_assert((v.rule != NULL) == (v.reason == REASON_RULE));
			seen.denied++;
			seen.by_reason[v.reason]++;
		}
		return;
	}
}

static size_t random_policy(struct policy *policy, struct plan *plans, struct rule *rules)
{
	size_t count = pick(RULES + 1);
	for (size_t i = 0; i < count; i++) {
		plans[i] = random_rule();
		rules[i] = plans[i].rule;
	}
	*policy = (struct policy){ .accept_unscannable = pick(4), .rules = { [UPLOAD] = { .permitted = true, .rules = rules, .count = count } } };
	return count;
}

Test(policy_world, verdicts_are_those_of_the_manual, .timeout = 120)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct plan plans[RULES];
		struct rule rules[RULES];
		struct policy policy;
		size_t count = random_policy(&policy, plans, rules);
		struct world world = random_world();
		judge_one(&policy, plans, count, &world);
	}
	cr_expect_gt(seen.allowed, ROUNDS / 20);
	cr_expect_gt(seen.denied, ROUNDS / 20);
	cr_expect_gt(seen.asked, ROUNDS / 20);
	cr_expect_gt(seen.asked_size, ROUNDS / 50);
	cr_expect_gt(seen.by_reason[REASON_RULE], ROUNDS / 50);
	cr_expect_gt(seen.by_reason[REASON_NOT_ALLOWED], ROUNDS / 50);
	cr_expect_gt(seen.by_reason[REASON_UNSCANNABLE], ROUNDS / 50);
}

static bool same_verdict(const struct policy *policy, const struct world *a, const struct world *b, unsigned known)
{
	struct facts first = world_facts(a, known), second = world_facts(b, known);
	struct verdict v = policy_judge(policy, &first), w = policy_judge(policy, &second);
	return v.decision == w.decision && v.reason == w.reason && v.rule == w.rule && v.need == w.need && v.watched[0] == w.watched[0];
}

enum { ENDINGS = 3 * 3 * 4 * 3 };

/* One of the ways in which it may turn out once the facts `known` are in; what they say stays. */
static struct world ending(struct world w, unsigned known, unsigned number)
{
	unsigned type = number % 3, virus = number / 3 % 3, bits = number / 9 % 4, size = 9 + number / 36;
	if (!(known & FACT_TYPE)) {
		w.type = type;
		w.type_bits = type == 0 ? bits : 0;
	}
	if (!(known & FACT_SCAN)) {
		w.virus = virus;
		w.scan_bits = bits;
	}
	if (w.growing && !(known & FACT_SIZE) && size >= w.so_far)
		w.size = size;
	return w;
}

static bool same_for_ever(const struct policy *policy, const struct world *a, const struct world *b, unsigned known)
{
	for (unsigned number = 0; number < ENDINGS; number++) {
		struct world first = ending(*a, known, number), second = ending(*b, known, number);
		for (unsigned more = 0; more < 8; more++)
			if (!same_verdict(policy, &first, &second, known | more))
				return false;
	}
	return true;
}

Test(policy_world, alike_means_alike_for_ever, .timeout = 120)
{
	for (unsigned round = 0; round < ROUNDS / 10; round++) {
		struct plan plans[RULES];
		struct rule rules[RULES];
		struct policy policy;
		random_policy(&policy, plans, rules);
		struct world a = random_world(), b = a;
		b.name = pick(4);
		b.folder = pick(4);
		unsigned known = pick(8);
		struct facts first = world_facts(&a, known), second = world_facts(&b, known);
		bool alike = policy_same(&policy, &first, &second);
		cr_assert(alike || a.name != b.name || a.folder != b.folder, "a name is not like itself");
		if (alike)
			cr_assert(same_for_ever(&policy, &a, &b, known), "called alike: %s and %s, known %#x", path_words[a.name][a.folder], path_words[b.name][b.folder], known);
		seen.alike += alike && a.name != b.name;
		seen.unlike += !alike;
	}
	cr_expect_gt(seen.alike, ROUNDS / 100);
	cr_expect_gt(seen.unlike, ROUNDS / 100);
}
