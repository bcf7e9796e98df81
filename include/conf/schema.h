/*
 * Every section and option of the configuration, once: the tables that libconfuse parses by are also those that the syntax check and the
 * builder use. All values are strings to libconfuse and come back as struct conf_value, which knows its line.
 */
#ifndef XFERWARDEN_CONF_SCHEMA_H
#define XFERWARDEN_CONF_SCHEMA_H

#include <confuse.h>

#include "base/span.h"

struct conf_value {
	unsigned line;
	const char *text; /* NULL: there is a value and it was complained of already */
};

enum schema_file {
	FILE_SCP_PROGRAM,
	FILE_SFTP_SERVER_PROGRAM,
	FILE_INSPECTOR_PROGRAM,
	FILE_CONFINEMENT,
	FILE_AUDIT,
	FILE_SCANNER,
	FILE_SPOOL,
	FILE_POLICY,
	FILE_SENTINEL,
};

enum schema_audit { AUDIT_TO, AUDIT_SHA256, AUDIT_ON_FAILURE };
enum schema_scanner { SCANNER_ENGINE, SCANNER_DATABASE, SCANNER_ADDRESS, SCANNER_TIMEOUT, SCANNER_MAX_MEMORY };
enum schema_spool { SPOOL_MEMORY, SPOOL_FOLDER, SPOOL_LIMIT };

enum schema_policy {
	POLICY_USER,
	POLICY_GROUP,
	POLICY_FROM,
	POLICY_KEY,
	POLICY_PROTOCOLS,
	POLICY_ROOT,
	POLICY_DELIVERY,
	POLICY_ON_BLOCK,
	POLICY_ACCEPT_UNSCANNABLE,
	POLICY_LOGIN_FILES,
	POLICY_IDLE_TIMEOUT,
	POLICY_OPERATIONS,
	POLICY_ACCESS,
	POLICY_UPLOAD,
	POLICY_DOWNLOAD,
	POLICY_UNKNOWN,
};

enum schema_direction { SECTION_BLOCK, SECTION_WATCH, SECTION_ALLOW };

enum schema_rule {
	RULE_OPTION_NAME,
	RULE_OPTION_PATH,
	RULE_OPTION_TYPE,
	RULE_OPTION_TYPE_MISMATCH,
	RULE_OPTION_VIRUS,
	RULE_OPTION_UNSCANNABLE,
	RULE_OPTION_MODE,
	RULE_OPTION_SMALLER_THAN,
	RULE_OPTION_LARGER_THAN,
	RULE_OPTION_IGNORE_CASE,
	RULE_OPTION_MESSAGE,
	RULE_OPTION_UNKNOWN,
};

/* Enough for the options of any one section. */
enum { SCHEMA_OPTIONS_MAX = 16 };

/*
 * Options that the syntax check writes and users can't. The sentinel is the last one of the file: libconfuse finds it at the top level
 * only if every section ended. The other says that a policy or rule has names that were left out because nobody knows them, so that what
 * it lacks is not worth another complaint.
 */
#define SCHEMA_SENTINEL "-end"
#define SCHEMA_UNKNOWN "-unknown"

cfg_opt_t *schema_file(void);

/* The index of a name that users may write, -1 if there is none. */
int schema_find(const cfg_opt_t *table, struct span name);

/* The name in the table that was probably meant; NULL if none is close. */
const char *schema_nearest(const cfg_opt_t *table, struct span name);

/* The section that has this option or section in it ("policy"; "" for the top level), NULL if there is none. */
const char *schema_home(struct span name);

/* True if the section's table has SCHEMA_UNKNOWN. */
bool schema_has_unknown(const cfg_opt_t *table);

static inline bool schema_is_section(const cfg_opt_t *option)
{
	return option->type == CFGT_SEC;
}

#endif
