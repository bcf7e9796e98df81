/* audit/format: each record is one valid JSON object with the agreed names, whatever the client called its files. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

#include "audit/audit.h"

static const struct identity bob = {
	.user = "bob",
	.from = { .family = ADDRESS_IPV4, .bytes = { 192, 0, 2, 7 } },
	.from_text = "192.0.2.7",
	.port = 50022,
	.key = "SHA256:abc",
	.key_type = "ssh-ed25519",
};
static const struct record_session session = { .id = "7f3a9c21", .who = &bob, .policy = "customers", .protocol = PROTOCOL_SCP };
static const struct timespec moment = { .tv_sec = 1700000000, .tv_nsec = 123456789 };
static const uint8_t hash[RECORD_SHA256] = { 0xde, 0xad, 0xbe, 0xef };

static struct span bytes_of(const char *s)
{
	return span_str(s);
}

/* An upload that went through. */
static struct record upload(void)
{
	return (struct record){
		.event = RECORD_FILE,
		.outcome = OUTCOME_ALLOWED,
		.direction = UPLOAD,
		.kind = ENTRY_FILE,
		.path = bytes_of("/srv/www/bob/in/report.pdf"),
		.name = bytes_of("report.pdf"),
		.has_announced = true,
		.size = 91234,
		.mode = 0644,
		.bytes = 91234,
		.type = bytes_of("application/pdf"),
		.sha256 = hash,
		.ref = "7f3a9c21-4",
		.duration_ns = 1234567,
	};
}

/* Formats into a buffer of exactly cap bytes, reads it back. */
static yajl_val format(const struct record_session *who, const struct record *record, size_t cap)
{
	char error[256];
	char *line = malloc(cap);
	cr_assert(line);
	size_t n = audit_format(line, cap, who, record, &moment);
	cr_assert_lt(n, cap);
	cr_assert_eq(strlen(line), n);
	for (size_t i = 0; i < n; i++)
		cr_assert((uint8_t)line[i] >= ' ' && line[i] != 0x7f, "byte %zu", i);
	yajl_val root = yajl_tree_parse(line, error, sizeof(error));
	cr_assert(root, "%s in %s", error, line);
	cr_assert(YAJL_IS_OBJECT(root));
	for (size_t i = 0; i < root->u.object.len; i++)
		for (size_t k = 0; k < i; k++)
			cr_assert_str_neq(root->u.object.keys[i], root->u.object.keys[k]);
	free(line);
	return root;
}

static yajl_val member(yajl_val root, const char *name)
{
	return yajl_tree_get(root, (const char *[]){ name, NULL }, yajl_t_any);
}

static void expect_text(yajl_val root, const char *name, const char *wanted)
{
	yajl_val value = member(root, name);
	const char *text = YAJL_IS_NUMBER(value) ? YAJL_GET_NUMBER(value) : YAJL_GET_STRING(value);
	cr_expect(text && strcmp(text, wanted) == 0, "%s: \"%s\", not \"%s\"", name, text ? text : "(absent)", wanted);
}

static void expect_item(yajl_val root, const char *name, size_t i, const char *wanted)
{
	yajl_val list = member(root, name);
	cr_assert(YAJL_IS_ARRAY(list), "%s", name);
	cr_assert_gt(list->u.array.len, i, "%s", name);
	cr_expect_str_eq(YAJL_GET_STRING(list->u.array.values[i]), wanted);
}

static void expect_absent(yajl_val root, const char *name)
{
	cr_expect_null(member(root, name), "%s", name);
}

