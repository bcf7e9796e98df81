/*
 * What a session needs of the machine it runs on: what has to be there, and which permission bits let every user at it. Sessions run as
 * their users, so what root can open says nothing.
 */
#include "ctl/machine.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/text.h"

static void __attribute__((format(printf, 2, 3))) machine_warn(struct machine *machine, const char *format, ...)
{
	char raw[2 * MACHINE_TEXT_MAX];
	va_list args;
	if (machine->count == MACHINE_WARNINGS_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	(void)text_clean(machine->text[machine->count++], MACHINE_TEXT_MAX, span_str(raw));
}

/* One thing that users have to get at. */
struct need {
	const char *what;    /* "scp_program"; NULL: the configuration itself, which every line names already */
	const char *path;
	mode_t kind;         /* S_IFREG and the like; 0: a file or a folder */
	mode_t bits;         /* of S_IROTH and so on: all of them; a folder has to let others in besides */
	const char *refused; /* what they can't do without those bits, and the remedy */
	const char *remedy;  /* where there is nothing; or "" */
};

static void machine_blame(struct machine *machine, const struct need *need, const char *why, const char *more)
{
	if (need->what != NULL)
		machine_warn(machine, "%s %s: %s%s", need->what, need->path, why, more);
	else
		machine_warn(machine, "%s%s", why, more);
}

/* The folders on the way. False, and a warning, where a user would get no further. */
static bool machine_way(struct machine *machine, const struct need *need)
{
	char folder[PATH_BYTES_MAX], why[MACHINE_TEXT_MAX];
	struct stat found;
	for (const char *slash = need->path; (slash = strchr(slash + 1, '/')) != NULL;) {
		if (!span_copy(folder, sizeof(folder), span_of(need->path, (size_t)(slash - need->path))) || stat(folder, &found) < 0)
			return true; /* what is wrong shows at the end of the way */
		if (S_ISDIR(found.st_mode) && !(found.st_mode & S_IXOTH)) {
			(void)snprintf(why, sizeof(why), "users can't enter %.200s (chmod o+x)", folder);
			machine_blame(machine, need, why, "");
			return false;
		}
	}
	return true;
}

/* True if there is nothing to warn of. */
static bool machine_has(struct machine *machine, const struct need *need)
{
	struct stat found;
	if (stat(need->path, &found) < 0)
		machine_blame(machine, need, strerror(errno), need->remedy);
	else if (need->kind != 0 && (found.st_mode & S_IFMT) != need->kind)
		machine_blame(machine, need, "it is no ", need->kind == S_IFDIR ? "folder" : need->kind == S_IFSOCK ? "socket" : "regular file");
	else if ((found.st_mode & need->bits) != need->bits || (S_ISDIR(found.st_mode) && !(found.st_mode & S_IXOTH)))
		machine_blame(machine, need, need->refused, "");
	else
		return machine_way(machine, need);
	return false;
}

static void machine_program(struct machine *machine, const char *what, const char *path)
{
	struct need need = {
		.what = what, .path = path, .kind = S_IFREG, .bits = S_IXOTH, .refused = "users can't execute it (chmod 755)", .remedy = "",
	};
	(void)machine_has(machine, &need);
}

/* The PROTOCOL_* bits of all policies. */
static unsigned machine_protocols(const struct conf *conf)
{
	unsigned protocols = 0;
	for (size_t i = 0; i < conf->policy_count; i++)
		protocols |= conf->policies[i].protocols;
	return protocols;
}

/* The FACT_* bits that any session may ask for. */
static unsigned machine_facts(const struct conf *conf)
{
	unsigned facts = 0;
	for (size_t i = 0; i < conf->policy_count; i++)
		for (int d = 0; d < DIRECTIONS; d++)
			facts |= policy_facts(&conf->policies[i], (enum direction)d);
	return facts;
}

/* Of the endings that libclamav loads those of files with signatures of malware. */
static bool machine_is_signatures(const char *name)
{
	static const char *const endings[] = {
		".cvd", ".cld", ".cud", ".db", ".hdb", ".hdu", ".hsb", ".hsu", ".mdb", ".mdu",
		".msb", ".msu", ".ndb", ".ndu", ".ldb", ".ldu", ".cbc", ".cdb", ".yar", ".yara",
	};
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot != NULL && i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcmp(dot, endings[i]) == 0)
			return true;
	return false;
}

