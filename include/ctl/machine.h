/*
 * What a configuration names and this machine lacks, or keeps from the users as whom sessions run. A configuration may be right and its machine not ready
 * for it: all here are warnings.
 */
#ifndef XFERWARDEN_CTL_MACHINE_H
#define XFERWARDEN_CTL_MACHINE_H

#include <stddef.h>

#include "conf/conf.h"

enum { MACHINE_WARNINGS_MAX = 24, MACHINE_TEXT_MAX = 320 };

struct machine {
	const char *syslog, *journald; /* given by the caller: where they listen */
	size_t count;
	char text[MACHINE_WARNINGS_MAX][MACHINE_TEXT_MAX]; /* sentences without a line end, printable */
};

/* Looks at what the configuration's rules need, and at the file itself. What is for everybody is looked at, not groups, owners or access lists. */
void machine_check(struct machine *, const char *conf_path, const struct conf *);

#endif
