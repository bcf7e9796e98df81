/* Bytes that belong to someone else: a pointer and a length, never a terminator. */
#ifndef XFERWARDEN_BASE_SPAN_H
#define XFERWARDEN_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p; /* may be NULL only if n is 0 */
	size_t n;
};

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){ .p = p, .n = n };
}

/* The bytes of a C string, without its terminator; NULL gives an empty span. */
static inline struct span span_str(const char *s)
{
	return (struct span){ .p = (const uint8_t *)s, .n = s ? strlen(s) : 0 };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_is(struct span a, const char *s)
{
	return span_equal(a, span_str(s));
}

static inline bool span_starts(struct span a, struct span prefix)
{
	return a.n >= prefix.n && (prefix.n == 0 || memcmp(a.p, prefix.p, prefix.n) == 0);
}

/* Cuts at most n bytes from the front of *s and returns them. */
static inline struct span span_take(struct span *s, size_t n)
{
	if (n > s->n)
		n = s->n;
	struct span head = { .p = s->p, .n = n };
	if (n > 0) {
		s->p += n;
		s->n -= n;
	}
	return head;
}

/* Copies into dst[cap] as a C string. False, and an empty string, if it does not fit or holds a NUL. */
static inline bool span_copy(char *dst, size_t cap, struct span s)
{
	dst[0] = '\0';
	if (s.n >= cap || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL))
		return false;
	if (s.n > 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}

#endif
