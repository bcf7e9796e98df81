/* proto/command: every form in which clients are known to ask, and every form in which they must not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/command.h"

/* Too large for the stack; Criterion forks for each test. */
static struct command parsed;

/* From a heap buffer of exactly its size, so that a look beyond the end is seen. */
static enum command_kind parse(struct command *out, const char *text, size_t n)
{
	char *exact = malloc(n + (n == 0));
	cr_assert(exact);
	memcpy(exact, text, n);
	memset(out, 0xa5, sizeof(*out));
	enum command_kind kind = command_parse(out, span_of(exact, n));
	free(exact);
	cr_assert_eq(kind, out->kind);
	if (kind == COMMAND_REFUSED) {
		cr_assert_not_null(out->why);
		cr_assert_leq(strlen(out->why), 100, "%s", out->why);
		for (const char *s = out->why; *s; s++)
			cr_assert(*s >= ' ' && *s < 0x7f);
	} else {
		cr_assert_null(out->why);
	}
	return kind;
}

/* "sink rpdv: path path", each operand as <dequoted>, =<pattern> behind it if there is one, ~ before it if it means home. */
static void describe(char *dst, size_t cap, const struct command *c)
{
	static const char *const kinds[] = { "refused", "sink", "source", "sftp" };
	int at = snprintf(dst, cap, "%s%s%s%s%s%s", kinds[c->kind], c->recursive || c->preserve || c->directory || c->verbose ? " " : "",
	                  c->recursive ? "r" : "", c->preserve ? "p" : "", c->directory ? "d" : "", c->verbose ? "v" : "");
	for (size_t i = 0; i < c->count; i++) {
		const struct command_operand *o = &c->operand[i];
		cr_assert_eq(strlen(o->path), o->length);
		at += snprintf(dst + at, cap - (size_t)at, " %s<%s>%s%s", o->tilde ? "~" : "", o->path, o->pattern ? "=" : "", o->pattern ? o->pattern : "");
	}
}

struct form {
	const char *client;
	const char *command;
	const char *meaning;
};

