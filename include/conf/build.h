/* From libconfuse's tree to the structs of conf.h. Every value is checked; one that is refused is a complaint and leaves its default. */
#ifndef XFERWARDEN_CONF_BUILD_H
#define XFERWARDEN_CONF_BUILD_H

#include "conf/tree.h"

struct build {
	struct conf *conf;
	struct arena *arena;
	struct conf_complaints *complaints;
	struct policy *policies;
	struct rule *rules;         /* of all policies, in the order of the file */
	size_t policy_count, rule_count;
	struct {
		const cfg_t *section;
		struct ruleset rules;
	} direction[DIRECTIONS];    /* those of the policy that is being read which have rules */
};

/* Bytes of arena that building takes at most, values and their texts included. */
size_t build_size(const struct syntax *text);

/* Parses and builds all of it. As tree_parse. conf is zeroed before; the result counts only if there was no mistake. */
int build_conf(struct build *, const struct syntax *text);

/* Called for each rule and policy in the order of the file. clash.c: what rules and policies mean together. */
void build_rule(void *build, const cfg_t *direction, const cfg_t *section, enum schema_direction kind);
void build_policy(void *build, const cfg_t *section);
void clash_rules(struct conf_complaints *, const struct ruleset *);
void clash_policies(struct conf_complaints *, const struct policy *, size_t count);

/* Readers of one option; nothing happens if it was not given, false if it was refused (and complained of) or not given. */
void build_refuse(struct build *, const struct conf_value *, const char *why);
bool build_text(struct build *, const cfg_t *section, int option, const char *(*check)(const char *), const char **out);
bool build_size_value(struct build *, const cfg_t *section, int option, uint64_t *out);
bool build_seconds(struct build *, const cfg_t *section, int option, unsigned least, unsigned *out);
bool build_flag(struct build *, const cfg_t *section, int option, bool *out);

/* One of the words, of which the last is NULL; *out is its index. */
bool build_word(struct build *, const cfg_t *section, int option, const char *const *words, unsigned *out);

/* A list of patterns; flags as for glob_check, or check for what has a form of its own. True if there is any item that can be used. */
bool build_patterns(struct build *, const cfg_t *section, int option, const char *(*check)(const char *), unsigned flags, struct patterns *out);

/* A list of words as bits; find gives a word's bit or 0, known is the list of them for the message. */
bool build_bits(struct build *, const cfg_t *section, int option, unsigned (*find)(struct span), const char *known, unsigned *out);

/* Complains of items that are there twice. */
void build_check_twice(struct build *, const cfg_t *section, int option);

#endif
