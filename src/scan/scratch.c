/*
 * How a folder is made that cannot outlive its session for long: its maker holds a lock on it as long as it lives, and whoever comes next
 * and gets the lock knows that nobody uses the folder any more. Removal never follows a link, for what is in there was made by a process
 * that reads hostile content.
 */
#include "scan/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

#define SCRATCH_PREFIX "xferwarden-scratch-"

enum { SCRATCH_DEPTH_MAX = 64, FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static void scratch_empty(int folder, unsigned depth);

static void scratch_drop(int folder, const char *name, unsigned depth)
{
	if (unlinkat(folder, name, 0) == 0 || depth == SCRATCH_DEPTH_MAX)
		return;
	FD_OWNED int inner = openat(folder, name, FOLDER);
	if (inner < 0)
		return;
	(void)fchmod(inner, 0700);
	scratch_empty(inner, depth + 1);
	(void)unlinkat(folder, name, AT_REMOVEDIR);
}

static bool scratch_is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void scratch_empty(int folder, unsigned depth)
{
	int again = openat(folder, ".", FOLDER);
	DIR *list = again < 0 ? NULL : fdopendir(again);
	if (list == NULL) {
		fd_close(&again);
		return;
	}
	for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list))
		if (!scratch_is_dots(entry->d_name))
			scratch_drop(folder, entry->d_name, depth);
	(void)closedir(list);
}

static void scratch_sweep_one(int below, const char *name)
{
	struct stat found;
	FD_OWNED int fd = openat(below, name, FOLDER);
	if (fd < 0 || fstat(fd, &found) < 0 || found.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	scratch_empty(fd, 0);
	(void)unlinkat(below, name, AT_REMOVEDIR);
}

static void scratch_sweep(const char *below)
{
	int fd = open(below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	if (list == NULL) {
		fd_close(&fd);
		return;
	}
	for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list))
		if (strncmp(entry->d_name, SCRATCH_PREFIX, strlen(SCRATCH_PREFIX)) == 0)
			scratch_sweep_one(fd, entry->d_name);
	(void)closedir(list);
}

/* A sweeper may remove a folder between its making and its locking: then it has no name any more, and another is made. */
static int scratch_try(struct scratch *scratch, const char *below)
{
	int n = snprintf(scratch->path, sizeof(scratch->path), "%s/" SCRATCH_PREFIX "XXXXXX", below);
	if (n < 0 || (size_t)n >= sizeof(scratch->path))
		return -ENAMETOOLONG;
	if (mkdtemp(scratch->path) == NULL)
		return -errno;
	FD_OWNED int fd = open(scratch->path, FOLDER);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	struct stat found;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -EAGAIN;
	if (fstat(fd, &found) < 0 || found.st_nlink == 0)
		return -EAGAIN;
	scratch->fd = fd_steal(&fd);
	return 0;
}

int scratch_make(struct scratch *scratch, const char *below)
{
	*scratch = (struct scratch){ .fd = -1 };
	scratch_sweep(below);
	int made = -EAGAIN;
	for (int tries = 0; tries < 5 && made == -EAGAIN; tries++)
		made = scratch_try(scratch, below);
	return made;
}

void scratch_remove(struct scratch *scratch)
{
	if (scratch->fd < 0)
		return;
	scratch_empty(scratch->fd, 0);
	(void)rmdir(scratch->path);
	fd_close(&scratch->fd);
}