static const struct form forms[] = {
	/* OpenSSH: the path as the user typed it */
	{ "openssh", "scp -t x", "sink <x>" },
	{ "openssh", "scp -d -t x", "sink d <x>" },
	{ "openssh", "scp -r -p -t x", "sink rp <x>" },
	{ "openssh", "scp -v -r -p -d -t x", "sink rpdv <x>" },
	{ "openssh", "scp -t -- -rf", "sink <-rf>" },
	{ "openssh", "scp -t .", "sink <.>" },
	{ "openssh", "scp -f /etc/*.conf", "source </etc/*.conf>=/etc/*.conf" },
	{ "openssh", "scp -d -f a", "source d <a>" },
	{ "openssh", "scp -r -f d", "source r <d>" },
	{ "openssh", "scp -f {a,b}", "source <{a,b}>" },
	{ "openssh", "scp -t a\\ b", "sink <a b>" },
	{ "openssh", "scp -f ~", "source ~<~>" },
	{ "openssh", "scp -f ~/x", "source ~<~/x>" },
	{ "openssh", "scp -f ~/*.c", "source ~<~/*.c>=~/*.c" },
	{ "openssh -3", "scp -t y", "sink <y>" },
	{ "openssh -3", "scp -f x", "source <x>" },
	{ "dropbear", "scp -r -p -t dir/sub", "sink rp <dir/sub>" },
	{ "dropbear", "scp -f a", "source <a>" },
	/* PuTTY */
	{ "pscp", "scp -d -t x", "sink d <x>" },
	{ "pscp", "scp -r -p -t .", "sink rp <.>" },
	{ "pscp", "scp -v -t x", "sink v <x>" },
	{ "pscp", "scp -f *.c", "source <*.c>=*.c" },
	/* libssh2 and curl */
	{ "libssh2", "scp -t '/p'", "sink </p>" },
	{ "libssh2", "scp -pt '/p'", "sink p </p>" },
	{ "libssh2", "scp -pf '/p'", "source p </p>" },
	{ "libssh2", "scp -f '/p'", "source </p>" },
	{ "libssh2", "scp -pt '/tmp/it'\"'\"'s'\\!", "sink p </tmp/it's!>" },
	/* libssh: two blanks, and the flag behind the mode */
	{ "libssh", "scp -t  '/p'", "sink </p>" },
	{ "libssh", "scp -t -r '/p'", "sink r </p>" },
	{ "libssh", "scp -f  '/p'", "source </p>" },
	{ "libssh", "scp -f -r '/p'", "source r </p>" },
	/* scp.py */
	{ "scp.py", "scp -t /p", "sink </p>" },
	{ "scp.py", "scp -r -t '/a b'", "sink r </a b>" },
	{ "scp.py", "scp -l 100 -t /p", "sink </p>" },
	{ "scp.py", "scp -r -p -f '/a b' /c", "source rp </a b> </c>" },
	{ "scp.py", "scp -t '/it'\"'\"'s'", "sink </it's>" },
	{ "bramvdbogaerde/go-scp", "scp -qt \"/p\"", "sink </p>" },
	{ "bramvdbogaerde/go-scp", "scp -qt \"/a \\\"b\\\" \\\\ \\n\"", "sink </a \"b\" \\ \\n>" },
	{ "bramvdbogaerde/go-scp", "scp -f \"/p\"", "source </p>" },
	{ "bramvdbogaerde/go-scp", "scp -pf \"/p\"", "source p </p>" },
	{ "povsister/scp", "scp -q -t -r -p '/p'", "sink rp </p>" },
	{ "povsister/scp", "scp -q -f -r -p '/p'", "source rp </p>" },
	{ "hnakamur/go-scp", "scp -tpr '/p'", "sink rp </p>" },
	{ "hnakamur/go-scp", "scp -fpr '/p'", "source rp </p>" },
	{ "packer", "scp -vt /dir\\ x", "sink v </dir x>" },
	{ "packer", "scp -rvt dst", "sink rv <dst>" },
	{ "packer", "scp -vf path", "source v <path>" },
	{ "packer", "scp -vrf src", "source rv <src>" },
	{ "packer", "scp -vf \"a b\"", "source v <a b>" },
	{ "net-scp", "scp -t -v -r -p path", "sink rpv <path>" },
	{ "net-scp", "scp -f /a\\ b\\*\\\xc3\xa4", "source </a b*\xc3\xa4>" },
	{ "net-scp", "scp -f a'\n'b", "source <a\nb>" },
	{ "sshj", "scp -t -r -p '/p'", "sink rp </p>" },
	{ "sshj", "scp -t -l100 '/p'", "sink </p>" },
	{ "sshj", "scp -f -q -p -r path", "source rp <path>" },
	{ "jsch", "scp -p -t '/p'", "sink p </p>" },
	{ "jsch", "scp -f '/it'\"'\"'s'", "source </it's>" },
	{ "ssh.net", "scp -t -d \"dir\"", "sink d <dir>" },
	{ "ssh.net", "scp -r -p -d -t \"dir\"", "sink rpd <dir>" },
	{ "ssh.net", "scp -pf \"f\"", "source p <f>" },
	{ "ssh.net", "scp -prf \"d\"", "source rp <d>" },
	{ "ssh.net", "scp -f \"f\"", "source <f>" },
	{ "mina", "scp -d -r -p -t -- path", "sink rpd <path>" },
	{ "mina", "scp -r -p -f -- path", "source rp <path>" },
	{ "trilead", "scp -t -d dir", "sink d <dir>" },
	{ "trilead", "scp -f a b", "source <a> <b>" },
	{ "phpseclib", "scp -t 'p'", "sink <p>" },
	{ "phpseclib", "scp -f 'p'", "source <p>" },
	/* SFTP as sshd's Subsystem line has it, as an exec, and as PuTTY searches for it */
	{ "subsystem", "internal-sftp", "sftp" },
	{ "subsystem", "internal-sftp -f AUTH -l INFO", "sftp" },
	{ "subsystem", "/usr/lib/openssh/sftp-server", "sftp" },
	{ "subsystem", "/usr/lib/openssh/sftp-server -l INFO -u 0027", "sftp" },
	{ "sshfs", "/usr/libexec/sftp-server", "sftp" },
	{ "lftp", "sftp-server", "sftp" },
	{ "lftp", "lib/sftp-server -d /", "sftp" },
	{ "sshfs", "../usr/lib/sftp-server", "sftp" },
	{ "sshfs", "'/opt/my programs/sftp-server' -R", "sftp" },
	{ "subsystem", "internal-sftp -l 'DEBUG3' -P remove,rmdir --unheard-of x", "sftp" },
	{ "pscp",
	  "test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\n"
	  "test -x /usr/local/lib/sftp-server && exec /usr/local/lib/sftp-server\n"
	  "exec sftp-server",
	  "sftp" },
	/* Other spellings of the same */
	{ "verb", "/usr/bin/scp -t x", "sink <x>" },
	{ "verb", "/bin/scp -f x", "source <x>" },
	{ "verb", "'scp' -t x", "sink <x>" },
	{ "verb", "s\"c\"\\p -t x", "sink <x>" },
	{ "blanks", " \t scp\t-t \t x \t ", "sink <x>" },
	{ "flags", "scp '-t' x", "sink <x>" },
	{ "flags", "scp -qTCBOs46A3R2v -t x", "sink v <x>" },
	{ "flags", "scp -vl100 -t x", "sink v <x>" },
	{ "flags", "scp -l '100' -t x", "sink <x>" },
	{ "flags", "scp -tt x", "sink <x>" },
	{ "flags", "scp -f a -r", "source <a> <-r>" },
	{ "flags", "scp -f - x", "source <-> <x>" },
	{ "flags", "scp -f -- -- -r", "source <--> <-r>" },
	{ "flags", "scp -f a -- b", "source <a> <--> <b>" },
	/* Quoting */
	{ "quotes", "scp -f '$(id)' '`id`' 'a;b'", "source <$(id)> <`id`> <a;b>" },
	{ "quotes", "scp -f \\$HOME \\;id \\&", "source <$HOME> <;id> <&>" },
	{ "quotes", "scp -f \"\\$HOME\\`id\\`\"", "source <$HOME`id`>" },
	{ "quotes", "scp -f \"a\\\nb\"", "source <ab>" },
	{ "quotes", "scp -f \"a\\xb\"", "source <a\\xb>" },
	{ "quotes", "scp -f a'b'\"c\"\\d", "source <abcd>" },
	{ "quotes", "scp -f a''", "source <a>" },
	{ "quotes", "scp -f ''#x a#b", "source <#x> <a#b>" },
	{ "quotes", "scp -f '\x01\x1b\x7f'", "source <\x01\x1b\x7f>" },
	{ "quotes", "scp -f \xff\xfe\x80", "source <\xff\xfe\x80>" },
	{ "quotes", "scp -f a=b %x ^y !z ]w {q}", "source <a=b> <%x> <^y> <!z> <]w> <{q}>" },
	/* Patterns: what was quoted matches only itself */
	{ "glob", "scp -f '*'", "source <*>" },
	{ "glob", "scp -f \\*", "source <*>" },
	{ "glob", "scp -f '*'*", "source <**>=\\**" },
	{ "glob", "scp -f '[a]'?", "source <[a]?>=\\[a\\]?" },
	{ "glob", "scp -f [a'-'z]", "source <[a-z]>=[a\\-z]" },
	{ "glob", "scp -f \"\\x\"*", "source <\\x*>=\\\\x*" },
	{ "glob", "scp -f a*b c d?", "source <a*b>=a*b <c> <d?>=d?" },
	{ "glob", "scp -t up*", "sink <up*>=up*" },
	/* The tilde */
	{ "tilde", "scp -f '~' \\~ \"~/x\"", "source <~> <~> <~/x>" },
	{ "tilde", "scp -f ~'/x' ~\"x\" ~\\/x", "source <~/x> <~x> <~/x>" },
	{ "tilde", "scp -f a~ a/~ x:~/y", "source <a~> <a/~> <x:~/y>" },
	{ "tilde", "scp -f ~/", "source ~<~/>" },
};

