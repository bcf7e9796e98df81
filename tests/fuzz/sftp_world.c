/* How names, links and open files behave in a file system with nobody else in it but whom the test sends. */
#include "sftp_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

enum { WORLD_LINKS = 8, WORLD_HEAD = 256 << 10 };

/* --- nodes --- */

static bool node_room(struct world_node *node, size_t n)
{
	if (n <= node->capacity)
		return true;
	size_t capacity = 2 * n < WORLD_CONTENT ? 2 * n : WORLD_CONTENT;
	uint8_t *bytes = realloc(node->bytes, capacity);
	if (bytes == NULL)
		abort();
	node->bytes = bytes;
	node->capacity = capacity;
	return true;
}

bool world_resize(struct world_node *node, uint64_t n)
{
	if (n > WORLD_CONTENT || !node_room(node, (size_t)n))
		return false;
	if (n > node->n)
		memset(node->bytes + node->n, 0, (size_t)n - node->n);
	node->changes += n != node->n;
	node->n = (size_t)n;
	return true;
}

bool world_write(struct world_node *node, uint64_t at, struct span bytes)
{
	if (at > WORLD_CONTENT || bytes.n > WORLD_CONTENT - at)
		return false;
	if (bytes.n == 0)
		return true;
	if (at + bytes.n > node->n && !world_resize(node, at + bytes.n))
		return false;
	memcpy(node->bytes + at, bytes.p, bytes.n);
	node->changes++;
	return true;
}

static int node_new(struct world *world, enum place_kind kind)
{
	for (int i = 0; i < WORLD_NODES; i++) {
		struct world_node *node = &world->node[i];
		if (node->kind != PLACE_LOST)
			continue;
		*node = (struct world_node){ .kind = kind, .mode = kind == PLACE_DIRECTORY ? 0755 : 0644, .born = ++world->births, .bytes = node->bytes,
					     .capacity = node->capacity };
		return i;
	}
	world->broken = true;
	return WORLD_NONE;
}

/* Nodes that nothing leads to are free again. */
static void node_sweep(struct world *world)
{
	bool used[WORLD_NODES] = { false };
	for (int i = 0; i < WORLD_NAMES; i++)
		if (world->name[i].path[0] != '\0')
			used[world->name[i].node] = true;
	for (int i = 0; i < WORLD_HANDLES; i++)
		if (world->handle[i].used)
			used[world->handle[i].node] = true;
	for (int i = 0; i < WORLD_NODES; i++)
		if (!used[i])
			world->node[i].kind = PLACE_LOST;
}

const char *world_type(const uint8_t *bytes, size_t n)
{
	if (n > 0 && (bytes[0] == 'p' || (n > WORLD_HEAD - 100 && bytes[WORLD_HEAD - 100] == 'p')))
		return "text/x-php";
	return n > 0 ? "text/plain" : "application/x-empty";
}

bool world_virus(const uint8_t *bytes, size_t n)
{
	return n > 0 && memchr(bytes, 'V', n) != NULL;
}

/* --- names --- */

static int name_find(const struct world *world, const char *path)
{
	for (int i = 0; i < WORLD_NAMES; i++)
		if (world->name[i].path[0] != '\0' && strcmp(world->name[i].path, path) == 0)
			return i;
	return WORLD_NONE;
}

static int name_new(struct world *world, const char *path, int node)
{
	for (int i = 0; i < WORLD_NAMES && node >= 0; i++) {
		if (world->name[i].path[0] != '\0')
			continue;
		(void)snprintf(world->name[i].path, WORLD_PATH, "%s", path);
		world->name[i].node = node;
		world->name[i].ours = true;
		return i;
	}
	world->broken = true;
	return WORLD_NONE;
}

static void name_gone(struct world *world, int name)
{
	world->name[name].path[0] = '\0';
	node_sweep(world);
}

static bool name_has_children(const struct world *world, const char *path)
{
	size_t n = strlen(path);
	for (int i = 0; i < WORLD_NAMES; i++)
		if (strncmp(world->name[i].path, path, n) == 0 && world->name[i].path[n] == '/')
			return true;
	return false;
}