static void machine_database(struct machine *machine, const char *path)
{
	struct need need = { .what = "database", .path = path, .bits = S_IROTH, .refused = "users can't read it (chmod o+rX)", .remedy = " (run freshclam)" };
	if (!machine_has(machine, &need))
		return;
	DIR *folder = opendir(path);
	if (folder == NULL) {
		if (errno != ENOTDIR) /* one file of signatures */
			machine_warn(machine, "database %s: %s", path, strerror(errno));
		return;
	}
	bool any = false;
	for (const struct dirent *entry; !any && (entry = readdir(folder)) != NULL;)
		any = machine_is_signatures(entry->d_name);
	(void)closedir(folder);
	if (!any)
		machine_warn(machine, "database %s: no signatures there (run freshclam)", path);
}

static void machine_scanner(struct machine *machine, const struct conf *conf, unsigned facts)
{
	char program[PATH_BYTES_MAX];
	if (facts & FACT_TYPE)
		machine_program(machine, "inspector_program", conf->inspector_program);
	if (!(facts & FACT_SCAN))
		return;
	for (size_t i = 0; conf->scanner.engine == ENGINE_CLAMD && i < conf->scanner.count; i++) {
		struct need need = {
			.what = "clamd at", .path = conf->scanner.address[i].path, .kind = S_IFSOCK, .bits = S_IWOTH,
			.refused = "users can't connect to it (LocalSocketMode 666)", .remedy = " (is clamd running?)",
		};
		if (need.path != NULL)
			(void)machine_has(machine, &need);
	}
	if (conf->scanner.engine == ENGINE_CLAMD)
		return;
	if (snprintf(program, sizeof(program), "%s-clamav", conf->inspector_program) < (int)sizeof(program))
		machine_program(machine, "inspector", program);
	machine_database(machine, conf->scanner.database);
}

static void machine_spool(struct machine *machine, const char *folder)
{
	char remedy[MACHINE_TEXT_MAX];
	struct need need = {
		.what = "spool folder", .path = folder, .kind = S_IFDIR, .bits = S_IWOTH, .refused = "users can't write there (chmod 1733)", .remedy = remedy,
	};
	(void)snprintf(remedy, sizeof(remedy), " (install -d -m 1733 %s)", folder);
	(void)machine_has(machine, &need);
}

/* True if somebody else than root may have been meant to write it. */
static bool machine_root_only(const struct stat *found)
{
	return found->st_uid == 0 && !(found->st_mode & (S_IWGRP | S_IWOTH));
}

static void machine_audit_file(struct machine *machine, const char *file)
{
	static const char whose[] = "sessions run as their users ('syslog' and 'journald' serve them all)";
	char folder[PATH_BYTES_MAX];
	struct stat found;
	if (stat(file, &found) == 0) {
		if (machine_root_only(&found))
			machine_warn(machine, "audit file %s: only root can write it; %s", file, whose);
		return;
	}
	struct span parent = path_parent(span_str(file));
	if (!span_copy(folder, sizeof(folder), parent))
		return;
	if (stat(folder, &found) < 0)
		machine_warn(machine, "audit file %s: folder %s: %s", file, folder, strerror(errno));
	else if (machine_root_only(&found))
		machine_warn(machine, "audit file %s: only root can make it; %s", file, whose);
}

static void machine_log(struct machine *machine, const char *what, const char *path)
{
	struct need need = {
		.what = what, .path = path, .kind = S_IFSOCK, .bits = S_IWOTH, .refused = "users can't write to it", .remedy = " (is a log daemon running?)",
	};
	(void)machine_has(machine, &need);
}

static void machine_audit(struct machine *machine, const struct conf_audit_target *to)
{
	switch (to->kind) {
	case AUDIT_SYSLOG:
		machine_log(machine, "audit to 'syslog',", machine->syslog);
		break;
	case AUDIT_JOURNALD:
		machine_log(machine, "audit to 'journald',", machine->journald);
		break;
	case AUDIT_FILE:
		machine_audit_file(machine, to->path);
		break;
	}
}

void machine_check(struct machine *machine, const char *conf_path, const struct conf *conf)
{
	unsigned facts = machine_facts(conf), protocols = machine_protocols(conf);
	struct need file = {
		.path = conf_path, .kind = S_IFREG, .bits = S_IROTH, .refused = "sessions run as their users, who can't read it (chmod 644)", .remedy = "",
	};
	machine->count = 0;
	(void)machine_has(machine, &file);
	if (protocols & PROTOCOL_SCP)
		machine_program(machine, "scp_program", conf->scp_program);
	if (protocols & PROTOCOL_SFTP)
		machine_program(machine, "sftp_server_program", conf->sftp_server_program);
	machine_scanner(machine, conf, facts);
	if (facts != 0 && conf->spool.folder != NULL)
		machine_spool(machine, conf->spool.folder);
	for (size_t i = 0; i < conf->audit.count; i++)
		machine_audit(machine, &conf->audit.to[i]);
}
