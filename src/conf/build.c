/* Knows the settings outside of policies, their defaults, and the readers that all sections share. */
#include "conf/build.h"

#include <stdio.h>

#include "conf/complain.h"
#include "conf/value.h"
#include "policy/glob.h"

#define DEFAULT_MEMORY ((uint64_t)64 << 20)
#define DEFAULT_LIMIT ((uint64_t)4 << 30)
#define DEFAULT_MAX_MEMORY ((uint64_t)2 << 30)
#define LEAST_MAX_MEMORY ((uint64_t)64 << 20)
enum { DEFAULT_TIMEOUT = 120 };

void build_refuse(struct build *b, const struct conf_value *value, const char *why)
{
	complain_mistake(b->complaints, value->line, "'%.80s': %s", value->text, why);
}

bool build_text(struct build *b, const cfg_t *section, int option, const char *(*check)(const char *), const char **out)
{
	const struct conf_value *value = tree_value(section, option);
	if (value == NULL)
		return false;
	const char *why = check(value->text);
	if (why != NULL)
		build_refuse(b, value, why);
	else
		*out = value->text;
	return why == NULL;
}

bool build_size_value(struct build *b, const cfg_t *section, int option, uint64_t *out)
{
	const struct conf_value *value = tree_value(section, option);
	if (value == NULL)
		return false;
	const char *why = value_size(value->text, out);
	if (why != NULL)
		build_refuse(b, value, why);
	return why == NULL;
}

bool build_seconds(struct build *b, const cfg_t *section, int option, unsigned least, unsigned *out)
{
	const struct conf_value *value = tree_value(section, option);
	if (value == NULL)
		return false;
	const char *why = value_seconds(value->text, least, out);
	if (why != NULL)
		build_refuse(b, value, why);
	return why == NULL;
}

bool build_flag(struct build *b, const cfg_t *section, int option, bool *out)
{
	const struct conf_value *value = tree_value(section, option);
	if (value == NULL)
		return false;
	int flag = cfg_parse_boolean(value->text);
	if (flag < 0)
		build_refuse(b, value, "write true or false");
	else
		*out = flag != 0;
	return flag >= 0;
}

/* "'a', 'b' or 'c'", as much of it as there is room for. */
static void build_list_words(char *dst, size_t cap, const char *const *words)
{
	size_t at = 0;
	for (size_t i = 0; words[i] != NULL && at < cap; i++) {
		const char *before = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
		int n = snprintf(dst + at, cap - at, "%s'%s'", before, words[i]);
		at += n > 0 ? (size_t)n : cap;
	}
}

bool build_word(struct build *b, const cfg_t *section, int option, const char *const *words, unsigned *out)
{
	const struct conf_value *value = tree_value(section, option);
	if (value == NULL)
		return false;
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], value->text) == 0) {
			*out = i;
			return true;
		}
	}
	char list[96];
	build_list_words(list, sizeof(list), words);
	complain_mistake(b->complaints, value->line, "'%.60s': '%s' is %s", value->text, section->opts[option].name, list);
	return false;
}

void build_check_twice(struct build *b, const cfg_t *section, int option)
{
	size_t count = tree_count(section, option);
	for (size_t i = 1; i < count; i++) {
		const struct conf_value *value = tree_item(section, option, i);
		for (size_t k = 0; value->text != NULL && k < i; k++) {
			const struct conf_value *before = tree_item(section, option, k);
			if (before->text != NULL && strcmp(before->text, value->text) == 0) {
				complain_mistake(b->complaints, value->line, "'%.80s' is twice in the list", value->text);
				break;
			}
		}
	}
}

bool build_patterns(struct build *b, const cfg_t *section, int option, const char *(*check)(const char *), unsigned flags, struct patterns *out)
{
	size_t count = tree_count(section, option);
	if (count == 0)
		return false;
	const char **items = arena_take(b->arena, count * sizeof(*items));
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		const struct conf_value *value = tree_item(section, option, i);
		if (value->text == NULL)
			continue;
		const char *why = check != NULL ? check(value->text) : glob_check(value->text, flags);
		if (why != NULL)
			build_refuse(b, value, why);
		else
			items[used++] = value->text;
	}
	build_check_twice(b, section, option);
	*out = (struct patterns){ .items = items, .count = used };
	return used > 0;
}

