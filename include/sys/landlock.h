/*
 * A Landlock ruleset: what a confined process may still do below named places. All else that this kernel's Landlock can deny is denied: file system, TCP,
 * signals and abstract sockets out of the domain. Source: the kernel's Documentation/userspace-api/landlock.rst.
 */
#ifndef XFERWARDEN_SYS_LANDLOCK_H
#define XFERWARDEN_SYS_LANDLOCK_H

#include <stdint.h>

enum landlock_right {
	LANDLOCK_RIGHT_READ = 1,    /* read files and list folders */
	LANDLOCK_RIGHT_EXECUTE = 2,
	LANDLOCK_RIGHT_WRITE = 4,   /* write, truncate and make regular files, make folders */
	LANDLOCK_RIGHT_MANAGE = 16, /* WRITE, and remove, rename (also from folder to folder) and link regular files, folders and symbolic links */
	LANDLOCK_RIGHT_SCRATCH = 8, /* WRITE, and remove what is there, of any kind but devices */
};

struct landlock {
	int fd;           /* ruleset, -1 if there is none */
	int abi;          /* 0: this kernel has no Landlock */
	uint64_t handled; /* LANDLOCK_ACCESS_FS_* */
};

/* 0; or -ENOSYS/-EOPNOTSUPP if the kernel has none (abi is 0 then), or another negative errno. */
int landlock_init(struct landlock *);
/* below: an O_PATH descriptor of a folder or file. rights: LANDLOCK_RIGHT_* bits. */
int landlock_permit(struct landlock *, int below, unsigned rights);
/* The same by name; a name that does not exist is passed over. */
int landlock_permit_path(struct landlock *, const char *path, unsigned rights);
/* Confines the calling thread for good, after setting no_new_privs. For a child: call between fork and exec. */
int landlock_enforce(int ruleset_fd);
void landlock_finish(struct landlock *);

#endif
