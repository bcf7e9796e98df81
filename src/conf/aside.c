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

struct aside {
	struct conf conf;
	struct conf_complaints complaints;
	int result;
	_Alignas(64) char store[];
};

static int aside_wait(pid_t child)
{
	int status;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int aside_run(struct aside *aside, const char *path)
{
	pid_t child = fork();
	if (child < 0)
		return -errno;
	if (child > 0)
		return aside_wait(child);
	conf_use_memory((struct conf_memory){ .base = aside->store, .size = ASIDE_BYTES - sizeof(*aside) });
	aside->result = conf_load(&aside->conf, path, &aside->complaints);
	_exit(0);
}

int conf_load_aside(struct conf *out, const char *path, struct conf_complaints *complaints)
{
	struct aside *aside = mmap(NULL, ASIDE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int error = aside == MAP_FAILED ? -errno : aside_run(aside, path);
	*out = (struct conf){ 0 };
	complain_begin(complaints);
	if (error < 0) {
		complain_mistake(complaints, 0, "it can't be read in a process of its own");
		return error;
	}
	if (aside->result == 0)
		*out = aside->conf;
	else
		*complaints = aside->complaints;
	(void)mprotect(aside, ASIDE_BYTES, PROT_READ);
	return aside->result;
}