Test(audit_format, allowed_upload)
{
	struct record r = upload();
	yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
	static const char *const wanted[][2] = {
		{ "@timestamp", "2023-11-14T22:13:20.123456Z" }, { "ecs.version", "8.11.0" }, { "event.kind", "event" },
		{ "event.action", "upload" }, { "event.outcome", "success" }, { "event.duration", "1234567" },
		{ "message", "upload of \"report.pdf\" by bob allowed" }, { "network.protocol", "scp" }, { "user.name", "bob" },
		{ "source.ip", "192.0.2.7" }, { "source.port", "50022" }, { "session.id", "7f3a9c21" },
		{ "file.path", "/srv/www/bob/in/report.pdf" }, { "file.name", "report.pdf" }, { "file.extension", "pdf" },
		{ "file.size", "91234" }, { "file.mode", "0644" }, { "file.mime_type", "application/pdf" }, { "file.type", "file" },
		{ "file.hash.sha256", "deadbeef00000000000000000000000000000000000000000000000000000000" },
		{ "xferwarden.ref", "7f3a9c21-4" }, { "xferwarden.policy", "customers" }, { "xferwarden.direction", "upload" },
		{ "xferwarden.verdict", "allowed" }, { "xferwarden.announced", "91234" }, { "xferwarden.bytes", "91234" },
		{ "xferwarden.key", "SHA256:abc" }, { "xferwarden.key_type", "ssh-ed25519" },
	};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		expect_text(root, wanted[i][0], wanted[i][1]);
	expect_item(root, "event.category", 0, "file");
	expect_item(root, "event.type", 0, "creation");
	static const char *const absent[] = { "event.reason", "rule.name", "xferwarden.path_hex", "xferwarden.truncated", "xferwarden.virus",
		"xferwarden.unscannable", "xferwarden.watched", "process.command_line", "process.exit_code", "xferwarden.allowed" };
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		expect_absent(root, absent[i]);
	yajl_tree_free(root);
}

Test(audit_format, blocked_download)
{
	struct record r = upload();
	r.outcome = OUTCOME_BLOCKED;
	r.reason = REASON_RULE;
	r.direction = DOWNLOAD;
	r.rule = "malware";
	r.virus = bytes_of("Eicar-Signature");
	r.unscannable = UNSCANNABLE_ENCRYPTED | UNSCANNABLE_SCANNER_BLIND;
	r.watched[0] = "archives";
	r.watched[1] = "big \"ones\"";
	r.watched_count = 2;
	r.detail = bytes_of("clamd said so");
	r.bytes = 0;
	r.sha256 = NULL;
	yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
	expect_text(root, "event.action", "download");
	expect_text(root, "event.outcome", "failure");
	expect_text(root, "event.reason", "rule");
	expect_text(root, "rule.name", "malware");
	expect_text(root, "message", "download of \"report.pdf\" by bob blocked by rule \"malware\"");
	expect_text(root, "xferwarden.verdict", "blocked");
	expect_text(root, "xferwarden.virus", "Eicar-Signature");
	expect_text(root, "xferwarden.detail", "clamd said so");
	expect_text(root, "xferwarden.bytes", "0");
	expect_item(root, "event.type", 0, "denied");
	expect_item(root, "xferwarden.unscannable", 0, "encrypted");
	expect_item(root, "xferwarden.unscannable", 1, "scanner-blind");
	expect_item(root, "xferwarden.watched", 1, "big \"ones\"");
	expect_absent(root, "file.hash.sha256");
	yajl_tree_free(root);
}

Test(audit_format, folder_that_failed)
{
	struct record r = {
		.event = RECORD_DIRECTORY,
		.reason = REASON_TOO_DEEP,
		.kind = ENTRY_DIRECTORY,
		.path = bytes_of("/srv/a/b.d"),
		.name = bytes_of("b.d"),
		.has_announced = true,
		.mode = 02755,
		.ref = "1-1",
	};
	yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
	expect_text(root, "event.action", "folder-upload");
	expect_text(root, "event.reason", "nested-too-deep");
	expect_text(root, "message", "upload of folder \"b.d\" by bob failed: nested-too-deep");
	expect_text(root, "file.type", "dir");
	expect_text(root, "file.mode", "2755");
	expect_item(root, "event.type", 0, "error");
	expect_absent(root, "file.size");
	expect_absent(root, "file.extension");
	expect_absent(root, "xferwarden.bytes");
	yajl_tree_free(root);
}

