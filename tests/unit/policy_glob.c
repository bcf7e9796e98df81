/* Patterns: what they match, what is refused, and that no name makes them slow. */
#include "policy/glob.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { NO, YES };

struct glob_case {
	const char *pattern, *text;
	unsigned flags;
	bool matches;
};

/* The text lies in a buffer that ends where it does. */
static bool match(const char *pattern, const char *text, size_t n, unsigned flags)
{
	char *p = malloc(strlen(pattern) + 1);
	uint8_t *t = malloc(n > 0 ? n : 1);
	cr_assert(p != NULL && t != NULL);
	strcpy(p, pattern);
	memcpy(t, text, n);
	bool matches = glob_match(p, span_of(n > 0 ? t : NULL, n), flags);
	free(t);
	free(p);
	return matches;
}

static void check_cases(const struct glob_case *cases, size_t count, unsigned flags)
{
	for (size_t i = 0; i < count; i++) {
		const struct glob_case *c = &cases[i];
		const char *why = glob_check(c->pattern, c->flags | flags);
		cr_expect(why == NULL, "%s is refused: %s", c->pattern, why);
		cr_expect(match(c->pattern, c->text, strlen(c->text), c->flags | flags) == c->matches, "%s against %s: not %d", c->pattern,
			c->text, c->matches);
	}
}

#define CHECK_CASES(cases, flags) check_cases(cases, sizeof(cases) / sizeof(cases[0]), flags)

static const struct glob_case text_cases[] = {
	{ "a", "a", 0, YES },
	{ "a", "", 0, NO },
	{ "a", "b", 0, NO },
	{ "a", "aa", 0, NO },
	{ "aa", "a", 0, NO },
	{ "*", "", 0, YES },
	{ "*", "anything/at all", 0, YES },
	{ "**", "x", 0, YES },
	{ "*.php", "x.php", 0, YES },
	{ "*.php", ".php", 0, YES },
	{ "*.php", "x.php5", 0, NO },
	{ "*.php", "x.php.jpg", 0, NO },
	{ "*.php", "x.php.php", 0, YES },
	{ "*.php*", "x.php.jpg", 0, YES },
	{ "*.PHP", "x.php", 0, NO },
	{ "*.PHP", "x.php", GLOB_IGNORE_CASE, YES },
	{ "*.php", "X.PhP", GLOB_IGNORE_CASE, YES },
	{ "@", "`", GLOB_IGNORE_CASE, NO },
	{ "a*b*c", "aXbYc", 0, YES },
	{ "a*b*c", "abcbc", 0, YES },
	{ "a*b*c", "acb", 0, NO },
	{ "*a*", "bab", 0, YES },
	{ "*ab", "aab", 0, YES },
	{ "*aab", "aaab", 0, YES },
	{ "?", "a", 0, YES },
	{ "?", "", 0, NO },
	{ "?", "ab", 0, NO },
	{ "??", "\xc3\xa4", 0, YES },
	{ "a?c", "a/c", 0, YES },
	{ "*?", "", 0, NO },
	{ "*?", "x", 0, YES },
	{ "[abc]", "b", 0, YES },
	{ "[abc]", "d", 0, NO },
	{ "[abc]", "", 0, NO },
	{ "[a-c]x", "bx", 0, YES },
	{ "[a-c]", "d", 0, NO },
	{ "[a-c]", "B", 0, NO },
	{ "[a-c]", "B", GLOB_IGNORE_CASE, YES },
	{ "[A-C]", "b", GLOB_IGNORE_CASE, YES },
	{ "[!a-c]", "B", GLOB_IGNORE_CASE, NO },
	{ "[!a-c]", "d", 0, YES },
	{ "[^a-c]", "d", 0, YES },
	{ "[^a-c]", "a", 0, NO },
	{ "[!a]", "", 0, NO },
	{ "[]]", "]", 0, YES },
	{ "[!]]", "]", 0, NO },
	{ "[]a]", "a", 0, YES },
	{ "[a-]", "-", 0, YES },
	{ "[-a]", "-", 0, YES },
	{ "[a-]", "b", 0, NO },
	{ "[a\\-c]", "b", 0, NO },
	{ "[a\\-c]", "-", 0, YES },
	{ "[\\]]", "]", 0, YES },
	{ "[\\!a]", "!", 0, YES },
	{ "[a^]", "^", 0, YES },
	{ "[a!]", "!", 0, YES },
	{ "[*?]", "x", 0, NO },
	{ "[*?]", "?", 0, YES },
	{ "[0-9][0-9]", "42", 0, YES },
	{ "[\x80-\xff]", "\xe4", 0, YES },
	{ "[\x80-\xff]", "a", 0, NO },
	{ "*[0-9]", "a1b2", 0, YES },
	{ "\\*", "*", 0, YES },
	{ "\\*", "x", 0, NO },
	{ "\\a", "A", GLOB_IGNORE_CASE, YES },
	{ "\\\\", "\\", 0, YES },
	{ "\\[a]", "[a]", 0, YES },
	{ "\\?*", "?abc", 0, YES },
	{ "application/*", "application/x-sharedlib", 0, YES },
	{ "SHA256:ab+/*", "SHA256:ab+/cd", 0, YES },
	{ "{HEX}php.*", "{HEX}php.shell.1", 0, YES },
};

