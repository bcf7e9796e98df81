/*
 * The decision about what is not simply a file of a known size: content that still grows, names that are to be taken away, and things that get another name.
 */
#include "policy_cases.h"

static struct facts growing(struct facts facts, uint64_t size)
{
	facts.size = size;
	facts.growing = true;
	return facts;
}

static struct facts name_of(const char *path)
{
	struct facts facts = file(path);
	facts.kind = ENTRY_NAME;
	facts.mode = 0;
	facts.size = 0;
	return facts;
}

Test(policy_change, a_size_that_may_grow)
{
	static const struct {
		uint64_t smaller, larger; /* 0: no such condition */
		uint64_t size;
		enum match so_far, whole;
		unsigned failed; /* of so_far */
	} rows[] = {
		{ 1000, 0, 0, MATCH_NEED, MATCH_YES, 0 },
		{ 1000, 0, 999, MATCH_NEED, MATCH_YES, 0 },
		{ 1000, 0, 1000, MATCH_NO, MATCH_NO, CONDITION_SMALLER },
		{ 1000, 0, UINT64_MAX, MATCH_NO, MATCH_NO, CONDITION_SMALLER },
		{ 1, 0, 0, MATCH_NEED, MATCH_YES, 0 },
		{ 0, 1000, 0, MATCH_NEED, MATCH_NO, 0 },
		{ 0, 1000, 1000, MATCH_NEED, MATCH_NO, 0 },
		{ 0, 1000, 1001, MATCH_YES, MATCH_YES, 0 },
		{ 0, 1000, UINT64_MAX, MATCH_YES, MATCH_YES, 0 },
		{ 0, UINT64_MAX, UINT64_MAX, MATCH_NEED, MATCH_NO, 0 },
		/* between the two */
		{ 2000, 1000, 1000, MATCH_NEED, MATCH_NO, 0 },
		{ 2000, 1000, 1500, MATCH_NEED, MATCH_YES, 0 },
		{ 2000, 1000, 2000, MATCH_NO, MATCH_NO, CONDITION_SMALLER },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rule rule = { .smaller_than = rows[i].smaller, .larger_than = rows[i].larger };
		rule.conditions = (rows[i].smaller > 0 ? CONDITION_SMALLER : 0) | (rows[i].larger > 0 ? CONDITION_LARGER : 0);
		struct facts facts = growing(file("a"), rows[i].size);
		struct rule_match m = match_one(&rule, facts);
		cr_expect_eq(m.match, rows[i].so_far, "row %zu: %d", i, m.match);
		cr_expect_eq(m.need, rows[i].so_far == MATCH_NEED ? FACT_SIZE : 0, "row %zu: need %u", i, m.need);
		cr_expect_eq(m.failed, rows[i].failed, "row %zu: failed %#x", i, m.failed);
		facts.growing = false;
		m = match_one(&rule, facts);
		cr_expect_eq(m.match, rows[i].whole, "row %zu, whole: %d", i, m.match);
		cr_expect_eq(m.need, 0, "row %zu, whole", i);
	}
}

/* One fact at a time, the cheapest first: a type needs the first bytes, a size all of them, a scan all of them and the scanner. */
Test(policy_change, type_then_size_then_scan)
{
	const struct rule rules[] = {
		{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "huge", .conditions = CONDITION_LARGER, .larger_than = 1000 },
		{ .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_TYPE, .types = PATTERNS("text/x-php") },
	};
	struct facts a = growing(file("a"), 10);
	NEEDED(JUDGE(rules, &a), FACT_TYPE);
	a = typed(a, "text/plain", 0);
	NEEDED(JUDGE(rules, &a), FACT_SIZE);
	a.growing = false;
	NEEDED(JUDGE(rules, &a), FACT_SCAN);
	a = scanned(a, "", 0);
	ALLOWED(JUDGE(rules, &a), NULL);
	struct facts grown = growing(file("a"), 1001), without_type = scanned(growing(file("a"), 10), "", 0);
	DENIED(JUDGE(rules, &grown), REASON_RULE, "huge");
	NEEDED(JUDGE(rules, &without_type), FACT_TYPE);
}