Test(audit_format, session_events)
{
	struct record r = { .event = RECORD_SESSION_START, .outcome = OUTCOME_ALLOWED, .command = bytes_of("scp -t 'a b'") };
	yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
	expect_text(root, "event.action", "session-start");
	expect_text(root, "process.command_line", "scp -t 'a b'");
	expect_text(root, "message", "session of bob from 192.0.2.7 started");
	expect_item(root, "event.category", 0, "session");
	expect_item(root, "event.type", 0, "start");
	expect_absent(root, "file.path");
	yajl_tree_free(root);

	r = (struct record){ .event = RECORD_SESSION_END, .reason = REASON_CLIENT_GONE, .exit_status = 1, .allowed = 3, .blocked = 2, .failed = 1, .bytes = 77 };
	root = format(&session, &r, AUDIT_LINE_MAX);
	expect_text(root, "event.reason", "client-gone");
	expect_text(root, "process.exit_code", "1");
	expect_text(root, "xferwarden.allowed", "3");
	expect_text(root, "xferwarden.blocked", "2");
	expect_text(root, "xferwarden.failed", "1");
	expect_text(root, "xferwarden.bytes", "77");
	expect_text(root, "message", "session of bob ended by client-gone: 3 allowed, 2 blocked, 1 failed");
	yajl_tree_free(root);

	r = (struct record){ .event = RECORD_COMMAND_REFUSED, .outcome = OUTCOME_BLOCKED, .reason = REASON_COMMAND, .command = bytes_of("id\n"), .detail = bytes_of("no") };
	root = format(&session, &r, AUDIT_LINE_MAX);
	expect_text(root, "event.action", "command-refused");
	expect_text(root, "process.command_line", "id\n");
	expect_text(root, "message", "command of bob refused: no");
	expect_item(root, "event.category", 0, "process");
	yajl_tree_free(root);
}

/* A session of which nothing is known yet; an address that is none. */
Test(audit_format, unknowns)
{
	struct record_session nobody = { 0 };
	struct record r = { 0 };
	yajl_val root = format(&nobody, &r, AUDIT_LINE_MAX);
	static const char *const absent[] = { "user.name", "source.ip", "source.port", "session.id", "network.protocol", "xferwarden.policy", "xferwarden.ref",
		"process.command_line", "event.reason", "event.duration" };
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		expect_absent(root, absent[i]);
	expect_text(root, "message", "session of ? from an unknown address started");
	yajl_tree_free(root);
	struct identity odd = { .user = "x", .from_text = "UNKNOWN", .port = 0 };
	nobody.who = &odd;
	root = format(&nobody, &r, AUDIT_LINE_MAX);
	expect_text(root, "user.name", "x");
	expect_absent(root, "source.ip");
	yajl_tree_free(root);
}

struct name_case {
	const char *path;
	const char *text;
	const char *hex; /* NULL: none needed */
};

