/* sys/expand: operands against a folder of known content. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/expand.h"

static char base[] = "/tmp/expand-XXXXXX";
static char folder[PATH_BYTES_MAX]; /* in it */
static char asked[4096];
static struct expansion out;

static void make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0, "%s", name);
	close(fd);
}

static void set_up(void)
{
	static const char *const files[] = { "a.c", "b.c", "c.h", ".hidden", "sp ace.c", "st*r", "x[1]", "-dash", "d/1.txt", "d/2.txt", "e/1.txt", "b\\s" };
	cr_assert(mkdtemp(base));
	cr_assert_eq(chdir(base), 0);
	cr_assert(mkdir("in", 0700) == 0 && mkdir("out", 0700) == 0);
	make("out/secret");
	cr_assert_eq(chdir("in"), 0);
	cr_assert(getcwd(folder, sizeof(folder)));
	cr_assert(mkdir("d", 0700) == 0 && mkdir("e", 0700) == 0 && mkdir("q[2]", 0700) == 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		make(files[i]);
	make("q[2]/in.c");
	cr_assert_eq(symlink("../out", "link"), 0);
	cr_assert_eq(expand_init(&out), 0);
}

static void tear_down(void)
{
	char command[64];
	expand_finish(&out);
	cr_assert_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
}

TestSuite(sys_expand, .init = set_up, .fini = tear_down, .timeout = 55);

/* Below the folder the test stands in, links followed. */
static bool within(void *ctx, const char *path)
{
	(void)ctx;
	char *real = realpath(path, NULL);
	struct span rest;
	bool answer = real && path_below(span_str(real), span_str(folder), &rest);
	free(real);
	snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "<%s>", path);
	return answer;
}

/* All that came out, each in <>. */
static const char *expand(const char *path, const char *pattern, bool tilde, enum expand_mode mode)
{
	static char text[8192];
	struct expand_operand operand = { .path = path, .pattern = pattern, .tilde = tilde };
	size_t before = out.count;
	asked[0] = text[0] = '\0';
	int error = expand_add(&out, &operand, mode, folder, within, NULL);
	if (error)
		snprintf(text, sizeof(text), "%s", strerrorname_np(-error));
	for (size_t i = before; i < out.count; i++) {
		struct span rest;
		bool home = tilde && path_below(span_str(out.path[i]), span_str(folder), &rest);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "<%s%.*s>", home ? "HOME/" : "", home ? (int)rest.n : PATH_BYTES_MAX, home ? (const char *)rest.p : out.path[i]);
	}
	return text;
}