Test(policy_glob, text)
{
	CHECK_CASES(text_cases, GLOB_TEXT);
}

static const struct glob_case path_cases[] = {
	{ "a", "a", 0, YES },
	{ "a", "a/b", 0, NO },
	{ "a/b", "a/b", 0, YES },
	{ "a/b", "a", 0, NO },
	{ "*", "a", 0, YES },
	{ "*", "a/b", 0, NO },
	{ "*", "", 0, NO },
	{ "a*", "a/b", 0, NO },
	{ "a*b", "a/b", 0, NO },
	{ "a?b", "a/b", 0, NO },
	{ "a[!x]b", "a/b", 0, NO },
	{ "*/b", "a/b", 0, YES },
	{ "*/*", "a/b", 0, YES },
	{ "*/*", "a", 0, NO },
	{ "a/**", "a/x", 0, YES },
	{ "a/**", "a/x/y", 0, YES },
	{ "a/**", "a", 0, NO },
	{ "a/**", "ab/x", 0, NO },
	{ "a/**", "b/a/x", 0, NO },
	{ "a/**", "a", GLOB_FOLDER, YES },
	{ "a/**", "ab", GLOB_FOLDER, NO },
	{ "a/**", "", GLOB_FOLDER, NO },
	{ "a/**", "a/x", GLOB_FOLDER, YES },
	{ "**", "a", 0, YES },
	{ "**", "a/b/c", 0, YES },
	{ "**", "", 0, NO },
	{ "**", "", GLOB_FOLDER, YES },
	{ "**/x", "x", 0, YES },
	{ "**/x", "d/x", 0, YES },
	{ "**/x", "d/e/x", 0, YES },
	{ "**/x", "dx", 0, NO },
	{ "**/x", "x/d", 0, NO },
	{ "**/x", "d/xx", 0, NO },
	{ "a/**/b", "a/b", 0, YES },
	{ "a/**/b", "a/x/b", 0, YES },
	{ "a/**/b", "a/x/y/b", 0, YES },
	{ "a/**/b", "ab", 0, NO },
	{ "a/**/b", "a/xb", 0, NO },
	{ "a/**/b", "a/b/c", 0, NO },
	{ "a/**/b", "a/b/c/b", 0, YES },
	{ "**/a/**", "x/a/y", 0, YES },
	{ "**/a/**", "a/y", 0, YES },
	{ "**/a/**", "x/a", 0, NO },
	{ "**/a/**", "x/a", GLOB_FOLDER, YES },
	{ "**/a/b/**/c", "a/a/b/x/a/b/c", 0, YES },
	{ "**/a/b/c", "a/b/a/b/c", 0, YES },
	{ "**/a/b/c", "a/b/a/c", 0, NO },
	{ "**/**", "x", 0, YES },
	{ "**/*.php", "a.php", 0, YES },
	{ "**/*.php", "d/a.php", 0, YES },
	{ "**/*.php", "d.php/a", 0, NO },
	{ "**/.*/**", "a/.git/config", 0, YES },
	{ "**/.ssh/*", ".ssh/id", 0, YES },
	{ "A/**/B", "a/x/b", GLOB_IGNORE_CASE, YES },
	{ "A/**/B", "a/x/b", 0, NO },
	{ "\\**", "*x", 0, YES },
	{ "\\**", "x/y", 0, NO },
	{ "[*]*", "*/y", 0, NO },
	{ "*/**/*", "a/b", 0, YES },
	{ "*/**/*", "a", 0, NO },
};

