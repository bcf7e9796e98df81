/* ctl/machine: a machine that has all a configuration names, in a folder, and what is said of it when one thing after the other is taken away. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl/machine.h"

static char folder[64];
static struct machine machine;

static const char *at(const char *name)
{
	static char text[4][160];
	static unsigned turn;
	char *here = text[turn++ % 4];
	snprintf(here, sizeof(text[0]), "%s/%s", folder, name);
	return here;
}

/* A shell's command; $1 is the name, in the folder. */
static void run(const char *command, const char *name)
{
	char whole[320];
	snprintf(whole, sizeof(whole), "set -- %s; %s", at(name), command);
	cr_assert_eq(system(whole), 0, "%s", whole);
}

static void listen_at(const char *name, int type)
{
	struct sockaddr_un where = { .sun_family = AF_UNIX };
	strcpy(where.sun_path, at(name));
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&where, sizeof(where)) == 0 && chmod(at(name), 0666) == 0);
	close(fd);
}

/* Everything is there, and for everybody. */
static void set_up(void)
{
	static const char *const files[] = { "conf", "scp", "sftp-server", "inspector", "inspector-clamav", "database/daily.cvd", "log/audit" };
	umask(0);
	strcpy(folder, "/tmp/machine-XXXXXX");
	cr_assert(mkdtemp(folder) && chmod(folder, 0755) == 0);
	cr_assert(mkdir(at("database"), 0755) == 0 && mkdir(at("spool"), 01733) == 0 && mkdir(at("log"), 0755) == 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd = open(at(files[i]), O_WRONLY | O_CREAT | O_CLOEXEC, strncmp(files[i], "log", 3) == 0 ? 0666 : 0755);
		cr_assert_geq(fd, 0);
		close(fd);
	}
	listen_at("clamd", SOCK_STREAM);
	listen_at("syslog", SOCK_DGRAM);
}

static void tear_down(void)
{
	run("rm -rf $1", "");
}

TestSuite(ctl_machine, .init = set_up, .fini = tear_down, .timeout = 30);

static const struct rule typed[] = { { .name = "t", .conditions = CONDITION_TYPE } };
static const struct rule scanned[] = { { .name = "t", .conditions = CONDITION_TYPE }, { .name = "v", .conditions = CONDITION_VIRUS } };

static unsigned protocols = PROTOCOL_SCP | PROTOCOL_SFTP; /* of the one policy */

static enum conf_audit_kind first_audit = AUDIT_SYSLOG;

/* The warnings, with "@" for the folder. */
static const char *warned(enum conf_engine engine, const struct rule *rules, size_t count)
{
	static char conf_path[160], scp[160], sftp[160], inspector[160], database[160], spool[160], log[160], clamd[160], syslog[160], journald[160];
	static char text[4096];
	struct policy policy = { .protocols = protocols, .rules = { [UPLOAD] = { .permitted = true, .rules = rules, .count = count } } };
	struct conf conf = { .policies = &policy, .policy_count = 1 };
	conf.scp_program = strcpy(scp, at("scp"));
	conf.sftp_server_program = strcpy(sftp, at("sftp-server"));
	conf.inspector_program = strcpy(inspector, at("inspector"));
	conf.audit.to[conf.audit.count++] = (struct conf_audit_target){ .kind = first_audit };
	conf.audit.to[conf.audit.count++] = (struct conf_audit_target){ .kind = AUDIT_FILE, .path = strcpy(log, at("log/audit")) };
	conf.scanner.engine = engine;
	conf.scanner.database = strcpy(database, at("database"));
	conf.scanner.address[conf.scanner.count++] = (struct conf_clamd){ .path = strcpy(clamd, at("clamd")) };
	conf.scanner.address[conf.scanner.count++] = (struct conf_clamd){ .host = "192.0.2.1", .port = 3310 };
	conf.spool.folder = strcpy(spool, at("spool"));
	machine.syslog = strcpy(syslog, at("syslog"));
	machine.journald = strcpy(journald, at("journald"));
	machine_check(&machine, strcpy(conf_path, at("conf")), &conf);
	size_t n = 0, length = strlen(folder);
	text[0] = '\0';
	for (size_t i = 0; i < machine.count; i++) {
		for (const char *p = machine.text[i]; *p != '\0'; n++) {
			bool here = strncmp(p, folder, length) == 0;
			text[n] = here ? '@' : *p;
			p += here ? length : 1;
		}
		text[n++] = '\n';
		text[n] = '\0';
	}
	return text;
}

#define TYPED warned(ENGINE_LIBCLAMAV, typed, 1)
#define SCANNED warned(ENGINE_LIBCLAMAV, scanned, 2)
#define ASKED warned(ENGINE_CLAMD, scanned, 2)

Test(ctl_machine, all_is_there)
{
	cr_expect_str_eq(TYPED, "");
	cr_expect_str_eq(SCANNED, "");
	cr_expect_str_eq(ASKED, "");
}

