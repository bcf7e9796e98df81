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

enum { PLACES_DEPTH = 65, PLACES_MARKED_MAX = 96, PLACES_CHILD_FDS = 1024 /* numbers of the child's descriptors that can be pinned */ };

/* What the name of a file begins with that is under way and not judged yet: PLACE_RESERVED for places_locate and places_walk. */
#define PLACES_TEMPORARY ".xferwarden-"

/* A file or folder that is told apart by what it is, not by the way to it. */
struct places_mark {
	dev_t device;
	ino_t inode;
	enum { MARK_RESERVED, MARK_LOGIN } why;
	char *below;                     /* a folder: what is below its real path is marked as well; else NULL. Owned */
};

struct places {
	bool begun;                      /* by places_open: there is something to finish */
	uid_t user;                      /* of this process: what is made will be theirs */
	gid_t group;
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
	uint64_t child_pinned[PLACES_CHILD_FDS / 64]; /* bit by number: a spot is pinned to it */
	uint64_t child_own[PLACES_CHILD_FDS / 64];    /* it was seen not to be a client's: a socket, or a file of the C library's. A hint where not to look first */
	size_t marks;
	const char *root_real, *start_real; /* in reals */
	const char *home_real;           /* the same; empty if there is no home */
	/* the entry that was resolved last */
	unsigned entry_depth;
	char name[256];
	bool linked;                     /* reached by a symbolic link */
	bool existed;
	bool pinned;                     /* the child was seen to have it open */
	struct stat status;              /* existed or pinned: the file */
	/* at the end, and not cleared before use: a page that is never touched costs no memory */
	char reals[2 * PATH_BYTES_MAX];
	struct places_mark mark[PLACES_MARKED_MAX];
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

/*
 * SFTP: where a path leads now, relative to start, and what stands there, in *spot (which may be NULL). follow: through a link at its end; else the link itself is meant
 * (kind is OTHER, hopeless is not set). place.asked is set where the way went through links.
 */
struct spot {
	bool there;                      /* something stands there; the rest is about it */
	dev_t device;
	ino_t inode;
	mode_t mode;
	uint64_t size;
	struct timespec modified, changed;
	int child_fd;                    /* the child's descriptor it was pinned to, or -1 */
};
struct place places_locate(struct places *, const char *path, bool follow, struct spot *spot);

/* A read-only descriptor of exactly the regular file that spot remembers, at its real path; negative errno, -ESTALE when another stands there. */
int places_open_spot(const struct spot *, const char *real);

/* Is it the spot's file that stands at real, with the size and the time of writing that it had? (A new name changes neither.) */
bool places_stands(const struct spot *, const char *real);

/* Does the real path still lead, through no link, to what a look at it said: the same file, or (inode 0) nothing? follow: as in the look. */
bool places_is_there(const char *real, bool follow, uint64_t device, uint64_t inode);

/*
 * True while size and times of what fd is open on are the spot's. A change within one tick of the clock is not seen: places_tick waits until what was just changed
 * is older than that.
 */
bool places_still(const struct spot *, int fd);
void places_tick(const struct spot *);

/*
 * The child answered an open: is what it has open now, and had not before, the file (or, folder set, the folder) that spot remembers at its real path? Where
 * nothing stood there: a new, empty regular file with one name, which the spot then remembers. Every file and folder below root that the child has open has to be
 * one that was pinned: a second unknown one is a refusal. places_unpin: it was closed.
 */
bool places_pin_spot(struct places *, struct spot *, const char *real, bool folder);
void places_unpin(struct places *, struct spot *);

/* A descriptor (O_PATH) of what spot is pinned to, by which it is found again when its folder was moved; negative errno. */
int places_hold_spot(const struct places *, const struct spot *);

/*
 * Removes the name, or else the content, if it is still the spot's file that stands at its real path. With a name goes what other names of the file would show. _held: at
 * the path where the descriptor says that it is now.
 */
bool places_scrub_spot(const struct spot *, const char *real, bool name);
bool places_scrub_held(const struct spot *, int held, bool name);

/*
 * Calls each for all that is below the folder real, links not followed, at most PLACES_WALK_MAX entries and PLACES_DEPTH levels; `below` is the path below real.
 * True if it saw all and each never said no.
 */
enum { PLACES_WALK_MAX = 10000 };
bool places_walk(struct places *, const char *real, bool (*each)(void *ctx, struct span below, const struct place *), void *ctx);

#endif
