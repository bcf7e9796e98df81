/*
 * The decision: each condition alone, rules together, what is asked for and when, and above all doubt.
 * policy_change.c has what is not simply a file of a known size, policy_world.c all of it in bulk.
 */
#include "policy_cases.h"

Test(policy_judge, nothing_is_permitted_by_itself)
{
	struct verdict zero = { 0 };
	struct policy policy = { 0 };
	struct facts facts = file("a");
	cr_expect_eq(zero.decision, DENY);
	DENIED(policy_judge(NULL, &facts), REASON_NO_POLICY, NULL);
	DENIED(policy_judge(&policy, &facts), REASON_NOT_PERMITTED, NULL);
	policy.rules[UPLOAD].permitted = true;
	ALLOWED(policy_judge(&policy, &facts), NULL);
	facts.direction = DOWNLOAD;
	DENIED(policy_judge(&policy, &facts), REASON_NOT_PERMITTED, NULL);
	facts.direction = (enum direction)DIRECTIONS;
	DENIED(policy_judge(&policy, &facts), REASON_INTERNAL, NULL);
}

Test(policy_judge, as_many_rules_as_there_may_be)
{
	static struct rule rules[POLICY_RULES_MAX + 1];
	struct facts facts = file("x");
	for (size_t i = 0; i < COUNT(rules); i++)
		rules[i] = (struct rule){ .kind = RULE_WATCH, .name = "w" };
	struct verdict v = judge(rules, POLICY_RULES_MAX, 0, &facts);
	ALLOWED(v, NULL);
	for (size_t i = 0; i < COUNT(v.watched); i++)
		cr_expect_eq(v.watched[i], UINT64_MAX);
	DENIED(judge(rules, POLICY_RULES_MAX + 1, 0, &facts), REASON_INTERNAL, NULL);
}

struct condition_case {
	struct rule rule;
	struct facts facts;
	enum match match;
	unsigned need;
};

