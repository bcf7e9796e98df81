/*
 * How a name is followed: one look without links, a second with them where one stands there, and /proc's word on where a descriptor really is.
 * The child resolves its names again by itself; so after it opened something its descriptor is compared with ours.
 */
#include "sys/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/fd.h"

enum { PLACES_FIRST_FD = 3, PLACES_FDS_A_FOLDER = 2 /* the real source keeps open(2)'s and opendir(3)'s */ };

/* The real path of what fd is open on. False if it has none (removed, another mount namespace) or is not there any more. */
static bool places_real(int fd, char dst[PATH_BYTES_MAX])
{
	char link[40];
	struct stat here, there;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, dst, PATH_BYTES_MAX);
	if (n <= 0 || n >= PATH_BYTES_MAX || dst[0] != '/')
		return false;
	dst[n] = '\0';
	return fstat(fd, &here) == 0 && lstat(dst, &there) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static enum place_kind places_kind(const struct stat *status)
{
	if (S_ISREG(status->st_mode))
		return PLACE_FILE;
	return S_ISDIR(status->st_mode) ? PLACE_DIRECTORY : PLACE_OTHER;
}

static void places_below(const struct places *places, struct place *place)
{
	place->outside = !path_below(place->real, span_str(places->root_real), &place->path);
	if (place->outside)
		place->path = span_of(NULL, 0);
}

