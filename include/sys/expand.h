/*
 * The paths that a command's operands stand for: a leading ~ becomes the home folder, and glob(3)'s metacharacters are matched against what is there, relative to
 * the current folder, as a shell would have done. What comes out still has to be judged, path by path: it is only names.
 */
#ifndef XFERWARDEN_SYS_EXPAND_H
#define XFERWARDEN_SYS_EXPAND_H

#include "base/path.h"

enum {
	EXPAND_PATHS_MAX = 10000,
	EXPAND_BYTES_MAX = 1 << 20,   /* of all paths together, NULs counted */
	EXPAND_ENTRIES_MAX = 100000,  /* folder entries looked at for one operand */
	EXPAND_DEPTH_MAX = 64,        /* components from the first with a metacharacter on */
};

struct expand_operand {
	const char *path;    /* quotes removed */
	const char *pattern; /* for glob(3), backslash quotes; NULL if nothing in it is magic */
	bool tilde;          /* path and pattern begin with ~, alone or before a slash, that stands for home */
};

struct expansion {
	const char **path; /* in order; they live in bytes */
	size_t count;
	char *bytes;
	size_t used;
};

enum expand_mode {
	EXPAND_ALL, /* a download: every match */
	EXPAND_ONE, /* an upload: the match if there is exactly one */
};

/*
 * True if the folder (absolute or relative to the current one, as the operand spells it) may be listed. Asked before any folder is opened, also for those that only
 * come up while matching, symbolic links included.
 */
typedef bool expand_within(void *ctx, const char *folder);

int expand_init(struct expansion *); /* 0 or -ENOMEM; nothing else here allocates but glob(3) */

/*
 * Appends what the operand stands for: its matches, sorted bytewise, or itself when nothing matches, when nothing in it is magic, when a ".." stands behind a component
 * with a metacharacter, when there are too many components, or when the folder may not be listed. "." and ".." are never matched.
 * 0; -ENAMETOOLONG if a path is not below PATH_BYTES_MAX; -E2BIG beyond the limits above; -EINVAL if a ~ has to stand for no or a relative home; -ENOMEM.
 * Not for two threads at once.
 */
int expand_add(struct expansion *, const struct expand_operand *, enum expand_mode, const char *home, expand_within *, void *ctx);

void expand_finish(struct expansion *);

#endif
