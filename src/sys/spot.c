/*
 * A file or folder that was judged, found again among what the child has open. The kernel gives the lowest free number, so where all that was opened before is known
 * there is one number to look at; and what is there has to be the very file, by the very way.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/places.h"
#include "sys/places_parts.h"

enum { SPOT_NAPS = 1100, SPOT_NAP_NANOSECONDS = 1000000, SPOT_AHEAD_SECONDS = 1 };

static bool spot_is(const struct spot *spot, const struct stat *status)
{
	return spot->there && spot->device == status->st_dev && spot->inode == status->st_ino;
}

int places_open_spot(const struct spot *spot, const char *real)
{
	struct stat status;
	FD_OWNED int fd = places_open_straight(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO ? -ESTALE : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || !spot_is(spot, &status))
		return -ESTALE;
	return fd_steal(&fd);
}

static bool spot_times_equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool places_still(const struct spot *spot, int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && spot_is(spot, &status) && status.st_size >= 0 && (uint64_t)status.st_size == spot->size &&
	       spot_times_equal(status.st_mtim, spot->modified) && spot_times_equal(status.st_ctim, spot->changed);
}

bool places_stands(const struct spot *spot, const char *real)
{
	struct stat status;
	return lstat(real, &status) == 0 && spot_is(spot, &status) && status.st_size >= 0 && (uint64_t)status.st_size == spot->size &&
	       spot_times_equal(status.st_mtim, spot->modified);
}

bool places_is_there(const char *real, bool follow, uint64_t device, uint64_t inode)
{
	char folder[PATH_BYTES_MAX];
	struct stat status;
	FD_OWNED int fd = places_open_straight(real, O_PATH | (follow ? 0 : O_NOFOLLOW));
	if (fd >= 0)
		return fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
	if (errno != ENOENT || inode != 0 || !span_copy(folder, sizeof(folder), path_parent(span_str(real))))
		return false;
	FD_OWNED int above = places_open_straight(folder, O_PATH | O_DIRECTORY);
	return above >= 0;
}

/* By the clock that files are stamped with. No nanoseconds at all mean a file system that counts seconds. */
static bool spot_is_past(struct timespec changed, struct timespec now)
{
	if (changed.tv_nsec == 0)
		return now.tv_sec > changed.tv_sec;
	return now.tv_sec > changed.tv_sec || (now.tv_sec == changed.tv_sec && now.tv_nsec > changed.tv_nsec);
}

void places_tick(const struct spot *spot)
{
	static const struct timespec nap = { .tv_nsec = SPOT_NAP_NANOSECONDS };
	struct timespec now;
	for (int i = 0; i < SPOT_NAPS; i++) {
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
		if (spot_is_past(spot->changed, now) || spot->changed.tv_sec > now.tv_sec + SPOT_AHEAD_SECONDS)
			return; /* far ahead: another machine's clock, for which no wait would do */
		(void)nanosleep(&nap, NULL);
	}
}

static bool spot_bit(const uint64_t *bits, unsigned number)
{
	return number < PLACES_CHILD_FDS && (bits[number / 64] >> (number % 64) & 1) != 0;
}

static void spot_set_bit(uint64_t *bits, unsigned number, bool on)
{
	uint64_t bit = UINT64_C(1) << (number % 64);
	if (number < PLACES_CHILD_FDS)
		bits[number / 64] = on ? bits[number / 64] | bit : bits[number / 64] & ~bit;
}

/* Where the next one will have been opened. */
static unsigned spot_lowest(const struct places *places)
{
	unsigned number = PLACES_FIRST_FD;
	while (spot_bit(places->child_pinned, number) || spot_bit(places->child_own, number))
		number++;
	return number;
}

/* /proc's word on where the child's descriptor leads; empty if it has none. */
static void spot_child_path(const struct places *places, const char *number, char dst[static PATH_BYTES_MAX])
{
	ssize_t n = readlinkat(places->child_fds, number, dst, PATH_BYTES_MAX);
	dst[n > 0 && n < PATH_BYTES_MAX ? n : 0] = '\0';
}

/*
 * Whether the child's descriptor is what was judged: the file itself, and the way to it, for the folder may have been moved, and a link to it left in its place. A new
 * file has no other name and nothing in it.
 */
static bool spot_matches(const struct spot *spot, const struct stat *opened, const char *path, const char *real, bool folder)
{
	if ((opened->st_mode & S_IFMT) != (folder ? S_IFDIR : S_IFREG) || strcmp(path, real) != 0)
		return false;
	return spot->there ? spot_is(spot, opened) : !folder && opened->st_nlink == 1 && opened->st_size == 0;
}

static int spot_guess(const struct places *places, const struct spot *spot, const char *real, bool folder, struct stat *opened)
{
	char number[16], path[PATH_BYTES_MAX];
	unsigned guess = spot_lowest(places);
	snprintf(number, sizeof(number), "%u", guess);
	if (guess >= PLACES_CHILD_FDS || fstatat(places->child_fds, number, opened, 0) < 0)
		return -1;
	spot_child_path(places, number, path);
	return spot_matches(spot, opened, path, real, folder) ? (int)guess : -1;
}

enum spot_found { SPOT_PASSED_OVER, SPOT_FOUND, SPOT_UNKNOWN };

