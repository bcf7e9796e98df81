/*
 * Reads the configuration in a process of its own, into memory that both share at the same address. What libconfuse leaves of the heap is
 * gone with that process, some 300 KiB a session for a policy of a hundred rules, and so is its parser if it should ever fall over a
 * file.
 */
#include "conf/aside.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/complain.h"
#include "conf/conf.h"

enum { ASIDE_BYTES = 64 << 20 }; /* of address space; only what is written costs memory */

struct conf_aside {
	struct conf conf;
	struct conf_complaints complaints;
	int result;
	pid_t child;
	_Alignas(64) char store[];
};

struct conf_aside *conf_aside_begin(const char *path)
{
	struct conf_aside *aside = mmap(NULL, ASIDE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (aside == MAP_FAILED)
		return NULL;
	pid_t child = fork();
	if (child == 0) {
		conf_use_memory((struct conf_memory){ .base = aside->store, .size = ASIDE_BYTES - sizeof(*aside) });
		aside->result = conf_load(&aside->conf, path, &aside->complaints);
		_exit(0);
	}
	aside->child = child;
	return aside;
}

/* True if the child did its work to the end. */
static bool aside_done(struct conf_aside *aside)
{
	int status = -1;
	if (aside == NULL || aside->child < 0)
		return false;
	while (waitpid(aside->child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int conf_aside_end(struct conf_aside *aside, struct conf *out, struct conf_complaints *complaints)
{
	*out = (struct conf){ 0 };
	complain_begin(complaints);
	if (!aside_done(aside)) {
		complain_mistake(complaints, 0, "it can't be read in a process of its own");
		return -EIO;
	}
	if (aside->result == 0)
		*out = aside->conf;
	else
		*complaints = aside->complaints;
	(void)mprotect(aside, ASIDE_BYTES, PROT_READ);
	return aside->result;
}