Test(policy_judge, each_condition)
{
	const struct rule name = { .conditions = CONDITION_NAME, .names = PATTERNS("*.php", "x*") };
	const struct rule name_any_case = { .conditions = CONDITION_NAME, .names = PATTERNS("*.php"), .ignore_case = true };
	const struct rule path = { .conditions = CONDITION_PATH, .paths = PATTERNS("a/**", "*.c") };
	const struct rule path_any_case = { .conditions = CONDITION_PATH, .paths = PATTERNS("a/**"), .ignore_case = true };
	const struct rule mode = { .conditions = CONDITION_MODE, .mode = 0111 };
	const struct rule smaller = { .conditions = CONDITION_SMALLER, .smaller_than = 1000 };
	const struct rule larger = { .conditions = CONDITION_LARGER, .larger_than = 1000 };
	const struct rule type = { .conditions = CONDITION_TYPE, .types = PATTERNS("text/x-*", "application/zip") };
	const struct rule differs = { .conditions = CONDITION_MISMATCH, .type_mismatch = true };
	const struct rule fits = { .conditions = CONDITION_MISMATCH, .type_mismatch = false };
	const struct rule virus = { .conditions = CONDITION_VIRUS, .viruses = PATTERNS("Eicar*", "Win.*") };
	const struct rule unseen = { .conditions = CONDITION_UNSCANNABLE, .unscannable = UNSCANNABLE_ENCRYPTED | UNSCANNABLE_SCANNER_DOWN };
	const struct rule none = { .conditions = 0 };
	struct facts executable = file("x"), small = file("x"), large = file("x");
	executable.mode = 0654;
	small.size = 999;
	large.size = 1001;
	const struct condition_case cases[] = {
		{ none, file("a"), MATCH_YES, 0 },
		{ name, file("d/a.php"), MATCH_YES, 0 },
		{ name, file("xyz"), MATCH_YES, 0 },
		{ name, file("a.php/b"), MATCH_NO, 0 },
		{ name, file("a.PHP"), MATCH_NO, 0 },
		{ name_any_case, file("a.PhP"), MATCH_YES, 0 },
		{ path, file("a/b/c"), MATCH_YES, 0 },
		{ path, file("x.c"), MATCH_YES, 0 },
		{ path, file("d/x.c"), MATCH_NO, 0 },
		{ path, file("a"), MATCH_NO, 0 },
		{ path, file("A/b"), MATCH_NO, 0 },
		{ path_any_case, file("A/b"), MATCH_YES, 0 },
		{ mode, file("a"), MATCH_NO, 0 },
		{ mode, executable, MATCH_YES, 0 },
		{ smaller, file("a"), MATCH_NO, 0 },
		{ smaller, small, MATCH_YES, 0 },
		{ larger, file("a"), MATCH_NO, 0 },
		{ larger, large, MATCH_YES, 0 },
		{ type, file("a"), MATCH_NEED, FACT_TYPE },
		{ type, scanned(file("a"), "", 0), MATCH_NEED, FACT_TYPE },
		{ type, typed(file("a"), "text/x-php", 0), MATCH_YES, 0 },
		{ type, typed(file("a"), "TEXT/X-PHP", 0), MATCH_YES, 0 },
		{ type, typed(file("a"), "text/plain", 0), MATCH_NO, 0 },
		{ type, typed(file("a"), "", 0), MATCH_BLIND, 0 },
		{ type, typed(file("a"), "", UNSCANNABLE_SCANNER_DOWN), MATCH_BLIND, 0 },
		{ differs, file("a.jpg"), MATCH_NEED, FACT_TYPE },
		{ differs, typed(file("a.jpg"), "text/x-php", 0), MATCH_YES, 0 },
		{ differs, typed(file("a.jpg"), "image/jpeg", 0), MATCH_NO, 0 },
		{ differs, typed(file("a"), "text/x-php", 0), MATCH_NO, 0 },
		{ differs, typed(file("a.jpg"), "", 0), MATCH_BLIND, 0 },
		{ fits, typed(file("a.jpg"), "text/x-php", 0), MATCH_NO, 0 },
		{ fits, typed(file("a.jpg"), "image/jpeg", 0), MATCH_YES, 0 },
		{ fits, typed(file("a.jpg"), "", 0), MATCH_BLIND, 0 },
		{ virus, file("a"), MATCH_NEED, FACT_SCAN },
		{ virus, typed(file("a"), "text/plain", 0), MATCH_NEED, FACT_SCAN },
		{ virus, typed(file("a"), "", UNSCANNABLE_SCANNER_DOWN), MATCH_NEED, FACT_SCAN },
		{ virus, scanned(file("a"), "Eicar-Test", 0), MATCH_YES, 0 },
		{ virus, scanned(file("a"), "eicar-Test", 0), MATCH_NO, 0 },
		{ virus, scanned(file("a"), "", 0), MATCH_NO, 0 },
		{ virus, scanned(file("a"), "", UNSCANNABLE_ENCRYPTED), MATCH_BLIND, 0 },
		{ virus, scanned(file("a"), "Eicar-Test", UNSCANNABLE_ENCRYPTED), MATCH_YES, 0 },
		{ virus, scanned(file("a"), "Other", UNSCANNABLE_ENCRYPTED), MATCH_BLIND, 0 },
		{ unseen, file("a"), MATCH_NEED, FACT_SCAN },
		{ unseen, typed(file("a"), "text/plain", 0), MATCH_NEED, FACT_SCAN },
		{ unseen, typed(file("a"), "", UNSCANNABLE_SCANNER_DOWN), MATCH_YES, 0 },
		{ unseen, typed(file("a"), "", UNSCANNABLE_TIMEOUT), MATCH_NEED, FACT_SCAN },
		{ unseen, scanned(file("a"), "", 0), MATCH_NO, 0 },
		{ unseen, scanned(file("a"), "", UNSCANNABLE_TIMEOUT), MATCH_NO, 0 },
		{ unseen, scanned(file("a"), "", UNSCANNABLE_TIMEOUT | UNSCANNABLE_ENCRYPTED), MATCH_YES, 0 },
		{ unseen, scanned(file("a"), "Eicar", UNSCANNABLE_ENCRYPTED), MATCH_YES, 0 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule_match m = match_one(&cases[i].rule, cases[i].facts);
		cr_expect_eq(m.match, cases[i].match, "case %zu (conditions %#x): %d", i, cases[i].rule.conditions, m.match);
		cr_expect_eq(m.need, cases[i].need, "case %zu: need %u", i, m.need);
		unsigned failed = cases[i].match == MATCH_NO || cases[i].match == MATCH_BLIND ? cases[i].rule.conditions : 0;
		cr_expect_eq(m.failed, failed, "case %zu: failed %#x", i, m.failed);
	}
}

/* What a finding says without claiming to know it does not count. */
Test(policy_judge, only_what_is_known_counts)
{
	const struct rule type = { .conditions = CONDITION_TYPE, .types = PATTERNS("*") };
	const struct rule virus = { .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") };
	const struct rule unseen = { .conditions = CONDITION_UNSCANNABLE, .unscannable = UNSCANNABLE_ALL };
	struct facts facts = scanned(typed(file("a"), "text/plain", UNSCANNABLE_TIMEOUT), "Eicar", UNSCANNABLE_ENCRYPTED);
	facts.finding.known = 0;
	cr_expect_eq(match_one(&type, facts).match, MATCH_NEED);
	cr_expect_eq(match_one(&virus, facts).match, MATCH_NEED);
	cr_expect_eq(match_one(&unseen, facts).match, MATCH_NEED);
	char whole[FINDING_TYPE_MAX + 1] = "";
	const struct rule unended = { .conditions = CONDITION_TYPE, .types = PATTERNS(whole) };
	memset(whole, 'x', FINDING_TYPE_MAX);
	memset(facts.finding.type, 'x', sizeof(facts.finding.type));
	memset(facts.finding.virus, 'x', sizeof(facts.finding.virus));
	facts.finding.known = FACT_TYPE | FACT_SCAN;
	cr_expect_eq(match_one(&type, facts).match, MATCH_YES);
	cr_expect_eq(match_one(&unended, facts).match, MATCH_YES, "and nothing is read beyond its end");
	cr_expect_eq(match_one(&virus, facts).match, MATCH_YES);
}

Test(policy_judge, all_conditions_of_a_rule)
{
	const struct rule rule = {
		.conditions = CONDITION_NAME | CONDITION_LARGER | CONDITION_TYPE | CONDITION_VIRUS, .names = PATTERNS("*.zip"), .larger_than = 10,
		.types = PATTERNS("application/zip"), .viruses = PATTERNS("*"),
	};
	struct facts zip = file("a.zip"), tiny = file("a.zip");
	tiny.size = 10;
	struct rule_match m = match_one(&rule, zip);
	cr_expect_eq(m.match, MATCH_NEED);
	cr_expect_eq(m.need, FACT_TYPE | FACT_SCAN);
	cr_expect_eq(match_one(&rule, file("a.txt")).failed, CONDITION_NAME);
	cr_expect_eq(match_one(&rule, tiny).failed, CONDITION_LARGER);
	cr_expect_eq(match_one(&rule, typed(zip, "text/plain", 0)).failed, CONDITION_TYPE);
	cr_expect_eq(match_one(&rule, typed(zip, "application/zip", 0)).need, FACT_SCAN);
	cr_expect_eq(match_one(&rule, scanned(zip, "", 0)).failed, CONDITION_VIRUS, "decided without the type");
	cr_expect_eq(match_one(&rule, scanned(zip, "X", 0)).need, FACT_TYPE);
	cr_expect_eq(match_one(&rule, scanned(typed(zip, "application/zip", 0), "X", 0)).match, MATCH_YES);
	/* A blind type may still be made up for by a clean scan, so that is asked for. */
	m = match_one(&rule, typed(zip, "", UNSCANNABLE_TIMEOUT));
	cr_expect_eq(m.match, MATCH_NEED);
	cr_expect_eq(m.need, FACT_SCAN);
	cr_expect_eq(m.failed, 0);
	/* The same the other way round. */
	m = match_one(&rule, scanned(zip, "", UNSCANNABLE_TIMEOUT));
	cr_expect_eq(m.match, MATCH_NEED);
	cr_expect_eq(m.need, FACT_TYPE);
	cr_expect_eq(m.failed, 0);
	m = match_one(&rule, scanned(typed(zip, "", 0), "X", 0));
	cr_expect_eq(m.match, MATCH_BLIND);
	cr_expect_eq(m.failed, CONDITION_TYPE);
	cr_expect_eq(match_one(&rule, scanned(typed(file("a.txt"), "", UNSCANNABLE_TIMEOUT), "", UNSCANNABLE_TIMEOUT)).match, MATCH_NO);
}

Test(policy_judge, any_block_wins)
{
	const struct rule rules[] = {
		{ .kind = RULE_ALLOW, .name = "all" },
		{ .kind = RULE_BLOCK, .name = "typed", .conditions = CONDITION_TYPE, .types = PATTERNS("text/x-php") },
		{ .kind = RULE_BLOCK, .name = "infected", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "named", .conditions = CONDITION_NAME, .names = PATTERNS("*.php") },
		{ .kind = RULE_BLOCK, .name = "named later", .conditions = CONDITION_NAME, .names = PATTERNS("*.php") },
	};
	struct facts php = file("a.php"), txt = file("a.txt");
	struct facts typed_php = typed(php, "text/x-php", 0), typed_txt = typed(txt, "text/plain", 0);
	DENIED(JUDGE(rules, &php), REASON_RULE, "named");
	DENIED(JUDGE(rules, &typed_php), REASON_RULE, "typed");
	NEEDED(JUDGE(rules, &txt), FACT_TYPE);
	NEEDED(JUDGE(rules, &typed_txt), FACT_SCAN);
	struct facts clean = scanned(typed_txt, "", 0), infected = scanned(typed_txt, "Eicar", 0);
	ALLOWED(JUDGE(rules, &clean), "all");
	DENIED(JUDGE(rules, &infected), REASON_RULE, "infected");
	struct facts scanned_only = scanned(txt, "", 0);
	NEEDED(JUDGE(rules, &scanned_only), FACT_TYPE);
	scanned_only = scanned(txt, "Eicar", 0);
	DENIED(JUDGE(rules, &scanned_only), REASON_RULE, "infected");
}

Test(policy_judge, one_allow_has_to_match)
{
	const struct rule rules[] = {
		{ .kind = RULE_ALLOW, .name = "site", .conditions = CONDITION_PATH, .paths = PATTERNS("public_html/**") },
		{ .kind = RULE_ALLOW, .name = "images", .conditions = CONDITION_PATH | CONDITION_TYPE, .paths = PATTERNS("images/**"),
			.types = PATTERNS("image/*") },
		{ .kind = RULE_ALLOW, .name = "later", .conditions = CONDITION_PATH, .paths = PATTERNS("public_html/**") },
	};
	struct facts site = file("public_html/a"), other = file("etc/a"), image = file("images/a");
	ALLOWED(JUDGE(rules, &site), "site");
	DENIED(JUDGE(rules, &other), REASON_NOT_ALLOWED, NULL);
	NEEDED(JUDGE(rules, &image), FACT_TYPE);
	struct facts png = typed(image, "image/png", 0), text = typed(image, "text/plain", 0), blind = typed(image, "", UNSCANNABLE_SCANNER_DOWN);
	ALLOWED(JUDGE(rules, &png), "images");
	DENIED(JUDGE(rules, &text), REASON_NOT_ALLOWED, NULL);
	DENIED(JUDGE(rules, &blind), REASON_UNSCANNABLE, NULL);
	/* An accepted reason does not prove the type that an allow rule asks for. */
	DENIED(judge(rules, COUNT(rules), UNSCANNABLE_ALL, &blind), REASON_NOT_ALLOWED, NULL);
	struct facts elsewhere = typed(site, "", UNSCANNABLE_SCANNER_DOWN);
	ALLOWED(JUDGE(rules, &elsewhere), "site");
}

/* Not allowed is said before any fact is asked for; and once allowed, no allow rule asks. */
Test(policy_judge, earliest_moment)
{
	const struct rule rules[] = {
		{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_ALLOW, .name = "typed", .conditions = CONDITION_TYPE, .types = PATTERNS("image/*") },
		{ .kind = RULE_ALLOW, .name = "named", .conditions = CONDITION_NAME, .names = PATTERNS("*.jpg") },
	};
	const struct rule named[] = {
		{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_ALLOW, .name = "named", .conditions = CONDITION_NAME, .names = PATTERNS("*.jpg") },
	};
	const struct rule narrow[] = {
		{ .kind = RULE_BLOCK, .name = "php zip", .conditions = CONDITION_NAME | CONDITION_VIRUS, .names = PATTERNS("*.zip"),
			.viruses = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "large text", .conditions = CONDITION_LARGER | CONDITION_TYPE, .larger_than = 5000,
			.types = PATTERNS("text/*") },
	};
	struct facts jpg = file("a.jpg"), other = file("a.gif"), gif = typed(other, "image/gif", 0), txt = typed(other, "text/plain", 0);
	NEEDED(JUDGE(rules, &jpg), FACT_SCAN);
	NEEDED(JUDGE(rules, &other), FACT_TYPE);
	NEEDED(JUDGE(rules, &gif), FACT_SCAN);
	DENIED(JUDGE(rules, &txt), REASON_NOT_ALLOWED, NULL);
	DENIED(JUDGE(named, &other), REASON_NOT_ALLOWED, NULL);
	ALLOWED(JUDGE(narrow, &jpg), NULL);
	jpg.size = 5001;
	NEEDED(JUDGE(narrow, &jpg), FACT_TYPE);
	struct facts zip = file("a.zip");
	NEEDED(JUDGE(narrow, &zip), FACT_SCAN);
}

Test(policy_judge, doubt)
{
	const struct rule scan[] = {
		{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_NAME | CONDITION_VIRUS, .names = PATTERNS("*.zip"),
			.viruses = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "unseen", .conditions = CONDITION_UNSCANNABLE, .unscannable = UNSCANNABLE_ENCRYPTED },
	};
	const struct rule types[] = { { .kind = RULE_BLOCK, .name = "types", .conditions = CONDITION_TYPE, .types = PATTERNS("text/x-php") } };
	const struct rule mismatch[] = { { .kind = RULE_BLOCK, .name = "disguised", .conditions = CONDITION_MISMATCH, .type_mismatch = true } };
	for (unsigned bit = 1; bit <= UNSCANNABLE_ALL; bit <<= 1) {
		struct facts zip = scanned(file("a.zip"), "", bit), txt = scanned(file("a.txt"), "", bit), found = scanned(file("a.zip"),
			"X", bit);
		struct facts blind = typed(file("a.jpg"), "", bit);
		bool named = bit == UNSCANNABLE_ENCRYPTED;
		DENIED(JUDGE(scan, &zip), named ? REASON_RULE : REASON_UNSCANNABLE, named ? "unseen" : NULL);
		DENIED(JUDGE(scan, &found), REASON_RULE, "malware");
		DENIED(judge(scan, 1, UNSCANNABLE_ALL & ~bit, &zip), REASON_UNSCANNABLE, NULL);
		ALLOWED(judge(scan, 1, bit, &zip), NULL);
		ALLOWED(judge(scan, 1, 0, &txt), NULL);
		DENIED(judge(scan, 1, bit, &found), REASON_RULE, "malware");
		DENIED(JUDGE(types, &blind), REASON_UNSCANNABLE, NULL);
		DENIED(JUDGE(mismatch, &blind), REASON_UNSCANNABLE, NULL);
		ALLOWED(judge(types, 1, bit, &blind), NULL);
		DENIED(judge(types, 1, UNSCANNABLE_ALL & ~bit, &blind), REASON_UNSCANNABLE, NULL);
		/* An accepted reason lifts the doubt, not a rule that names it. */
		if (named)
			DENIED(judge(scan, 2, bit, &zip), REASON_RULE, "unseen");
	}
	/* One reason that is not accepted is enough. */
	struct facts two = scanned(file("a.zip"), "", UNSCANNABLE_TIMEOUT | UNSCANNABLE_TOO_DEEP);
	DENIED(judge(scan, 1, UNSCANNABLE_TIMEOUT, &two), REASON_UNSCANNABLE, NULL);
	/* A type that nobody knows, and nobody knows why. */
	struct facts silent = typed(file("a.jpg"), "", 0);
	DENIED(judge(types, 1, UNSCANNABLE_ALL, &silent), REASON_UNSCANNABLE, NULL);
}

Test(policy_judge, watch)
{
	const struct rule rules[] = {
		{ .kind = RULE_WATCH, .name = "zips", .conditions = CONDITION_TYPE, .types = PATTERNS("application/zip") },
		{ .kind = RULE_BLOCK, .name = "php", .conditions = CONDITION_NAME, .names = PATTERNS("*.php") },
		{ .kind = RULE_WATCH, .name = "found", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_WATCH, .name = "names", .conditions = CONDITION_NAME, .names = PATTERNS("*.zip", "*.php") },
	};
	const struct ruleset set = { .permitted = true, .rules = rules, .count = COUNT(rules) };
	const char *names[RECORD_WATCHED_MAX];
	struct facts zip = file("a.zip"), php = file("a.php");
	NEEDED(JUDGE(rules, &zip), FACT_TYPE);
	zip = typed(zip, "application/zip", 0);
	NEEDED(JUDGE(rules, &zip), FACT_SCAN);
	struct facts infected = scanned(zip, "Eicar", 0), blind = scanned(typed(file("a.zip"), "", UNSCANNABLE_TIMEOUT), "", UNSCANNABLE_TIMEOUT);
	struct verdict v = JUDGE(rules, &infected);
	ALLOWED(v, NULL);
	cr_expect_eq(policy_watched(&set, &v, names), 3);
	cr_expect_str_eq(names[0], "zips");
	cr_expect_str_eq(names[1], "found");
	cr_expect_str_eq(names[2], "names");
	v = JUDGE(rules, &blind);
	ALLOWED(v, NULL);
	cr_expect_eq(policy_watched(&set, &v, names), 1, "a watch rule that could not be decided neither matches nor denies");
	v = JUDGE(rules, &php);
	DENIED(v, REASON_RULE, "php");
	cr_expect_eq(policy_watched(&set, &v, names), 1);
	cr_expect_str_eq(names[0], "names");
	memset(v.watched, 0xff, sizeof(v.watched));
	cr_expect_eq(policy_watched(&set, &v, names), COUNT(rules), "no more than there are");
	static struct rule many[POLICY_RULES_MAX];
	const struct ruleset all = { .rules = many, .count = COUNT(many) };
	cr_expect_eq(policy_watched(&all, &v, names), RECORD_WATCHED_MAX);
}

Test(policy_judge, folders)
{
	const struct rule content[] = {
		{ .kind = RULE_BLOCK, .name = "large", .conditions = CONDITION_LARGER, .larger_than = 0 },
		{ .kind = RULE_BLOCK, .name = "small", .conditions = CONDITION_SMALLER, .smaller_than = 10 },
		{ .kind = RULE_BLOCK, .name = "mode", .conditions = CONDITION_MODE, .mode = 0111 },
		{ .kind = RULE_BLOCK, .name = "type", .conditions = CONDITION_TYPE, .types = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "fit", .conditions = CONDITION_MISMATCH },
		{ .kind = RULE_BLOCK, .name = "virus", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "unseen", .conditions = CONDITION_UNSCANNABLE, .unscannable = UNSCANNABLE_ALL },
		{ .kind = RULE_BLOCK, .name = "both", .conditions = CONDITION_NAME | CONDITION_LARGER, .names = PATTERNS("*"), .larger_than = 0 },
		{ .kind = RULE_WATCH, .name = "watch", .conditions = CONDITION_PATH | CONDITION_VIRUS, .paths = PATTERNS("**"),
			.viruses = PATTERNS("*") },
	};
	const struct rule names[] = {
		{ .kind = RULE_BLOCK, .name = "git", .conditions = CONDITION_NAME, .names = PATTERNS(".git") },
		{ .kind = RULE_BLOCK, .name = "private", .conditions = CONDITION_PATH, .paths = PATTERNS("private/**") },
		{ .kind = RULE_WATCH, .name = "old", .conditions = CONDITION_NAME, .names = PATTERNS("*.old") },
		{ .kind = RULE_ALLOW, .name = "jpg", .conditions = CONDITION_PATH | CONDITION_NAME | CONDITION_TYPE | CONDITION_LARGER,
			.paths = PATTERNS("www/**"),
		  .names = PATTERNS("*.jpg"), .types = PATTERNS("image/jpeg"), .larger_than = 10 },
	};
	const struct rule everywhere[] = { { .kind = RULE_ALLOW, .name = "all", .conditions = CONDITION_PATH, .paths = PATTERNS("**") } };
	const struct rule by_name[] = { { .kind = RULE_ALLOW, .name = "php", .conditions = CONDITION_NAME, .names = PATTERNS("*.php") } };
	struct facts root = folder(""), www = folder("www"), below = folder("www/a/b"), git = folder("www/.git"),
		private = folder("private"), other = folder("etc");
	struct facts private_file = file("private"), old = folder("www/a.old");
	ALLOWED(JUDGE(content, &www), NULL);
	ALLOWED(JUDGE(names, &www), "jpg");
	ALLOWED(JUDGE(names, &below), "jpg");
	DENIED(JUDGE(names, &git), REASON_RULE, "git");
	DENIED(JUDGE(names, &private), REASON_RULE, "private");
	DENIED(JUDGE(names, &private_file), REASON_NOT_ALLOWED, NULL);
	DENIED(JUDGE(names, &other), REASON_NOT_ALLOWED, NULL);
	DENIED(JUDGE(names, &root), REASON_NOT_ALLOWED, NULL);
	cr_expect_eq(JUDGE(names, &old).watched[0], 1 << 2);
	ALLOWED(JUDGE(everywhere, &root), "all");
	ALLOWED(JUDGE(everywhere, &below), "all");
	ALLOWED(JUDGE(by_name, &other), "php");
}

Test(policy_judge, facts_that_may_be_asked_for)
{
	static const struct {
		unsigned conditions, facts;
	} cases[] = {
		{ 0, 0 },
		{ CONDITION_NAME | CONDITION_PATH | CONDITION_MODE | CONDITION_SMALLER | CONDITION_LARGER, 0 },
		{ CONDITION_NAME | CONDITION_TYPE, FACT_TYPE },
		{ CONDITION_MISMATCH, FACT_TYPE },
		{ CONDITION_VIRUS, FACT_SCAN },
		{ CONDITION_UNSCANNABLE, FACT_SCAN },
		{ CONDITION_TYPE | CONDITION_VIRUS, FACT_TYPE | FACT_SCAN },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (enum rule_kind kind = RULE_BLOCK; kind <= RULE_ALLOW; kind++) {
			const struct rule rules[] = { { .kind = RULE_BLOCK }, { .kind = kind, .conditions = cases[i].conditions } };
			struct policy policy = { .rules = { [DOWNLOAD] = { .permitted = true, .rules = rules, .count = 2 } } };
			cr_expect_eq(policy_facts(&policy, DOWNLOAD), cases[i].facts, "case %zu", i);
			cr_expect_eq(policy_facts(&policy, UPLOAD), 0);
			policy.rules[DOWNLOAD].permitted = false;
			cr_expect_eq(policy_facts(&policy, DOWNLOAD), 0, "nothing is asked where nothing is permitted");
		}
	}
}

Test(policy_judge, messages)
{
	const struct rule rules[] = {
		{ .kind = RULE_BLOCK, .name = "php", .conditions = CONDITION_NAME, .names = PATTERNS("*.php"), .message = "no scripts" },
		{ .kind = RULE_BLOCK, .name = "exe", .conditions = CONDITION_NAME, .names = PATTERNS("*.exe") },
		{ .kind = RULE_WATCH, .name = "watch", .message = "seen" },
		{ .kind = RULE_ALLOW, .name = "a", .conditions = CONDITION_PATH, .paths = PATTERNS("a/**") },
		{ .kind = RULE_ALLOW, .name = "b", .conditions = CONDITION_PATH, .paths = PATTERNS("b/**"), .message = "only a and b" },
	};
	const struct ruleset set = { .permitted = true, .rules = rules, .count = COUNT(rules) }, blocks = { .permitted = true,
		.rules = rules, .count = 3 };
	struct facts php = file("a/x.php"), exe = file("a/x.exe"), other = file("c/x"), good = file("a/x");
	struct verdict v = JUDGE(rules, &php);
	cr_expect_str_eq(policy_message(&set, &v), "no scripts");
	v = JUDGE(rules, &exe);
	cr_expect_null(policy_message(&set, &v));
	v = JUDGE(rules, &other);
	cr_expect_str_eq(policy_message(&set, &v), "only a and b");
	cr_expect_null(policy_message(&blocks, &v));
	v = JUDGE(rules, &good);
	cr_expect_null(policy_message(&set, &v));
	v = (struct verdict){ .reason = REASON_UNSCANNABLE };
	cr_expect_null(policy_message(&set, &v));
}

struct trace {
	const struct rule *rule[8];
	enum match match[8];
	size_t count;
};

static void keep_trace(void *ctx, const struct rule *rule, struct rule_match match)
{
	struct trace *trace = ctx;
	cr_assert_lt(trace->count, COUNT(trace->rule));
	trace->rule[trace->count] = rule;
	trace->match[trace->count++] = match.match;
}

Test(policy_judge, explain_tells_of_every_rule)
{
	const struct rule rules[] = {
		{ .kind = RULE_BLOCK, .name = "php", .conditions = CONDITION_NAME, .names = PATTERNS("*.php") },
		{ .kind = RULE_BLOCK, .name = "type", .conditions = CONDITION_TYPE, .types = PATTERNS("text/*") },
		{ .kind = RULE_WATCH, .name = "virus", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_ALLOW, .name = "small", .conditions = CONDITION_SMALLER, .smaller_than = 10 },
	};
	const enum match wanted[] = { MATCH_YES, MATCH_BLIND, MATCH_NEED, MATCH_NO };
	struct policy policy = { .rules = { [UPLOAD] = { .permitted = true, .rules = rules, .count = COUNT(rules) } } };
	struct facts facts = typed(file("a.php"), "", UNSCANNABLE_TIMEOUT);
	struct trace trace = { .count = 0 };
	struct verdict explained = policy_explain(&policy, &facts, keep_trace, &trace);
	DENIED(explained, REASON_RULE, "php");
	cr_assert_eq(trace.count, COUNT(rules));
	for (size_t i = 0; i < COUNT(rules); i++) {
		cr_expect_eq(trace.rule[i], &rules[i]);
		cr_expect_eq(trace.match[i], wanted[i], "%s", rules[i].name);
	}
}