Test(policy_change, sizes_are_asked_for_only_where_they_matter)
{
	const struct rule narrow[] = { { .kind = RULE_BLOCK, .name = "logs", .conditions = CONDITION_NAME | CONDITION_LARGER, .names = PATTERNS("*.log"),
		.larger_than = 1000 } };
	const struct rule allows[] = {
		{ .kind = RULE_ALLOW, .name = "notes", .conditions = CONDITION_SMALLER, .smaller_than = 100 },
		{ .kind = RULE_ALLOW, .name = "pictures", .conditions = CONDITION_TYPE | CONDITION_LARGER, .types = PATTERNS("image/*"), .larger_than = 100 },
	};
	const struct rule named[] = {
		{ .kind = RULE_ALLOW, .name = "notes", .conditions = CONDITION_SMALLER, .smaller_than = 100 },
		{ .kind = RULE_ALLOW, .name = "text", .conditions = CONDITION_NAME, .names = PATTERNS("*.txt") },
	};
	const struct rule watched[] = { { .kind = RULE_WATCH, .name = "tiny", .conditions = CONDITION_SMALLER, .smaller_than = 100 } };
	struct facts a = growing(file("a"), 10), txt = growing(file("a.txt"), 10), log = growing(file("a.log"), 10), grown = growing(file("a"), 100);
	ALLOWED(JUDGE(narrow, &a), NULL);
	NEEDED(JUDGE(narrow, &log), FACT_SIZE);
	NEEDED(JUDGE(allows, &a), FACT_TYPE);
	struct facts image = typed(a, "image/png", 0), text = typed(a, "text/plain", 0), larger = typed(grown, "text/plain", 0);
	NEEDED(JUDGE(allows, &image), FACT_SIZE);
	NEEDED(JUDGE(allows, &text), FACT_SIZE);
	DENIED(JUDGE(allows, &larger), REASON_NOT_ALLOWED, NULL);
	image = typed(growing(file("a"), 101), "image/png", 0);
	ALLOWED(JUDGE(allows, &image), "pictures");
	NEEDED(JUDGE(named, &a), FACT_SIZE);
	DENIED(JUDGE(named, &grown), REASON_NOT_ALLOWED, NULL);
	ALLOWED(JUDGE(named, &txt), "text");
	NEEDED(JUDGE(watched, &a), FACT_SIZE);
	ALLOWED(JUDGE(watched, &grown), NULL);
	cr_expect_eq(JUDGE(watched, &grown).watched[0], 0);
	/* A folder has no size that could grow. */
	struct facts strange = growing(folder("a"), 0);
	ALLOWED(JUDGE(narrow, &strange), NULL);
	ALLOWED(JUDGE(allows, &strange), "notes");
	ALLOWED(JUDGE(watched, &strange), NULL);
}

/* Doubt that no further fact can lift is said at once; doubt about one rule does not hide that another may yet allow. */
Test(policy_change, a_size_and_doubt)
{
	const struct rule rules[] = { { .kind = RULE_BLOCK, .name = "both", .conditions = CONDITION_LARGER | CONDITION_TYPE, .larger_than = 1000,
		.types = PATTERNS("text/*") } };
	const struct rule allows[] = { { .kind = RULE_ALLOW, .name = "both", .conditions = CONDITION_LARGER | CONDITION_TYPE, .larger_than = 1000,
		.types = PATTERNS("text/*") } };
	struct facts blind = typed(growing(file("a"), 10), "", UNSCANNABLE_TIMEOUT), grown = typed(growing(file("a"), 1001), "", UNSCANNABLE_TIMEOUT);
	struct facts whole = blind;
	whole.growing = false;
	NEEDED(JUDGE(rules, &blind), FACT_SIZE);
	ALLOWED(JUDGE(rules, &whole), NULL);
	DENIED(JUDGE(rules, &grown), REASON_UNSCANNABLE, NULL);
	ALLOWED(judge(rules, 1, UNSCANNABLE_TIMEOUT, &grown), NULL);
	NEEDED(JUDGE(allows, &blind), FACT_SIZE);
	DENIED(JUDGE(allows, &whole), REASON_NOT_ALLOWED, NULL);
	DENIED(JUDGE(allows, &grown), REASON_UNSCANNABLE, NULL);
}

