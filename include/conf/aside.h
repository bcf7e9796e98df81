/* Inside conf: a store in memory that the caller names. */
#ifndef XFERWARDEN_CONF_ASIDE_H
#define XFERWARDEN_CONF_ASIDE_H

#include <stddef.h>

struct conf_memory {
	void *base; /* zeroed and aligned; NULL: the heap */
	size_t size;
};

/* Every store from now on goes there, one at a time; whoever gave the memory takes it back. */
void conf_use_memory(struct conf_memory);

#endif
