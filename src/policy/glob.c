/*
 * How patterns match, without recursion: a failed comparison goes back to the last star only. That is enough, because what stands before
 * a star has been matched as early as it can be, and a star that starts earlier can do all that a later one could. The same holds one
 * level up for `**` and whole components, so a hostile name costs at most the product of both lengths.
 */
#include "policy/glob.h"

static uint8_t glob_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static uint8_t glob_upper(uint8_t c)
{
	return c >= 'a' && c <= 'z' ? (uint8_t)(c - ('a' - 'A')) : c;
}

static bool glob_same(uint8_t a, uint8_t b, bool fold)
{
	return a == b || (fold && glob_lower(a) == glob_lower(b));
}

/* A class while it is read: the bytes of the pattern, where we are, and the range that was read last. */
struct glob_class {
	struct span p;
	size_t at, first;
	bool negated;
	uint8_t low, high;
};

/* p begins with the bracket. */
static struct glob_class glob_class_begin(struct span p)
{
	struct glob_class c = { .p = p, .at = 1 };
	if (c.at < p.n && (p.p[c.at] == '!' || p.p[c.at] == '^')) {
		c.negated = true;
		c.at++;
	}
	c.first = c.at;
	return c;
}

static bool glob_class_byte(struct glob_class *c, uint8_t *byte)
{
	if (c->at < c->p.n && c->p.p[c->at] == '\\')
		c->at++;
	if (c->at >= c->p.n)
		return false;
	*byte = c->p.p[c->at++];
	return true;
}

/* Reads the next range. False at the closing bracket, which is then at `at`, or, with `at` at the end, when there is none. */
static bool glob_class_next(struct glob_class *c)
{
	if (c->at < c->p.n && c->p.p[c->at] == ']' && c->at > c->first)
		return false;
	if (!glob_class_byte(c, &c->low))
		return false;
	c->high = c->low;
	if (c->at + 1 < c->p.n && c->p.p[c->at] == '-' && c->p.p[c->at + 1] != ']') {
		c->at++;
		return glob_class_byte(c, &c->high);
	}
	return true;
}

/* The length of the class at the front of p if byte is of it, else 0. */
static size_t glob_class_has(struct span p, uint8_t byte, bool fold)
{
	struct glob_class c = glob_class_begin(p);
	uint8_t lower = fold ? glob_lower(byte) : byte, upper = fold ? glob_upper(byte) : byte;
	bool found = false;
	while (glob_class_next(&c))
		found |= (byte >= c.low && byte <= c.high) || (lower >= c.low && lower <= c.high) || (upper >= c.low && upper <= c.high);
	if (c.at >= c.p.n || found == c.negated)
		return 0;
	return c.at + 1;
}

/* How many bytes of the pattern stand for this byte, 0 if they do not. p is not empty and not at a star. */
static size_t glob_one(struct span p, uint8_t byte, bool fold)
{
	if (p.p[0] == '?')
		return 1;
	if (p.p[0] == '[')
		return glob_class_has(p, byte, fold);
	if (p.p[0] == '\\')
		return p.n > 1 && glob_same(p.p[1], byte, fold) ? 2 : 0;
	return glob_same(p.p[0], byte, fold) ? 1 : 0;
}

static bool glob_text(struct span p, struct span text, bool fold)
{
	struct span star = span_of(NULL, 0), from = text;
	bool starred = false;
	while (text.n > 0) {
		if (p.n > 0 && p.p[0] == '*') {
			span_take(&p, 1);
			if (p.n == 0)
				return true;
			star = p;
			from = text;
			starred = true;
			continue;
		}
		size_t n = p.n > 0 ? glob_one(p, text.p[0], fold) : 0;
		if (n > 0) {
			span_take(&p, n);
			span_take(&text, 1);
			continue;
		}
		if (!starred)
			return false;
		span_take(&from, 1);
		text = from;
		p = star;
	}
	while (p.n > 0 && p.p[0] == '*')
		span_take(&p, 1);
	return p.n == 0;
}

/* Cuts the first component and the slash behind it. */
static struct span glob_component(struct span *path)
{
	size_t n = 0;
	while (n < path->n && path->p[n] != '/')
		n++;
	struct span component = span_take(path, n);
	span_take(path, 1);
	return component;
}