Test(policy_change, a_kind_that_nobody_knows)
{
	struct policy policy = { .rules = { [UPLOAD] = { .permitted = true } } };
	struct facts facts = file("a");
	facts.kind = (enum entry_kind)(ENTRY_NAME + 1);
	DENIED(policy_judge(&policy, &facts), REASON_INTERNAL, NULL);
	cr_expect_not(policy_same(&policy, &facts, &facts));
}

/* --- names --- */

Test(policy_change, a_name_is_judged_by_its_path)
{
	const struct rule path = { .conditions = CONDITION_PATH, .paths = PATTERNS("in/**", "*.c") };
	const struct rule any_case = { .conditions = CONDITION_PATH, .paths = PATTERNS("in/**"), .ignore_case = true };
	const struct rule named = { .conditions = CONDITION_NAME, .names = PATTERNS("*") };
	const struct rule both = { .conditions = CONDITION_PATH | CONDITION_NAME, .paths = PATTERNS("in/**"), .names = PATTERNS("*") };
	const struct rule mode = { .conditions = CONDITION_PATH | CONDITION_MODE, .paths = PATTERNS("in/**"), .mode = 07777 };
	const struct rule sizes = { .conditions = CONDITION_PATH | CONDITION_SMALLER, .paths = PATTERNS("in/**"), .smaller_than = 10 };
	const struct rule typed_rule = { .conditions = CONDITION_PATH | CONDITION_TYPE, .paths = PATTERNS("in/**"), .types = PATTERNS("*") };
	const struct rule fits = { .conditions = CONDITION_PATH | CONDITION_MISMATCH, .paths = PATTERNS("in/**") };
	const struct rule virus = { .conditions = CONDITION_PATH | CONDITION_VIRUS, .paths = PATTERNS("in/**"), .viruses = PATTERNS("*") };
	const struct rule unseen = { .conditions = CONDITION_UNSCANNABLE, .unscannable = UNSCANNABLE_ALL };
	const struct {
		struct rule rule;
		const char *path;
		bool objects;      /* as a block or watch rule */
		unsigned failed;   /* in that case */
		bool lets;         /* as an allow rule */
	} rows[] = {
		{ path, "in/a", true, 0, true },
		{ path, "in/a/b.c", true, 0, true },
		{ path, "x.c", true, 0, true },
		{ path, "out/x.c", false, CONDITION_PATH, false },
		{ path, "IN/a", false, CONDITION_PATH, false },
		{ any_case, "IN/a", true, 0, true },
		/* it may be a folder, and all below it goes with it */
		{ path, "in", true, 0, false },
		{ path, "", false, CONDITION_PATH, false },
		/* other conditions: about something else where they object, no hindrance where they allow */
		{ named, "in/a", false, CONDITION_NAME, true },
		{ both, "in/a", false, CONDITION_NAME, true },
		{ both, "out/a", false, CONDITION_NAME, false },
		{ mode, "in/a", false, CONDITION_MODE, true },
		{ sizes, "in/a", false, CONDITION_SMALLER, true },
		{ typed_rule, "in/a", false, CONDITION_TYPE, true },
		{ fits, "in/a", false, CONDITION_MISMATCH, true },
		{ virus, "in/a", false, CONDITION_VIRUS, true },
		{ unseen, "in/a", false, CONDITION_UNSCANNABLE, true },
		/* a rule without any condition is about everything */
		{ { .conditions = 0 }, "in/a", true, 0, true },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (enum rule_kind kind = RULE_BLOCK; kind <= RULE_ALLOW; kind++) {
			struct rule rule = rows[i].rule;
			rule.kind = kind;
			bool wanted = kind == RULE_ALLOW ? rows[i].lets : rows[i].objects;
			struct rule_match m = match_one(&rule, name_of(rows[i].path));
			cr_expect_eq(m.match, wanted ? MATCH_YES : MATCH_NO, "row %zu, kind %d: %d", i, (int)kind, m.match);
			cr_expect_eq(m.need, 0, "row %zu: a name has no content", i);
			if (kind != RULE_ALLOW)
				cr_expect(wanted || (m.failed & rows[i].rule.conditions), "row %zu: failed %#x", i, m.failed);
		}
	}
}

