/* Knows the options of a policy outside of its rules. */
#include "conf/build.h"
#include "conf/complain.h"
#include "conf/value.h"
#include "policy/glob.h"

enum { DEFAULT_IDLE_TIMEOUT = 600 };

/* What a policy permits unless it says otherwise, and where it permits uploads. Links are for those who ask for them. */
enum {
	DEFAULT_LOOK = OPERATION_LIST | OPERATION_STAT,
	DEFAULT_CHANGE = OPERATION_MKDIR | OPERATION_RENAME | OPERATION_REMOVE | OPERATION_ATTRIBUTES | OPERATION_REPLACE,
	NEEDS_UPLOAD = DEFAULT_CHANGE | OPERATION_LINK,
};

/* Nothing was left out because nobody knows its name, so what is not there was not written. */
static bool policy_is_complete(const cfg_t *section)
{
	return tree_count(section, POLICY_UNKNOWN) == 0;
}

static const char *policy_login_check(const char *text)
{
	return text[0] == '~' ? "it is a path below home already, without ~/" : glob_check(text, GLOB_PATH);
}

static unsigned policy_protocol_bit(struct span word)
{
	return span_is(word, "scp") ? PROTOCOL_SCP : span_is(word, "sftp") ? PROTOCOL_SFTP : 0;
}

static void policy_build_from(struct build *b, const cfg_t *section, struct policy *policy)
{
	size_t count = tree_count(section, POLICY_FROM);
	struct cidr *from = arena_take(b->arena, count * sizeof(*from));
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		const struct conf_value *value = tree_item(section, POLICY_FROM, i);
		char reason[VALUE_WHY_MAX];
		if (value->text == NULL)
			continue;
		const char *why = value_cidr(value->text, &from[used], reason);
		if (why != NULL)
			build_refuse(b, value, why);
		else
			used++;
	}
	build_check_twice(b, section, POLICY_FROM);
	policy->from = from;
	policy->from_count = used;
}

static void policy_build_who(struct build *b, const cfg_t *section, struct policy *policy)
{
	build_patterns(b, section, POLICY_USER, NULL, GLOB_TEXT, &policy->users);
	build_patterns(b, section, POLICY_GROUP, NULL, GLOB_TEXT, &policy->groups);
	build_patterns(b, section, POLICY_KEY, value_key, 0, &policy->keys);
	policy_build_from(b, section, policy);
	build_bits(b, section, POLICY_PROTOCOLS, policy_protocol_bit, "scp and sftp", &policy->protocols);
}

static void policy_build_how(struct build *b, const cfg_t *section, struct policy *policy)
{
	static const char *const deliveries[] = { "hold", "stream", NULL };
	static const char *const answers[] = { "stop", "skip", NULL };
	static const char unscannable[] = "encrypted, too-large, too-deep, timeout, damaged, scanner-down, scanner-blind";
	unsigned word = 0;
	build_text(b, section, POLICY_ROOT, value_root, &policy->root);
	if (tree_count(section, POLICY_ROOT) == 0 && policy_is_complete(section))
		complain_mistake(b->complaints, policy->line, "the policy has no 'root'; root = '/' would put everything within reach");
	if (build_word(b, section, POLICY_DELIVERY, deliveries, &word))
		policy->delivery = word == 0 ? DELIVERY_HOLD : DELIVERY_STREAM;
	if (build_word(b, section, POLICY_ON_BLOCK, answers, &word))
		policy->on_block = word == 0 ? ON_BLOCK_STOP : ON_BLOCK_SKIP;
	if (policy->protocols == PROTOCOL_SFTP && tree_count(section, POLICY_ON_BLOCK) > 0)
		complain_warning(b->complaints, tree_item(section, POLICY_ON_BLOCK, 0)->line, "'on_block' is about SCP: over SFTP a refusal never ends the session");
	build_bits(b, section, POLICY_ACCEPT_UNSCANNABLE, unscannable_bit, unscannable, &policy->accept_unscannable);
	build_patterns(b, section, POLICY_LOGIN_FILES, policy_login_check, 0, &policy->login_files);
	build_seconds(b, section, POLICY_IDLE_TIMEOUT, 0, &policy->idle_timeout);
}

/* A block rule on nothing but this word refuses what the policy says it accepts. */
static void policy_check_accepted(struct build *b, const cfg_t *section, const struct policy *policy)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		for (size_t i = 0; i < policy->rules[d].count; i++) {
			const struct rule *rule = &policy->rules[d].rules[i];
			if (rule->kind == RULE_BLOCK && rule->conditions == CONDITION_UNSCANNABLE && (rule->unscannable & policy->accept_unscannable))
				complain_warning(b->complaints, tree_item(section, POLICY_ACCEPT_UNSCANNABLE, 0)->line,
				                 "block '%s' in line %u refuses some of what is accepted here; the block wins", rule->name, rule->line);
		}
	}
}

