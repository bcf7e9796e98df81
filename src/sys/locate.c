/*
 * How a path of any form is followed at once: the kernel opens what it leads to, /proc says where that really is; what is not there is its folder, really, and a
 * name. By what other name it was asked for is told by comparing the two texts. Most paths go straight: for those the kernel is asked to follow no link, and their
 * text is true.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/places.h"
#include "sys/places_parts.h"

enum { PLACES_LOOKS = 3 };

int places_open_straight(const char *path, int flags)
{
	char real[PATH_BYTES_MAX];
	struct stat status;
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	fd = open(path, flags | O_CLOEXEC); /* not in this kernel, or not in this container */
	if (fd >= 0 && places_real(fd, real) && strcmp(real, path) == 0)
		return fd;
	if (fd >= 0 || (errno == ENOENT && lstat(path, &status) == 0)) /* a link, which may lead nowhere */
		errno = ELOOP;
	fd_close(&fd);
	return -1;
}

struct place places_absent(struct places *places, const char *path, bool *refuses)
{
	struct place place = { .kind = PLACE_ABSENT };
	char front[PATH_BYTES_MAX];
	struct span ahead = span_str(path);
	for (;;) {
		bool top = ahead.n == 0 || (ahead.n == 1 && ahead.p[0] == '/');
		ahead = path_parent(ahead);
		if (top || !span_copy(front, sizeof(front), ahead))
			return (struct place){ .kind = PLACE_LOST };
		FD_OWNED int fd = openat(places->start, front[0] ? front : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && places_real(fd, front)) {
			if (refuses != NULL)
				*refuses = faccessat(fd, "", W_OK | X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0;
			break;
		}
		place.hopeless = true;
	}
	struct span rest = span_of(path + ahead.n, strlen(path) - ahead.n);
	while (rest.n > 0 && rest.p[0] == '/')
		span_take(&rest, 1);
	if (!path_join(places->real, sizeof(places->real), span_str(front), rest))
		return (struct place){ .kind = PLACE_LOST };
	place.real = span_str(places->real);
	places_below(places, &place, NULL);
	return place;
}

/* The kernel did not open it, and said error. */
static struct place places_not_there(struct places *places, const char *path, int error, bool *refuses)
{
	struct stat status;
	bool dangling = fstatat(places->start, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
	struct place place = places_absent(places, path, refuses);
	if (dangling && place.kind == PLACE_ABSENT) {
		place.kind = PLACE_OTHER; /* it leads nowhere: the real program would make what it names */
		place.hopeless = true;
	} else if (!dangling && error != ENOENT)
		place.hopeless = true;
	place.forbidden = error == EACCES;
	return place;
}

struct place places_find(struct places *places, const char *path)
{
	struct stat status;
	FD_OWNED int fd = openat(places->start, path[0] ? path : ".", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return places_not_there(places, path, errno, NULL);
	if (fstat(fd, &status) < 0 || !places_real_as(fd, &status, places->real))
		return (struct place){ .kind = PLACE_LOST };
	struct place place = { .kind = places_kind(&status), .real = span_str(places->real) };
	places_below(places, &place, &status);
	return place;
}

static bool places_goes_up(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2)
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	return false;
}

/* The entry by its own name, in the folder that it was asked for in: where "..", or a link on the way to root, makes the text of the whole path say nothing. */
static bool places_asked_in_folder(struct places *places, const char *path)
{
	char front[PATH_BYTES_MAX];
	if (!span_copy(front, sizeof(front), path_parent(span_str(path))))
		return false;
	FD_OWNED int fd = openat(places->start, front[0] ? front : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && places_real(fd, front) && path_join(places->asked, sizeof(places->asked), span_str(front), path_name(span_str(path)));
}

/* Links outside of root are not the client's: a name that stands there is none that rules for root's files are about. */
static void places_set_asked(struct places *places, struct place *place, const char *path)
{
	struct span below, root = span_str(places->root_real);
	if (!path_join(places->asked, sizeof(places->asked), span_str(places->start_real), span_str(path)))
		return;
	if (span_equal(place->real, span_str(places->asked)))
		return;
	bool texts = !places_goes_up(path) && path_below(span_str(places->asked), root, &below);
	if (!texts && !places_asked_in_folder(places, path))
		return;
	if (path_below(span_str(places->asked), root, &below) && !span_equal(place->real, span_str(places->asked)))
		place->asked = below;
}

/* Ours while an upload is under way, and nobody's to name. */
static void places_temporary(struct place *place)
{
	if (span_starts(path_name(place->real), span_str(PLACES_TEMPORARY)))
		place->kind = PLACE_RESERVED;
}

static void places_describe(struct place *place, const struct stat *status)
{
	place->device = status->st_dev;
	place->inode = status->st_ino;
	place->size = status->st_size > 0 ? (uint64_t)status->st_size : 0;
	place->mode = status->st_mode & 07777;
	place->uid = status->st_uid;
	place->gid = status->st_gid;
	place->atime = (uint32_t)status->st_atim.tv_sec;
	place->mtime = (uint32_t)status->st_mtim.tv_sec;
}

static void places_describe_absent(const struct places *places, struct place *place)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	place->uid = places->user;
	place->gid = places->group;
	place->atime = place->mtime = (uint32_t)now.tv_sec;
}

void places_remember(struct spot *spot, const struct stat *status)
{
	spot->there = true;
	spot->device = status->st_dev;
	spot->inode = status->st_ino;
	spot->mode = status->st_mode;
	spot->size = status->st_size > 0 ? (uint64_t)status->st_size : 0;
	spot->modified = status->st_mtim;
	spot->changed = status->st_ctim;
}

/* fd is open on what stands at places->real. */
static struct place places_found(struct places *places, int fd, const struct stat *status, struct spot *spot)
{
	struct place place = { .kind = places_kind(status), .real = span_str(places->real) };
	if (spot != NULL && place.kind == PLACE_FILE) {
		place.unwritable = faccessat(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0;
		place.unreadable = faccessat(fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS) < 0;
	}
	places_below(places, &place, status);
	places_describe(&place, status);
	if (spot != NULL)
		places_remember(spot, status);
	return place;
}

/* Whether the text of a path, cleaned, is as good as the path: a ".." may go up from elsewhere, and a slash behind the last name asks for a folder. */
static bool places_is_plain(const char *path)
{
	size_t n = strlen(path);
	bool behind = n > 0 && (path[n - 1] == '/' || (n > 1 && path[n - 1] == '.' && path[n - 2] == '/'));
	return !behind && !places_goes_up(path);
}

/* LOST: nothing can be said this way. */
static struct place places_look_straight(struct places *places, const char *path, bool follow, struct spot *spot)
{
	struct stat status;
	struct place place = { .kind = PLACE_LOST };
	char folder[PATH_BYTES_MAX];
	if (!places_is_plain(path) || !path_join(places->real, sizeof(places->real), span_str(places->start_real), span_str(path)))
		return place;
	FD_OWNED int fd = places_open_straight(places->real, O_PATH | (follow ? 0 : O_NOFOLLOW));
	if (fd >= 0)
		return fstat(fd, &status) == 0 ? places_found(places, fd, &status, spot) : place;
	if (errno != ENOENT || !span_copy(folder, sizeof(folder), path_parent(span_str(places->real))))
		return place;
	FD_OWNED int above = places_open_straight(folder, O_PATH | O_DIRECTORY);
	if (above < 0)
		return place;
	place = (struct place){ .kind = PLACE_ABSENT, .real = span_str(places->real) };
	place.unwritable = faccessat(above, "", W_OK | X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0;
	places_below(places, &place, NULL);
	places_describe_absent(places, &place);
	return place;
}

static struct place places_look(struct places *places, const char *path, bool follow, struct spot *spot)
{
	struct stat status;
	FD_OWNED int fd = openat(places->start, path[0] ? path : ".", O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	if (fd < 0) {
		bool refuses = false;
		struct place absent = places_not_there(places, path, errno, &refuses);
		absent.unwritable = refuses;
		places_describe_absent(places, &absent);
		return absent;
	}
	if (fstat(fd, &status) < 0 || !places_real_as(fd, &status, places->real))
		return (struct place){ .kind = PLACE_LOST };
	return places_found(places, fd, &status, spot);
}

struct place places_locate(struct places *places, const char *path, bool follow, struct spot *spot)
{
	struct span rest;
	if (spot != NULL)
		*spot = (struct spot){ .child_fd = -1 };
	struct place place = places_look_straight(places, path, follow, spot);
	bool straight = place.kind != PLACE_LOST;
	for (int i = 0; i < PLACES_LOOKS && place.kind == PLACE_LOST; i++) /* it may be given another name between two looks at it */
		place = places_look(places, path, follow, spot);
	if (place.kind == PLACE_LOST)
		return place;
	place.above = place.outside && path_below(span_str(places->root_real), place.real, &rest);
	if (!straight)
		places_set_asked(places, &place, path);
	places_temporary(&place);
	return place;
}

struct walk {
	struct places *places;
	size_t top;              /* where the path below the folder begins in places->real */
	unsigned left;           /* entries */
	bool (*each)(void *ctx, struct span below, const struct place *);
	void *ctx;
};

static bool walk_folder(struct walk *walk, int fd, size_t n, unsigned depth);

/* One entry of the folder whose path fills the first n bytes of places->real. */
static bool walk_entry(struct walk *walk, int folder, size_t n, const char *name, unsigned depth)
{
	struct stat status;
	struct places *places = walk->places;
	size_t length = strlen(name);
	if (walk->left-- == 0 || n + length + 2 > PATH_BYTES_MAX || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (places->real[n - 1] != '/')
		places->real[n++] = '/';
	memcpy(places->real + n, name, length + 1);
	n += length;
	struct place place = { .kind = places_kind(&status), .real = span_of(places->real, n) };
	places_below(places, &place, &status);
	places_describe(&place, &status);
	places_temporary(&place);
	if (!walk->each(walk->ctx, span_of(places->real + walk->top, n - walk->top), &place))
		return false;
	if (!S_ISDIR(status.st_mode))
		return true;
	return depth + 1 < PLACES_DEPTH && walk_folder(walk, openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), n, depth + 1);
}

/* fd is closed. */
static bool walk_folder(struct walk *walk, int fd, size_t n, unsigned depth)
{
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	bool all = list != NULL;
	if (list == NULL)
		fd_close(&fd);
	while (all) {
		errno = 0;
		const struct dirent *item = readdir(list);
		if (item == NULL) {
			all = errno == 0;
			break;
		}
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
			all = walk_entry(walk, dirfd(list), n, item->d_name, depth);
	}
	if (list != NULL)
		(void)closedir(list);
	return all;
}

bool places_walk(struct places *places, const char *real, bool (*each)(void *ctx, struct span below, const struct place *), void *ctx)
{
	char asked[PATH_BYTES_MAX];
	struct walk walk = { .places = places, .left = PLACES_WALK_MAX, .each = each, .ctx = ctx };
	size_t n = strlen(real);
	if (n == 0 || n >= sizeof(asked))
		return false;
	memcpy(asked, real, n + 1); /* it may be a span of the last answer */
	FD_OWNED int fd = places_open_straight(asked, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0 || !places_real(fd, places->real) || strcmp(asked, places->real) != 0)
		return false;
	walk.top = n + (asked[n - 1] != '/');
	return walk_folder(&walk, fd_steal(&fd), n, 0);
}