Test(policy_change, names_under_rules)
{
	const struct rule rules[] = {
		{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_NAME, .names = PATTERNS("*.php") },
		{ .kind = RULE_BLOCK, .name = "keep", .conditions = CONDITION_PATH, .paths = PATTERNS("site/keep/**") },
		{ .kind = RULE_WATCH, .name = "logs", .conditions = CONDITION_PATH, .paths = PATTERNS("site/log/**") },
		{ .kind = RULE_ALLOW, .name = "site", .conditions = CONDITION_PATH | CONDITION_TYPE, .paths = PATTERNS("site/**"), .types = PATTERNS("text/*") },
	};
	struct facts script = name_of("site/a.php"), kept = name_of("site/keep/a"), keep = name_of("site/keep"), log = name_of("site/log"), site = name_of("site"),
		other = name_of("b"), growing_name = growing(name_of("site/a"), 0);
	ALLOWED(JUDGE(rules, &script), "site");
	DENIED(JUDGE(rules, &kept), REASON_RULE, "keep");
	DENIED(JUDGE(rules, &keep), REASON_RULE, "keep");
	ALLOWED(JUDGE(rules, &log), "site");
	cr_expect_eq(JUDGE(rules, &log).watched[0], 1 << 3);
	DENIED(JUDGE(rules, &site), REASON_NOT_ALLOWED, NULL);
	DENIED(JUDGE(rules, &other), REASON_NOT_ALLOWED, NULL);
	ALLOWED(JUDGE(rules, &growing_name), "site");
	ALLOWED(judge(rules, 2, 0, &other), NULL);
	struct policy closed = { .name = "closed" };
	DENIED(policy_judge(&closed, &script), REASON_NOT_PERMITTED, NULL);
}

/* --- another name --- */

static bool same(const struct rule *rule, struct facts a, struct facts b)
{
	struct policy policy = { .rules = { [UPLOAD] = { .permitted = true, .rules = rule, .count = 1 } } };
	bool result = policy_same(&policy, &a, &b);
	cr_expect_eq(policy_same(&policy, &b, &a), result, "the other way round");
	cr_expect(policy_same(&policy, &a, &a) && policy_same(&policy, &b, &b), "each is the same as itself");
	return result;
}

