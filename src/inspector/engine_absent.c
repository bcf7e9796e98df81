/* The inspector for types alone: what it says when it is asked for more. */
#include "inspector/engine.h"

#include <stdio.h>

const char *engine_start(void)
{
	return "built without ClamAV";
}

void engine_load(const char *database, const char *scratch)
{
	(void)database;
	(void)scratch;
}

void engine_scan(struct finding *out, int fd, uint64_t size, uint64_t milliseconds)
{
	(void)fd;
	(void)size;
	(void)milliseconds;
	out->known |= FACT_SCAN;
	out->unscannable |= UNSCANNABLE_SCANNER_DOWN;
	snprintf(out->detail, sizeof(out->detail), "inspector: built without ClamAV");
}
