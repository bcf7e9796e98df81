/* base/path: what a path is by its text alone. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/path.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct path_case {
	const char *in, *want;
};

Test(path, name)
{
	static const struct path_case cases[] = {
		{ "", "" }, { "/", "" }, { "//", "" }, { "a", "a" }, { "/a", "a" }, { "a/", "a" }, { "a//", "a" }, { "/a/b", "b" },
		{ "a/b/", "b" }, { "a//b", "b" }, { "..", ".." },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span name = path_name(span_str(cases[i].in));
		if (strcmp(cases[i].in, "/") == 0 || strcmp(cases[i].in, "//") == 0)
			cr_expect(name.n == 0, "%s", cases[i].in);
		else
			cr_expect(span_is(name, cases[i].want), "%s", cases[i].in);
	}
	cr_expect_eq(path_name(span_of(NULL, 0)).n, 0);
}

Test(path, parent)
{
	static const struct path_case cases[] = {
		{ "", "" }, { "/", "/" }, { "a", "" }, { "/a", "/" }, { "a/", "" }, { "/a/b", "/a" }, { "/a//b", "/a" }, { "a/b/",
		"a" }, { "a/b/c", "a/b" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		cr_expect(span_is(path_parent(span_str(cases[i].in)), cases[i].want), "%s", cases[i].in);
	cr_expect_eq(path_parent(span_of(NULL, 0)).n, 0);
}

Test(path, clean)
{
	static const struct path_case cases[] = {
		{ "", "." }, { ".", "." }, { "./.", "." }, { "/", "/" }, { "//", "/" }, { "/.", "/" }, { "/..", "/" }, { "/../..",
		"/" }, { "a", "a" }, { "./a", "a" },
		{ "a/", "a" }, { "a//b", "a/b" }, { "a/./b", "a/b" }, { "a/../b", "b" }, { "a/..", "." }, { "..", ".." }, { "../a",
		"../a" }, { "../../a", "../../a" },
		{ "a/../..", ".." }, { "a/../../b", "../b" }, { "/a/../../b", "/b" }, { "/a/b/../c", "/a/c" }, { "/a/b/../../..",
		"/" }, { "...", "..." }, { "/..a", "/..a" },
		{ "..a/..", "." }, { "/a/.../b", "/a/.../b" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[64], again[64];
		cr_expect(path_clean(out, sizeof(out), span_str(cases[i].in)), "%s", cases[i].in);
		cr_expect_str_eq(out, cases[i].want, "%s: %s", cases[i].in, out);
		cr_expect(path_clean(again, sizeof(again), span_str(out)) && strcmp(out, again) == 0, "%s", cases[i].in);
	}
}

Test(path, join)
{
	char out[64];
	static const struct { const char *base, *path, *want; } cases[] = {
		{ "/srv", "a", "/srv/a" }, { "/srv", "/a", "/a" }, { "/srv", "", "/srv" }, { "/srv", "..", "/" }, { "/srv",
		"../../etc", "/etc" }, { "/", "a", "/a" },
		{ "a", "b", "a/b" }, { "a", "../b", "b" }, { "a", "../../b", "../b" }, { "", "a", "a" }, { "", "", "." }, { "/srv/",
		"./a/", "/srv/a" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		cr_expect(path_join(out, sizeof(out), span_str(cases[i].base), span_str(cases[i].path)), "%zu", i);
		cr_expect_str_eq(out, cases[i].want, "%zu: %s", i, out);
	}
	cr_expect(!path_join(out, sizeof(out), span_of("a\0b", 3), span_str("c")), "a NUL");
	cr_expect(!path_join(out, sizeof(out), span_str("a"), span_of("c\0", 2)), "a NUL");
}

/* Room: exactly enough, and a byte less. */
Test(path, room)
{
	static const char *const paths[] = { "/", ".", "/a", "a/b", "/a/b/c", "../a" };
	for (size_t i = 0; i < COUNT(paths); i++) {
		size_t n = strlen(paths[i]);
		for (size_t cap = 0; cap < 12; cap++) {
			char *out = malloc(cap > 0 ? cap : 1);
			cr_assert(out);
			bool fits = path_clean(out, cap, span_str(paths[i]));
			cr_expect_eq(fits, cap > n, "%s in %zu", paths[i], cap);
			cr_expect(!fits || strcmp(out, paths[i]) == 0, "%s in %zu", paths[i], cap);
			free(out);
		}
	}
}

Test(path, below)
{
	static const struct { const char *path, *base, *rest; } cases[] = {
		{ "/srv/a", "/srv", "a" }, { "/srv", "/srv", "" }, { "/srv/a/b", "/srv", "a/b" }, { "/srvx", "/srv", NULL },
		{ "/sr", "/srv", NULL }, { "/a", "/", "a" },
		{ "/", "/", "" }, { "/a/b", "/a/b/c", NULL }, { "/b/a", "/a", NULL }, { ".ssh/x", ".ssh", "x" }, { ".sshx", ".ssh",
		NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct span rest = span_of(NULL, 0);
		bool below = path_below(span_str(cases[i].path), span_str(cases[i].base), &rest);
		cr_expect_eq(below, cases[i].rest != NULL, "%s below %s", cases[i].path, cases[i].base);
		cr_expect(!below || span_is(rest, cases[i].rest), "%s below %s", cases[i].path, cases[i].base);
	}
}
