/* Mistakes of syntax and unknown names: the whole list for each text, with what else is wrong in the rest of it. */
#include <time.h>

#include "conf_expect.h"

#define NONE "0: warning: there is no policy, so nobody can transfer anything\n"
#define P "policy 'p' { root = '/r' upload { "
#define Q " } }"

Test(conf_syntax, accepted)
{
	static const struct expect rows[] = {
		{ "", NONE },
		{ "\n\n", NONE },
		{ "#\n", NONE },
		{ "# a\n// b\n/* c\n d */ scp_program = '/s' # e\n", NONE },
		{ "scp_program = /usr/bin/scp", NONE },
		{ "scp_program = \"/usr/bin/scp\"", NONE },
		{ "scp_program\n=\n'/usr/bin/scp'", NONE },
		{ "scp_program = '/s' sftp_server_program='/t'", NONE },
		{ "audit {}", NONE },
		{ "audit { to = 'syslog' }", NONE },
		{ "audit { to = { # one\n 'syslog' /* two */ , # three\n 'journald', } }", NONE },
		{ "audit { sha256 = false }\r\nspool {\r\n}\r\n", NONE },
		{ P "block 'x' { name = {'#', '//', '/*', '{', '}', '=', ',', '\"', '\\\\\\\\', '\\''} }" Q, "1: '//': a name has no slash; use path\n1: '/*': a name has no slash; use path\n" },
		{ P "block x { name = {'a'} }" Q, "" },
		{ P "block \"x\" { name = {\"*.a\"} }" Q, "" },
		{ P "block 'x y' { name = {'\xc3\xa4'} }" Q, "" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_syntax, unknown_names)
{
	static const struct expect rows[] = {
		{ "foo = 1\nbar = {1, 2}\nbaz { a = 1 b { c = 'x' } }\nqux 'title' { }\nscp_program = 'x'",
		  NONE "1: 'foo' is unknown here\n2: 'bar' is unknown here\n3: 'baz' is unknown here\n4: 'qux' is unknown here\n"
		       "5: 'x': it has to be an absolute path\n" },
		{ "polizy 'p' { root = '/' }", NONE "1: 'polizy' is unknown here; did you mean 'policy'?\n" },
		{ "Audit { }", NONE "1: 'Audit' is unknown here; did you mean 'audit'?\n" },
		{ "root = '/'\naudit { engine = 'clamd' }",
		  NONE "1: 'root' is unknown here; it belongs in policy\n2: 'engine' is unknown in audit; it belongs in scanner\n" },
		{ P "block 'x' { nmae = {'a'} }" Q, "1: 'nmae' is unknown in block; did you mean 'name'?\n" },
		{ P "name = {'a'}" Q, "1: 'name' is unknown in upload; it belongs in block, watch or allow\n" },
		{ "policy 'p' { root = '/' upload { } scp_program = '/x' }", "1: 'scp_program' is unknown in policy; it belongs outside of all sections\n" },
		{ "include('/etc/passwd')\nscanner { timeout = 0 }", NONE "1: 'include' is unknown here\n2: '0': it has to be one second at least\n" },
		{ "-end = ''", NONE "1: '-end' is unknown here\n" },
		{ "foo += {'a'}\nfoo\naudit { }", NONE "1: 'foo' is unknown here\n2: 'foo' is unknown here\n" },
		{ "policy 'p' { rooot = '/' }", "1: 'rooot' is unknown in policy; did you mean 'root'?\n" },
		{ P "block 'x' { -unknown = '' }" Q, "1: '-unknown' is unknown in block\n" },
		{ "foo = bar = 1", NONE "1: 'foo' is unknown here\n1: 'bar' is unknown here\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_syntax, repeated)
{
	static const struct expect rows[] = {
		{ "scp_program = '/a'\n\nscp_program = '/b'", NONE "3: 'scp_program' is set twice, first in line 1\n" },
		{ P "block 'x' {\n name = {'a'}\n name = {'b'} }" Q, "3: 'name' is set twice, first in line 2\n" },
		{ "audit { }\nspool { }\naudit { to = {'nowhere'} }",
		  NONE "3: 'audit' is named twice, first in line 1\n3: 'nowhere': records go to 'syslog', 'journald' or 'file:/…'\n" },
		{ "policy 'p' { root = '/'\n upload { }\n upload { block 'x' { mode = '9' } }\n}",
		  "3: 'upload' is named twice, first in line 2\n3: '9': permission bits are written in octal digits, like 06000\n" },
		{ "policy 'p' { root = '/' user = {'a'} upload { } }\npolicy 'p' { root = 'x' upload { } }",
		  "2: 'x': it has to begin with a slash or with %h\n2: there is a policy 'p' already, in line 1\n" },
		{ P "block 'x' { name = {'a'} }\nallow 'x' { name = {'b'} mode = '0' }" Q,
		  "2: '0': it names no bit\n2: there is a rule 'x' in this direction already, in line 1\n" },
		{ "policy 'p' { root = '/' upload { block 'x' { name = {'a'} } } download { block 'x' { name = {'a'} } } }", "" },
		{ P "block 'x' { name = {'a', 'b', 'a'} }" Q, "1: 'a' is twice in the list\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_syntax, braces)
{
	static const struct expect rows[] = {
		{ "audit {", NONE "1: audit is not closed: a '}' is missing before the end of the file\n" },
		{ "policy 'p' {\n root = '/'\n upload {\n  block 'x' {\n   name = {'a'}\n",
		  "1: policy 'p' is not closed: a '}' is missing before the end of the file\n3: upload is not closed: a '}' is missing before the end of the file\n"
		  "4: block 'x' is not closed: a '}' is missing before the end of the file\n" },
		{ "policy 'p' { root = '/'\n upload {\n  block 'x' { name = {'a'}\n  block 'y' { name = {'['} }\n }\n}",
		  "3: block 'x' is not closed: a '}' is missing before line 4\n4: '[': a '[' has no ']'\n" },
		{ "policy 'p' { root = '/' user = {'a'} upload {\n}\npolicy 'q' { root = 'r' upload { } }",
		  "1: policy 'p' is not closed: a '}' is missing before line 3\n3: 'r': it has to begin with a slash or with %h\n" },
		{ "audit { } }\nspool { memory = '1X' }", NONE "1: this '}' closes nothing\n2: '1X': a size is written in digits with an optional K, M, G or T, like 64M\n" },
		{ "policy 'p'\n root = '/'\n upload { }\n}", "1: '{' is missing after 'policy'\n" },
		{ "policy { root = '/' upload { } }", "1: the name of this 'policy' is missing\n" },
		{ "audit 'x' { }", NONE "1: 'audit' takes no name\n" },
		{ "audit = 'x'", NONE "1: '{' is missing after 'audit'\n" },
		{ P "block 'x' { name = {'a', 'b'\n type = {'x/y'} }" Q, "1: the list of 'name' is not closed: its '}' is missing\n" },
		{ P "block 'x' { name = {'a'", "1: the list of 'name' is not closed: its '}' is missing\n"
		                               "1: block 'x' is not closed: a '}' is missing before the end of the file\n"
		                               "1: upload is not closed: a '}' is missing before the end of the file\n"
		                               "1: policy 'p' is not closed: a '}' is missing before the end of the file\n" },
		{ "foo { bar {", NONE "1: 'foo' is unknown here\n1: '{' is not closed: its '}' is missing\n" },
		{ P "audit { }" Q, "1: 'audit' is unknown in upload; it belongs outside of all sections\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_syntax, values_and_lists)
{
	static const struct expect rows[] = {
		{ "scp_program '/a'", NONE "1: '=' is missing after 'scp_program'\n" },
		{ "scp_program =\nconfinement = 'maybe'", NONE "1: the value of 'scp_program' is missing\n2: 'maybe': 'confinement' is 'required' or 'available'\n" },
		{ "scp_program = {'/a'}", NONE "1: 'scp_program' takes one value, not a list\n" },
		{ "audit { to = { } }", NONE "1: the list of 'to' is empty\n" },
		{ "audit { to = {'syslog' 'journald'} }", NONE "1: ',' is missing before 'journald'\n" },
		{ "audit { to = {, 'syslog'} }", NONE "1: a ',' stands where a value has to be\n" },
		{ "audit { to = {'syslog',, 'journald'} }", NONE "1: a ',' stands where a value has to be\n" },
		{ "audit { to = {{'syslog'}} }", NONE "1: '{' is not expected here\n" },
		{ "audit { to += {'sislog'} }",
		  NONE "1: '+=' is not known; write all values of 'to' in one list\n1: 'sislog': records go to 'syslog', 'journald' or 'file:/…'\n" },
		{ "= 'x' , ;\n'y'\n{\n", NONE "1: '=' is not expected here\n2: 'y' is not expected here\n3: '{' is not expected here\n" },
		{ P "block 'x' { name = {*.php} }" Q, "1: *.php: this has to stand in single quotes\n" },
		{ "scp_program = /a//b", NONE "1: /a//b: this has to stand in single quotes\n" },
	};
	EXPECT_ROWS(rows);
}

/* What other languages would have written. */
Test(conf_syntax, habits)
{
	static const struct expect rows[] = {
		{ "policy 'p' {\n root = '/srv';\n delivery = 'hold';\n upload { };\n};", "2: no ';' is needed here\n3: no ';' is needed here\n4: no ';' is needed here\n"
		                                                                      "5: no ';' is needed here\n" },
		{ "scp_program = /usr/bin/scp;\nspool { memory = 1X; }",
		  NONE "1: no ';' is needed here\n2: no ';' is needed here\n2: '1X': a size is written in digits with an optional K, M, G or T, like 64M\n" },
		{ "policy 'p' { root = '/r';; }; download { }", "1: no ';' is needed here\n1: 'download' is unknown here; it belongs in policy\n"
		                                               "1: warning: the policy names neither 'upload' nor 'download' and so permits no transfer\n" },
		{ "audit { to = {'syslog'; 'nowhere'} }", NONE "1: no ';' is needed here\n1: 'nowhere': records go to 'syslog', 'journald' or 'file:/…'\n" },
		{ "audit { to = ['syslog', 'nowhere'] }",
		  NONE "1: lists and sections stand in { }\n1: 'nowhere': records go to 'syslog', 'journald' or 'file:/…'\n" },
		{ "audit {\n to = [\n  'syslog',\n  'nowhere'\n ]\n}", NONE "2: lists and sections stand in { }\n"
		                                                          "4: 'nowhere': records go to 'syslog', 'journald' or 'file:/…'\n5: lists and sections stand in { }\n" },
		{ "audit [\n to = 'syslog'\n]", NONE "1: lists and sections stand in { }\n3: lists and sections stand in { }\n" },
		{ P "block 'x' { name = [*.php, *.ht*] }" Q, "1: lists and sections stand in { }\n" },
		{ P "block 'x' { name = {*.[ch]} }" Q, "1: *.[ch]: this has to stand in single quotes\n" },
		{ P "block 'x' { name = {'*.[ch]', 'a;b', '\xe2\x80\x99'} }" Q, "" },
		{ "scp_program = \xe2\x80\x98/a\xe2\x80\x99\nspool { memory = '1X' }",
		  NONE "1: \xe2\x80\x98/a\xe2\x80\x99: straight quotes ' are needed\n"
		       "2: '1X': a size is written in digits with an optional K, M, G or T, like 64M\n" },
		{ "policy \xe2\x80\x9cp q\xe2\x80\x9d {\n root = '/'\n upload { }\n}", "1: \xe2\x80\x9cp q\xe2\x80\x9d: straight quotes ' are needed\n" },
		{ "scp_program = \xe2\x80\x98/a\nspool { memory = '1X' }", NONE "1: \xe2\x80\x98/a: straight quotes ' are needed\n"
		       "2: '1X': a size is written in digits with an optional K, M, G or T, like 64M\n" },
		{ P "block 'x' { name = {\xe2\x80\x9e*.php\xe2\x80\x9c, \xc2\xab*.b\xc2\xbb} }" Q, "1: \xe2\x80\x9e*.php\xe2\x80\x9c: straight quotes ' are needed\n" },
		{ "scp_program = `/a`", NONE "1: `/a`: straight quotes ' are needed\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_syntax, strings_and_bytes)
{
	static const struct expect rows[] = {
		{ "scp_program = '/a\nsftp_server_program = 'b'",
		  NONE "1: /a: the string does not end on its line\n2: 'b': it has to be an absolute path\n" },
		{ P "block 'x' { name = {'a, 'b'} }" Q, "1: ',' is missing before 'b'\n" },
		{ "scp_program = \"/${HOME}\"", NONE "1: /${HOME}: the environment is never read; in single quotes ${ is plain text\n" },
		{ "scp_program = ${HOME}", NONE "1: ${HOME}: the environment is never read; in single quotes ${ is plain text\n" },
		{ "scp_program = /x${HOME:-/y}/z", NONE "1: /x${HOME:-/y}/z: the environment is never read; in single quotes ${ is plain text\n" },
		{ "${HOME} = 1", NONE "1: ${HOME}: the environment is never read; in single quotes ${ is plain text\n" },
		{ "scp_program = \"/a\\x41\"", NONE "1: /a\\x41: the only escapes in double quotes are \\\\ and \\\"; use single quotes\n" },
		{ "scp_program = '/a\\", NONE "1: /a\\: the string does not end on its line\n" },
		{ "scp_program = '", NONE "1: : the string does not end on its line\n" },
		{ "audit { } /* no end\nfoo = 1", NONE "1: /*: this comment is never closed\n" },
		{ "# \x1b[2J\naudit { }", NONE "1: the control character U+001B is not allowed\n" },
		{ "# \xe2\x80\xae turned\n", NONE "1: the control character U+202E is not allowed\n" },
		{ "\xef\xbb\xbf" "audit { }", NONE "1: the control character U+FEFF is not allowed\n" },
		{ "# \xff\n\n# \xc3", NONE "1: byte 0xff is not UTF-8\n3: byte 0xc3 is not UTF-8\n" },
		{ "audit { }\rspool { }", NONE "1: the control character U+000D is not allowed\n" },
	};
	EXPECT_ROWS(rows);
}

Test(conf_syntax, nul_byte)
{
	static const char text[] = "scp_program = '/a\0b'\n\0\n";
	static struct conf_complaints complaints;
	char got[512];
	struct conf conf;
	cr_expect(expect_parse(&conf, text, sizeof(text) - 1, &complaints) == -EINVAL);
	expect_list(got, sizeof(got), &complaints);
	cr_expect_str_eq(got, NONE "1: the control character U+0000 is not allowed\n2: the control character U+0000 is not allowed\n");
}

/* head, n times body with the number for each '#' in it, tail. */
static char *repeat(const char *head, unsigned n, const char *body, const char *tail)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	cr_assert(out != NULL);
	fputs(head, out);
	for (unsigned i = 0; i < n; i++)
		for (const char *p = body; *p != '\0'; p++)
			if (*p == '#')
				fprintf(out, "%u", i);
			else
				fputc(*p, out);
	fputs(tail, out);
	cr_assert(fclose(out) == 0);
	return text;
}

Test(conf_syntax, limits)
{
	static const struct {
		const char *head;
		unsigned n;
		const char *body, *tail, *complaints;
	} rows[] = {
		{ P, 256, "block 'n#' { name = {'#'} }\n", Q, "" },
		{ P, 258, "block '#' { name = {'x'} smaller_than = '#M' }\n", Q, "1: '0M': no file is smaller than that\n257: more than 256 rules in one direction\n" },
		{ P "block 'x' { name = {", 1024, "'#',\n", "} }" Q, "" },
		{ P "block 'x' { name = {", 1026, "'#',\n", "} }" Q, "1025: the list of 'name' has more than 1024 items\n" },
		{ "", 4097, "policy '#' { root = '/r' user = {'u'} }\n", "", NULL },
		{ "", 100000, "foo# {{{{{\n", "", NULL },
		{ "", 60000, "block '#' { name = {'#'}\n", "", NULL },
		{ "scp_program = '", 4095 / 5, "/a#", "'", NULL },
	};
	static struct conf_complaints complaints;
	static char got[CONF_COMPLAINTS_MAX * 280];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = repeat(rows[i].head, rows[i].n, rows[i].body, rows[i].tail);
		struct conf conf;
		int r = expect_parse(&conf, text, strlen(text), &complaints);
		expect_list(got, sizeof(got), &complaints);
		if (rows[i].complaints != NULL)
			cr_expect(strcmp(got, rows[i].complaints) == 0, "row %zu: %.2000s", i, got);
		else
			cr_expect(r == -EINVAL || complaints.mistakes == 0, "row %zu", i);
		conf_free(&conf);
		free(text);
	}
}

Test(conf_syntax, too_many_sections)
{
	char *text = repeat("", 4100, "policy '#' { root = '/r' user = {'u'} upload { } }\n", "");
	static struct conf_complaints complaints;
	struct conf conf;
	cr_expect(expect_parse(&conf, text, strlen(text), &complaints) == -EINVAL);
	cr_expect_eq(complaints.mistakes, 1);
	cr_expect_str_eq(complaints.list[0].text, "more than 4096 sections in one file; the first too many is this 'policy'");
	cr_expect_eq(complaints.list[0].line, 2049);
	free(text);
}

Test(conf_syntax, more_mistakes_than_fit)
{
	char *text = repeat("", 250, "\nfoo# = 1", "\n");
	static struct conf_complaints complaints;
	struct conf conf;
	cr_expect(expect_parse(&conf, text, strlen(text), &complaints) == -EINVAL);
	cr_expect_eq(complaints.mistakes, 250);
	cr_expect_eq(complaints.count, CONF_COMPLAINTS_MAX);
	cr_expect_eq(complaints.dropped, 151); /* with the warning that there is no policy, which came last and stands first */
	cr_expect_eq(complaints.list[0].line, 0);
	cr_expect_eq(complaints.list[99].line, 100);
	free(text);
}

/* Processor seconds to refuse or accept so many bytes of a unit repeated on one line. */
static double time_line(const char *unit, size_t bytes)
{
	static struct conf_complaints complaints;
	char *text = malloc(bytes);
	struct conf conf;
	size_t n = strlen(unit);
	cr_assert(text != NULL);
	for (size_t at = 0; at < bytes; at++)
		text[at] = unit[at % n];
	clock_t begin = clock();
	int r = conf_parse(&conf, text, bytes, &complaints);
	clock_t end = clock();
	cr_expect(r == (complaints.mistakes > 0 ? -EINVAL : 0), "%s", unit);
	conf_free(&conf);
	free(text);
	return (double)(end - begin) / CLOCKS_PER_SEC;
}

/* Four times the text takes about four times as long, not sixteen times. */
Test(conf_syntax, long_lines)
{
	static const char *const units[] = { "foo='a' ", "x = \"a,", "a${", "'", "{", "/*/", "x", "= ", "'a\\", "policy 'p' {", "'a' " };
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double small = time_line(units[i], CONF_FILE_MAX / 32);
		double large = time_line(units[i], CONF_FILE_MAX / 8);
		cr_expect(large < 9 * small + 0.1, "%s: %.3f s, then %.3f s", units[i], small, large);
	}
}

Test(conf_syntax, too_large)
{
	size_t n = (size_t)CONF_FILE_MAX + 1;
	char *text = malloc(n);
	static struct conf_complaints complaints;
	struct conf conf;
	cr_assert(text != NULL);
	memset(text, '\n', n);
	cr_expect(conf_parse(&conf, text, n, &complaints) == -EINVAL);
	cr_expect_str_eq(complaints.list[0].text, "the file is larger than 4 MiB");
	cr_expect(conf_parse(&conf, text, n - 1, &complaints) == 0);
	conf_free(&conf);
	memset(text, '\'', n - 1);
	cr_expect(conf_parse(&conf, text, n - 1, &complaints) == -EINVAL);
	memset(text, '{', n - 1);
	cr_expect(conf_parse(&conf, text, n - 1, &complaints) == -EINVAL);
	free(text);
}