/*
 * What the C library keeps open for itself (name services do) lies outside of root, where nothing is opened for the client; no other file or folder may be open that
 * was not pinned.
 */
static enum spot_found spot_look(struct places *places, const struct spot *spot, const char *name, const char *real, bool folder, struct stat *opened)
{
	char path[PATH_BYTES_MAX], *end;
	struct span rest;
	unsigned long number = strtoul(name, &end, 10);
	if (*end != '\0' || number < PLACES_FIRST_FD)
		return SPOT_PASSED_OVER;
	if (number >= PLACES_CHILD_FDS)
		return SPOT_UNKNOWN;
	if (spot_bit(places->child_pinned, (unsigned)number) || fstatat(places->child_fds, name, opened, 0) < 0)
		return SPOT_PASSED_OVER;
	bool content = S_ISREG(opened->st_mode) || S_ISDIR(opened->st_mode);
	spot_child_path(places, name, path);
	if (content && spot_matches(spot, opened, path, real, folder))
		return SPOT_FOUND;
	if (content && (path[0] != '/' || path_below(span_str(path), span_str(places->root_real), &rest)))
		return SPOT_UNKNOWN;
	spot_set_bit(places->child_own, (unsigned)number, true);
	return SPOT_PASSED_OVER;
}

/* All that the child has open. -1 unless the file is among it once, and nothing else that is unknown. */
static int spot_search(struct places *places, const struct spot *spot, const char *real, bool folder, struct stat *opened)
{
	int fd = openat(places->child_fds, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = -1;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	bool known = list != NULL;
	if (list == NULL)
		fd_close(&fd);
	memset(places->child_own, 0, sizeof(places->child_own));
	for (const struct dirent *item; known && (item = readdir(list)) != NULL;) {
		struct stat status;
		enum spot_found what = spot_look(places, spot, item->d_name, real, folder, &status);
		if (what == SPOT_UNKNOWN || (what == SPOT_FOUND && found >= 0))
			known = false;
		if (what == SPOT_FOUND) {
			found = atoi(item->d_name);
			*opened = status;
		}
	}
	if (list != NULL)
		(void)closedir(list);
	return known ? found : -1;
}

bool places_pin_spot(struct places *places, struct spot *spot, const char *real, bool folder)
{
	struct stat opened;
	spot->child_fd = -1;
	if (!places_child_open(places))
		return false;
	int fd = spot_guess(places, spot, real, folder, &opened);
	if (fd < 0)
		fd = spot_search(places, spot, real, folder, &opened);
	if (fd < 0)
		return false;
	if (!spot->there)
		places_remember(spot, &opened);
	spot->child_fd = fd;
	spot_set_bit(places->child_pinned, (unsigned)fd, true);
	return true;
}

int places_hold_spot(const struct places *places, const struct spot *spot)
{
	char number[16];
	struct stat status;
	snprintf(number, sizeof(number), "%d", spot->child_fd);
	FD_OWNED int fd = openat(places->child_fds, number, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	return spot_is(spot, &status) ? fd_steal(&fd) : -ESTALE;
}

void places_unpin(struct places *places, struct spot *spot)
{
	if (spot->child_fd >= PLACES_FIRST_FD)
		spot_set_bit(places->child_pinned, (unsigned)spot->child_fd, false);
	spot->child_fd = -1;
}

/* For writing, also where it was left without the right to: the mode is given back. */
static int spot_open_stored(const struct spot *spot, int folder, const char *name)
{
	char link[40];
	struct stat status;
	int fd = openat(folder, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno != EACCES)
		return fd;
	FD_OWNED int path = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (path < 0 || fstat(path, &status) < 0 || !spot_is(spot, &status) || !S_ISREG(status.st_mode))
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	if (chmod(link, (status.st_mode & 07777) | S_IWUSR) < 0)
		return -1;
	fd = open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	(void)chmod(link, status.st_mode & 07777);
	return fd;
}

static bool spot_empty(const struct spot *spot, int folder, const char *name)
{
	struct stat status;
	FD_OWNED int fd = spot_open_stored(spot, folder, name);
	return fd >= 0 && fstat(fd, &status) == 0 && spot_is(spot, &status) && S_ISREG(status.st_mode) && ftruncate(fd, 0) == 0;
}

bool places_scrub_spot(const struct spot *spot, const char *real, bool name)
{
	char folder[PATH_BYTES_MAX], last[256];
	struct stat now;
	if (!span_copy(folder, sizeof(folder), path_parent(span_str(real))) || !span_copy(last, sizeof(last), path_name(span_str(real))) || last[0] == '\0')
		return false;
	FD_OWNED int fd = places_open_straight(folder, O_PATH | O_DIRECTORY);
	if (fd < 0 || fstatat(fd, last, &now, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(now.st_mode) || !spot_is(spot, &now))
		return false;
	if (!name || now.st_nlink > 1) /* another name has been given to it: there is nothing to be read by that either */
		if (!spot_empty(spot, fd, last))
			return false;
	return !name || unlinkat(fd, last, 0) == 0;
}

bool places_scrub_held(const struct spot *spot, int held, bool name)
{
	char now[PATH_BYTES_MAX];
	return held >= 0 && places_real(held, now) && places_scrub_spot(spot, now, name);
}
