/*
 * Patterns against a second matcher that is slow and plain: it tries every way a star could go. The input is one byte of flags, the
 * pattern up to a NUL, and the text. What glob_check refuses has to be safe to match all the same, and long inputs have to end.
 */
#include <assert.h>
#include <stdlib.h>

#include "policy/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLAIN_MAX = 24 }; /* the plain matcher takes exponential time */

static bool plain_same(uint8_t a, uint8_t b, bool fold)
{
	if (fold && a >= 'A' && a <= 'Z')
		a |= 0x20;
	if (fold && b >= 'A' && b <= 'Z')
		b |= 0x20;
	return a == b;
}

/* Marks what the class at p, behind its bracket, holds; returns what follows it. The pattern has passed glob_check. */
static const uint8_t *plain_class(const uint8_t *p, bool fold, bool member[256])
{
	bool negated = *p == '!' || *p == '^';
	p += negated;
	memset(member, 0, 256);
	for (bool first = true; first || *p != ']'; first = false) {
		p += *p == '\\';
		unsigned low = *p++, high = low;
		if (p[0] == '-' && p[1] != ']') {
			p += p[1] == '\\' ? 2 : 1;
			high = *p++;
		}
		for (unsigned c = 0; c < 256; c++) {
			for (unsigned in = low; in <= high; in++)
				member[c] |= plain_same((uint8_t)c, (uint8_t)in, fold);
		}
	}
	for (unsigned c = 0; c < 256; c++)
		member[c] ^= negated;
	return p + 1;
}

static bool plain_text(const uint8_t *p, const uint8_t *end, const uint8_t *t, size_t n, bool fold)
{
	bool member[256];
	if (p == end)
		return n == 0;
	if (*p == '*')
		return plain_text(p + 1, end, t, n, fold) || (n > 0 && plain_text(p, end, t + 1, n - 1, fold));
	if (n == 0)
		return false;
	if (*p == '?')
		return plain_text(p + 1, end, t + 1, n - 1, fold);
	if (*p == '[') {
		p = plain_class(p + 1, fold, member);
		return member[*t] && plain_text(p, end, t + 1, n - 1, fold);
	}
	p += *p == '\\';
	return plain_same(*p, *t, fold) && plain_text(p + 1, end, t + 1, n - 1, fold);
}

/* The end of the component that begins at p. */
static const uint8_t *plain_end(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != '/')
		p++;
	return p;
}

static bool plain_path(const uint8_t *p, const uint8_t *pe, const uint8_t *t, const uint8_t *te, unsigned flags)
{
	if (p >= pe)
		return t >= te;
	const uint8_t *pn = plain_end(p, pe), *tn = plain_end(t, te);
	if (pn - p == 2 && p[0] == '*' && p[1] == '*') {
		if (pn == pe)
			return t < te || (flags & GLOB_FOLDER);
		return plain_path(pn + 1, pe, t, te, flags) || (t < te && plain_path(p, pe, tn + (tn < te), te, flags));
	}
	if (t >= te || !plain_text(p, pn, t, (size_t)(tn - t), flags & GLOB_IGNORE_CASE))
		return false;
	return plain_path(pn + (pn < pe), pe, tn + (tn < te), te, flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data + 1, '\0', size - 1) : NULL;
	if (nul == NULL)
		return 0;
	unsigned flags = data[0] & (GLOB_NAME | GLOB_PATH | GLOB_IGNORE_CASE | GLOB_FOLDER);
	size_t length = (size_t)(nul - data - 1), n = size - length - 2;
	char *pattern = malloc(length + 1);
	uint8_t *text = malloc(n + (n == 0));
	assert(pattern != NULL && text != NULL);
	memcpy(pattern, data + 1, length + 1);
	memcpy(text, nul + 1, n);
	bool matched = glob_match(pattern, span_of(text, n), flags);
	const uint8_t *p = (const uint8_t *)pattern;
	if (length <= PLAIN_MAX && n <= PLAIN_MAX && glob_check(pattern, flags) == NULL) {
		bool plain = flags & GLOB_PATH ? plain_path(p, p + length, text, text + n, flags) : plain_text(p, p + length, text, n,
			flags & GLOB_IGNORE_CASE);
		if (matched != plain)
			abort();
	}
	free(text);
	free(pattern);
	return 0;
}