Test(proto_command, forms)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char meaning[1024];
		parse(&parsed, forms[i].command, strlen(forms[i].command));
		describe(meaning, sizeof(meaning), &parsed);
		cr_expect_str_eq(meaning, forms[i].meaning, "%s: %s: %s (%s)", forms[i].client, forms[i].command, meaning, parsed.why ? parsed.why : "");
	}
}

struct refusal {
	const char *command;
	const char *why; /* a part of it */
};

static const struct refusal refusals[] = {
	/* A shell's language: reference rows 37 and 40 */
	{ "scp -f x; id", "shell syntax" },
	{ "scp -f x;id", "shell syntax" },
	{ "scp -f `id`", "backquote" },
	{ "scp -f $(id)", "$" },
	{ "scp -f \"$(id)\"", "$" },
	{ "scp -f \"`id`\"", "backquote" },
	{ "scp -f $HOME/x", "$" },
	{ "scp -f \"a$\"", "$" },
	{ "scp -f a && b", "shell syntax" },
	{ "scp -f a || b", "shell syntax" },
	{ "scp -f a | b", "shell syntax" },
	{ "scp -f a > b", "shell syntax" },
	{ "scp -f a 2>b", "shell syntax" },
	{ "scp -f a < b", "shell syntax" },
	{ "scp -f a &", "shell syntax" },
	{ "(scp -f a)", "shell syntax" },
	{ "scp -f a\nid", "shell syntax" },
	{ "scp -f a\n", "shell syntax" },
	{ "scp -f a\rb", "shell syntax" },
	{ "scp -f a\\\nb", "shell syntax" },
	{ "scp -f a\x01", "control" },
	{ "scp -f a\x7f", "control" },
	{ "scp -f a\vb", "control" },
	{ "scp -f #a", "#" },
	{ "#scp -f a", "#" },
	{ "scp -f a #b", "#" },
	{ "scp -f ~root", "~user" },
	{ "scp -f ~root/x", "~user" },
	{ "scp -f ~+", "~user" },
	{ "scp -f ~-", "~user" },
	{ "scp -f ~;id", "shell syntax" },
	{ "scp -f ~$x", "$" },
	/* Quotes that do not end; sshj makes the first of a path with an apostrophe */
	{ "scp -t '/it\\'s'", "inside quotes" },
	{ "scp -t 'a", "inside quotes" },
	{ "scp -t \"a", "inside quotes" },
	{ "scp -t \"a\\", "inside quotes" },
	{ "scp -t \"a\\\"", "inside quotes" },
	{ "scp -t a\\", "backslash" },
	/* Rows 38 and 39: what makes scp run a program, or a client of us */
	{ "scp -S /tmp/x a b:", "-S" },
	{ "scp -oProxyCommand=x a b:", "-o" },
	{ "scp -F f a b:", "-F" },
	{ "scp -J h a b:", "-J" },
	{ "scp -D prog a b:", "-D" },
	{ "scp -i k -t a", "-i" },
	{ "scp -c aes -t a", "-c" },
	{ "scp -P 22 -t a", "-P" },
	{ "scp -X opt -t a", "-X" },
	{ "scp -1 -t a", "-1" },
	{ "scp -tS /tmp/x", "-S" },
	{ "scp -t -rfo x", "-o" },
	{ "scp --version", "--" },
	{ "scp -\x80 x", "flag" },
	{ "scp '-\x1b' x", "flag" },
	{ "scp a b", "without -t or -f" },
	{ "scp -v -r -p -d src user@host2:dst", "without -t or -f" },
	{ "scp", "without -t or -f" },
	{ "scp -r", "without -t or -f" },
	{ "scp -- -t x", "without -t or -f" },
	{ "scp -t -f x", "both" },
	{ "scp -tf x", "both" },
	{ "scp -l", "number" },
	{ "scp -t -l", "number" },
	{ "scp -t -l x y", "number" },
	{ "scp -lx -t y", "number" },
	{ "scp -l -t y", "number" },
	{ "scp -l 99999999999 -t y", "number" },
	{ "scp -l '' -t y", "number" },
	/* Operands */
	{ "scp -t", "no target" },
	{ "scp -t ", "no target" }, /* scp.py, for an empty path; the real scp answers "ambiguous target" */
	{ "scp -t a b", "more than one" },
	{ "scp -t d -r", "more than one" },
	{ "scp -f", "no path" },
	{ "scp -t ''", "empty path" },
	{ "scp -f a \"\"", "empty path" },
	/* Not a transfer: what was asked for, and what would do */
	{ "", "empty" },
	{ " \t ", "empty" },
	{ "''", "only scp and sftp" },
	{ "rsync --server -vlogDtpre.iLsfxCIvu . dest", "rsync" },
	{ "rsync --server --sender -logDtpre.iLsfxCIvu . src", "rsync" },
	{ "/usr/bin/rsync --server . d", "rsync" },
	{ "git-upload-pack 'repo.git'", "git" },
	{ "git upload-pack 'repo.git'", "git" },
	{ "git-receive-pack 'it'\\''s.git'", "git" },
	{ "svnserve -t", "version control" },
	{ "borg serve", "backup" },
	{ "sudo scp -t -r '/p'", "leave out sudo" },
	{ "sh -c 'scp -t x'", "no shell" },
	{ "/bin/bash", "WinSCP's SCP needs a shell" },
	{ "/bin/sh -c 'echo ~ && sleep 0'", "no shell" },
	{ "ls -la 'path'", "only scp and sftp" },
	{ "md5sum", "only scp and sftp" },
	{ "echo x", "only scp and sftp" },
	{ "test -x /usr/lib/sftp-server", "only scp and sftp" },
	{ "test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\n"
	  "test -x /usr/local/lib/sftp-server && exec /usr/local/lib/sftp-server\n"
	  "exec sftp-server\n", "only scp and sftp" },
	{ "scpx -t x", "only scp and sftp" },
	{ "/tmp/scp -t x", "not from that path" },
	{ "./scp -t x", "not from that path" },
	{ "/usr/lib/sftp-server/", "only scp and sftp" },
	{ "/usr/lib/internal-sftp", "only scp and sftp" },
	{ "sftp-server2", "only scp and sftp" },
	{ "/opt/xsftp-server", "only scp and sftp" },
	{ "sftp", "only scp and sftp" },
	{ "sftp-server -l $x", "$" },
	{ "sftp-server; id", "shell syntax" },
	{ "internal-sftp 'x", "inside quotes" },
	{ "FOO=bar scp -t x", "only scp and sftp" },
	{ "! scp -t x", "only scp and sftp" },
	{ "{ scp -t x", "only scp and sftp" },
	{ "nonsense", "only scp and sftp" },
};