static const struct name_case name_cases[] = {
	{ "/a/\xc3\xa4 b", "/a/\xc3\xa4 b", NULL },
	{ "/a\n{\"event.action\":\"x\"}\nb", "/a\n{\"event.action\":\"x\"}\nb", NULL }, /* a forged line */
	{ "/a\",\"user.name\":\"root", "/a\",\"user.name\":\"root", NULL },
	{ "/a\x1b[2J\x7f\xc2\x9b", "/a\x1b[2J\x7f\xc2\x9b", NULL },
	{ "/\xe2\x80\xae" "fdp.exe", "/\xe2\x80\xae" "fdp.exe", NULL },
	{ "/a\xff", "/a\xef\xbf\xbd", "2f61ff" },
	{ "/\xed\xa0\x80", "/\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "2feda080" },
};

Test(audit_format, names_come_back)
{
	for (size_t i = 0; i < sizeof(name_cases) / sizeof(name_cases[0]); i++) {
		const struct name_case *c = &name_cases[i];
		struct record r = upload();
		r.path = bytes_of(c->path);
		r.name = span_of(r.path.p + 1, r.path.n - 1);
		yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
		expect_text(root, "file.path", c->text);
		expect_text(root, "user.name", "bob");
		expect_text(root, "event.action", "upload");
		if (c->hex)
			expect_text(root, "xferwarden.path_hex", c->hex);
		else
			expect_absent(root, "xferwarden.path_hex");
		expect_absent(root, "xferwarden.truncated");
		expect_absent(root, "xferwarden.name_hex");
		yajl_tree_free(root);
	}
}

/* A name that is not the path's end keeps its own bytes. */
Test(audit_format, name_behind_a_link)
{
	struct record r = upload();
	r.name = bytes_of("l\xff");
	yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
	expect_text(root, "xferwarden.name_hex", "6cff");
	expect_absent(root, "xferwarden.path_hex");
	yajl_tree_free(root);
}

/* The longest a client can send: the path is cut and marked, its bytes are all there. */
Test(audit_format, longest_path)
{
	static const struct {
		uint8_t fill;
		size_t text;   /* what is shown of the path, in bytes when read back */
		bool has_hex;
	} cases[] = { { 'x', 4095, false }, { '"', 4095, false }, { 0xff, 1 + 3 * 4094, true }, { 0x01, 1 + 2047 + 3, true } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static char path[4095];
		memset(path, cases[i].fill, sizeof(path));
		path[0] = '/';
		struct record r = upload();
		r.path = span_of(path, sizeof(path));
		r.name = span_of(path + 1, sizeof(path) - 1);
		yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
		cr_expect(YAJL_IS_TRUE(member(root, "xferwarden.truncated")), "%#x", cases[i].fill);
		expect_text(root, "file.hash.sha256", "deadbeef00000000000000000000000000000000000000000000000000000000");
		const char *text = YAJL_GET_STRING(member(root, "file.path"));
		const char *hex = YAJL_GET_STRING(member(root, "xferwarden.path_hex"));
		cr_assert(text);
		cr_expect_eq(strlen(text), cases[i].text, "%#x: %zu", cases[i].fill, strlen(text));
		cr_expect_eq(hex ? strlen(hex) : 0, cases[i].has_hex ? 2 * sizeof(path) : 0, "%#x", cases[i].fill);
		yajl_tree_free(root);
	}
}

/* What is missing is always said to be. */
Test(audit_format, cut_records_say_so)
{
	for (size_t cap = AUDIT_CAP_MIN; cap < 4 * AUDIT_CAP_MIN; cap++) {
		static char path[4095];
		memset(path, 0xff, sizeof(path));
		struct record r = upload();
		r.path = span_of(path, sizeof(path));
		r.name = r.detail = r.virus = r.path;
		yajl_val root = format(&session, &r, cap);
		cr_assert(YAJL_IS_TRUE(member(root, "xferwarden.truncated")), "%zu", cap);
		yajl_tree_free(root);
	}
}

/* --- what was done to names --- */

static const struct {
	enum action action;
	enum entry_kind kind;
	enum outcome outcome;
	const char *path, *other;
	const char *word, *type, *file_type; /* file_type NULL: not said */
	const char *new_path, *target;       /* NULL: not said */
	const char *message;
} operations[] = {
	{ ACTION_REMOVE, ENTRY_NAME, OUTCOME_ALLOWED, "/srv/a.txt", "", "remove", "deletion", NULL, NULL, NULL, "removal of \"a.txt\" by bob allowed" },
	{ ACTION_REMOVE, ENTRY_FILE, OUTCOME_FAILED, "/srv/a.txt", "", "remove", "error", "file", NULL, NULL, "removal of \"a.txt\" by bob failed: child" },
	{ ACTION_REMOVE_FOLDER, ENTRY_NAME, OUTCOME_ALLOWED, "/srv/d", "", "folder-remove", "deletion", "dir", NULL, NULL,
	  "removal of folder \"d\" by bob allowed" },
	{ ACTION_RENAME, ENTRY_FILE, OUTCOME_ALLOWED, "/srv/a", "/srv/in/b", "rename", "change", "file", "/srv/in/b", NULL,
	  "renaming of \"a\" to \"/srv/in/b\" by bob allowed" },
	{ ACTION_RENAME, ENTRY_DIRECTORY, OUTCOME_BLOCKED, "/srv/a", "/srv/b.php", "rename", "denied", "dir", "/srv/b.php", NULL,
	  "renaming of \"a\" to \"/srv/b.php\" by bob blocked by rule \"scripts\"" },
	{ ACTION_HARD_LINK, ENTRY_FILE, OUTCOME_ALLOWED, "/srv/a", "/srv/b", "hard-link", "creation", "file", "/srv/b", NULL,
	  "hard link to \"a\" as \"/srv/b\" by bob allowed" },
	{ ACTION_SYMBOLIC_LINK, ENTRY_NAME, OUTCOME_ALLOWED, "/srv/l", "../x", "symbolic-link", "creation", "symlink", NULL, "../x",
	  "symbolic link \"l\" to \"../x\" by bob allowed" },
	{ ACTION_SYMBOLIC_LINK, ENTRY_FILE, OUTCOME_BLOCKED, "/srv/l", "", "symbolic-link", "denied", "symlink", NULL, NULL,
	  "symbolic link \"l\" by bob blocked by rule \"scripts\"" },
	{ ACTION_ATTRIBUTES, ENTRY_FILE, OUTCOME_ALLOWED, "/srv/a", "", "attributes", "change", "file", NULL, NULL,
	  "change of attributes of \"a\" by bob allowed" },
};

static void expect_or_absent(yajl_val root, const char *name, const char *wanted)
{
	if (wanted)
		expect_text(root, name, wanted);
	else
		expect_absent(root, name);
}

Test(audit_format, operations_on_names)
{
	struct record_session s = session;
	s.protocol = PROTOCOL_SFTP;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		const char *path = operations[i].path;
		struct record r = {
			.event = RECORD_OPERATION, .action = operations[i].action, .kind = operations[i].kind, .outcome = operations[i].outcome,
			.reason = operations[i].outcome == OUTCOME_BLOCKED ? REASON_RULE : operations[i].outcome == OUTCOME_FAILED ? REASON_CHILD : REASON_NONE,
			.rule = operations[i].outcome == OUTCOME_BLOCKED ? "scripts" : NULL, .path = bytes_of(path), .name = bytes_of(strrchr(path, '/') + 1),
			.other = bytes_of(operations[i].other), .has_announced = true, .mode = 0640, .size = 5, .ref = "1-2",
		};
		yajl_val root = format(&s, &r, AUDIT_LINE_MAX);
		expect_text(root, "event.action", operations[i].word);
		expect_item(root, "event.category", 0, "file");
		expect_item(root, "event.type", 0, operations[i].type);
		expect_text(root, "network.protocol", "sftp");
		expect_text(root, "message", operations[i].message);
		expect_text(root, "file.path", path);
		expect_text(root, "file.mode", "0640");
		expect_or_absent(root, "file.type", operations[i].file_type);
		expect_or_absent(root, "xferwarden.new_path", operations[i].new_path);
		expect_or_absent(root, "file.target_path", operations[i].target);
		static const char *const absent[] = { "file.size", "xferwarden.announced", "xferwarden.bytes", "xferwarden.direction", "xferwarden.new_path_hex",
			"xferwarden.target_path_hex", "xferwarden.truncated", "process.command_line" };
		for (size_t k = 0; k < sizeof(absent) / sizeof(absent[0]); k++)
			expect_absent(root, absent[k]);
		yajl_tree_free(root);
	}
}

