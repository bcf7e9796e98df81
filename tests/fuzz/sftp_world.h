/*
 * A small file system with a server of its own, for sessions that are made up: what stands where, what it holds, and what the real server would answer. It lives in
 * memory and knows nothing of rules.
 */
#ifndef XFERWARDEN_FUZZ_SFTP_WORLD_H
#define XFERWARDEN_FUZZ_SFTP_WORLD_H

#include "base/place.h"
#include "proto/sftp.h"

enum { WORLD_NODES = 160, WORLD_NAMES = 160, WORLD_HANDLES = 160, WORLD_CONTENT = 1 << 20, WORLD_PATH = 256, WORLD_NONE = -1 };

struct world_node {
	enum place_kind kind;    /* ABSENT: free; OTHER: a symbolic link */
	uint8_t *bytes;
	size_t n, capacity;
	unsigned mode;
	unsigned born, changes;  /* born: no two nodes have the same; changes: of content */
	bool ours;               /* made or changed through the server */
	bool foreign;            /* changed by somebody else */
	char words[WORLD_PATH];  /* of a link */
};

struct world_name {
	char path[WORLD_PATH];   /* empty: free */
	int node;
	bool ours;               /* given through the server */
};

struct world_handle {
	bool used, folder, read, append;
	uint32_t flags;
	int node;
	bool made;               /* the file was made by its OPEN */
};

struct world {
	struct world_node node[WORLD_NODES];
	struct world_name name[WORLD_NAMES];
	struct world_handle handle[WORLD_HANDLES];
	int opened;              /* the handle that was opened last */
	unsigned births;
	bool broken;             /* there was no room in the model */
};

/* Buffers of an earlier session are used again. */
void world_init(struct world *);

/* Where the path leads: its name's index and, if something stands there, the node; folder false: the folder it would be in is not there. real: WORLD_PATH bytes. */
struct world_spot {
	int name, node;
	bool folder;
};
struct world_spot world_walk(const struct world *, const char *path, bool follow, char *real);

/* What a file is, from its content. */
const char *world_type(const uint8_t *bytes, size_t n);
bool world_virus(const uint8_t *bytes, size_t n);

bool world_write(struct world_node *, uint64_t at, struct span bytes);
bool world_resize(struct world_node *, uint64_t n);

/* Somebody else changes what stands there: 0: its content, 1: another file takes its name, 2: the name goes. */
void world_meddle(struct world *, const char *path, unsigned how);

/*
 * Carries out a request, and says what the server answers: reply, with data for DATA. fail: it refuses. A NAME has one entry, which follows from the request: *entry.
 */
void world_serve(struct world *, const struct sftp_packet *request, struct span payload, bool fail, struct sftp_packet *reply, struct sftp_packet *entry, struct span *data);

#endif