static const struct {
	const char *path, *pattern;
	bool tilde;
	enum expand_mode mode;
	const char *result;
} cases[] = {
	{ "a.c", NULL, false, EXPAND_ALL, "<a.c>" },
	{ "missing", NULL, false, EXPAND_ALL, "<missing>" },
	{ "*.c", NULL, false, EXPAND_ALL, "<*.c>" },
	{ "*.c", "*.c", false, EXPAND_ALL, "<a.c><b.c><sp ace.c>" },
	{ "?.c", "?.c", false, EXPAND_ALL, "<a.c><b.c>" },
	{ "[ab].[ch]", "[ab].[ch]", false, EXPAND_ALL, "<a.c><b.c>" },
	{ "*.z", "*.z", false, EXPAND_ALL, "<*.z>" },
	{ "st*?", "st\\*?", false, EXPAND_ALL, "<st*r>" },
	{ "x[1]*", "x\\[1\\]*", false, EXPAND_ALL, "<x[1]>" },
	{ "b\\*", "b\\\\*", false, EXPAND_ALL, "<b\\s>" },
	{ "q[2]/*", "q\\[2\\]/*", false, EXPAND_ALL, "<q[2]/in.c>" },
	{ "*/1.txt", "*/1.txt", false, EXPAND_ALL, "<d/1.txt><e/1.txt>" },
	{ "d/*", "d/*", false, EXPAND_ALL, "<d/1.txt><d/2.txt>" },
	{ "./d/../d/*", "./d/../d/*", false, EXPAND_ALL, "<./d/../d/1.txt><./d/../d/2.txt>" },
	{ ".*", ".*", false, EXPAND_ALL, "<.hidden>" },
	{ "-*", "-*", false, EXPAND_ALL, "<-dash>" },
	{ "{a,b}.?", "{a,b}.?", false, EXPAND_ALL, "<{a,b}.?>" },
	{ "~x*", "~x*", false, EXPAND_ALL, "<~x*>" },
	{ "[a", "[a", false, EXPAND_ALL, "<[a>" },
	/* The tilde */
	{ "~", NULL, true, EXPAND_ALL, "<HOME/>" },
	{ "~/a.c", NULL, true, EXPAND_ALL, "<HOME/a.c>" },
	{ "~/?.c", "~/?.c", true, EXPAND_ALL, "<HOME/a.c><HOME/b.c>" },
	{ "~/?.z", "~/?.z", true, EXPAND_ALL, "<HOME/?.z>" },
	{ "~/a.c", NULL, false, EXPAND_ALL, "<~/a.c>" },
	/* An upload has one target */
	{ "c.?", "c.?", false, EXPAND_ONE, "<c.h>" },
	{ "?.c", "?.c", false, EXPAND_ONE, "<?.c>" },
	{ "?.z", "?.z", false, EXPAND_ONE, "<?.z>" },
	/* Out of reach */
	{ "../out/*", "../out/*", false, EXPAND_ALL, "<../out/*>" },
	{ "../*", "../*", false, EXPAND_ALL, "<../*>" },
	{ "/*", "/*", false, EXPAND_ALL, "</*>" },
	{ "/etc/pass*", "/etc/pass*", false, EXPAND_ALL, "</etc/pass*>" },
	{ "link/*", "link/*", false, EXPAND_ALL, "<link/*>" },
	{ "*/s*", "*/s*", false, EXPAND_ALL, "<*/s*>" },
	{ "l*/s*", "l*/s*", false, EXPAND_ALL, "<l*/s*>" },
	{ "*/../../out/*", "*/../../out/*", false, EXPAND_ALL, "<*/../../out/*>" },
	{ "d*/..", "d*/..", false, EXPAND_ALL, "<d*/..>" },
	{ ".*/.*/out/*", ".*/.*/out/*", false, EXPAND_ALL, "<.*/.*/out/*>" },
	{ "[.]./out/*", "[.]./out/*", false, EXPAND_ALL, "<[.]./out/*>" },
};

Test(sys_expand, cases)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(expand(cases[i].path, cases[i].pattern, cases[i].tilde, cases[i].mode), cases[i].result, "%s: %s", cases[i].path,
		                 expand(cases[i].path, cases[i].pattern, cases[i].tilde, cases[i].mode));
}

/* The predicate is asked for every folder, in the operand's own spelling, and not at all where nothing is to be listed. */
Test(sys_expand, what_is_asked)
{
	expand("a.c", NULL, false, EXPAND_ALL);
	cr_expect_str_eq(asked, "");
	expand("*/../x", "*/../x", false, EXPAND_ALL);
	cr_expect_str_eq(asked, "");
	expand("*.c", "*.c", false, EXPAND_ALL);
	cr_expect_str_eq(asked, "<.>");
	expand("q[2]/*", "q\\[2\\]/*", false, EXPAND_ALL);
	cr_expect_str_eq(asked, "<q[2]>");
	expand("../out/*", "../out/*", false, EXPAND_ALL);
	cr_expect_str_eq(asked, "<../out>");
	expand("*/s*", "*/s*", false, EXPAND_ALL);
	cr_expect(strstr(asked, "<link>"), "%s", asked);
}

/* The pattern that only the link's target could answer does match once the target may be listed: the case above refuses for the right reason. */
static bool anywhere(void *ctx, const char *path)
{
	(void)path;
	return ++*(int *)ctx > 0;
}

Test(sys_expand, link_matches_where_it_may)
{
	struct expand_operand operand = { .path = "l*/s*", .pattern = "l*/s*" };
	int calls = 0;
	cr_assert_eq(expand_add(&out, &operand, EXPAND_ALL, folder, anywhere, &calls), 0);
	cr_assert_eq(out.count, 1);
	cr_expect_str_eq(out.path[0], "link/secret");
	cr_expect_eq(calls, 2);
}