int places_open(struct places *places, const char *root, const char *home, const char **what)
{
	memset(places, 0, sizeof(*places));
	places->root = places->start = places->child_fds = -1;
	for (unsigned i = 0; i < PLACES_DEPTH; i++)
		places->level[i] = -1;
	*what = root;
	places->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (places->root < 0)
		return -errno;
	*what = "/proc";
	if (!places_real(places->root, places->root_real))
		return -ENOENT;
	FD_OWNED int home_fd = home ? open(home, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct span rest;
	if (home_fd >= 0 && !places_real(home_fd, places->home_real))
		places->home_real[0] = '\0';
	bool inside = places->home_real[0] && path_below(span_str(places->home_real), span_str(places->root_real), &rest);
	places->start = fcntl(inside ? home_fd : places->root, F_DUPFD_CLOEXEC, 0);
	if (places->start < 0)
		return -errno;
	memcpy(places->start_real, inside ? places->home_real : places->root_real, PATH_BYTES_MAX);
	return 0;
}

void places_finish(struct places *places)
{
	fd_close(&places->root);
	fd_close(&places->start);
	fd_close(&places->child_fds);
	for (unsigned i = 0; i < PLACES_DEPTH; i++)
		fd_close(&places->level[i]);
}

/* Nothing there: what is there of the way to it, really, and the rest by its text. */
static struct place places_absent(struct places *places, const char *path)
{
	struct place place = { .kind = PLACE_ABSENT };
	char whole[PATH_BYTES_MAX], front[PATH_BYTES_MAX];
	if (!path_join(whole, sizeof(whole), span_str(places->start_real), span_str(path)))
		return (struct place){ .kind = PLACE_LOST };
	struct span ahead = span_str(whole);
	for (;;) {
		ahead = path_parent(ahead);
		if (!span_copy(front, sizeof(front), ahead))
			return (struct place){ .kind = PLACE_LOST };
		FD_OWNED int fd = open(front, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && places_real(fd, front))
			break;
		place.hopeless = true;
		if (ahead.n <= 1)
			return (struct place){ .kind = PLACE_LOST };
	}
	struct span rest = span_of(whole + ahead.n, strlen(whole) - ahead.n);
	while (rest.n > 0 && rest.p[0] == '/')
		span_take(&rest, 1);
	if (!path_join(places->real, sizeof(places->real), span_str(front), rest))
		return (struct place){ .kind = PLACE_LOST };
	place.real = span_str(places->real);
	places_below(places, &place);
	return place;
}

struct place places_find(struct places *places, const char *path)
{
	struct stat status;
	FD_OWNED int fd = openat(places->start, path[0] ? path : ".", O_PATH | O_CLOEXEC);
	if (fd < 0) {
		int error = errno;
		if (fstatat(places->start, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode)) {
			struct place place = places_absent(places, path); /* it leads nowhere: the real scp would make what it names */
			place.kind = PLACE_OTHER;
			return place;
		}
		struct place place = places_absent(places, path);
		place.hopeless = place.hopeless || error != ENOENT;
		return place;
	}
	if (fstat(fd, &status) < 0 || !places_real(fd, places->real))
		return (struct place){ .kind = PLACE_LOST };
	struct place place = { .kind = places_kind(&status), .real = span_str(places->real) };
	places_below(places, &place);
	return place;
}

struct place places_target(struct places *places, const char *path)
{
	struct place place = places_find(places, path);
	if (place.kind == PLACE_DIRECTORY) {
		places->target_is_directory = true;
		places->level[0] = openat(places->start, path[0] ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		return places->level[0] < 0 ? (struct place){ .kind = PLACE_LOST } : place;
	}
	char parent[PATH_BYTES_MAX];
	if (!span_copy(places->leaf, sizeof(places->leaf), path_name(span_str(path))))
		place.hopeless = true; /* longer than any file system takes: the child will say so */
	if (!span_copy(parent, sizeof(parent), path_parent(span_str(path))))
		return (struct place){ .kind = PLACE_LOST };
	places->level[0] = openat(places->start, parent[0] ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (places->level[0] < 0 || (path[0] && path[strlen(path) - 1] == '/'))
		place.hopeless = true;
	return place;
}

int places_child(struct places *places, pid_t child)
{
	char name[40];
	snprintf(name, sizeof(name), "/proc/%d/fd", (int)child);
	places->child_fds = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return places->child_fds < 0 ? -errno : 0;
}

/* Whether the child could make an entry there. Asked once for many entries: only the early answer hangs on it, not what is permitted. */
static void places_look_at_folder(struct places *places, unsigned depth)
{
	places->folder_refuses = !places->folder_known || faccessat(places->level[depth], "", W_OK | X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0;
}

/* The real path of the folder at depth, asked of the kernel once for many entries. */
static bool places_folder(struct places *places, unsigned depth)
{
	if (places->folder_known && places->folder_depth == depth)
		return true;
	places->folder_known = depth < PLACES_DEPTH && places->level[depth] >= 0 && places_real(places->level[depth], places->folder);
	places->folder_depth = depth;
	places_look_at_folder(places, depth);
	return places->folder_known;
}

static struct place places_linked(struct places *places, unsigned depth)
{
	struct place place = { .kind = PLACE_OTHER };
	FD_OWNED int fd = openat(places->level[depth], places->name, O_PATH | O_CLOEXEC);
	places->linked = true;
	place.asked = span_str(places->asked);
	struct span below;
	if (path_below(place.asked, span_str(places->root_real), &below))
		place.asked = below;
	if (fd < 0 || fstat(fd, &places->status) < 0 || !places_real(fd, places->real)) {
		place.real = span_str(places->asked);
		memcpy(places->real, places->asked, sizeof(places->real));
	} else {
		place.kind = places_kind(&places->status);
		place.real = span_str(places->real);
	}
	places_below(places, &place);
	return place;
}

/* What the child's open(2) will be refused for; root and race apart. */
static bool places_refused(const struct places *places, unsigned depth, const struct place *place, enum entry_kind kind)
{
	if (place->kind == PLACE_ABSENT)
		return places->folder_refuses;
	if (kind == ENTRY_DIRECTORY)
		return place->kind != PLACE_DIRECTORY;
	return place->kind == PLACE_DIRECTORY || faccessat(places->level[depth], places->name, W_OK, AT_EACCESS) < 0;
}

/* The folder for the entry does not exist: the child will say so; by its text it still lies in or out of root. */
static struct place places_nowhere(struct places *places, struct span name)
{
	struct place place = { .kind = PLACE_ABSENT, .hopeless = true };
	char text[PATH_BYTES_MAX];
	if (!span_copy(text, sizeof(text), name) || !path_join(places->real, sizeof(places->real), span_str(places->root_real), span_str(text)))
		return (struct place){ .kind = PLACE_LOST };
	place.real = span_str(places->real);
	places_below(places, &place);
	return place;
}

struct place places_entry(struct places *places, unsigned depth, struct span name, enum entry_kind kind)
{
	places->entry_depth = depth;
	places->linked = places->existed = false;
	for (; places->depth > depth; places->depth--)
		fd_close(&places->level[places->depth]);
	if (depth == 0 && !places->target_is_directory)
		name = span_str(places->leaf);
	if (depth >= PLACES_DEPTH || places->level[depth] < 0 || name.n == 0 || !span_copy(places->name, sizeof(places->name), name))
		return places_nowhere(places, name);
	if (!places_folder(places, depth) || !path_join(places->asked, sizeof(places->asked), span_str(places->folder), name))
		return (struct place){ .kind = PLACE_LOST };
	struct place place = { .kind = PLACE_ABSENT };
	if (fstatat(places->level[depth], places->name, &places->status, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			place.hopeless = true;
	} else if (S_ISLNK(places->status.st_mode)) {
		places->existed = true;
		place = places_linked(places, depth);
		place.hopeless = places_refused(places, depth, &place, kind);
		return place;
	} else {
		places->existed = true;
		place.kind = places_kind(&places->status);
	}
	memcpy(places->real, places->asked, sizeof(places->real));
	place.real = span_str(places->real);
	places_below(places, &place);
	place.hopeless = place.hopeless || places_refused(places, depth, &place, kind);
	return place;
}

static bool places_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What stands under the entry's name now, by the way that was judged. */
static bool places_now(const struct places *places, struct stat *now)
{
	if (fstatat(places->level[places->entry_depth], places->name, now, places->linked ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return !places->existed || places_same(now, &places->status);
}

bool places_enter(struct places *places, unsigned depth)
{
	struct stat now;
	char real[PATH_BYTES_MAX];
	if (depth == 0 || depth >= PLACES_DEPTH || places->entry_depth != depth - 1 || !places_now(places, &now) || !S_ISDIR(now.st_mode))
		return false;
	int fd = openat(places->level[depth - 1], places->name, O_PATH | O_DIRECTORY | O_CLOEXEC | (places->linked ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return false;
	if (!places_real(fd, real) || strcmp(real, places->real) != 0) {
		(void)close(fd);
		return false;
	}
	fd_close(&places->level[depth]);
	places->level[depth] = fd;
	places->depth = depth;
	memcpy(places->folder, real, sizeof(real));
	places->folder_depth = depth;
	places->folder_known = true;
	places_look_at_folder(places, depth);
	return true;
}

/* The highest of the child's descriptors that is a file (or a folder): the one it opened last. -1 if it cannot be told. */
static int places_last_fd(const struct places *places, mode_t kind)
{
	int fd = openat(places->child_fds, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	int last = -1;
	if (list == NULL) {
		fd_close(&fd);
		return -1;
	}
	for (struct dirent *item; (item = readdir(list)) != NULL;) {
		struct stat status;
		char *end;
		long number = strtol(item->d_name, &end, 10);
		if (*end != '\0' || number < PLACES_FIRST_FD || number > INT_MAX || fstatat(places->child_fds, item->d_name, &status, 0) < 0)
			continue;
		if ((status.st_mode & S_IFMT) == kind && number > last)
			last = (int)number;
	}
	closedir(list);
	return last;
}

/* The child's descriptor for what it opened last. guess is where scp has it; the list is asked only when it is not there. */
static int places_child_fd(const struct places *places, unsigned guess, mode_t kind, struct stat *status)
{
	char name[16];
	for (int tries = 0, fd = (int)guess; tries < 2 && fd >= 0; tries++, fd = places_last_fd(places, kind)) {
		snprintf(name, sizeof(name), "%d", fd);
		if (fstatat(places->child_fds, name, status, 0) == 0 && (status->st_mode & S_IFMT) == kind)
			return fd;
	}
	return -1;
}

bool places_pin(struct places *places)
{
	struct stat opened, now;
	return places_child_fd(places, PLACES_FIRST_FD, S_IFREG, &opened) >= 0 && places_now(places, &now) && S_ISREG(now.st_mode) &&
	       places_same(&opened, &now);
}

bool places_scrub(struct places *places)
{
	struct stat now, there;
	int folder = places->level[places->entry_depth];
	if (folder < 0 || !places_now(places, &now))
		return false;
	if (!places->existed)
		return unlinkat(folder, places->name, 0) == 0;
	FD_OWNED int fd = openat(folder, places->name, O_WRONLY | O_NONBLOCK | O_CLOEXEC | (places->linked ? 0 : O_NOFOLLOW));
	return fd >= 0 && fstat(fd, &there) == 0 && places_same(&there, &places->status) && S_ISREG(there.st_mode) && ftruncate(fd, 0) == 0;
}

struct place places_opened(struct places *places, unsigned depth, struct span name, enum entry_kind kind)
{
	struct stat opened, there;
	char number[16];
	struct place place = { .kind = kind == ENTRY_DIRECTORY ? PLACE_DIRECTORY : PLACE_FILE };
	int fd = places_child_fd(places, PLACES_FIRST_FD + PLACES_FDS_A_FOLDER * depth, kind == ENTRY_DIRECTORY ? S_IFDIR : S_IFREG, &opened);
	snprintf(number, sizeof(number), "%d", fd);
	ssize_t n = fd < 0 ? -1 : readlinkat(places->child_fds, number, places->real, sizeof(places->real));
	if (n <= 0 || n >= (ssize_t)sizeof(places->real) || places->real[0] != '/')
		return (struct place){ .kind = PLACE_LOST };
	places->real[n] = '\0';
	if (lstat(places->real, &there) < 0 || !places_same(&opened, &there))
		return (struct place){ .kind = PLACE_LOST };
	place.real = span_str(places->real);
	places_below(places, &place);
	if (!span_equal(path_name(place.real), name) && name.n > 0) { /* by a link: the client asked for, and gets, another name */
		if (path_join(places->asked, sizeof(places->asked), path_parent(place.path), name))
			place.asked = span_str(places->asked);
	}
	return place;
}
