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
#include "sys/places_parts.h"

enum { PLACES_LINKS_MAX = 40, PLACES_FDS_A_FOLDER = 2 /* the real source keeps open(2)'s and opendir(3)'s */ };

bool places_real_as(int fd, const struct stat *here, char dst[static PATH_BYTES_MAX])
{
	char link[40];
	struct stat there;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, dst, PATH_BYTES_MAX);
	if (n <= 0 || n >= PATH_BYTES_MAX || dst[0] != '/')
		return false;
	dst[n] = '\0';
	return lstat(dst, &there) == 0 && places_same(here, &there);
}

bool places_real(int fd, char dst[static PATH_BYTES_MAX])
{
	struct stat here;
	return fstat(fd, &here) == 0 && places_real_as(fd, &here, dst);
}

enum place_kind places_kind(const struct stat *status)
{
	if (S_ISREG(status->st_mode))
		return PLACE_FILE;
	return S_ISDIR(status->st_mode) ? PLACE_DIRECTORY : PLACE_OTHER;
}

/* The kernel's own names are nobody's files, also where root is wide enough to hold them; nor are sshd's and our own files in /tmp. */
static bool places_reserved_name(const struct places *places, struct span real)
{
	static const char *const folders[] = { "/proc", "/sys", "/dev" };
	struct span rest, own = real;
	if (path_below(real, span_str("/dev/shm"), &rest) && rest.n > 0)
		return false; /* ordinary files in memory */
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (path_below(real, span_str(folders[i]), &rest) && !path_below(span_str(places->root_real), span_str(folders[i]), &rest))
			return true;
	return path_below(real, span_str("/tmp"), &own) && (span_starts(own, span_str("sshauth.")) || span_starts(own, span_str("xferwarden-scratch-")));
}

static bool places_add_mark(struct places *places, const struct stat *status, int why, char *below)
{
	if (places->marks == PLACES_MARKED_MAX) {
		free(below);
		return false;
	}
	struct places_mark *mark = &places->mark[places->marks++];
	mark->device = status->st_dev;
	mark->inode = status->st_ino;
	mark->why = why;
	mark->below = below;
	return true;
}

bool places_reserve(struct places *places, int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && places_add_mark(places, &status, MARK_RESERVED, NULL);
}

/* Where name below the home leads, or will once what is missing there is made: also by links that lead nowhere yet. False if it cannot be followed. */
static bool places_leads(const struct places *places, const char *name, char dst[static PATH_BYTES_MAX])
{
	char rest[PATH_BYTES_MAX], link[PATH_BYTES_MAX], next[PATH_BYTES_MAX];
	unsigned links = 0;
	(void)span_copy(dst, PATH_BYTES_MAX, span_str(places->home_real));
	for (struct span ahead = span_str(name); ahead.n > 0;) {
		const uint8_t *slash = memchr(ahead.p, '/', ahead.n);
		struct span step = span_take(&ahead, slash ? (size_t)(slash - ahead.p) : ahead.n);
		span_take(&ahead, slash ? 1 : 0);
		if (!path_join(next, sizeof(next), span_str(dst), step))
			return false;
		ssize_t n = readlink(next, link, sizeof(link));
		if (n <= 0) {
			memcpy(dst, next, PATH_BYTES_MAX);
			continue;
		}
		if (++links > PLACES_LINKS_MAX || (size_t)n + 1 + ahead.n > sizeof(link))
			return false;
		if (link[0] == '/')
			memcpy(dst, "/", 2);
		link[n] = '/';
		memmove(link + n + 1, ahead.p, ahead.n);
		memcpy(rest, link, (size_t)n + 1 + ahead.n);
		ahead = span_of(rest, (size_t)n + 1 + ahead.n);
	}
	return true;
}

/* A link is on the way. Not in its caller's frame: most homes have none, and these pages of the stack would be kept for nothing. */
static __attribute__((noinline)) bool places_reserve_linked(struct places *places, const char *name)
{
	struct stat status = { 0 };
	char real[PATH_BYTES_MAX];
	if (!places_leads(places, name, real))
		return true;
	(void)lstat(real, &status);
	char *below = strdup(real);
	return below != NULL && places_add_mark(places, &status, MARK_LOGIN, below);
}

bool places_reserve_login(struct places *places, const char *name)
{
	struct stat status;
	char path[PATH_BYTES_MAX];
	if (places->home_real[0] == '\0' || !path_join(path, sizeof(path), span_str(places->home_real), span_str(name)))
		return true;
	for (char *at = path + strlen(places->home_real); at != NULL;) {
		char *slash = strchr(at + (*at != '\0'), '/');
		if (slash != NULL)
			*slash = '\0';
		if (lstat(path, &status) < 0)
			return true; /* nothing there: the name itself is looked at by the guard */
		if (S_ISLNK(status.st_mode))
			return places_reserve_linked(places, name);
		if (slash != NULL)
			*slash = '/';
		at = slash;
	}
	return places_add_mark(places, &status, MARK_LOGIN, NULL);
}