Test(sys_expand, home_has_to_be_a_home)
{
	struct expand_operand tilde = { .path = "~/x", .tilde = true };
	cr_expect_eq(expand_add(&out, &tilde, EXPAND_ALL, NULL, within, NULL), -EINVAL);
	cr_expect_eq(expand_add(&out, &tilde, EXPAND_ALL, "", within, NULL), -EINVAL);
	cr_expect_eq(expand_add(&out, &tilde, EXPAND_ALL, "home", within, NULL), -EINVAL);
	cr_expect_eq(expand_add(&out, &tilde, EXPAND_ALL, "/", within, NULL), 0);
	cr_expect_str_eq(out.path[0], "/x");
	tilde.path = "~";
	cr_expect_eq(expand_add(&out, &tilde, EXPAND_ALL, "/", within, NULL), 0);
	cr_expect_str_eq(out.path[1], "/");
}

/* A home whose name is itself a pattern. */
Test(sys_expand, home_is_taken_by_its_letters)
{
	char home[PATH_BYTES_MAX + 8];
	snprintf(home, sizeof(home), "%s/q[2]", folder);
	struct expand_operand operand = { .path = "~/*", .pattern = "~/*", .tilde = true };
	cr_assert_eq(expand_add(&out, &operand, EXPAND_ALL, home, within, NULL), 0);
	cr_assert_eq(out.count, 1);
	cr_expect_str_eq(out.path[0] + strlen(home), "/in.c");
}

Test(sys_expand, too_long)
{
	static char path[PATH_BYTES_MAX + 1];
	memset(path, 'x', PATH_BYTES_MAX - 1);
	cr_expect_eq(strlen(expand(path, NULL, false, EXPAND_ALL)), PATH_BYTES_MAX + 1);
	path[PATH_BYTES_MAX - 1] = 'x';
	cr_expect_str_eq(expand(path, NULL, false, EXPAND_ALL), "ENAMETOOLONG");
	memcpy(path, "~/", 2);
	path[PATH_BYTES_MAX - 1] = '\0';
	cr_expect_str_eq(expand(path, NULL, true, EXPAND_ALL), "ENAMETOOLONG");
}

Test(sys_expand, limits)
{
	static char path[1001];
	memset(path, 'x', sizeof(path) - 1);
	struct expand_operand operand = { .path = "a" };
	for (size_t i = 0; i < EXPAND_PATHS_MAX; i++)
		cr_assert_eq(expand_add(&out, &operand, EXPAND_ALL, folder, within, NULL), 0);
	cr_expect_eq(expand_add(&out, &operand, EXPAND_ALL, folder, within, NULL), -E2BIG);
	out.count = out.used = 0;
	operand.path = path;
	for (size_t i = 0; i < EXPAND_BYTES_MAX / sizeof(path); i++)
		cr_assert_eq(expand_add(&out, &operand, EXPAND_ALL, folder, within, NULL), 0);
	cr_expect_eq(expand_add(&out, &operand, EXPAND_ALL, folder, within, NULL), -E2BIG);
	out.count = out.used = 0;
	/* Matches count like all others: room for one, and two files. */
	out.count = EXPAND_PATHS_MAX - 1;
	operand = (struct expand_operand){ .path = "?.c", .pattern = "?.c" };
	cr_expect_eq(expand_add(&out, &operand, EXPAND_ALL, folder, within, NULL), -E2BIG);
}

/* What would make a naive walk run for ever: a link to the folder itself, many stars, thousands of components. */
Test(sys_expand, comes_back)
{
	static char pattern[4096];
	char name[256] = "";
	cr_assert_eq(symlink(".", "self"), 0);
	cr_assert_eq(symlink(".", "self2"), 0);
	for (size_t i = 0; i < 60; i++)
		strcat(pattern, "*/");
	cr_expect_str_eq(expand("x", pattern, false, EXPAND_ALL), "E2BIG");
	pattern[0] = '\0';
	for (size_t i = 0; i < 2000; i++)
		strcat(pattern, "*/");
	cr_expect_str_eq(expand("x", pattern, false, EXPAND_ALL), "<x>");
	memset(name, 'a', 254);
	make(name);
	pattern[0] = '\0';
	for (size_t i = 0; i < 100; i++)
		strcat(pattern, "*a");
	strcat(pattern, "*b");
	cr_expect_str_eq(expand("x", pattern, false, EXPAND_ALL), "<x>");
}
