/* What the sources of sys/places share, and nobody else needs. */
#ifndef XFERWARDEN_SYS_PLACES_PARTS_H
#define XFERWARDEN_SYS_PLACES_PARTS_H

#include <sys/stat.h>

#include "sys/places.h"

enum { PLACES_FIRST_FD = 3 }; /* of the child's own: behind its standard descriptors */

static inline bool places_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The real path of what fd is open on. False if it has none (removed, another mount namespace) or is not there any more. _as: whose status is known. */
bool places_real(int fd, char dst[static PATH_BYTES_MAX]);
bool places_real_as(int fd, const struct stat *here, char dst[static PATH_BYTES_MAX]);

/* Opens what stands at an absolute path if no link leads there: then that is its real path. -1 and errno; ELOOP: a link does. flags: those of open(2); no O_CREAT. */
int places_open_straight(const char *path, int flags);

enum place_kind places_kind(const struct stat *status);

/* What root and the marks say of place->real. status: of what stands there, NULL if nothing does. */
void places_below(const struct places *, struct place *, const struct stat *status);

/*
 * Nothing there: what is there of the way to it, really (a ".." goes up from where a link leads), and the rest by its text. refuses, which may be NULL: whether nothing
 * can be made in that folder.
 */
struct place places_absent(struct places *, const char *path, bool *refuses);

/* The spot is what this is about. */
void places_remember(struct spot *, const struct stat *);

/* The folder of the child's descriptors is open in child_fds. */
bool places_child_open(struct places *);

#endif