Test(policy_change, the_same_under_another_name)
{
	const struct rule none = { .conditions = 0 };
	const struct rule name = { .conditions = CONDITION_NAME, .names = PATTERNS("*.php", "*.cgi") };
	const struct rule path = { .conditions = CONDITION_PATH, .paths = PATTERNS("in/**") };
	const struct rule virus = { .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") };
	const struct rule named_virus = { .conditions = CONDITION_NAME | CONDITION_VIRUS, .names = PATTERNS("*.zip"), .viruses = PATTERNS("*") };
	const struct rule type = { .conditions = CONDITION_TYPE, .types = PATTERNS("text/*") };
	const struct rule small_type = { .conditions = CONDITION_TYPE | CONDITION_SMALLER, .types = PATTERNS("text/*"), .smaller_than = 5000 };
	const struct rule disguised = { .conditions = CONDITION_MISMATCH, .type_mismatch = true };
	const struct rule disguised_large = { .conditions = CONDITION_MISMATCH | CONDITION_LARGER, .type_mismatch = true, .larger_than = 5000 };
	const struct rule disguised_virus = { .conditions = CONDITION_MISMATCH | CONDITION_VIRUS, .type_mismatch = true, .viruses = PATTERNS("*") };
	struct facts jpg = file("a.jpg"), png = file("a.png"), php = file("a.php"), cgi = file("a.cgi");
	struct facts jpg_text = typed(jpg, "text/plain", 0), png_text = typed(png, "text/plain", 0), txt_text = typed(file("a.txt"), "text/plain", 0);
	struct facts jpg_blind = typed(jpg, "", UNSCANNABLE_TIMEOUT), png_blind = typed(png, "", UNSCANNABLE_TIMEOUT);
	const struct {
		const struct rule *rule;
		struct facts a, b;
		bool same;
	} rows[] = {
		{ &none, file("a"), file("b/c"), true },
		{ &name, file("a"), file("b"), true },
		{ &name, php, cgi, true },
		{ &name, file("a"), php, false },
		{ &path, file("in/a"), file("in/b/c"), true },
		{ &path, file("a"), file("b"), true },
		{ &path, file("in/a"), file("a"), false },
		{ &path, folder("in"), file("in"), false },
		{ &virus, file("a.zip"), file("b"), true },
		{ &named_virus, file("a.zip"), file("b.zip"), true },
		{ &named_virus, file("a.zip"), file("b"), false },
		{ &named_virus, scanned(file("a.zip"), "", 0), scanned(file("b"), "", 0), false }, /* both no, each for its own reason */
		{ &type, jpg, png, true },
		{ &type, jpg_text, png_text, true },
		{ &small_type, growing(jpg, 10), growing(png, 10), true },
		{ &small_type, growing(jpg, 10), png, false },
		/* what a name promises counts as long as the type may be any */
		{ &disguised, jpg, png, false },
		{ &disguised, jpg, file("a"), false },
		{ &disguised, jpg, file("b/c.JPEG"), true },
		{ &disguised, file("a.tar.gz"), file("b.tgz"), true },
		{ &disguised, file("a.unheard-of"), file("b"), true },
		{ &disguised, jpg_text, png_text, true },
		{ &disguised, jpg_text, txt_text, false },
		{ &disguised, jpg_blind, png_blind, true },
		{ &disguised_large, jpg, png, true }, /* too small to matter */
		{ &disguised_large, growing(jpg, 0), growing(png, 0), false },
		{ &disguised_virus, jpg, png, false },
		{ &disguised_virus, scanned(jpg, "", 0), scanned(png, "", 0), true },
		{ &disguised_virus, jpg_text, png_text, true },
		{ &disguised_virus, jpg_text, txt_text, false },
		{ &disguised, folder("a.jpg"), folder("a.png"), true },
		{ &disguised, name_of("a.jpg"), name_of("a.png"), true },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(same(rows[i].rule, rows[i].a, rows[i].b), rows[i].same, "row %zu", i);
}

Test(policy_change, sameness_in_doubt)
{
	static struct rule many[POLICY_RULES_MAX + 1];
	const struct rule rules[] = {
		{ .kind = RULE_BLOCK, .conditions = CONDITION_VIRUS, .viruses = PATTERNS("*") },
		{ .kind = RULE_WATCH, .conditions = CONDITION_NAME, .names = PATTERNS("*.zip") },
	};
	struct policy policy = { .rules = { [UPLOAD] = { .rules = rules, .count = 2 } } };
	struct facts a = file("a"), b = file("b"), zip = file("a.zip"), down = file("a");
	down.direction = DOWNLOAD;
	cr_expect_not(policy_same(NULL, &a, &a));
	cr_expect_not(policy_same(&policy, &a, &b), "nothing is permitted");
	policy.rules[UPLOAD].permitted = true;
	cr_expect(policy_same(&policy, &a, &b));
	cr_expect_not(policy_same(&policy, &a, &zip), "a watch rule makes a difference to the record");
	policy.rules[UPLOAD].count = 1;
	cr_expect(policy_same(&policy, &a, &zip));
	policy.rules[DOWNLOAD].permitted = true;
	cr_expect_not(policy_same(&policy, &a, &down));
	policy.rules[UPLOAD] = (struct ruleset){ .permitted = true, .rules = many, .count = COUNT(many) };
	cr_expect_not(policy_same(&policy, &a, &b));
	a.direction = b.direction = (enum direction)DIRECTIONS;
	cr_expect_not(policy_same(&policy, &a, &b));
}