bool build_bits(struct build *b, const cfg_t *section, int option, unsigned (*find)(struct span), const char *known, unsigned *out)
{
	size_t count = tree_count(section, option);
	if (count == 0)
		return false;
	unsigned bits = 0;
	for (size_t i = 0; i < count; i++) {
		const struct conf_value *value = tree_item(section, option, i);
		unsigned bit = value->text != NULL ? find(span_str(value->text)) : 0;
		if (value->text != NULL && bit == 0)
			complain_mistake(b->complaints, value->line, "'%.60s': the words known here are %s", value->text, known);
		bits |= bit;
	}
	build_check_twice(b, section, option);
	*out = bits;
	return bits != 0;
}

static void build_audit_target(struct build *b, const struct conf_value *value)
{
	static const char file[] = "file:";
	struct conf_audit_target to = { .kind = AUDIT_FILE };
	if (strcmp(value->text, "syslog") == 0) {
		to.kind = AUDIT_SYSLOG;
	} else if (strcmp(value->text, "journald") == 0) {
		to.kind = AUDIT_JOURNALD;
	} else if (strncmp(value->text, file, sizeof(file) - 1) == 0) {
		to.path = value->text + sizeof(file) - 1;
		const char *why = value_path(to.path);
		if (why == NULL && to.path[strlen(to.path) - 1] == '/')
			why = "it has to name a file, not a folder";
		if (why != NULL)
			build_refuse(b, value, why);
	} else {
		build_refuse(b, value, "records go to 'syslog', 'journald' or 'file:/…'");
	}
	if (b->conf->audit.count == CONF_AUDIT_MAX)
		complain_mistake(b->complaints, value->line, "records go to %d places at most", CONF_AUDIT_MAX);
	else
		b->conf->audit.to[b->conf->audit.count++] = to;
}

static void build_audit(struct build *b, const cfg_t *section)
{
	static const char *const words[] = { "refuse", "continue", NULL };
	unsigned word = 0;
	for (size_t i = 0; i < tree_count(section, AUDIT_TO); i++) {
		const struct conf_value *value = tree_item(section, AUDIT_TO, i);
		if (value->text != NULL)
			build_audit_target(b, value);
	}
	build_check_twice(b, section, AUDIT_TO);
	build_flag(b, section, AUDIT_SHA256, &b->conf->audit.sha256);
	if (build_word(b, section, AUDIT_ON_FAILURE, words, &word))
		b->conf->audit.refuse = word == 0;
}

static void build_address(struct build *b, const struct conf_value *value)
{
	char host[VALUE_HOST_MAX];
	struct conf_clamd clamd;
	const char *why = value_address(value->text, &clamd, host);
	if (why != NULL) {
		build_refuse(b, value, why);
		return;
	}
	if (b->conf->scanner.count == CONF_ADDRESS_MAX) {
		complain_mistake(b->complaints, value->line, "%d addresses at most", CONF_ADDRESS_MAX);
		return;
	}
	if (clamd.host != NULL)
		clamd.host = arena_text(b->arena, host);
	b->conf->scanner.address[b->conf->scanner.count++] = clamd;
}

static void build_scanner(struct build *b, const cfg_t *section)
{
	static const char *const engines[] = { "libclamav", "clamd", NULL };
	unsigned engine = 0;
	for (size_t i = 0; i < tree_count(section, SCANNER_ADDRESS); i++) {
		const struct conf_value *value = tree_item(section, SCANNER_ADDRESS, i);
		if (value->text != NULL)
			build_address(b, value);
	}
	build_check_twice(b, section, SCANNER_ADDRESS);
	if (build_word(b, section, SCANNER_ENGINE, engines, &engine))
		b->conf->scanner.engine = engine == 0 ? ENGINE_LIBCLAMAV : ENGINE_CLAMD;
	if (engine == 1 && tree_count(section, SCANNER_ADDRESS) == 0)
		build_refuse(b, tree_value(section, SCANNER_ENGINE), "it needs an 'address'");
	build_text(b, section, SCANNER_DATABASE, value_path, &b->conf->scanner.database);
	build_seconds(b, section, SCANNER_TIMEOUT, 1, &b->conf->scanner.timeout);
	if (build_size_value(b, section, SCANNER_MAX_MEMORY, &b->conf->scanner.max_memory) && b->conf->scanner.max_memory < LEAST_MAX_MEMORY)
		build_refuse(b, tree_value(section, SCANNER_MAX_MEMORY), "the inspector can't work with less than 64M");
}