static bool walk_link(const struct world_node *link, char *real, const char *rest)
{
	char target[2 * WORLD_PATH], joined[3 * WORLD_PATH];
	struct span folder = path_parent(span_str(real));
	(void)snprintf(target, sizeof(target), "%s%s", link->words, rest);
	if (!path_join(joined, sizeof(joined), folder, span_str(target)) || strlen(joined) >= WORLD_PATH)
		return false;
	memcpy(real, joined, strlen(joined) + 1);
	return true;
}

/* Links in folders on the way, then the one at the end. */
struct world_spot world_walk(const struct world *world, const char *path, bool follow, char *real)
{
	struct world_spot spot = { .name = WORLD_NONE, .node = WORLD_NONE };
	char whole[PATH_BYTES_MAX];
	if (!path_join(whole, sizeof(whole), span_str("/srv"), span_str(path)) || strlen(whole) >= WORLD_PATH) {
		real[0] = '\0';
		return spot;
	}
	memcpy(real, whole, strlen(whole) + 1);
	for (int links = 0; links < WORLD_LINKS; links++) {
		bool again = false;
		for (char *slash = strchr(real + 1, '/'); !again; slash = slash ? strchr(slash + 1, '/') : NULL) {
			char rest[WORLD_PATH];
			(void)snprintf(rest, sizeof(rest), "%s", slash ? slash : "");
			if (slash != NULL)
				*slash = '\0';
			int name = name_find(world, real);
			const struct world_node *node = name >= 0 ? &world->node[world->name[name].node] : NULL;
			if (node != NULL && node->kind == PLACE_OTHER && (slash != NULL || follow)) {
				if (!walk_link(node, real, rest))
					return spot;
				again = true;
				break;
			}
			if (slash == NULL) {
				spot.name = name;
				spot.node = name >= 0 ? world->name[name].node : WORLD_NONE;
				break;
			}
			*slash = '/';
			if (node == NULL || node->kind != PLACE_DIRECTORY)
				return spot;
		}
		if (!again) {
			spot.folder = true;
			return spot;
		}
	}
	return spot;
}

static void world_put(struct world *world, const char *path, enum place_kind kind, const char *content, size_t times)
{
	int at = node_new(world, kind);
	int name = name_new(world, path, at);
	struct world_node *node = &world->node[at];
	world->name[name].ours = false;
	if (kind == PLACE_OTHER)
		(void)snprintf(node->words, sizeof(node->words), "%s", content);
	size_t n = strlen(content);
	if (kind == PLACE_FILE)
		(void)world_resize(node, n * times);
	for (size_t i = 0; kind == PLACE_FILE && i < times; i++)
		memcpy(node->bytes + i * n, content, n);
}

void world_init(struct world *world)
{
	for (int i = 0; i < WORLD_NODES; i++)
		world->node[i].kind = PLACE_LOST;
	memset(world->name, 0, sizeof(world->name));
	memset(world->handle, 0, sizeof(world->handle));
	world->opened = WORLD_NONE;
	world->broken = false;
	world_put(world, "/srv", PLACE_DIRECTORY, "", 0);
	world_put(world, "/srv/a.txt", PLACE_FILE, "hello", 1);
	world_put(world, "/srv/big", PLACE_FILE, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 5000);
	world_put(world, "/srv/bad", PLACE_FILE, "a V in it", 1);
	world_put(world, "/srv/old.php", PLACE_FILE, "p", 1);
	world_put(world, "/srv/p", PLACE_DIRECTORY, "", 0);
	world_put(world, "/srv/p/x", PLACE_FILE, "x", 3);
	world_put(world, "/srv/d", PLACE_DIRECTORY, "", 0);
	world_put(world, "/srv/d/z", PLACE_FILE, "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", 1400);
	world_put(world, "/srv/link", PLACE_OTHER, "a.txt", 1);
	world_put(world, "/srv/nowhere", PLACE_OTHER, "d/new", 1);
	world_put(world, "/srv/out", PLACE_OTHER, "/other", 1);
	world_put(world, "/other", PLACE_DIRECTORY, "", 0);
	world_put(world, "/other/o", PLACE_FILE, "o", 1);
}