Test(ctl_machine, one_thing_is_missing)
{
	static const struct {
		const char *command, *name, *warning;
	} rows[] = {
		{ "chmod 600 $1", "conf", "sessions run as their users, who can't read it (chmod 644)\n" },
		{ "chmod 640 $1", "conf", "sessions run as their users, who can't read it (chmod 644)\n" },
		{ "chmod 744 $1", "scp", "scp_program @/scp: users can't execute it (chmod 755)\n" },
		{ "mv $1 $1-not", "scp", "scp_program @/scp: No such file or directory\n" },
		{ "rm $1 && mkdir $1", "scp", "scp_program @/scp: it is no regular file\n" },
		{ "rm $1", "sftp-server", "sftp_server_program @/sftp-server: No such file or directory\n" },
		{ "chmod 711 $1", "sftp-server", "" },
		{ "chmod 750 $1", "sftp-server", "sftp_server_program @/sftp-server: users can't execute it (chmod 755)\n" },
		{ "rm $1", "inspector", "inspector_program @/inspector: No such file or directory\n" },
		{ "rm $1", "inspector-clamav", "inspector @/inspector-clamav: No such file or directory\n" },
		{ "rm $1", "database/daily.cvd", "database @/database: no signatures there (run freshclam)\n" },
		{ "mv $1 $1.old", "database/daily.cvd", "database @/database: no signatures there (run freshclam)\n" },
		{ "rm -r $1", "database", "database @/database: No such file or directory (run freshclam)\n" },
		{ "chmod 711 $1", "database", "database @/database: users can't read it (chmod o+rX)\n" },
		{ "chmod 744 $1", "database", "database @/database: users can't read it (chmod o+rX)\n" },
		{ "rmdir $1", "spool", "spool folder @/spool: No such file or directory (install -d -m 1733 @/spool)\n" },
		{ "chmod 755 $1", "spool", "spool folder @/spool: users can't write there (chmod 1733)\n" },
		{ "chmod 732 $1", "spool", "spool folder @/spool: users can't write there (chmod 1733)\n" },
		{ "rmdir $1 && touch $1", "spool", "spool folder @/spool: it is no folder\n" },
		{ "rm $1", "syslog", "audit to 'syslog', @/syslog: No such file or directory (is a log daemon running?)\n" },
		{ "rm $1 && touch $1", "syslog", "audit to 'syslog', @/syslog: it is no socket\n" },
		{ "chmod 600 $1", "syslog", "audit to 'syslog', @/syslog: users can't write to it\n" },
		{ "chmod 644 $1", "log/audit", "audit file @/log/audit: only root can write it; sessions run as their users ('syslog' and 'journald' serve them all)\n" },
		{ "rm $1", "log/audit", "audit file @/log/audit: only root can make it; sessions run as their users ('syslog' and 'journald' serve them all)\n" },
		{ "rm -r $1", "log", "audit file @/log/audit: folder @/log: No such file or directory\n" },
		/* enough for somebody */
		{ "chgrp 54321 $1 && chmod 660 $1", "log/audit", "" },
		{ "rm -r $1 && mkdir -m 770 $1", "log", "" },
		{ "chown 54321 $1 && chmod 600 $1", "log/audit", "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(rows[i].command, rows[i].name);
		cr_expect_str_eq(SCANNED, rows[i].warning, "%s %s: %s", rows[i].command, rows[i].name, warned(ENGINE_LIBCLAMAV, scanned, 2));
		tear_down();
		set_up();
	}
}

Test(ctl_machine, what_no_rule_needs_may_be_missing)
{
	run("rm -r $1*", "database");
	run("rm $1", "inspector-clamav");
	cr_expect_str_eq(TYPED, "");
	cr_expect_str_eq(ASKED, "");
	run("rm $1", "sftp-server");
	protocols = PROTOCOL_SCP;
	cr_expect_str_eq(TYPED, "");
	run("touch $1 && chmod 755 $1", "sftp-server");
	run("rm $1", "scp");
	protocols = PROTOCOL_SFTP;
	cr_expect_str_eq(TYPED, "");
	run("rmdir $1", "spool");
	run("rm $1", "inspector");
	cr_expect_str_eq(warned(ENGINE_LIBCLAMAV, NULL, 0), "");
}

Test(ctl_machine, a_clamd)
{
	cr_assert_eq(chmod(at("clamd"), 0660), 0);
	cr_expect_str_eq(ASKED, "clamd at @/clamd: users can't connect to it (LocalSocketMode 666)\n");
	cr_assert_eq(unlink(at("clamd")), 0);
	cr_expect_str_eq(ASKED, "clamd at @/clamd: No such file or directory (is clamd running?)\n");
	cr_expect_str_eq(SCANNED, "");
}

Test(ctl_machine, a_journal)
{
	first_audit = AUDIT_JOURNALD;
	cr_expect_str_eq(TYPED, "audit to 'journald', @/journald: No such file or directory (is a log daemon running?)\n");
	listen_at("journald", SOCK_DGRAM);
	cr_expect_str_eq(TYPED, "");
	run("rm $1", "syslog");
	cr_expect_str_eq(TYPED, "");
}

Test(ctl_machine, a_folder_on_the_way)
{
	cr_assert_eq(chmod(folder, 0700), 0);
	cr_expect_str_eq(TYPED, "users can't enter @ (chmod o+x)\n"
	                        "scp_program @/scp: users can't enter @ (chmod o+x)\n"
	                        "sftp_server_program @/sftp-server: users can't enter @ (chmod o+x)\n"
	                        "inspector_program @/inspector: users can't enter @ (chmod o+x)\n"
	                        "spool folder @/spool: users can't enter @ (chmod o+x)\n"
	                        "audit to 'syslog', @/syslog: users can't enter @ (chmod o+x)\n");
}

Test(ctl_machine, more_than_one_thing)
{
	run("rm -r $1*", "");
	cr_expect_str_eq(SCANNED, "No such file or directory\n"
	                          "scp_program @/scp: No such file or directory\n"
	                          "sftp_server_program @/sftp-server: No such file or directory\n"
	                          "inspector_program @/inspector: No such file or directory\n"
	                          "inspector @/inspector-clamav: No such file or directory\n"
	                          "database @/database: No such file or directory (run freshclam)\n"
	                          "spool folder @/spool: No such file or directory (install -d -m 1733 @/spool)\n"
	                          "audit to 'syslog', @/syslog: No such file or directory (is a log daemon running?)\n"
	                          "audit file @/log/audit: folder @/log: No such file or directory\n");
}
