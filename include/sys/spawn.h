/* Starting a program, without a shell, with nothing inherited but what is named. */
#ifndef XFERWARDEN_SYS_SPAWN_H
#define XFERWARDEN_SYS_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn {
	const char *program;      /* absolute */
	char *const *argv;
	char *const *envp;
	int in, out, err;         /* become 0, 1 and 2; -1: /dev/null */
	int extra;                /* becomes 3; -1: none. All above is closed */
	int cwd;                  /* folder to start in; -1: as we are */
	int ruleset;              /* Landlock ruleset to enforce; -1: none */
	bool visible;             /* the program may not hide its descriptors from its parent (PR_SET_DUMPABLE has no effect in it) */
	uint64_t stack_limit;     /* RLIMIT_STACK for the child in bytes; 0: as we are */
};

/*
 * Starts it: default signal dispositions, nothing blocked, killed when its parent dies, no core file. Returns its pid once exec has succeeded, or the negative errno of
 * what failed (exec's too).
 */
pid_t spawn_run(const struct spawn *);

/* Waits at most milliseconds for pid to end by itself, then kills it and waits. Returns the wait status, or -1 if pid is no child of ours. */
int spawn_reap(pid_t pid, unsigned milliseconds);

#endif