Test(proto_command, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		enum command_kind kind = parse(&parsed, refusals[i].command, strlen(refusals[i].command));
		cr_expect_eq(kind, COMMAND_REFUSED, "%s", refusals[i].command);
		cr_expect_eq(parsed.count, 0);
		if (kind == COMMAND_REFUSED)
			cr_expect(strstr(parsed.why, refusals[i].why), "%s: %s", refusals[i].command, parsed.why);
	}
}

Test(proto_command, no_command_is_a_shell)
{
	cr_expect_eq(command_parse(&parsed, span_of(NULL, 0)), COMMAND_REFUSED);
	cr_expect(strstr(parsed.why, "no shell") && strstr(parsed.why, "use scp or sftp"));
}

Test(proto_command, nul_anywhere)
{
	static const char good[] = "scp -t 'x y'";
	for (size_t i = 0; i < sizeof(good); i++) {
		char text[sizeof(good)];
		memcpy(text, good, i);
		text[i] = '\0';
		memcpy(text + i + 1, good + i, sizeof(good) - 1 - i);
		cr_expect_eq(parse(&parsed, text, sizeof(text)), COMMAND_REFUSED);
		cr_expect(strstr(parsed.why, "NUL"));
	}
}

/* A command cut anywhere is another command, parsed as that: what stands behind it plays no part. */
Test(proto_command, ends_where_it_ends)
{
	static struct command longer;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const char *text = forms[i].command;
		for (size_t n = 0; n <= strlen(text); n++) {
			char here[1024], there[1024];
			parse(&parsed, text, n);
			command_parse(&longer, span_of(text, n));
			describe(here, sizeof(here), &parsed);
			describe(there, sizeof(there), &longer);
			cr_assert_str_eq(here, there, "%s cut at %zu", text, n);
		}
	}
}