static void build_spool(struct build *b, const cfg_t *section)
{
	const struct conf_value *folder = tree_value(section, SPOOL_FOLDER);
	const struct conf_value *limit = tree_value(section, SPOOL_LIMIT);
	build_size_value(b, section, SPOOL_MEMORY, &b->conf->spool.memory);
	bool limited = build_size_value(b, section, SPOOL_LIMIT, &b->conf->spool.limit);
	if (folder != NULL && folder->text[0] == '\0')
		b->conf->spool.folder = NULL;
	else
		build_text(b, section, SPOOL_FOLDER, value_path, &b->conf->spool.folder);
	if (folder != NULL && b->conf->spool.folder == NULL && b->conf->spool.memory == 0)
		build_refuse(b, folder, "with 'memory' 0 nothing could be held");
	if (limited && b->conf->spool.limit < b->conf->spool.memory)
		complain_warning(b->complaints, limit->line, "'limit' is below 'memory', of which a part is never used");
	else if (limited && b->conf->spool.folder == NULL && b->conf->spool.limit > b->conf->spool.memory)
		complain_warning(b->complaints, limit->line, "without a 'folder' no file larger than 'memory' can be held");
}

static void build_defaults(struct conf *conf)
{
	*conf = (struct conf){
		.scp_program = "/usr/bin/scp",
		.sftp_server_program = "/usr/lib/openssh/sftp-server",
		.inspector_program = XFERWARDEN_INSPECTOR,
		.confine = true,
		.audit = { .sha256 = true, .refuse = true },
		.scanner = { .engine = ENGINE_LIBCLAMAV, .database = "/var/lib/clamav", .timeout = DEFAULT_TIMEOUT, .max_memory = DEFAULT_MAX_MEMORY },
		.spool = { .memory = DEFAULT_MEMORY, .limit = DEFAULT_LIMIT, .folder = "/var/spool/xferwarden" },
	};
}

static void build_programs(struct build *b, const cfg_t *file)
{
	static const char *const words[] = { "required", "available", NULL };
	unsigned word = 0;
	build_text(b, file, FILE_SCP_PROGRAM, value_path, &b->conf->scp_program);
	build_text(b, file, FILE_SFTP_SERVER_PROGRAM, value_path, &b->conf->sftp_server_program);
	build_text(b, file, FILE_INSPECTOR_PROGRAM, value_path, &b->conf->inspector_program);
	if (build_word(b, file, FILE_CONFINEMENT, words, &word))
		b->conf->confine = word == 0;
}

static void build_settings(struct build *b, const cfg_t *file)
{
	build_programs(b, file);
	for (size_t i = 0; i < tree_count(file, FILE_AUDIT); i++)
		build_audit(b, tree_section(file, FILE_AUDIT, i));
	for (size_t i = 0; i < tree_count(file, FILE_SCANNER); i++)
		build_scanner(b, tree_section(file, FILE_SCANNER, i));
	for (size_t i = 0; i < tree_count(file, FILE_SPOOL); i++)
		build_spool(b, tree_section(file, FILE_SPOOL, i));
	if (b->conf->audit.count == 0)
		b->conf->audit.to[b->conf->audit.count++] = (struct conf_audit_target){ .kind = AUDIT_SYSLOG };
}

int build_conf(struct build *b, const struct syntax *text)
{
	struct tree tree = { .arena = b->arena, .complaints = b->complaints, .rule = build_rule, .policy = build_policy, .ctx = b };
	build_defaults(b->conf);
	b->policies = arena_take(b->arena, text->policies * sizeof(*b->policies));
	b->rules = arena_take(b->arena, text->rules * sizeof(*b->rules));
	int r = tree_parse(&tree, text);
	if (r == 0) {
		build_settings(b, tree.root);
		b->conf->policies = b->policies;
		b->conf->policy_count = b->policy_count;
		if (b->policy_count == 0)
			complain_warning(b->complaints, 0, "there is no policy, so nobody can transfer anything");
		clash_policies(b->complaints, b->policies, b->policy_count);
	}
	tree_finish(&tree);
	return r;
}

size_t build_size(const struct syntax *text)
{
	/* Of each value its struct and text, and in lists a pointer to it or a network; of each section its name; and the hosts. All rounded up. */
	size_t each_value = sizeof(struct conf_value) + sizeof(struct cidr) + 16;
	size_t each_section = 16;
	size_t hosts = CONF_ADDRESS_MAX * (VALUE_HOST_MAX + 8);
	return hosts + text->value_bytes + text->values * each_value + text->sections * each_section + text->policies * sizeof(struct policy) +
	       text->rules * sizeof(struct rule);
}
