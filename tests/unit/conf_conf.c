/* What a good configuration becomes: every option, every default, the order of rules; and the file it is read from. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_expect.h"

static struct conf_complaints complaints;

static void load(struct conf *conf, const char *text)
{
	int r = expect_parse(conf, text, strlen(text), &complaints);
	cr_assert(r == 0, "%s", complaints.count > 0 ? complaints.list[0].text : "?");
}

static void expect_patterns(const struct patterns *got, const char *joined)
{
	char text[512] = "";
	for (size_t i = 0; i < got->count; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, got->items[i]);
	}
	cr_expect_str_eq(text, joined);
}

Test(conf_conf, defaults)
{
	struct conf c;
	load(&c, "policy 'p' { root = '%h' upload { } }");
	cr_expect_str_eq(c.scp_program, "/usr/bin/scp");
	cr_expect_str_eq(c.sftp_server_program, "/usr/lib/openssh/sftp-server");
	cr_expect_str_eq(c.inspector_program, XFERWARDEN_INSPECTOR);
	cr_expect(c.confine && c.audit.sha256 && c.audit.refuse);
	cr_expect(c.audit.count == 1 && c.audit.to[0].kind == AUDIT_SYSLOG && c.audit.to[0].path == NULL);
	cr_expect(c.scanner.engine == ENGINE_LIBCLAMAV && c.scanner.count == 0 && c.scanner.timeout == 120 && c.scanner.max_memory == 2147483648);
	cr_expect_str_eq(c.scanner.database, "/var/lib/clamav");
	cr_expect(c.spool.memory == 67108864 && c.spool.limit == 4294967296);
	cr_expect_str_eq(c.spool.folder, "/var/spool/xferwarden");
	cr_assert_eq(c.policy_count, 1);
	const struct policy *p = &c.policies[0];
	cr_expect_str_eq(p->name, "p");
	cr_expect_str_eq(p->root, "%h");
	cr_expect(p->users.count == 0 && p->groups.count == 0 && p->keys.count == 0 && p->from_count == 0 && p->login_files.count == 0);
	cr_expect(p->protocols == (PROTOCOL_SCP | PROTOCOL_SFTP) && p->delivery == DELIVERY_HOLD && p->on_block == ON_BLOCK_STOP);
	cr_expect(p->operations == (OPERATION_ALL & ~OPERATION_LINK) && !p->unique);
	cr_expect(p->accept_unscannable == 0 && p->idle_timeout == 600 && p->line == 1);
	cr_expect(p->rules[UPLOAD].permitted && p->rules[UPLOAD].count == 0 && !p->rules[DOWNLOAD].permitted);
	conf_free(&c);
	cr_expect_null(c.store);
	conf_free(&c);
}

Test(conf_conf, settings)
{
	struct conf c;
	load(&c, "scp_program = '/a/scp' sftp_server_program = '/a/sftp' inspector_program = '/a/inspector' confinement = 'available'\n"
	         "audit { to = {'journald', 'file:/var/log/x.jsonl', 'syslog'} sha256 = off on_failure = 'continue' }\n"
	         "scanner { engine = 'clamd' database = '/db' address = {'unix:/run/c', 'tcp:192.0.2.5:3310', 'tcp:[2001:db8::5]:1'} timeout = 5 max_memory = '64M' }\n"
	         "spool { memory = 0 folder = '/f' limit = 1T }\n");
	cr_expect_str_eq(c.scp_program, "/a/scp");
	cr_expect_str_eq(c.sftp_server_program, "/a/sftp");
	cr_expect_str_eq(c.inspector_program, "/a/inspector");
	cr_expect(!c.confine && !c.audit.sha256 && !c.audit.refuse);
	cr_assert_eq(c.audit.count, 3);
	cr_expect(c.audit.to[0].kind == AUDIT_JOURNALD && c.audit.to[1].kind == AUDIT_FILE && c.audit.to[2].kind == AUDIT_SYSLOG);
	cr_expect_str_eq(c.audit.to[1].path, "/var/log/x.jsonl");
	cr_expect(c.scanner.engine == ENGINE_CLAMD && c.scanner.timeout == 5 && c.scanner.max_memory == 67108864);
	cr_expect_str_eq(c.scanner.database, "/db");
	cr_assert_eq(c.scanner.count, 3);
	cr_expect_str_eq(c.scanner.address[0].path, "/run/c");
	cr_expect_str_eq(c.scanner.address[1].host, "192.0.2.5");
	cr_expect_str_eq(c.scanner.address[2].host, "2001:db8::5");
	cr_expect_str_eq(c.scanner.address[2].text, "tcp:[2001:db8::5]:1");
	cr_expect(c.scanner.address[1].port == 3310 && c.scanner.address[2].port == 1 && c.scanner.address[0].host == NULL && c.scanner.address[1].path == NULL);
	cr_expect(c.spool.memory == 0 && c.spool.limit == (uint64_t)1 << 40);
	cr_expect_str_eq(c.spool.folder, "/f");
	conf_free(&c);
	load(&c, "spool { folder = '' }");
	cr_expect_null(c.spool.folder);
	conf_free(&c);
}

Test(conf_conf, policy)
{
	struct conf c;
	load(&c, "\npolicy 'other' { user = {'nobody'} root = '/n' download { } }\n"
	         "policy 'web' {\n user = {'web*', 'www'} group = 'customers' from = {'192.0.2.0/24', '::1'} key = {'SHA256:abc*'}\n protocols = {'sftp'}\n"
	         " root = '/srv/%u' delivery = 'stream' on_block = 'skip' accept_unscannable = {'encrypted', 'scanner-blind'}\n"
	         " login_files = {'.bashrc', '.config/**'} idle_timeout = 0\n upload { }\n download { }\n}");
	cr_assert_eq(c.policy_count, 2);
	cr_expect_str_eq(c.policies[0].name, "other");
	cr_expect(c.policies[0].line == 2 && !c.policies[0].rules[UPLOAD].permitted && c.policies[0].rules[DOWNLOAD].permitted);
	const struct policy *p = &c.policies[1];
	cr_expect_eq(p->line, 3);
	expect_patterns(&p->users, "web* www");
	expect_patterns(&p->groups, "customers");
	expect_patterns(&p->keys, "SHA256:abc*");
	expect_patterns(&p->login_files, ".bashrc .config/**");
	cr_assert_eq(p->from_count, 2);
	cr_expect(p->from[0].network.family == ADDRESS_IPV4 && p->from[0].bits == 24 && p->from[1].network.family == ADDRESS_IPV6 && p->from[1].bits == 128);
	cr_expect(p->protocols == PROTOCOL_SFTP && p->delivery == DELIVERY_STREAM && p->on_block == ON_BLOCK_SKIP && p->idle_timeout == 0);
	cr_expect_eq(p->accept_unscannable, UNSCANNABLE_ENCRYPTED | UNSCANNABLE_SCANNER_BLIND);
	conf_free(&c);
}

Test(conf_conf, operations)
{
	enum {
		LOOK = OPERATION_LIST | OPERATION_STAT,
		CHANGE = OPERATION_MKDIR | OPERATION_RENAME | OPERATION_REMOVE | OPERATION_ATTRIBUTES | OPERATION_REPLACE,
	};
	static const struct {
		const char *policy;
		unsigned operations;
		bool unique;
	} rows[] = {
		{ "upload { } download { }", LOOK | CHANGE, false },
		{ "upload { block 'b' { name = {'a'} } }", LOOK | CHANGE, false },
		{ "download { }", LOOK, false },
		{ "", LOOK, false },
		{ "access = 'full' upload { } download { }", LOOK | CHANGE, false },
		{ "access = 'full' download { }", LOOK, false },
		{ "access = 'full' operations = {'stat'} upload { }", OPERATION_STAT, false },
		{ "access = 'read-only' download { }", LOOK, false },
		{ "access = 'read-only'", LOOK, false },
		{ "access = 'upload-only' upload { }", LOOK | CHANGE, false },
		{ "access = 'drop-box' upload { }", 0, true },
		{ "upload { allow 'a' { name = {'a'} } } access = drop-box", 0, true },
		{ "operations = list download { }", OPERATION_LIST, false },
		{ "operations = {'list', 'stat'} upload { }", LOOK, false },
		{ "operations = {'mkdir'} upload { }", OPERATION_MKDIR, false },
		{ "operations = {'rename'} upload { }", OPERATION_RENAME, false },
		{ "operations = {'remove'} upload { }", OPERATION_REMOVE, false },
		{ "operations = {'attributes'} upload { }", OPERATION_ATTRIBUTES, false },
		{ "operations = {'link'} upload { }", OPERATION_LINK, false },
		{ "operations = {'replace'} upload { }", OPERATION_REPLACE, false },
		{ "upload { } operations = {'replace', 'link', 'attributes', 'remove', 'rename', 'mkdir', 'stat', 'list'}", OPERATION_ALL, false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct conf c;
		snprintf(text, sizeof(text), "policy 'p' { root = '/' %s }", rows[i].policy);
		load(&c, text);
		cr_expect_eq(c.policies[0].operations, rows[i].operations, "%s: %#x", rows[i].policy, c.policies[0].operations);
		cr_expect_eq(c.policies[0].unique, rows[i].unique, "%s", rows[i].policy);
		conf_free(&c);
	}
}

Test(conf_conf, rules_in_order)
{
	struct conf c;
	load(&c, "policy 'p' { root = '/'\n upload {\n  allow 'a' { path = {'in/**'} message = 'only in' }\n  block 'b' {\n   name = {'*.php', '.ht*'}\n   ignore_case = yes }\n"
	         "  watch 'c' { type = {'application/zip'} } block 'd' { virus = {'*'} unscannable = {'timeout', 'damaged'} }\n"
	         "  allow 'e' { type_mismatch = false mode = '06000' smaller_than = '2G' larger_than = 3 }\n } }");
	const struct ruleset *u = &c.policies[0].rules[UPLOAD];
	static const struct {
		const char *name;
		enum rule_kind kind;
		unsigned line, conditions;
	} rows[] = {
		{ "a", RULE_ALLOW, 3, CONDITION_PATH },
		{ "b", RULE_BLOCK, 4, CONDITION_NAME },
		{ "c", RULE_WATCH, 7, CONDITION_TYPE },
		{ "d", RULE_BLOCK, 7, CONDITION_VIRUS | CONDITION_UNSCANNABLE },
		{ "e", RULE_ALLOW, 8, CONDITION_MISMATCH | CONDITION_MODE | CONDITION_SMALLER | CONDITION_LARGER },
	};
	cr_assert_eq(u->count, 5);
	for (size_t i = 0; i < 5; i++) {
		const struct rule *r = &u->rules[i];
		cr_expect_str_eq(r->name, rows[i].name);
		cr_expect(r->kind == rows[i].kind && r->line == rows[i].line && r->conditions == rows[i].conditions, "%s: line %u", r->name, r->line);
	}
	cr_expect_str_eq(u->rules[0].message, "only in");
	cr_expect(u->rules[1].message == NULL && u->rules[1].ignore_case && !u->rules[0].ignore_case);
	expect_patterns(&u->rules[0].paths, "in/**");
	expect_patterns(&u->rules[1].names, "*.php .ht*");
	expect_patterns(&u->rules[2].types, "application/zip");
	expect_patterns(&u->rules[3].viruses, "*");
	cr_expect_eq(u->rules[3].unscannable, UNSCANNABLE_TIMEOUT | UNSCANNABLE_DAMAGED);
	cr_expect(!u->rules[4].type_mismatch && u->rules[4].mode == 06000 && u->rules[4].smaller_than == 2147483648 && u->rules[4].larger_than == 3);
	conf_free(&c);
}

/* What stands in quotes reaches the struct as a reader of the manual expects, whatever libconfuse would like to do with it. */
Test(conf_conf, text_is_literal)
{
	static const struct {
		const char *written, *meant;
	} rows[] = {
		{ "'/a ${HOME} $(id) `id` $HOME'", "/a ${HOME} $(id) `id` $HOME" },
		{ "\"/a $HOME # /* '\"", "/a $HOME # /* '" },
		{ "'/a\\*b\\n\\x41'", "/a\\*b\\n\\x41" },
		{ "'/a\\\\b\\'c\"'", "/a\\b'c\"" },
		{ "\"/a\\\\b\\\"c\"", "/a\\b\"c" },
		{ "'/{a}, = b += c'", "/{a}, = b += c" },
		{ "'/\xe2\x82\xac'", "/\xe2\x82\xac" },
		{ "/usr/local/lib-2.0_x:y%z", "/usr/local/lib-2.0_x:y%z" },
	};
	cr_assert(setenv("HOME", "/evil", 1) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];
		struct conf c;
		snprintf(text, sizeof(text), "# x\nscp_program = %s # y", rows[i].written);
		load(&c, text);
		cr_expect_str_eq(c.scp_program, rows[i].meant);
		conf_free(&c);
	}
}