/* Every byte unquoted in a path: which may stand there by themselves. */
Test(proto_command, every_byte_unquoted)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		char text[] = "scp -f a?b";
		text[8] = (char)byte;
		bool good = byte > ' ' && byte != 0x7f && !strchr("'\"\\`$;&|<>()", (int)byte);
		bool blank = byte == ' ' || byte == '\t';
		bool escape = byte == '\\';
		enum command_kind kind = parse(&parsed, text, sizeof(text) - 1);
		cr_expect_eq(kind, good || blank || escape ? COMMAND_SCP_SOURCE : COMMAND_REFUSED, "byte %#x", byte);
		if (good) {
			cr_expect_eq(parsed.count, 1);
			cr_expect_eq((uint8_t)parsed.operand[0].path[1], byte);
		}
		if (blank)
			cr_expect_eq(parsed.count, 2);
	}
}

Test(proto_command, every_byte_in_quotes)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		char text[] = "scp -f 'a?b'";
		text[9] = (char)byte;
		if (byte != '\'')
			cr_expect_eq(parse(&parsed, text, sizeof(text) - 1), COMMAND_SCP_SOURCE, "byte %#x", byte);
		text[7] = text[11] = '"';
		bool good = byte != '"' && byte != '$' && byte != '`';
		cr_expect_eq(parse(&parsed, text, sizeof(text) - 1), good ? COMMAND_SCP_SOURCE : COMMAND_REFUSED, "byte %#x", byte);
	}
}