Test(policy_glob, path)
{
	CHECK_CASES(path_cases, GLOB_PATH);
}

Test(policy_glob, bytes)
{
	cr_expect(match("a*b", "a\0b", 3, GLOB_TEXT));
	cr_expect(match("a?b", "a\0b", 3, GLOB_TEXT));
	cr_expect_not(match("a", "a\0", 2, GLOB_TEXT), "a NUL does not end a name");
	cr_expect_not(match("a", "a\0", 2, GLOB_PATH));
	for (unsigned c = 1; c < 256; c++) {
		char text[1] = { (char)c };
		char escaped[3] = { '\\', (char)c, '\0' };
		char class[5] = { '[', '\\', (char)c, ']', '\0' };
		cr_expect(match("?", text, 1, GLOB_TEXT));
		cr_expect(match(escaped, text, 1, GLOB_TEXT), "byte %u", c);
		cr_expect(match(class, text, 1, GLOB_TEXT), "byte %u", c);
		cr_expect_not(match(escaped, c == 'q' ? "r" : "q", 1, GLOB_TEXT));
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		char other[1] = { (char)(c ^ 0x20) };
		cr_expect(match(escaped, other, 1, GLOB_TEXT | GLOB_IGNORE_CASE) == letter, "byte %u in the other case", c);
		cr_expect(match(class, other, 1, GLOB_TEXT | GLOB_IGNORE_CASE) == letter, "byte %u in the other case, in a class", c);
	}
}

struct check_case {
	const char *pattern;
	unsigned flags;
	const char *why; /* a part of it; NULL: accepted */
};

static const struct check_case check_list[] = {
	{ "", GLOB_TEXT, "empty" },
	{ "", GLOB_PATH, "empty" },
	{ NULL, GLOB_PATH, "empty" },
	{ "a\\", GLOB_TEXT, "backslash" },
	{ "\\", GLOB_PATH, "backslash" },
	{ "a\\\\", GLOB_TEXT, NULL },
	{ "[", GLOB_TEXT, "no ']'" },
	{ "[]", GLOB_TEXT, "no ']'" },
	{ "[!]", GLOB_TEXT, "no ']'" },
	{ "[a", GLOB_TEXT, "no ']'" },
	{ "[a-", GLOB_TEXT, "no ']'" },
	{ "[a\\", GLOB_TEXT, "no ']'" },
	{ "[a-\\", GLOB_TEXT, "no ']'" },
	{ "[\\]", GLOB_TEXT, "no ']'" },
	{ "x[!", GLOB_TEXT, "no ']'" },
	{ "]", GLOB_TEXT, NULL },
	{ "[z-a]", GLOB_TEXT, "backwards" },
	{ "[a-a]", GLOB_TEXT, NULL },
	{ "[[:digit:]]", GLOB_TEXT, "by name" },
	{ "[a[:digit:]]", GLOB_TEXT, "by name" },
	{ "[[.a.]]", GLOB_TEXT, "by name" },
	{ "[:]", GLOB_TEXT, NULL },
	{ "***", GLOB_TEXT, "three stars" },
	{ "a***b", GLOB_TEXT, "three stars" },
	{ "****", GLOB_TEXT, "three stars" },
	{ "***", GLOB_PATH, "three stars" },
	{ "**", GLOB_TEXT, NULL },
	{ "**", GLOB_PATH, NULL },
	{ "**a", GLOB_PATH, "alone" },
	{ "a**", GLOB_PATH, "alone" },
	{ "x/a**b/y", GLOB_PATH, "alone" },
	{ "**.php", GLOB_PATH, "alone" },
	{ "[a]**", GLOB_PATH, "alone" },
	{ "\\**", GLOB_PATH, NULL },
	{ "\\***", GLOB_PATH, "alone" },
	{ "[**]", GLOB_PATH, NULL },
	{ "*?*", GLOB_PATH, NULL },
	{ "/a", GLOB_PATH, "begins with a slash" },
	{ "/", GLOB_PATH, "begins with a slash" },
	{ "a/", GLOB_PATH, "ends with a slash" },
	{ "a//b", GLOB_PATH, "two slashes" },
	{ "./a", GLOB_PATH, "component" },
	{ "a/.", GLOB_PATH, "component" },
	{ "..", GLOB_PATH, "component" },
	{ "a/../b", GLOB_PATH, "component" },
	{ "...", GLOB_PATH, NULL },
	{ ".a/..b", GLOB_PATH, NULL },
	{ "a\\/b", GLOB_PATH, "escaped" },
	{ "a[b/c]", GLOB_PATH, "slash" },
	{ "a[/-9]", GLOB_PATH, "slash" },
	{ "a/b", GLOB_NAME, "no slash" },
	{ "a\\/b", GLOB_NAME, "escaped" },
	{ "[/]", GLOB_NAME, "slash" },
	{ "a/b", GLOB_TEXT, NULL },
	{ "[/]", GLOB_TEXT, NULL },
	{ "*.{php,phtml}", GLOB_NAME, "braces" },
	{ "a/{b,c}/**", GLOB_PATH, "braces" },
	{ "{a}", GLOB_NAME, NULL },
	{ "a,b}", GLOB_NAME, NULL },
	{ "\\{a,b}", GLOB_NAME, NULL },
	{ "{a,b}", GLOB_TEXT, NULL },
};

