/*
 * The names. Every option is a CFGT_PTR to libconfuse, so that one callback (tree.c) sees each value with its line, and every section
 * CFGF_MULTI, so that libconfuse makes none that was not written.
 */
#include "conf/schema.h"

#include <stdlib.h>

#include "conf/tree.h"

#define ONE(key) CFG_PTR_CB(key, NULL, CFGF_NODEFAULT, tree_note_value, NULL)
#define MANY(key) CFG_PTR_LIST_CB(key, NULL, CFGF_NODEFAULT, tree_note_value, NULL)
#define SECTION(key, table) CFG_SEC(key, table, CFGF_MULTI)
#define NAMED(key, table, end) \
	{ .name = key, .type = CFGT_SEC, .flags = CFGF_MULTI | CFGF_TITLE, .subopts = table, .validcb = end }

static cfg_opt_t schema_audit[] = {
	[AUDIT_TO] = MANY("to"),
	[AUDIT_SHA256] = ONE("sha256"),
	[AUDIT_ON_FAILURE] = ONE("on_failure"),
	CFG_END(),
};

static cfg_opt_t schema_scanner[] = {
	[SCANNER_ENGINE] = ONE("engine"),
	[SCANNER_DATABASE] = ONE("database"),
	[SCANNER_ADDRESS] = MANY("address"),
	[SCANNER_TIMEOUT] = ONE("timeout"),
	[SCANNER_MAX_MEMORY] = ONE("max_memory"),
	CFG_END(),
};

static cfg_opt_t schema_spool[] = {
	[SPOOL_MEMORY] = ONE("memory"),
	[SPOOL_FOLDER] = ONE("folder"),
	[SPOOL_LIMIT] = ONE("limit"),
	CFG_END(),
};

static cfg_opt_t schema_rule[] = {
	[RULE_OPTION_NAME] = MANY("name"),
	[RULE_OPTION_PATH] = MANY("path"),
	[RULE_OPTION_TYPE] = MANY("type"),
	[RULE_OPTION_TYPE_MISMATCH] = ONE("type_mismatch"),
	[RULE_OPTION_VIRUS] = MANY("virus"),
	[RULE_OPTION_UNSCANNABLE] = MANY("unscannable"),
	[RULE_OPTION_MODE] = ONE("mode"),
	[RULE_OPTION_SMALLER_THAN] = ONE("smaller_than"),
	[RULE_OPTION_LARGER_THAN] = ONE("larger_than"),
	[RULE_OPTION_IGNORE_CASE] = ONE("ignore_case"),
	[RULE_OPTION_MESSAGE] = ONE("message"),
	[RULE_OPTION_UNKNOWN] = ONE(SCHEMA_UNKNOWN),
	CFG_END(),
};

static cfg_opt_t schema_direction[] = {
	[SECTION_BLOCK] = NAMED("block", schema_rule, tree_end_rule),
	[SECTION_WATCH] = NAMED("watch", schema_rule, tree_end_rule),
	[SECTION_ALLOW] = NAMED("allow", schema_rule, tree_end_rule),
	CFG_END(),
};

static cfg_opt_t schema_policy[] = {
	[POLICY_USER] = MANY("user"),
	[POLICY_GROUP] = MANY("group"),
	[POLICY_FROM] = MANY("from"),
	[POLICY_KEY] = MANY("key"),
	[POLICY_PROTOCOLS] = MANY("protocols"),
	[POLICY_ROOT] = ONE("root"),
	[POLICY_DELIVERY] = ONE("delivery"),
	[POLICY_ON_BLOCK] = ONE("on_block"),
	[POLICY_ACCEPT_UNSCANNABLE] = MANY("accept_unscannable"),
	[POLICY_LOGIN_FILES] = MANY("login_files"),
	[POLICY_IDLE_TIMEOUT] = ONE("idle_timeout"),
	[POLICY_OPERATIONS] = MANY("operations"),
	[POLICY_ACCESS] = ONE("access"),
	[POLICY_UPLOAD] = SECTION("upload", schema_direction),
	[POLICY_DOWNLOAD] = SECTION("download", schema_direction),
	[POLICY_UNKNOWN] = ONE(SCHEMA_UNKNOWN),
	CFG_END(),
};

static cfg_opt_t schema_top[] = {
	[FILE_SCP_PROGRAM] = ONE("scp_program"),
	[FILE_SFTP_SERVER_PROGRAM] = ONE("sftp_server_program"),
	[FILE_INSPECTOR_PROGRAM] = ONE("inspector_program"),
	[FILE_CONFINEMENT] = ONE("confinement"),
	[FILE_AUDIT] = SECTION("audit", schema_audit),
	[FILE_SCANNER] = SECTION("scanner", schema_scanner),
	[FILE_SPOOL] = SECTION("spool", schema_spool),
	[FILE_POLICY] = NAMED("policy", schema_policy, tree_end_policy),
	[FILE_SENTINEL] = ONE(SCHEMA_SENTINEL),
	CFG_END(),
};

_Static_assert((int)POLICY_UNKNOWN < SCHEMA_OPTIONS_MAX && (int)RULE_OPTION_UNKNOWN < SCHEMA_OPTIONS_MAX && (int)FILE_SENTINEL < SCHEMA_OPTIONS_MAX,
		"a frame has room for each option of a section");

cfg_opt_t *schema_file(void)
{
	return schema_top;
}

static bool schema_is_hidden(const cfg_opt_t *option)
{
	return option->name[0] == '-';
}

int schema_find(const cfg_opt_t *table, struct span name)
{
	for (int i = 0; table[i].name != NULL; i++)
		if (!schema_is_hidden(&table[i]) && span_is(name, table[i].name))
			return i;
	return -1;
}

bool schema_has_unknown(const cfg_opt_t *table)
{
	return table == schema_rule || table == schema_policy;
}

const char *schema_home(struct span name)
{
	static const struct {
		const char *section;
		const cfg_opt_t *table;
	} homes[] = {
		{ "", schema_top },
		{ "audit", schema_audit },
		{ "scanner", schema_scanner },
		{ "spool", schema_spool },
		{ "policy", schema_policy },
		{ "upload or download", schema_direction },
		{ "block, watch or allow", schema_rule },
	};
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++)
		if (schema_find(homes[i].table, name) >= 0)
			return homes[i].section;
	return NULL;
}

/* Edits (a letter more, less or another) from one to the other; names longer than the row are never close. */
static unsigned schema_distance(struct span a, struct span b)
{
	enum { ROW = 32 };
	unsigned row[ROW];
	if (a.n >= ROW || b.n >= ROW)
		return ROW;
	for (unsigned j = 0; j <= b.n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			unsigned best = diagonal + (a.p[i - 1] != b.p[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b.n];
}

const char *schema_nearest(const cfg_opt_t *table, struct span name)
{
	const char *nearest = NULL;
	unsigned least = name.n < 4 ? 2 : 3; /* one edit in a short name, two in a long one */
	for (int i = 0; table[i].name != NULL; i++) {
		unsigned edits = schema_distance(name, span_str(table[i].name));
		if (edits < least && !schema_is_hidden(&table[i])) {
			least = edits;
			nearest = table[i].name;
		}
	}
	return nearest;
}