/* status: of what stands there; NULL if nothing does. */
static void places_marked(const struct places *places, struct place *place, const struct stat *status)
{
	struct span rest;
	for (size_t i = 0; i < places->marks; i++) {
		const struct places_mark *mark = &places->mark[i];
		bool same = status != NULL && status->st_dev == mark->device && status->st_ino == mark->inode;
		if (!same && (mark->below == NULL || !path_below(place->real, span_str(mark->below), &rest)))
			continue;
		if (mark->why == MARK_RESERVED)
			place->kind = PLACE_RESERVED;
		else
			place->login = true;
	}
}

void places_below(const struct places *places, struct place *place, const struct stat *status)
{
	place->outside = !path_below(place->real, span_str(places->root_real), &place->path);
	if (place->outside)
		place->path = span_of(NULL, 0);
	else if (places_reserved_name(places, place->real))
		place->kind = PLACE_RESERVED;
	places_marked(places, place, status);
}

int places_open(struct places *places, const char *root, const char *home, const char **what)
{
	memset(places, 0, offsetof(struct places, reals));
	places->root_real = places->start_real = places->home_real = "";
	places->begun = true;
	places->user = geteuid();
	places->group = getegid();
	places->root = places->start = places->child_fds = -1;
	for (unsigned i = 0; i < PLACES_DEPTH; i++)
		places->level[i] = -1;
	*what = root;
	places->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (places->root < 0)
		return -errno;
	*what = "/proc";
	if (!places_real(places->root, places->reals))
		return -ENOENT;
	places->root_real = places->reals;
	FD_OWNED int home_fd = home ? open(home, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	char *home_real = places->reals + strlen(places->reals) + 1;
	if (home_fd >= 0 && places_real(home_fd, home_real))
		places->home_real = home_real;
	struct span rest;
	bool inside = places->home_real[0] && path_below(span_str(places->home_real), span_str(places->root_real), &rest);
	places->start = fcntl(inside ? home_fd : places->root, F_DUPFD_CLOEXEC, 0);
	if (places->start < 0)
		return -errno;
	places->start_real = inside ? places->home_real : places->root_real;
	return 0;
}

void places_finish(struct places *places)
{
	if (!places->begun) /* its descriptors are zero, and zero is somebody's */
		return;
	places->begun = false;
	fd_close(&places->root);
	fd_close(&places->start);
	fd_close(&places->child_fds);
	for (unsigned i = 0; i < PLACES_DEPTH; i++)
		fd_close(&places->level[i]);
	while (places->marks > 0)
		free(places->mark[--places->marks].below);
}

struct place places_target(struct places *places, const char *path)
{
	struct place place = places_find(places, path);
	places->target = path;
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

void places_child(struct places *places, pid_t child)
{
	places->child = child;
	fd_close(&places->child_fds);
	memset(places->child_pinned, 0, sizeof(places->child_pinned));
	memset(places->child_own, 0, sizeof(places->child_own));
}

/*
 * Opened when the child has spoken first, not when it was started: until exec is all done its descriptors belong to root, as ours do, and who opened the
 * folder then is refused for good.
 */
bool places_child_open(struct places *places)
{
	char name[40];
	if (places->child_fds < 0 && places->child > 0) {
		snprintf(name, sizeof(name), "/proc/%d/fd", (int)places->child);
		places->child_fds = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return places->child_fds >= 0;
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
	places_below(places, &place, place.kind == PLACE_OTHER ? NULL : &places->status);
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
	if (places->entry_depth == 0 && !places->target_is_directory && places->target != NULL) {
		place = places_absent(places, places->target, NULL);
		place.hopeless = true;
		return place;
	}
	if (!span_copy(text, sizeof(text), name) || !path_join(places->real, sizeof(places->real), span_str(places->root_real), span_str(text)))
		return (struct place){ .kind = PLACE_LOST };
	place.real = span_str(places->real);
	places_below(places, &place, NULL);
	return place;
}

struct place places_entry(struct places *places, unsigned depth, struct span name, enum entry_kind kind)
{
	places->entry_depth = depth < PLACES_DEPTH ? depth : 0;
	places->linked = places->existed = places->pinned = false;
	places->name[0] = '\0';
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
	places_below(places, &place, places->existed ? &places->status : NULL);
	place.hopeless = place.hopeless || places_refused(places, depth, &place, kind);
	return place;
}

/* What stands under the entry's name now, by the way that was judged. */
static bool places_now(const struct places *places, struct stat *now)
{
	if (fstatat(places->level[places->entry_depth], places->name, now, places->linked ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return !(places->existed || places->pinned) || places_same(now, &places->status);
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

/* Where the child's descriptor leads. False if it is not open, not of that kind, or nowhere any more. */
static bool places_child_has(const struct places *places, int fd, mode_t kind, struct stat *opened, char real[PATH_BYTES_MAX])
{
	char number[16];
	if (fd < 0)
		return false;
	snprintf(number, sizeof(number), "%d", fd);
	if (fstatat(places->child_fds, number, opened, 0) < 0 || (opened->st_mode & S_IFMT) != kind)
		return false;
	ssize_t n = readlinkat(places->child_fds, number, real, PATH_BYTES_MAX);
	if (n <= 0 || n >= PATH_BYTES_MAX || real[0] != '/')
		return false;
	real[n] = '\0';
	return true;
}

/*
 * Both the file and the way to it. By the name in our folder it has to be the same file: something may be mounted over the way, and scrub looks there. By /proc's
 * word the way has to be the same: the folder may have been moved, and a link to it left in its place.
 */
static bool places_pin_fd(struct places *places, int fd, const struct stat *now)
{
	struct stat opened;
	char real[PATH_BYTES_MAX];
	if (!places_child_has(places, fd, S_IFREG, &opened, real) || !places_same(&opened, now) || strcmp(real, places->real) != 0)
		return false;
	places->status = opened;
	places->pinned = true;
	return true;
}

/* By its name alone: what stands there now is an empty file, and the one that was resolved if there was one. */
static bool places_pin_name(struct places *places)
{
	struct stat now;
	char real[PATH_BYTES_MAX];
	int folder = places->level[places->entry_depth];
	FD_OWNED int fd = openat(folder, places->name, O_PATH | O_CLOEXEC | (places->linked ? 0 : O_NOFOLLOW));
	if (fd < 0 || fstat(fd, &now) < 0 || !S_ISREG(now.st_mode) || now.st_size != 0 || !places_real(fd, real) || strcmp(real, places->real) != 0)
		return false;
	if (places->existed && !places_same(&now, &places->status))
		return false;
	places->status = now;
	places->pinned = true;
	return true;
}

bool places_pin(struct places *places, bool empty)
{
	struct stat now;
	if (!places_child_open(places) || !places_now(places, &now) || !S_ISREG(now.st_mode))
		return false;
	if (places_pin_fd(places, PLACES_FIRST_FD, &now))
		return true;
	return empty ? places_pin_name(places) : places_pin_fd(places, places_last_fd(places, S_IFREG), &now);
}

/* For writing, also where the child left it without the right to: the mode is given back. Only if it is still the file that was resolved. */
static int places_open_stored(const struct places *places, int folder)
{
	int nofollow = places->linked ? 0 : O_NOFOLLOW;
	char link[40];
	struct stat status;
	int fd = openat(folder, places->name, O_WRONLY | O_NONBLOCK | O_CLOEXEC | nofollow);
	if (fd >= 0 || errno != EACCES)
		return fd;
	FD_OWNED int path = openat(folder, places->name, O_PATH | O_CLOEXEC | nofollow);
	if (path < 0 || fstat(path, &status) < 0 || !places_same(&status, &places->status) || !S_ISREG(status.st_mode))
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	if (chmod(link, (status.st_mode & 07777) | S_IWUSR) < 0)
		return -1;
	fd = open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	(void)chmod(link, status.st_mode & 07777);
	return fd;
}

bool places_scrub(struct places *places)
{
	struct stat now, there;
	int folder = places->level[places->entry_depth];
	if (folder < 0 || !places_now(places, &now) || !S_ISREG(now.st_mode))
		return false;
	if (!places->existed)
		return unlinkat(folder, places->name, 0) == 0;
	FD_OWNED int fd = places_open_stored(places, folder);
	return fd >= 0 && fstat(fd, &there) == 0 && places_same(&there, &places->status) && S_ISREG(there.st_mode) && ftruncate(fd, 0) == 0;
}

/*
 * What the child opened last, for the record it just sent. A file is looked for where scp has it; where another is, or one of another name, and for
 * folders, of which several are open, the list of its descriptors is asked.
 */
static bool places_child_opened(struct places *places, unsigned depth, struct span name, mode_t kind, struct stat *opened)
{
	int guess = (int)(PLACES_FIRST_FD + PLACES_FDS_A_FOLDER * depth);
	if (kind == S_IFREG && places_child_has(places, guess, kind, opened, places->real) && span_equal(path_name(span_str(places->real)), name))
		return true;
	return places_child_has(places, places_last_fd(places, kind), kind, opened, places->real);
}

struct place places_opened(struct places *places, unsigned depth, struct span name, enum entry_kind kind)
{
	struct stat opened, there;
	struct place place = { .kind = kind == ENTRY_DIRECTORY ? PLACE_DIRECTORY : PLACE_FILE };
	if (!places_child_open(places) || !places_child_opened(places, depth, name, kind == ENTRY_DIRECTORY ? S_IFDIR : S_IFREG, &opened))
		return (struct place){ .kind = PLACE_LOST };
	if (lstat(places->real, &there) < 0 || !places_same(&opened, &there))
		return (struct place){ .kind = PLACE_LOST };
	place.real = span_str(places->real);
	places_below(places, &place, &there);
	if (!span_equal(path_name(place.real), name) && name.n > 0) { /* by a link: the client asked for, and gets, another name */
		if (path_join(places->asked, sizeof(places->asked), path_parent(place.path), name))
			place.asked = span_str(places->asked);
	}
	return place;
}