Test(policy_glob, check)
{
	for (size_t i = 0; i < sizeof(check_list) / sizeof(check_list[0]); i++) {
		const struct check_case *c = &check_list[i];
		const char *pattern = c->pattern != NULL ? c->pattern : "(null)";
		char *exact = c->pattern != NULL ? strdup(c->pattern) : NULL;
		const char *why = glob_check(exact, c->flags);
		if (c->why == NULL)
			cr_expect(why == NULL, "%s is refused: %s", pattern, why);
		else
			cr_expect(why != NULL && strstr(why, c->why) != NULL, "%s: %s", pattern, why != NULL ? why : "accepted");
		/* Refused or not, it has to be safe to try. */
		if (exact != NULL) {
			match(exact, "a/b]c", 5, c->flags);
			match(exact, "", 0, c->flags | GLOB_FOLDER);
		}
		free(exact);
	}
}

enum { LONG = 4095 };

/* Exponential matching would take longer than the universe lasts; the limit is only there to end it. */
Test(policy_glob, hostile_names, .timeout = 20)
{
	char *name = malloc(LONG);
	char *pattern = malloc(3 * LONG);
	cr_assert(name != NULL && pattern != NULL);
	memset(name, 'a', LONG);
	pattern[0] = '\0';
	for (size_t i = 0; i < 64; i++)
		memcpy(pattern + 2 * i, "*a", 3);
	memcpy(pattern + 128, "*b", 3);
	cr_expect_not(glob_match(pattern, span_of(name, LONG), GLOB_TEXT));
	cr_expect_not(glob_match(pattern, span_of(name, LONG), GLOB_PATH));
	for (size_t i = 1; i < LONG; i += 2)
		name[i] = '/';
	for (size_t i = 0; i < 64; i++)
		memcpy(pattern + 7 * i, "**/a*a/", 8);
	memcpy(pattern + 7 * 64, "b", 2);
	cr_expect_not(glob_match(pattern, span_of(name, LONG), GLOB_PATH));
	for (size_t i = 0; i < 64; i++)
		memcpy(pattern + 5 * i, "**/a/", 6);
	memcpy(pattern + 5 * 64, "b", 2);
	cr_expect_not(glob_match(pattern, span_of(name, LONG), GLOB_PATH));
	memcpy(pattern + 5 * 64, "a", 2);
	cr_expect(glob_match(pattern, span_of(name, LONG), GLOB_PATH));
	free(pattern);
	free(name);
}
