/* proto/command against /bin/sh: where both read a word, they read the same. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/command.h"

/* Too large for the stack. */
static struct command parsed;

/* What /bin/sh makes of the words behind printf, NUL after each. Globbing is off: that is not the quoting's business. */
static size_t shell_words(char *dst, size_t cap, const char *words)
{
	int ends[2];
	static char script[8192];
	snprintf(script, sizeof(script), "set -f; HOME=/home/of/nobody; printf '%%s\\0' %s", words);
	cr_assert_eq(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], 1);
		close(ends[0]);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	size_t n = 0;
	for (ssize_t got; n < cap && (got = read(ends[0], dst + n, cap - n)) > 0;)
		n += (size_t)got;
	close(ends[0]);
	int status = -1;
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "%s", script);
	return n;
}

/* Our words as the shell's output, a meant home written out. */
static size_t our_words(char *dst, const struct command *c)
{
	size_t n = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct command_operand *o = &c->operand[i];
		const char *home = o->tilde ? "/home/of/nobody" : "";
		memcpy(dst + n, home, strlen(home));
		n += strlen(home);
		memcpy(dst + n, o->path + o->tilde, o->length + 1 - o->tilde);
		n += o->length + 1 - o->tilde;
	}
	return n;
}

static bool compare_with_shell(const char *words)
{
	static char text[8192], ours[8192], theirs[8192];
	snprintf(text, sizeof(text), "scp -f -- %s", words);
	if (command_parse(&parsed, span_str(text)) != COMMAND_SCP_SOURCE)
		return false;
	size_t n = our_words(ours, &parsed);
	size_t m = shell_words(theirs, sizeof(theirs), words);
	cr_expect(n == m && memcmp(ours, theirs, n) == 0, "%s: ours %zu bytes <%s>, the shell's %zu <%s>", words, n, ours, m, theirs);
	return true;
}

Test(proto_command_shell, words_as_the_shell_reads_them, .timeout = 50)
{
	static const char *const words[] = {
		"a", "a b", "  a\tb  ", "'a b'", "\"a b\"", "a\\ b", "'it'\"'\"'s'\\!", "\"\\$\\`\\\"\\\\\"", "\"\\a\\n\\'\"", "\"a\\\nb\"", "a''b", "''\"\"a",
		"'\n'", "\"\n\"", "'\\'", "\\\\", "\\'", "\\\"", "\"'\"", "'\"'", "a#b", "''#", "\\#a", "{a,b}", "a=b", "%s", "!x", "a!", "^", "]", "~", "~/",
		"~/a", "'~'", "\\~", "~'/a'", "~\"\"/a", "~\"x\"", "~\\/a", "a~", "-n", "--", "*", "a[b]c", "?", "\xc3\xa4", "'\x01\x7f'",
	};
	size_t n = sizeof(words) / sizeof(words[0]);
	for (size_t i = 0; i < n; i++)
		cr_expect(compare_with_shell(words[i]), "refused: %s", words[i]);
}

Test(proto_command_shell, random_words_as_the_shell_reads_them, .timeout = 50)
{
	static const char alphabet[] = "aab  \t'''\"\"\"\\\\\\~/#*?[]-!^{},=%\n$;|";
	uint64_t seed = 0x2545f4914f6cdd1d;
	size_t accepted = 0;
	for (size_t i = 0; i < 4000 && accepted < 400; i++) {
		char words[24] = "";
		size_t length = 1 + i % (sizeof(words) - 2);
		for (size_t k = 0; k < length; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			words[k] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		words[length] = '\0';
		accepted += compare_with_shell(words);
	}
	cr_expect_geq(accepted, 200, "%zu", accepted);
}
