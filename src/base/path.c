/* Paths by their text alone; what the file system makes of them is sys/place.c's business. */
#include "base/path.h"

static struct span path_trim(struct span path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

struct span path_name(struct span path)
{
	path = path_trim(path);
	size_t start = path.n;
	while (start > 0 && path.p[start - 1] != '/')
		start--;
	span_take(&path, start);
	return path;
}

struct span path_parent(struct span path)
{
	path = path_trim(path);
	size_t end = path.n;
	while (end > 0 && path.p[end - 1] != '/')
		end--;
	return path_trim(span_of(path.p, end));
}

/* Takes back the last component of dst[*at], never beyond floor. False when there is none to take. */
static bool path_up(const char *dst, size_t *at, size_t floor)
{
	if (*at <= floor)
		return false;
	size_t start = *at;
	while (start > floor && dst[start - 1] != '/')
		start--;
	if (*at - start == 2 && dst[start] == '.' && dst[start + 1] == '.')
		return false;
	*at = start > floor ? start - 1 : start;
	return true;
}

static bool path_append(char *dst, size_t cap, size_t *at, size_t floor, struct span part)
{
	size_t slash = *at > floor ? 1 : 0;
	if (*at + slash + part.n >= cap)
		return false;
	if (slash)
		dst[(*at)++] = '/';
	memcpy(dst + *at, part.p, part.n);
	*at += part.n;
	return true;
}

static struct span path_component(struct span *rest)
{
	while (rest->n > 0 && rest->p[0] == '/')
		span_take(rest, 1);
	size_t n = 0;
	while (n < rest->n && rest->p[n] != '/')
		n++;
	return span_take(rest, n);
}

static bool path_walk(char *dst, size_t cap, size_t *at, size_t floor, struct span path)
{
	for (;;) {
		struct span part = path_component(&path);
		if (part.n == 0)
			return true;
		if (span_is(part, "."))
			continue;
		if (span_is(part, "..")) {
			if (path_up(dst, at, floor) || floor > 0)
				continue;
		}
		if (!path_append(dst, cap, at, floor, part))
			return false;
	}
}

static bool path_finish(char *dst, size_t cap, size_t at)
{
	if (at == 0) {
		if (cap < 2)
			return false;
		dst[at++] = '.';
	}
	dst[at] = '\0';
	return true;
}

bool path_join(char *dst, size_t cap, struct span base, struct span path)
{
	if (path.n > 0 && path.p[0] == '/')
		base.n = 0;
	bool absolute = base.n > 0 ? base.p[0] == '/' : path.n > 0 && path.p[0] == '/';
	size_t floor = absolute ? 1 : 0;
	size_t at = 0;
	if (cap < 2 || (base.n > 0 && memchr(base.p, '\0', base.n)) || (path.n > 0 && memchr(path.p, '\0', path.n)))
		return false;
	if (absolute)
		dst[at++] = '/';
	return path_walk(dst, cap, &at, floor, base) && path_walk(dst, cap, &at, floor, path) && path_finish(dst, cap, at);
}

bool path_clean(char *dst, size_t cap, struct span path)
{
	return path_join(dst, cap, span_of(NULL, 0), path);
}

bool path_below(struct span path, struct span base, struct span *rest)
{
	if (!span_starts(path, base))
		return false;
	*rest = path;
	span_take(rest, base.n);
	if (base.n > 0 && base.p[base.n - 1] == '/')
		return true;
	if (rest->n == 0)
		return true;
	if (rest->p[0] != '/')
		return false;
	span_take(rest, 1);
	return true;
}

bool path_unique(char *dst, size_t cap, struct span path, const char *tag)
{
	struct span name = path_name(path);
	size_t stem = name.n, tag_n = strlen(tag);
	for (size_t i = name.n; i-- > 1;) {
		if (name.p[i] == '.') {
			stem = i;
			break;
		}
	}
	size_t front = (size_t)(name.p - path.p) + stem;
	if (name.n == 0 || name.n + tag_n + 1 > PATH_NAME_MAX || front + 1 + tag_n + (name.n - stem) + 1 > cap)
		return false;
	memcpy(dst, path.p, front);
	dst[front] = '-';
	memcpy(dst + front + 1, tag, tag_n);
	memcpy(dst + front + 1 + tag_n, name.p + stem, name.n - stem);
	dst[front + 1 + tag_n + name.n - stem] = '\0';
	return true;
}