void world_meddle(struct world *world, const char *path, unsigned how)
{
	char real[WORLD_PATH];
	struct world_spot spot = world_walk(world, path, true, real);
	if (spot.node < 0 || world->node[spot.node].kind != PLACE_FILE)
		return;
	if (how == 0) {
		(void)world_write(&world->node[spot.node], 0, span_str("pV"));
		world->node[spot.node].foreign = true;
	} else if (how == 1) {
		int other = node_new(world, PLACE_FILE);
		if (other < 0)
			return;
		(void)world_write(&world->node[other], 0, span_str("pV, too"));
		world->node[other].foreign = true;
		world->name[spot.name].node = other;
		node_sweep(world);
	} else {
		name_gone(world, spot.name);
	}
}

/* --- the server --- */

static struct world_handle *serve_handle(struct world *world, struct span handle)
{
	if (handle.n != 4 || handle.p[0] != 'c' || handle.p[1] >= WORLD_HANDLES || !world->handle[handle.p[1]].used)
		return NULL;
	return &world->handle[handle.p[1]];
}

static uint32_t serve_open(struct world *world, const struct sftp_packet *request, struct world_spot spot, const char *real, uint8_t handle[4])
{
	bool folder = request->kind == SFTP_OPENDIR;
	bool made = spot.node < 0;
	int at = 0;
	if (made && (folder || !(request->flags & SFTP_OPEN_CREAT) || !spot.folder))
		return SFTP_NO_SUCH_FILE;
	if (!made && (request->flags & SFTP_OPEN_EXCL))
		return SFTP_FAILURE;
	if (!made && (world->node[spot.node].kind == PLACE_DIRECTORY) != folder)
		return SFTP_FAILURE;
	while (at < WORLD_HANDLES && world->handle[at].used)
		at++;
	if (at == WORLD_HANDLES)
		return SFTP_FAILURE;
	int node = made ? node_new(world, PLACE_FILE) : spot.node;
	if (node < 0 || (made && name_new(world, real, node) < 0))
		return SFTP_FAILURE;
	struct world_node *file = &world->node[node];
	if (made && (request->attrs.flags & SFTP_ATTR_MODE))
		file->mode = request->attrs.mode & 07777;
	file->ours |= made;
	world->handle[at] = (struct world_handle){ .used = true, .folder = folder, .flags = request->flags, .node = node, .made = made, .append = request->flags & SFTP_OPEN_APPEND };
	if (!made && (request->flags & SFTP_OPEN_TRUNC))
		(void)world_resize(file, 0);
	world->opened = at;
	memcpy(handle, (const uint8_t[4]){ 'c', (uint8_t)at, '-', '-' }, 4);
	return SFTP_OK;
}

static uint32_t serve_set(struct world_node *node, const struct sftp_attrs *attrs)
{
	if ((attrs->flags & SFTP_ATTR_SIZE) && !world_resize(node, attrs->size))
		return SFTP_FAILURE;
	if (attrs->flags & SFTP_ATTR_SIZE)
		node->ours = true;
	if (attrs->flags & SFTP_ATTR_MODE)
		node->mode = attrs->mode & 07777;
	return SFTP_OK;
}

/* Everything below goes along. */
static uint32_t serve_rename(struct world *world, int name, const char *to, struct world_spot there, bool over)
{
	char from[WORLD_PATH];
	memcpy(from, world->name[name].path, sizeof(from));
	size_t n = strlen(from);
	if (there.node >= 0 && !over)
		return SFTP_FAILURE;
	if (strcmp(from, to) == 0)
		return SFTP_OK;
	if (strncmp(from, to, n) == 0 && to[n] == '/')
		return SFTP_FAILURE;
	if (there.node >= 0 && world->node[there.node].kind == PLACE_DIRECTORY && name_has_children(world, to))
		return SFTP_FAILURE;
	if (there.node >= 0 && (world->node[there.node].kind == PLACE_DIRECTORY) != (world->node[world->name[name].node].kind == PLACE_DIRECTORY))
		return SFTP_FAILURE;
	if (there.name >= 0)
		name_gone(world, there.name);
	for (int i = 0; i < WORLD_NAMES; i++) {
		struct world_name *each = &world->name[i];
		char next[2 * WORLD_PATH];
		if (strncmp(each->path, from, n) != 0 || (each->path[n] != '\0' && each->path[n] != '/'))
			continue;
		if (snprintf(next, sizeof(next), "%s%s", to, each->path + n) >= WORLD_PATH) {
			world->broken = true;
			return SFTP_FAILURE;
		}
		memcpy(each->path, next, strlen(next) + 1);
		each->ours = true;
	}
	return SFTP_OK;
}

