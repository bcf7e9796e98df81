/* What the inspector may still do once it looks at hostile content. Tightened in two steps; none can be taken back. */
#ifndef XFERWARDEN_INSPECTOR_CONFINE_H
#define XFERWARDEN_INSPECTOR_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

struct confine {
	const char *database; /* may be read; NULL: none */
	const char *scratch;  /* may be written; NULL: none */
	bool unconfined_ok;   /* go on where the kernel has no Landlock; seccomp is never done without */
	int statm;            /* of confine_early */
};

/* Limits and the ties to the parent. Before the libraries load anything. 0 or negative errno. */
int confine_early(struct confine *);

/*
 * Landlock, then seccomp: no network, no new process or program, no executable memory, files only as named above. What libraries try by
 * habit fails politely, everything else ends the process. 0 or negative errno.
 */
int confine_close(const struct confine *);

/* Limits for the next question: bytes of address space beyond what is used now, and seconds of CPU. 0 or negative errno. */
int confine_question(const struct confine *, uint64_t memory, unsigned seconds);

#endif
