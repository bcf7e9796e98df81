/*
 * The private folder that ClamAV unpacks into. It is gone when its session is gone, however that ended: a folder whose owner no longer
 * holds its lock is removed by the next scratch_make of the same user.
 */
#ifndef XFERWARDEN_SCAN_SCRATCH_H
#define XFERWARDEN_SCAN_SCRATCH_H

enum { SCRATCH_PATH_MAX = 256 };

struct scratch {
	int fd; /* the folder, locked; -1: none */
	char path[SCRATCH_PATH_MAX];
};

/* Makes one, mode 0700, in the folder named; sweeps away abandoned ones there. 0 or negative errno. */
int scratch_make(struct scratch *, const char *below);

/* Removes it with all that is in it; nothing if there is none. */
void scratch_remove(struct scratch *);

#endif
