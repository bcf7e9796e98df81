/* For the tests of the conf floor: a text in, the whole list of complaints out, as check prints them. */
#ifndef XFERWARDEN_TESTS_CONF_EXPECT_H
#define XFERWARDEN_TESTS_CONF_EXPECT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

struct expect {
	const char *text;
	const char *complaints; /* "LINE: text\n" or "LINE: warning: text\n" for each, in order */
};

/* The text lies in a heap block of its own size without a terminator, so that a sanitizer sees a byte read too many. */
static inline int expect_parse(struct conf *out, const char *text, size_t n, struct conf_complaints *complaints)
{
	char *exact = malloc(n);
	cr_assert(n == 0 || exact != NULL);
	if (n > 0)
		memcpy(exact, text, n);
	int r = conf_parse(out, exact, n, complaints);
	free(exact);
	return r;
}

static inline void expect_list(char *dst, size_t cap, const struct conf_complaints *complaints)
{
	size_t at = 0;
	dst[0] = '\0';
	for (size_t i = 0; i < complaints->count; i++) {
		const struct conf_complaint *one = &complaints->list[i];
		int n = snprintf(dst + at, cap - at, "%u: %s%s\n", one->line, one->warning ? "warning: " : "", one->text);
		cr_assert(n > 0 && (size_t)n < cap - at);
		at += (size_t)n;
	}
}

/* The verdict has to fit the list: refused if and only if there is a mistake. */
static inline void expect_complaints(const struct expect *row)
{
	static struct conf_complaints complaints;
	static char got[CONF_COMPLAINTS_MAX * 280];
	struct conf conf;
	int r = expect_parse(&conf, row->text, strlen(row->text), &complaints);
	expect_list(got, sizeof(got), &complaints);
	cr_expect(strcmp(got, row->complaints) == 0, "for\n%s\nexpected\n%sgot\n%s", row->text, row->complaints, got);
	cr_expect(r == (complaints.mistakes > 0 ? -EINVAL : 0), "result %d with %zu mistakes for\n%s", r, complaints.mistakes, row->text);
	cr_expect(r == 0 || conf.store == NULL);
	conf_free(&conf);
}

#define EXPECT_ROWS(rows)                                            \
	for (size_t i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) \
	expect_complaints(&(rows)[i_])

#endif