static void policy_build_rules(struct build *b, const cfg_t *section, int option, struct ruleset *out)
{
	if (tree_count(section, option) == 0)
		return;
	out->permitted = true;
	for (int i = 0; i < DIRECTIONS; i++)
		if (b->direction[i].section == tree_section(section, option, 0))
			*out = b->direction[i].rules;
	clash_rules(b->complaints, out);
}

static void policy_build_operations(struct build *b, const cfg_t *section, struct policy *policy)
{
	static const char known[] = "list, stat, mkdir, rename, remove, attributes, link, replace";
	build_bits(b, section, POLICY_OPERATIONS, operation_bit, known, &policy->operations);
	if (policy->rules[UPLOAD].permitted || !policy_is_complete(section))
		return;
	for (size_t i = 0; i < tree_count(section, POLICY_OPERATIONS); i++) {
		const struct conf_value *value = tree_item(section, POLICY_OPERATIONS, i);
		if (value->text != NULL && (operation_bit(span_str(value->text)) & NEEDS_UPLOAD))
			build_refuse(b, value, "it needs upload { }: without that a policy changes nothing");
	}
}

enum policy_access { ACCESS_FULL, ACCESS_READ_ONLY, ACCESS_UPLOAD_ONLY, ACCESS_DROP_BOX };

/* The simple settings. Each fixes the operations, and which directions there are. */
static void policy_restrict(struct build *b, const cfg_t *section, enum policy_access access, struct policy *policy)
{
	const struct conf_value *value = tree_value(section, POLICY_ACCESS);
	bool uploads = access != ACCESS_READ_ONLY;
	policy->operations = access == ACCESS_DROP_BOX ? 0 : uploads ? DEFAULT_LOOK | DEFAULT_CHANGE : DEFAULT_LOOK;
	policy->unique = access == ACCESS_DROP_BOX;
	if (policy->rules[uploads ? DOWNLOAD : UPLOAD].permitted)
		build_refuse(b, value, uploads ? "the policy has a section 'download', which contradicts that"
					       : "the policy has a section 'upload', which contradicts that");
	if (uploads && !policy->rules[UPLOAD].permitted && policy_is_complete(section))
		build_refuse(b, value, "it needs upload { }");
	if (tree_count(section, POLICY_OPERATIONS) > 0)
		complain_mistake(b->complaints, tree_item(section, POLICY_OPERATIONS, 0)->line,
				 "'operations' contradicts access = '%s', which says what is permitted", value->text);
}

static void policy_build_access(struct build *b, const cfg_t *section, struct policy *policy)
{
	static const char *const words[] = { "full", "read-only", "upload-only", "drop-box", NULL };
	unsigned word = ACCESS_FULL;
	build_word(b, section, POLICY_ACCESS, words, &word);
	policy->operations = policy->rules[UPLOAD].permitted ? DEFAULT_LOOK | DEFAULT_CHANGE : DEFAULT_LOOK;
	if (word == ACCESS_FULL)
		policy_build_operations(b, section, policy);
	else
		policy_restrict(b, section, (enum policy_access)word, policy);
}

void build_policy(void *build, const cfg_t *section)
{
	struct build *b = build;
	struct tree_title title = tree_title(section);
	struct policy *policy = &b->policies[b->policy_count++];
	*policy = (struct policy){
		.line = title.line, .name = "", .protocols = PROTOCOL_SCP | PROTOCOL_SFTP, .idle_timeout = DEFAULT_IDLE_TIMEOUT,
	};
	if (title.name != NULL) {
		const char *why = value_name(title.name);
		if (why != NULL)
			complain_mistake(b->complaints, policy->line, "'%.80s': %s", title.name, why);
		policy->name = arena_text(b->arena, title.name);
	}
	policy_build_who(b, section, policy);
	policy_build_how(b, section, policy);
	policy_build_rules(b, section, POLICY_UPLOAD, &policy->rules[UPLOAD]);
	policy_build_rules(b, section, POLICY_DOWNLOAD, &policy->rules[DOWNLOAD]);
	memset(b->direction, 0, sizeof(b->direction)); /* the sections go, and their addresses may come again */
	policy_build_access(b, section, policy);
	if (!policy->rules[UPLOAD].permitted && !policy->rules[DOWNLOAD].permitted && policy_is_complete(section))
		complain_warning(b->complaints, policy->line, "the policy names neither 'upload' nor 'download' and so permits no transfer");
	policy_check_accepted(b, section, policy);
}