Test(conf_conf, long_text)
{
	char text[4300];
	struct conf c;
	int head = snprintf(text, sizeof(text), "scp_program = '/");
	memset(text + head, 'x', 4094);
	strcpy(text + head + 4094, "'");
	load(&c, text);
	cr_expect_eq(strlen(c.scp_program), 4095);
	conf_free(&c);
	strcpy(text + head + 4094, "x'");
	cr_expect(expect_parse(&c, text, strlen(text), &complaints) == -EINVAL);
	cr_expect(strstr(complaints.list[complaints.count - 1].text, "longer than 4095 bytes") != NULL);
}

/* Each beginning of a good text is refused or good, and never read beyond its end. */
Test(conf_conf, cut_anywhere)
{
	static const char text[] = "audit { to = {'syslog', \"journald\"} } /* c */\npolicy 'p' { root = '/%u' # r\n upload {\n block 'b' { name = {'a\\'b'} mode = 06000 }\n"
	                           " allow \"c\" { path = {'x/**', 'y'} } }\n download { } }\n";
	size_t good = 0;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct conf c;
		int r = expect_parse(&c, text, n, &complaints);
		cr_expect(r == (complaints.mistakes > 0 ? -EINVAL : 0), "at %zu", n);
		good += r == 0;
		conf_free(&c);
	}
	/* Nothing, the section audit with what may follow it, and the whole with and without the line's end. */
	cr_expect_eq(good, 1 + 4 + 2, "%zu", good);
}