static uint32_t serve_two(struct world *world, const struct sftp_packet *request, struct world_spot spot, struct world_spot other, const char *to)
{
	if (request->kind == SFTP_SYMLINK) { /* path: what it says; other: where it is */
		if (other.node >= 0 || !other.folder)
			return other.node >= 0 ? SFTP_FAILURE : SFTP_NO_SUCH_FILE;
		int link = node_new(world, PLACE_OTHER);
		if (link < 0 || !span_copy(world->node[link].words, WORLD_PATH, request->path) || name_new(world, to, link) < 0)
			return SFTP_FAILURE;
		world->node[link].ours = true;
		return SFTP_OK;
	}
	if (spot.node < 0 || !other.folder)
		return SFTP_NO_SUCH_FILE;
	if (request->kind == SFTP_HARDLINK)
		return other.node >= 0 || world->node[spot.node].kind == PLACE_DIRECTORY || name_new(world, to, spot.node) < 0 ? SFTP_FAILURE : SFTP_OK;
	return serve_rename(world, spot.name, to, other, request->kind == SFTP_POSIX_RENAME);
}

static uint32_t serve_one(struct world *world, const struct sftp_packet *request, struct world_spot spot, const char *real)
{
	bool folder = spot.node >= 0 && world->node[spot.node].kind == PLACE_DIRECTORY;
	if (request->kind == SFTP_MKDIR) {
		int made = spot.node >= 0 || !spot.folder ? WORLD_NONE : node_new(world, PLACE_DIRECTORY);
		if (made >= 0)
			(void)name_new(world, real, made);
		return made >= 0 ? SFTP_OK : SFTP_FAILURE;
	}
	if (spot.node < 0)
		return SFTP_NO_SUCH_FILE;
	if (request->kind == SFTP_SETSTAT || request->kind == SFTP_LSETSTAT)
		return serve_set(&world->node[spot.node], &request->attrs);
	if (request->kind == SFTP_REMOVE || request->kind == SFTP_RMDIR) {
		if (folder != (request->kind == SFTP_RMDIR) || (folder && name_has_children(world, real)))
			return SFTP_FAILURE;
		name_gone(world, spot.name);
	}
	return SFTP_OK;
}

static void serve_stat(const struct world_node *node, struct sftp_attrs *attrs)
{
	*attrs = (struct sftp_attrs){ .flags = SFTP_ATTR_SIZE | SFTP_ATTR_MODE, .size = node->n, .mode = node->mode | (node->kind == PLACE_DIRECTORY ? 0040000 : 0100000) };
}

static uint32_t serve_copy(struct world *world, struct world_handle *from, const struct sftp_packet *request)
{
	struct world_handle *to = serve_handle(world, request->handle2);
	struct world_node *source = &world->node[from->node];
	if (to == NULL || to->node == from->node || request->offset > source->n)
		return SFTP_FAILURE;
	uint64_t n = source->n - request->offset;
	if (request->length > 0 && request->length < n)
		n = request->length;
	world->node[to->node].ours = true;
	return world_write(&world->node[to->node], request->offset2, span_of(source->bytes + request->offset, (size_t)n)) ? SFTP_OK : SFTP_FAILURE;
}

