/* Paths as bytes, without looking at any file system. */
#ifndef XFERWARDEN_BASE_PATH_H
#define XFERWARDEN_BASE_PATH_H

#include "base/span.h"

enum { PATH_BYTES_MAX = 4096 /* with the NUL, as the kernel counts */, PATH_NAME_MAX = 255 };

/* The last component: what follows the last slash, trailing slashes not counted; empty for "/". */
struct span path_name(struct span path);

/* The path without its last component and the slashes before it; "/" for "/x", empty for "x". */
struct span path_parent(struct span path);

/*
 * Removes "." and empty components and lets ".." take back the one before it, by text alone; an absolute path stays within "/". Result in
 * dst as a C string without a trailing slash (but "/" itself; "." when nothing is left). False if it does not fit.
 */
bool path_clean(char *dst, size_t cap, struct span path);

/*
 * path with "-tag" in its name, before the last dot that has something in front of it: "/a/report-7f.pdf". False if the name gets longer than 255 bytes or all
 * does not fit.
 */
bool path_unique(char *dst, size_t cap, struct span path, const char *tag);

/* base joined with path unless that is absolute; cleaned as above. */
bool path_join(char *dst, size_t cap, struct span base, struct span path);

/* True if path is base or below it; *rest is what follows, without a slash in front. Both absolute and clean. */
bool path_below(struct span path, struct span base, struct span *rest);

#endif