static size_t fill(char *dst, const char *head, char byte, size_t n)
{
	size_t at = strlen(head);
	memcpy(dst, head, at);
	memset(dst + at, byte, n);
	return at + n;
}

Test(proto_command, limits)
{
	static char text[COMMAND_MAX + 16];
	cr_expect_eq(parse(&parsed, text, fill(text, "scp -f ", 'x', COMMAND_PATH_MAX)), COMMAND_SCP_SOURCE);
	cr_expect_eq(parsed.operand[0].length, COMMAND_PATH_MAX);
	cr_expect_eq(parse(&parsed, text, fill(text, "scp -f ", 'x', COMMAND_PATH_MAX + 1)), COMMAND_REFUSED);
	cr_expect(strstr(parsed.why, "4095"));
	cr_expect_eq(parse(&parsed, text, fill(text, "", ' ', COMMAND_MAX)), COMMAND_REFUSED);
	cr_expect(strstr(parsed.why, "empty"));
	cr_expect_eq(parse(&parsed, text, fill(text, "", ' ', COMMAND_MAX + 1)), COMMAND_REFUSED);
	cr_expect(strstr(parsed.why, "longer"));
	/* The stores, filled as far as they can be: all of it one word, plain, magic, and magic with all else quoted */
	cr_expect_eq(parse(&parsed, text, fill(text, "", 'x', COMMAND_MAX)), COMMAND_REFUSED);
	cr_expect_eq(parse(&parsed, text, fill(text, "", '*', COMMAND_MAX)), COMMAND_REFUSED);
	size_t n = fill(text, "*'", '*', COMMAND_MAX - 3);
	text[n++] = '\'';
	cr_expect_eq(parse(&parsed, text, n), COMMAND_REFUSED);
	cr_expect(strstr(parsed.why, "only scp"));
}

Test(proto_command, many_operands)
{
	static char text[COMMAND_MAX];
	size_t n = fill(text, "scp -f", ' ', 0);
	for (size_t i = 0; i < COMMAND_OPERANDS_MAX; i++) {
		memcpy(text + n, " a", 2);
		n += 2;
	}
	cr_expect_eq(parse(&parsed, text, n), COMMAND_SCP_SOURCE);
	cr_expect_eq(parsed.count, COMMAND_OPERANDS_MAX);
	memcpy(text + n, " b", 2);
	cr_expect_eq(parse(&parsed, text, n + 2), COMMAND_REFUSED);
	cr_expect(strstr(parsed.why, "more paths"));
}