/* Each text again after each byte has become another. */
Test(conf_conf, one_byte_wrong)
{
	static const char text[] = "scanner { engine = 'clamd' address = {'tcp:[::1]:1'} }\npolicy 'p' { from = {'::/0'} root = '%h' upload { block 'b' { type = {'a/b'} } } }\n";
	static const char bytes[] = "{}='\"#,+/*\\$ \n\x01\x80z(";
	char copy[sizeof(text)];
	for (size_t at = 0; at + 1 < sizeof(text); at++) {
		for (size_t b = 0; b < sizeof(bytes); b++) {
			struct conf c;
			memcpy(copy, text, sizeof(text));
			copy[at] = bytes[b];
			int r = expect_parse(&c, copy, sizeof(text) - 1, &complaints);
			cr_expect(r == (complaints.mistakes > 0 ? -EINVAL : 0), "%zu %zu", at, b);
			for (size_t i = 0; i < complaints.count; i++)
				cr_expect(strstr(complaints.list[i].text, "libconfuse") == NULL, "%s\n%s", complaints.list[i].text, copy);
			conf_free(&c);
		}
	}
}

static char folder[64];

static void folder_make(void)
{
	strcpy(folder, "/tmp/conf-test-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static void folder_remove(void)
{
	static const char *const names[] = { "file", "link", "fifo", "dir" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		remove(path);
	}
	remove(folder);
}

static const char *folder_path(const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void file_write(const char *text, mode_t mode)
{
	int fd = open(folder_path("file"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(fd >= 0);
	cr_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	cr_assert(fchmod(fd, mode) == 0);
	close(fd);
}

/* Only root can make a file that is root's; anybody else's own file stands for the refusal. */
static void expect_load(const char *name, int result, const char *complaint)
{
	struct conf c;
	int r = conf_load(&c, folder_path(name), &complaints);
	cr_expect_eq(r, result, "%s: %d", name, r);
	cr_expect_str_eq(complaints.count > 0 ? complaints.list[0].text : "", complaint);
	conf_free(&c);
}

Test(conf_conf, file, .init = folder_make, .fini = folder_remove)
{
	if (geteuid() != 0)
		cr_skip_test("needs root, to have files of root and of others");
	file_write("policy 'p' { root = '%h' upload { } }", 0644);
	expect_load("file", 0, "");
	cr_assert(symlink("file", folder_path("link")) == 0);
	expect_load("link", 0, "");
	file_write("policy 'p' { root = '%h' upload { } }", 0400);
	expect_load("file", 0, "");
	file_write("foo = 1", 0644);
	expect_load("file", -EINVAL, "there is no policy, so nobody can transfer anything");
	cr_assert(chmod(folder_path("file"), 0664) == 0);
	expect_load("file", -EINVAL, "its mode 0664 lets others than root write it (chmod 644)");
	cr_assert(chmod(folder_path("file"), 0646) == 0);
	expect_load("link", -EINVAL, "its mode 0646 lets others than root write it (chmod 644)");
	cr_assert(chmod(folder_path("file"), 0644) == 0);
	cr_assert(chown(folder_path("file"), 65534, 0) == 0);
	expect_load("file", -EINVAL, "it is owned by uid 65534, not by root (chown root)");
	cr_assert(chown(folder_path("file"), 0, 65534) == 0);
	file_write("policy 'p' { root = '%h' upload { } }", 0640);
	expect_load("file", 0, "");
}

Test(conf_conf, not_a_file, .init = folder_make, .fini = folder_remove, .timeout = 10)
{
	if (geteuid() != 0)
		cr_skip_test("needs root, to have files of root");
	expect_load("missing", -ENOENT, "it can't be opened: No such file or directory");
	cr_assert(mkfifo(folder_path("fifo"), 0600) == 0);
	expect_load("fifo", -EINVAL, "it is not a regular file");
	cr_assert(mkdir(folder_path("dir"), 0700) == 0);
	expect_load("dir", -EINVAL, "it is not a regular file");
	cr_assert(symlink("/dev/zero", folder_path("link")) == 0);
	expect_load("link", -EINVAL, "it is not a regular file");
}

Test(conf_conf, large_file, .init = folder_make, .fini = folder_remove)
{
	if (geteuid() != 0)
		cr_skip_test("needs root, to have files of root");
	file_write("", 0600);
	cr_assert(truncate(folder_path("file"), (off_t)1 << 40) == 0);
	expect_load("file", -EINVAL, "the file is larger than 4 MiB");
	cr_assert(truncate(folder_path("file"), 20000) == 0);
	expect_load("file", -EINVAL, "there is no policy, so nobody can transfer anything");
	cr_expect_str_eq(complaints.list[1].text, "the control character U+0000 is not allowed");
}
