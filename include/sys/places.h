/*
 * Where names really lead, asked of the kernel and held by descriptors: what was judged is what the child opens, or it gets no byte. Needs /proc.
 */
#ifndef XFERWARDEN_SYS_PLACES_H
#define XFERWARDEN_SYS_PLACES_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/facts.h"
#include "base/path.h"
#include "base/place.h"

enum { PLACES_DEPTH = 65, PLACES_MARKED_MAX = 96 };

/* A file or folder that is told apart by what it is, not by the way to it. */
struct places_mark {
	dev_t device;
	ino_t inode;
	enum { MARK_RESERVED, MARK_LOGIN } why;
	char *below;                     /* a folder: what is below its real path is marked as well; else NULL. Owned */
};

struct places {
	bool begun;                      /* by places_open: there is something to finish */
	int root;                        /* O_PATH */
	int start;                       /* the folder that relative paths begin in: the home if it lies below root, else root */
	const char *target;              /* the upload's, as it was asked for; borrowed from places_target on */
	bool target_is_directory;
	char leaf[256];                  /* the target's name in level[0] if it is no directory */
	int level[PLACES_DEPTH];         /* O_PATH: level[0] the target, or the folder it is in */
	unsigned depth;                  /* the deepest level that is open */
	unsigned folder_depth;
	bool folder_known, folder_refuses; /* refuses: nothing can be made in it */
	pid_t child;                     /* 0: none */
	int child_fds;                   /* O_PATH of /proc/PID/fd, -1 */
	struct places_mark mark[PLACES_MARKED_MAX];
	size_t marks;
	/* the entry that was resolved last */
	unsigned entry_depth;
	char name[256];
	bool linked;                     /* reached by a symbolic link */
	bool existed;
	bool pinned;                     /* the child was seen to have it open */
	struct stat status;              /* existed or pinned: the file */
	/* at the end, and not cleared before use: a page that is never touched costs no memory */
	char root_real[PATH_BYTES_MAX];
	char start_real[PATH_BYTES_MAX];
	char home_real[PATH_BYTES_MAX];  /* empty if there is no home */
	char folder[PATH_BYTES_MAX];     /* real path of level[folder_depth] */
	char real[PATH_BYTES_MAX], asked[PATH_BYTES_MAX]; /* of the entry that was resolved last */
};

/* Opens root and home. 0, or negative errno with *what set to the path that failed. home may be NULL. */
int places_open(struct places *, const char *root, const char *home, const char **what);
/* Accepts a zeroed struct. */
void places_finish(struct places *);

/*
 * Marks what an open descriptor stands for as the server's own. And what stands at name below the home, wherever links lead from there, as read at login. For start-up:
 * the second allocates. False when there is no room for another: the caller refuses.
 */
bool places_reserve(struct places *, int fd);
bool places_reserve_login(struct places *, const char *name);

/* Where a path of the command leads, relative to start. Spans live until the next call. */
struct place places_find(struct places *, const char *path);

/* The target of an upload: as places_find, and level[0] is set up for the entries to come. path is borrowed until places_finish. */
struct place places_target(struct places *, const char *path);

/* From now on this process's descriptors tell what the child has open. */
void places_child(struct places *, pid_t child);

/*
 * Upload: where the entry leads; then, when the child made or entered a folder of that name; then, what the child opened is that entry. empty: nothing is announced to
 * be in it. Such a file the real sink closes as soon as it has answered, so it may be found closed: then it is enough that the entry is there, empty.
 */
struct place places_entry(struct places *, unsigned depth, struct span name, enum entry_kind);
bool places_enter(struct places *, unsigned depth);
bool places_pin(struct places *, bool empty);

/*
 * Removes what the child stored of the entry resolved last: a file that was not there before is unlinked, another emptied, whatever mode it was given. False
 * if that failed, or if what stands there now is another file than the one resolved, or pinned since.
 */
bool places_scrub(struct places *);

/* Download: what the child opened for the record it just sent, nested in depth folders. */
struct place places_opened(struct places *, unsigned depth, struct span name, enum entry_kind);

#endif
