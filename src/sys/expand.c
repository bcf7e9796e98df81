/* How glob(3) is kept from listing what it may not see and from never coming back: it reads folders through our functions alone. */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sys/expand.h"

/* What the functions that glob calls have to know; it passes them nothing of ours. */
struct walk {
	expand_within *within;
	void *ctx;
	size_t entries;
	bool too_many;
};
static _Thread_local struct walk *walk;

static void *walk_open(const char *folder)
{
	if (walk->too_many || !walk->within(walk->ctx, folder)) {
		errno = EACCES;
		return NULL;
	}
	return opendir(folder);
}

static struct dirent *walk_read(void *folder)
{
	for (;;) {
		if (walk->entries == EXPAND_ENTRIES_MAX) {
			walk->too_many = true;
			return NULL;
		}
		walk->entries++;
		struct dirent *entry = readdir(folder);
		if (!entry || (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0))
			return entry;
	}
}

static void walk_close(void *folder)
{
	closedir(folder);
}

static int walk_stat(const char *path, struct stat *out)
{
	return stat(path, out);
}

static int walk_lstat(const char *path, struct stat *out)
{
	return lstat(path, out);
}

int expand_init(struct expansion *out)
{
	*out = (struct expansion){ .path = malloc(EXPAND_PATHS_MAX * sizeof(*out->path)), .bytes = malloc(EXPAND_BYTES_MAX) };
	if (out->path && out->bytes)
		return 0;
	expand_finish(out);
	return -ENOMEM;
}

void expand_finish(struct expansion *out)
{
	free(out->path);
	free(out->bytes);
	*out = (struct expansion){ 0 };
}

static int expand_append(struct expansion *out, const char *path)
{
	size_t n = strlen(path) + 1;
	if (n > PATH_BYTES_MAX)
		return -ENAMETOOLONG;
	if (out->count == EXPAND_PATHS_MAX || n > EXPAND_BYTES_MAX - out->used)
		return -E2BIG;
	memcpy(out->bytes + out->used, path, n);
	out->path[out->count++] = out->bytes + out->used;
	out->used += n;
	return 0;
}

/* "/" needs no slash after it. */
static const char *expand_home(const char *home, const char *rest)
{
	return strcmp(home, "/") == 0 && rest[0] == '/' ? "" : home;
}

static int expand_literal(struct expansion *out, const struct expand_operand *operand, const char *home)
{
	if (!operand->tilde)
		return expand_append(out, operand->path);
	char path[PATH_BYTES_MAX];
	const char *rest = operand->path + 1;
	home = expand_home(home, rest);
	size_t n = strlen(home);
	if (n + strlen(rest) >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, home, n);
	memcpy(path + n, rest, strlen(rest) + 1);
	return expand_append(out, path);
}

/* The pattern with home in the tilde's place, its metacharacters quoted. */
static int expand_pattern(char *dst, size_t cap, const struct expand_operand *operand, const char *home)
{
	const char *rest = operand->pattern;
	size_t at = 0;
	if (operand->tilde) {
		rest++;
		for (const char *s = expand_home(home, rest); *s; s++) {
			if (at + 2 >= cap)
				return -ENAMETOOLONG;
			if (strchr("*?[]\\", *s))
				dst[at++] = '\\';
			dst[at++] = *s;
		}
	}
	size_t n = strlen(rest);
	if (n >= cap - at)
		return -ENAMETOOLONG;
	memcpy(dst + at, rest, n + 1);
	return 0;
}

static bool component_is_magic(struct span component)
{
	for (size_t i = 0; i < component.n; i++) {
		if (component.p[i] == '\\')
			i++;
		else if (component.p[i] == '*' || component.p[i] == '?' || component.p[i] == '[')
			return true;
	}
	return false;
}

/*
 * False for a pattern that is better taken by its letters: behind a component that could be a symbolic link ".." leads anywhere, and glob(3) recurses once for
 * every component behind the first magic one.
 */
static bool pattern_is_sane(const char *pattern)
{
	struct span rest = span_str(pattern);
	size_t depth = 0;
	while (rest.n > 0) {
		size_t n = 0;
		while (n < rest.n && rest.p[n] != '/')
			n++;
		struct span component = span_take(&rest, n);
		span_take(&rest, 1);
		if (depth > 0 && span_is(component, ".."))
			return false;
		if (depth > 0 || component_is_magic(component))
			depth++;
	}
	return depth <= EXPAND_DEPTH_MAX;
}

static int expand_matches(struct expansion *out, const glob_t *found)
{
	for (size_t i = 0; i < found->gl_pathc; i++) {
		int error = expand_append(out, found->gl_pathv[i]);
		if (error)
			return error;
	}
	return 0;
}

/* *matched: the matches were taken; else the operand stands for itself. */
static int expand_glob(struct expansion *out, const char *pattern, enum expand_mode mode, struct walk *state, bool *matched)
{
	glob_t found = {
		.gl_opendir = walk_open,
		.gl_readdir = walk_read,
		.gl_closedir = walk_close,
		.gl_stat = walk_stat,
		.gl_lstat = walk_lstat,
	};
	walk = state;
	int result = glob(pattern, GLOB_ALTDIRFUNC, NULL, &found);
	walk = NULL;
	int error = 0;
	*matched = false;
	if (state->too_many) {
		error = -E2BIG;
	} else if (result == GLOB_NOSPACE) {
		error = -ENOMEM;
	} else if (result == 0 && (mode == EXPAND_ALL || found.gl_pathc == 1)) {
		*matched = true;
		error = expand_matches(out, &found);
	}
	globfree(&found);
	return error;
}

int expand_add(struct expansion *out, const struct expand_operand *operand, enum expand_mode mode, const char *home, expand_within *within, void *ctx)
{
	if (operand->tilde && (!home || home[0] != '/'))
		return -EINVAL;
	if (operand->pattern) {
		char pattern[4 * PATH_BYTES_MAX];
		int error = expand_pattern(pattern, sizeof(pattern), operand, home);
		if (error)
			return error;
		struct walk state = { .within = within, .ctx = ctx };
		bool matched = false;
		if (pattern_is_sane(pattern))
			error = expand_glob(out, pattern, mode, &state, &matched);
		if (error || matched)
			return error;
	}
	return expand_literal(out, operand, home);
}