static uint32_t serve_handled(struct world *world, const struct sftp_packet *request, struct span payload, struct sftp_packet *reply, struct span *data)
{
	struct world_handle *handle = serve_handle(world, request->handle);
	if (handle == NULL)
		return SFTP_FAILURE;
	struct world_node *node = &world->node[handle->node];
	switch ((unsigned)request->kind) {
	case SFTP_CLOSE:
		handle->used = false;
		node_sweep(world);
		return SFTP_OK;
	case SFTP_READ:
		if (handle->folder || request->offset >= node->n)
			return handle->folder ? SFTP_FAILURE : SFTP_EOF;
		*data = span_of(node->bytes + request->offset, node->n - (size_t)request->offset < request->count ? node->n - (size_t)request->offset : request->count);
		reply->kind = SFTP_DATA;
		reply->count = (uint32_t)data->n;
		return SFTP_OK;
	case SFTP_WRITE:
		if (!(handle->flags & SFTP_OPEN_WRITE))
			return SFTP_FAILURE;
		node->ours = true;
		return world_write(node, handle->append ? node->n : request->offset, payload) ? SFTP_OK : SFTP_FAILURE;
	case SFTP_FSETSTAT:
		return serve_set(node, &request->attrs);
	case SFTP_FSTAT:
		reply->kind = SFTP_ATTRS;
		serve_stat(node, &reply->attrs);
		return SFTP_OK;
	case SFTP_COPY_DATA:
		return serve_copy(world, handle, request);
	case SFTP_READDIR:
		if (!handle->folder || handle->read)
			return handle->folder ? SFTP_EOF : SFTP_FAILURE;
		handle->read = true;
		reply->kind = SFTP_NAME;
		return SFTP_OK;
	case SFTP_FSTATVFS:
		reply->kind = SFTP_EXTENDED_REPLY;
		return SFTP_OK;
	}
	return SFTP_OK;
}

static uint32_t serve_named(struct world *world, const struct sftp_packet *request, struct sftp_packet *reply, char real[WORLD_PATH])
{
	static uint8_t handle[4];
	char path[PATH_BYTES_MAX], to[WORLD_PATH];
	enum sftp_kind kind = request->kind;
	bool follow = kind == SFTP_STAT || kind == SFTP_SETSTAT || kind == SFTP_OPENDIR || kind == SFTP_REALPATH || (kind == SFTP_OPEN && !(request->flags & SFTP_OPEN_EXCL));
	struct world_spot spot, other;
	(void)span_copy(path, sizeof(path), request->path);
	spot = world_walk(world, path, follow, real);
	if (kind == SFTP_OPEN || kind == SFTP_OPENDIR) {
		uint32_t code = serve_open(world, request, spot, real, handle);
		reply->kind = code == SFTP_OK ? SFTP_HANDLE : SFTP_STATUS;
		reply->handle = span_of(handle, sizeof(handle));
		return code;
	}
	if (request->other.p != NULL) {
		(void)span_copy(path, sizeof(path), request->other);
		other = world_walk(world, path, false, to);
		return serve_two(world, request, spot, other, to);
	}
	if ((kind == SFTP_STAT || kind == SFTP_LSTAT) && spot.node >= 0) {
		reply->kind = SFTP_ATTRS;
		serve_stat(&world->node[spot.node], &reply->attrs);
	} else if (kind == SFTP_REALPATH || kind == SFTP_READLINK) {
		reply->kind = SFTP_NAME;
	} else if (kind == SFTP_STATVFS) {
		reply->kind = SFTP_EXTENDED_REPLY;
	} else {
		return serve_one(world, request, spot, real);
	}
	return SFTP_OK;
}

void world_serve(struct world *world, const struct sftp_packet *request, struct span payload, bool fail, struct sftp_packet *reply, struct sftp_packet *entry, struct span *data)
{
	static char real[WORLD_PATH];
	*reply = (struct sftp_packet){ .kind = SFTP_STATUS, .id = request->id };
	*entry = (struct sftp_packet){ .kind = SFTP_ENTRY };
	*data = span_of(NULL, 0);
	real[0] = '\0';
	if (request->kind == SFTP_INIT) {
		reply->kind = SFTP_VERSION;
		reply->version = SFTP_VERSION_SPOKEN;
		reply->extensions = ~0u;
		return;
	}
	bool held = request->handle.n > 0;
	if (fail && request->kind != SFTP_CLOSE)
		reply->code = SFTP_FAILURE;
	else if (request->kind == SFTP_USERS_GROUPS)
		reply->kind = SFTP_EXTENDED_REPLY;
	else
		reply->code = held ? serve_handled(world, request, payload, reply, data) : serve_named(world, request, reply, real);
	if (fail && request->kind == SFTP_CLOSE) {
		(void)serve_handled(world, request, payload, reply, data);
		reply->code = SFTP_FAILURE;
	}
	if (reply->kind == SFTP_NAME) {
		entry->name = entry->text = span_str(real[0] ? real : "name");
		reply->count = 1;
		reply->length = sftp_name_length(entry->name, entry->text, &entry->attrs);
	}
	if (reply->kind == SFTP_EXTENDED_REPLY)
		reply->body = span_str("body");
}
