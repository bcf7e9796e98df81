/*
 * Reads the file from the descriptor that was checked, and runs the steps: syntax, libconfuse, structs. After the load only the arena is
 * left, one block that was taken before libconfuse's tree grew, so that the heap shrinks when the tree is freed.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/aside.h"
#include "conf/build.h"
#include "conf/complain.h"
#include "sys/fd.h"

struct conf_store {
	struct arena arena;
};

static struct conf_memory conf_memory; /* where the next store goes; without a base: the heap */

void conf_use_memory(struct conf_memory memory)
{
	conf_memory = memory;
}

static struct conf_store *conf_store_create(size_t size)
{
	if (conf_memory.base == NULL)
		return calloc(1, size);
	return size <= conf_memory.size ? conf_memory.base : NULL; /* fresh from mmap: zero */
}

static int conf_build(struct conf *out, const struct syntax *syntax, struct conf_complaints *complaints)
{
	size_t size = sizeof(struct conf_store) + build_size(syntax);
	struct conf_store *store = conf_store_create(size);
	if (store == NULL)
		return -ENOMEM;
	store->arena = (struct arena){ .base = (char *)(store + 1), .size = size - sizeof(*store) };
	int r = build_conf(&(struct build){ .conf = out, .arena = &store->arena, .complaints = complaints }, syntax);
	out->store = store;
	return r;
}

int conf_parse(struct conf *out, const char *text, size_t length, struct conf_complaints *complaints)
{
	struct syntax syntax;
	*out = (struct conf){ 0 };
	complain_begin(complaints);
	if (length > CONF_FILE_MAX) {
		complain_mistake(complaints, 0, "the file is larger than 4 MiB");
		return -EINVAL;
	}
	int r = syntax_read(&syntax, span_of(text, length), complaints);
	if (r == 0)
		r = conf_build(out, &syntax, complaints);
	syntax_finish(&syntax);
	if (r == -ENOMEM)
		complain_mistake(complaints, 0, "out of memory");
	else if (complaints->mistakes > 0)
		r = -EINVAL;
	if (r < 0)
		conf_free(out);
	return r;
}

/* 0, -EINVAL with a complaint, or another negative errno. */
static int conf_check_owner(int fd, struct conf_complaints *complaints)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		complain_mistake(complaints, 0, "it is not a regular file");
	if (st.st_uid != 0)
		complain_mistake(complaints, 0, "it is owned by uid %u, not by root (chown root)", (unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		complain_mistake(complaints, 0, "its mode %04o lets others than root write it (chmod 644)", (unsigned)(st.st_mode & 07777));
	return complaints->mistakes > 0 ? -EINVAL : 0;
}

/* Up to one byte more than is allowed, so that conf_parse sees what is too much. */
static int conf_read(int fd, char **text, size_t *length)
{
	size_t cap = 16384;
	char *buffer = malloc(cap);
	*length = 0;
	for (;;) {
		if (buffer == NULL)
			return -ENOMEM;
		ssize_t n = read(fd, buffer + *length, cap - *length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int r = -errno;
			free(buffer);
			return r;
		}
		*length += (size_t)n;
		if (n == 0 || *length > CONF_FILE_MAX)
			break;
		if (*length == cap) {
			cap *= 2;
			char *grown = realloc(buffer, cap);
			if (grown == NULL)
				free(buffer);
			buffer = grown;
		}
	}
	*text = buffer;
	return 0;
}

int conf_load(struct conf *out, const char *path, struct conf_complaints *complaints)
{
	char *text = NULL;
	size_t length = 0;
	*out = (struct conf){ 0 };
	complain_begin(complaints);
	/* O_NONBLOCK: a FIFO in the file's place must not stop us. */
	FD_OWNED int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		int r = -errno;
		complain_mistake(complaints, 0, "it can't be opened: %s", strerror(-r));
		return r;
	}
	int r = conf_check_owner(fd, complaints);
	if (r == 0)
		r = conf_read(fd, &text, &length);
	if (r < 0 && complaints->mistakes == 0)
		complain_mistake(complaints, 0, "it can't be read: %s", strerror(-r));
	if (r == 0)
		r = conf_parse(out, text, length, complaints);
	free(text);
	return r;
}

void conf_free(struct conf *conf)
{
	if ((void *)conf->store != conf_memory.base)
		free(conf->store);
	*conf = (struct conf){ 0 };
}