/* Two paths of the longest kind: whatever is in them, their bytes are all there. */
Test(audit_format, two_longest_paths)
{
	static const uint8_t fills[] = { 'x', '"', 0xff, 0x01 };
	for (size_t i = 0; i < 2 * sizeof(fills); i++) {
		static char path[4095], other[4095];
		memset(path, fills[i / 2], sizeof(path));
		memset(other, fills[i / 2], sizeof(other));
		path[0] = other[0] = '/';
		other[4094] = 'o';
		bool link = i % 2;
		struct record r = { .event = RECORD_OPERATION, .action = link ? ACTION_SYMBOLIC_LINK : ACTION_RENAME, .outcome = OUTCOME_ALLOWED,
				    .path = span_of(path, sizeof(path)), .name = span_of(path + 1, sizeof(path) - 1), .other = span_of(other, sizeof(other)) };
		yajl_val root = format(&session, &r, AUDIT_LINE_MAX);
		const char *names[2][2] = { { "file.path", "xferwarden.path_hex" },
			{ link ? "file.target_path" : "xferwarden.new_path", link ? "xferwarden.target_path_hex" : "xferwarden.new_path_hex" } };
		for (size_t k = 0; k < 2; k++) {
			const char *text = YAJL_GET_STRING(member(root, names[k][0])), *hex = YAJL_GET_STRING(member(root, names[k][1]));
			cr_assert(text, "%s", names[k][0]);
			if (fills[i / 2] == 'x')
				cr_expect_eq(strlen(text), sizeof(path), "%s: %zu", names[k][0], strlen(text));
			else
				cr_expect(hex && strlen(hex) == 2 * sizeof(path), "%#x: %s", fills[i / 2], names[k][1]);
		}
		yajl_tree_free(root);
	}
}