static bool glob_path(struct span p, struct span text, unsigned flags)
{
	struct span star = span_of(NULL, 0), from = star;
	bool starred = false, fold = flags & GLOB_IGNORE_CASE;
	for (;;) {
		if (p.n == 0 && text.n == 0)
			return true;
		if (p.n > 0) {
			struct span rest = p, below = text;
			struct span component = glob_component(&rest);
			if (span_is(component, "**")) {
				if (rest.n == 0)
					return text.n > 0 || (flags & GLOB_FOLDER);
				star = p = rest;
				from = text;
				starred = true;
				continue;
			}
			if (text.n > 0 && glob_text(component, glob_component(&below), fold)) {
				p = rest;
				text = below;
				continue;
			}
		}
		if (!starred || from.n == 0)
			return false;
		glob_component(&from);
		text = from;
		p = star;
	}
}

bool glob_match(const char *pattern, struct span text, unsigned flags)
{
	if (flags & GLOB_PATH)
		return glob_path(span_str(pattern), text, flags);
	return glob_text(span_str(pattern), text, flags & GLOB_IGNORE_CASE);
}

static const char *glob_check_class(struct span p, unsigned flags, size_t *length)
{
	struct glob_class c = glob_class_begin(p);
	while (glob_class_next(&c)) {
		if (c.low > c.high)
			return "a range in [...] runs backwards";
		if ((flags & (GLOB_NAME | GLOB_PATH)) && (c.low == '/' || c.high == '/'))
			return "a slash stands inside [...]";
		if (c.low == '[' && c.at < p.n && (p.p[c.at] == ':' || p.p[c.at] == '.' || p.p[c.at] == '='))
			return "classes by name, like [:digit:], are not known; write [0-9]";
	}
	if (c.at >= p.n)
		return "a '[' has no ']'";
	*length = c.at + 1;
	return NULL;
}

/* A shell's {a,b} would be taken for its letters, and match nothing. */
static bool glob_has_braces(struct span p)
{
	const uint8_t *comma = memchr(p.p, ',', p.n);
	return comma != NULL && memchr(comma, '}', p.n - (size_t)(comma - p.p)) != NULL;
}

static const char *glob_check_stars(struct span p, bool begins, unsigned flags)
{
	if (span_starts(p, span_str("***")))
		return "three stars in a row mean nothing";
	if ((flags & GLOB_PATH) && span_starts(p, span_str("**")) && !(begins && (p.n == 2 || p.p[2] == '/')))
		return "** has to stand alone between slashes: **/*.php, not **.php";
	return NULL;
}

/* begins: this element is the first of its component. */
static const char *glob_check_one(struct span p, bool begins, unsigned flags, size_t *length)
{
	bool name = flags & (GLOB_NAME | GLOB_PATH);
	*length = 1;
	if (p.p[0] == '[')
		return glob_check_class(p, flags, length);
	if (p.p[0] == '*') {
		*length = p.n > 1 && p.p[1] == '*' ? 2 : 1;
		return glob_check_stars(p, begins, flags);
	}
	if (p.p[0] == '\\') {
		*length = 2;
		if (p.n < 2)
			return "it ends with a backslash that escapes nothing";
		return name && p.p[1] == '/' ? "a slash can't be escaped" : NULL;
	}
	if (name && p.p[0] == '{' && glob_has_braces(p))
		return "braces are not expanded; write one pattern for each, or \\{ for the brace itself";
	if ((flags & GLOB_NAME) && p.p[0] == '/')
		return "a name has no slash; use path";
	return NULL;
}

static const char *glob_check_elements(struct span p, unsigned flags)
{
	bool begins = true;
	while (p.n > 0) {
		size_t length = 0;
		const char *why = glob_check_one(p, begins, flags, &length);
		if (why != NULL)
			return why;
		begins = p.p[0] == '/';
		span_take(&p, length);
	}
	return NULL;
}

static const char *glob_check_components(struct span p)
{
	if (p.p[0] == '/')
		return "it begins with a slash; paths are those below root";
	if (p.p[p.n - 1] == '/')
		return "it ends with a slash; write folder/** for what is in a folder";
	while (p.n > 0) {
		struct span component = glob_component(&p);
		if (component.n == 0)
			return "it has two slashes in a row";
		if (span_is(component, ".") || span_is(component, ".."))
			return "it has a component . or .., which no resolved path has";
	}
	return NULL;
}

const char *glob_check(const char *pattern, unsigned flags)
{
	struct span p = span_str(pattern);
	if (p.n == 0)
		return "it is empty";
	const char *why = glob_check_elements(p, flags);
	if (why == NULL && (flags & GLOB_PATH))
		why = glob_check_components(p);
	return why;
}
