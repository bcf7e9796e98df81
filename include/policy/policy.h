/*
 * Rules, and the one function that decides. Pure: no allocation, no clock, no file. The shim and `explain` call the same code.
 */
#ifndef XFERWARDEN_POLICY_POLICY_H
#define XFERWARDEN_POLICY_POLICY_H

#include "base/facts.h"
#include "base/identity.h"
#include "base/record.h"
#include "base/words.h"

enum rule_kind { RULE_BLOCK, RULE_WATCH, RULE_ALLOW };

/* Which conditions a rule has; bits. A rule matches when all of them hold. */
enum condition {
	CONDITION_NAME = 1 << 0,
	CONDITION_PATH = 1 << 1,
	CONDITION_MODE = 1 << 2,
	CONDITION_SMALLER = 1 << 3,
	CONDITION_LARGER = 1 << 4,
	CONDITION_TYPE = 1 << 5,
	CONDITION_MISMATCH = 1 << 6,
	CONDITION_VIRUS = 1 << 7,
	CONDITION_UNSCANNABLE = 1 << 8,
};

struct patterns {
	const char *const *items; /* globs; see glob.h */
	size_t count;
};

struct rule {
	enum rule_kind kind;
	const char *name;
	unsigned line;           /* where it begins in the configuration */
	const char *message;     /* shown to the client in place of the standard sentence; or NULL */
	unsigned conditions;     /* CONDITION_* bits */
	bool ignore_case;        /* names and paths */
	struct patterns names, paths, types, viruses;
	bool type_mismatch;      /* CONDITION_MISMATCH: the value that is asked for */
	unsigned unscannable;    /* UNSCANNABLE_* bits, any of them */
	unsigned mode;           /* any of these bits */
	uint64_t smaller_than, larger_than; /* bytes */
};

struct cidr {
	struct address network;
	unsigned bits;
};

enum delivery { DELIVERY_HOLD, DELIVERY_STREAM };
enum on_block { ON_BLOCK_STOP, ON_BLOCK_SKIP };

enum { POLICY_RULES_MAX = 256 }; /* in one direction */

struct ruleset {
	bool permitted;            /* the direction is named */
	const struct rule *rules;  /* in the order of the configuration */
	size_t count;              /* <= POLICY_RULES_MAX */
};

struct policy {
	const char *name;
	unsigned line;
	struct patterns users, groups, keys; /* count 0: any */
	const struct cidr *from;
	size_t from_count;
	unsigned protocols;         /* PROTOCOL_* bits */
	const char *root;           /* absolute, with %u %h %% still in it */
	enum delivery delivery;
	enum on_block on_block;
	unsigned accept_unscannable; /* UNSCANNABLE_* bits that do not refuse by themselves */
	struct patterns login_files; /* built-in denials that are lifted: paths below home */
	unsigned idle_timeout;       /* seconds without a byte from either side; 0: for ever */
	unsigned operations;         /* OPERATION_* bits that are permitted */
	bool unique;                 /* an upload to a name that is taken gets another one */
	struct ruleset rules[DIRECTIONS];
};

enum decision { DENY = 0, ALLOW, NEED };

struct verdict {
	enum decision decision;
	enum reason reason;          /* of DENY */
	const struct rule *rule;     /* of DENY by a rule, of ALLOW by an allow rule; else NULL */
	unsigned need;               /* of NEED: exactly one FACT_* bit, the cheapest that is missing: type, then size, then scan */
	uint64_t watched[POLICY_RULES_MAX / 64]; /* watch rules that match, by index */
};

/* How one rule fared: what `explain` prints. */
enum match {
	MATCH_NO = 0,
	MATCH_YES,
	MATCH_NEED,
	MATCH_BLIND, /* nothing speaks against it, but the content could not be looked into, and accept_unscannable does not name why */
};
struct rule_match {
	enum match match;
	unsigned need;          /* MATCH_NEED: FACT_* bits */
	unsigned failed;        /* MATCH_NO, MATCH_BLIND: the first CONDITION_* bit that is to blame */
};
typedef void policy_trace(void *ctx, const struct rule *, struct rule_match);

/*
 * The first policy whose identity conditions all hold and that is for this protocol; NULL if none.
 */
const struct policy *policy_select(const struct policy *policies, size_t count, const struct identity *, enum protocol);

/*
 * Any block that matches wins; where there are allow rules one of them has to match; what a rule asks about and what could not be
 * looked into is refused unless accept_unscannable names why. NEED names what is missing before that can be said.
 *
 * While facts->growing is set a size may still become larger: where that makes a difference FACT_SIZE is missing, and given by clearing it. What is certain
 * already is said at once: that a file is larger than a limit, or no longer smaller.
 *
 * ENTRY_DIRECTORY is judged by `path` and, in block and watch rules, `name`; rules with other conditions are about files and do not match it, and
 * an allow rule's other conditions do not stand in its way. "x/ **" (without the blank) matches the directory x itself too.
 *
 * ENTRY_NAME is judged by `path` alone: block and watch rules with any other condition do not match it, and an allow rule's other conditions do not stand in
 * its way. "x/ **" matches x itself in block and watch rules, for it may be a folder; not in allow rules: who may fill a folder may not take it away.
 */
struct verdict policy_judge(const struct policy *, const struct facts *);
struct verdict policy_explain(const struct policy *, const struct facts *, policy_trace *, void *ctx);

/*
 * True if each rule of the direction fares the same with both, now and whatever the facts turn out to be that are not known yet. The two are one thing under two
 * names: all but kind, path and name is the same in both. False where nothing is permitted, and if in doubt.
 */
bool policy_same(const struct policy *, const struct facts *, const struct facts *);

/*
 * The facts about content (FACT_TYPE, FACT_SCAN) that any rule of this direction could ask for: 0 means that content is never looked at. Sizes are
 * not among them: whether one is missing depends on the protocol.
 */
unsigned policy_facts(const struct policy *, enum direction);

/* Expands %u, %h and %% of policy->root into dst. 0; -ENAMETOOLONG; -EINVAL if a value makes it relative or has a "..", "." or empty component. */
int policy_root(const struct policy *, const struct identity *, char *dst, size_t cap);

/*
 * What the client is told in place of the standard sentence: the deciding rule's message or, where nothing allowed it, that of the first allow
 * rule with one; or NULL.
 */
const char *policy_message(const struct ruleset *, const struct verdict *);

/* Fills the names of the watch rules that matched, at most RECORD_WATCHED_MAX; returns how many. */
size_t policy_watched(const struct ruleset *, const struct verdict *, const char **names);

#endif