static uint64_t seed = 0x853c49e6748fea9b;

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* Bytes of all kinds, from one long buffer. */
static struct span anything(size_t max)
{
	static uint8_t pool[8192];
	static bool filled;
	for (size_t i = 0; !filled && i < sizeof(pool); i++)
		pool[i] = (uint8_t)(random_below(4) ? random_below(256) : random_below(0x20));
	filled = true;
	size_t n = random_below((unsigned)max + 1);
	return span_of(pool + random_below((unsigned)(sizeof(pool) - n)), n);
}

/* All fields at their longest and worst, in buffers of all sizes: always an object, the facts that matter most still in it. */
Test(audit_format, anything_in_any_size)
{
	static char long_text[3000];
	memset(long_text, '\x01', sizeof(long_text) - 1);
	for (unsigned round = 0; round < 400; round++) {
		struct identity who = bob;
		if (round % 3 == 0)
			who.user = long_text;
		struct record_session s = session;
		s.who = &who;
		if (round % 5 == 0)
			s.policy = s.id = long_text;
		struct record r = upload();
		r.event = round % 6;
		r.action = random_below(ACTIONS);
		r.other = anything(4095);
		r.outcome = round % 3;
		r.path = anything(4095);
		r.name = anything(4095);
		r.type = anything(200);
		r.virus = anything(200);
		r.detail = anything(2000);
		r.command = anything(8000);
		r.unscannable = random_below(UNSCANNABLE_ALL + 1);
		r.rule = round % 4 ? "rule" : long_text;
		r.watched_count = random_below(RECORD_WATCHED_MAX + 1);
		for (size_t i = 0; i < r.watched_count; i++)
			r.watched[i] = i % 2 ? "watch" : long_text;
		yajl_val root = format(&s, &r, round % 2 ? AUDIT_LINE_MAX : AUDIT_CAP_MIN + random_below(6000));
		expect_text(root, "event.action", audit_action(&r));
		expect_text(root, "xferwarden.verdict", audit_verdict(&r));
		yajl_tree_free(root);
	}
}
