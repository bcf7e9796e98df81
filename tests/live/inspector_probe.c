/*
 * Tries from inside the inspector's confinement what it must not be able to do. Each attempt is harmless and is made first without
 * confinement, where it has to succeed: so a refusal is the confinement's doing. Each runs in a process of its own; one that the filter
 * kills was refused too. Prints TAP.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspector/confine.h"
#include "sys/fd.h"

enum probe_outcome { PROBE_DONE = 0, PROBE_REFUSED = 1, PROBE_BROKEN = 2 };

static char probe_folder[] = "/tmp/xferwarden-probe-XXXXXX";
static char probe_database[64], probe_scratch[64], probe_outside[64];
static pid_t probe_parent;

static enum probe_outcome probe_result(long result)
{
	return result < 0 ? PROBE_REFUSED : PROBE_DONE;
}

static enum probe_outcome try_tcp(void)
{
	return probe_result(socket(AF_INET, SOCK_STREAM, 0));
}

static enum probe_outcome try_unix(void)
{
	return probe_result(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static enum probe_outcome try_pair(void)
{
	int ends[2];
	return probe_result(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}

static enum probe_outcome try_exec(void)
{
	return probe_result(execl("/bin/true", "true", (char *)NULL));
}

static enum probe_outcome try_execveat(void)
{
	int program = open("/bin/true", O_PATH);
	char *nothing[] = { NULL };
	return program < 0 ? PROBE_REFUSED : probe_result(syscall(SYS_execveat, program, "", nothing, nothing, AT_EMPTY_PATH));
}

static enum probe_outcome try_fork(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return probe_result(pid);
}

static enum probe_outcome try_read(void)
{
	return probe_result(open("/etc/passwd", O_RDONLY));
}

static enum probe_outcome try_list(void)
{
	return probe_result(open("/", O_RDONLY | O_DIRECTORY));
}

static enum probe_outcome try_climb(void)
{
	return probe_result(open("../../../etc/passwd", O_RDONLY));
}

static enum probe_outcome try_proc(void)
{
	return probe_result(open("/proc/self/mem", O_RDWR));
}

static enum probe_outcome try_write(void)
{
	return probe_result(open(probe_outside, O_WRONLY | O_CREAT, 0600));
}

static enum probe_outcome try_spoil(void)
{
	char name[128];
	snprintf(name, sizeof(name), "%s/sigs.ndb", probe_database);
	return probe_result(open(name, O_WRONLY));
}

static enum probe_outcome try_remove(void)
{
	char name[128];
	snprintf(name, sizeof(name), "%s/spare", probe_database);
	return probe_result(unlink(name));
}

static enum probe_outcome try_parent(void)
{
	return probe_result(kill(probe_parent, 0));
}

static enum probe_outcome try_thread_signal(void)
{
	return probe_result(syscall(SYS_tgkill, probe_parent, probe_parent, 0));
}

static enum probe_outcome try_ptrace(void)
{
	return probe_result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static enum probe_outcome try_peek(void)
{
	char byte;
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	return probe_result(syscall(SYS_process_vm_readv, getpid(), &part, 1ul, &part, 1ul, 0ul));
}

static enum probe_outcome try_execmap(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? PROBE_REFUSED : PROBE_DONE;
}

static enum probe_outcome try_execprotect(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? PROBE_BROKEN : probe_result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static enum probe_outcome try_others_limits(void)
{
	struct rlimit limit;
	return probe_result(prlimit(probe_parent, RLIMIT_NOFILE, NULL, &limit));
}

static enum probe_outcome try_dumpable(void)
{
	return probe_result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static enum probe_outcome try_namespace(void)
{
	return probe_result(unshare(CLONE_FILES));
}

static enum probe_outcome try_large(void)
{
	char name[128];
	snprintf(name, sizeof(name), "%s/large", probe_scratch);
	int fd = open(name, O_WRONLY | O_CREAT, 0600);
	return fd < 0 ? PROBE_REFUSED : probe_result(pwrite(fd, "", 1, (off_t)3 << 30));
}

static enum probe_outcome try_many_files(void)
{
	for (int i = 0; i < 200; i++)
		if (fcntl(0, F_DUPFD, 0) < 0)
			return PROBE_REFUSED;
	return PROBE_DONE;
}

static enum probe_outcome try_use_database(void)
{
	char name[128];
	snprintf(name, sizeof(name), "%s/sigs.ndb", probe_database);
	return probe_result(open(name, O_RDONLY));
}

static enum probe_outcome try_use_scratch(void)
{
	char name[128];
	snprintf(name, sizeof(name), "%s/piece", probe_scratch);
	return probe_result(open(name, O_RDWR | O_CREAT | O_EXCL, 0600)) == PROBE_DONE ? probe_result(unlink(name)) : PROBE_REFUSED;
}

static const struct {
	const char *name;
	enum probe_outcome (*attempt)(void);
	bool scanner_may;
} probe_attempts[] = {
	{ "make a TCP socket", try_tcp, false },
	{ "make a unix socket", try_unix, false },
	{ "make a socket pair", try_pair, false },
	{ "start a program", try_exec, false },
	{ "start a program by descriptor", try_execveat, false },
	{ "fork", try_fork, false },
	{ "read /etc/passwd", try_read, false },
	{ "list /", try_list, false },
	{ "climb out by ..", try_climb, false },
	{ "write its own memory by /proc", try_proc, false },
	{ "write a file outside", try_write, false },
	{ "write to the database", try_spoil, false },
	{ "remove from the database", try_remove, false },
	{ "signal its parent", try_parent, false },
	{ "signal its parent's thread", try_thread_signal, false },
	{ "be traced", try_ptrace, false },
	{ "read memory as a debugger", try_peek, false },
	{ "map executable memory", try_execmap, false },
	{ "make memory executable", try_execprotect, false },
	{ "read another's limits", try_others_limits, false },
	{ "become dumpable again", try_dumpable, false },
	{ "leave shared tables", try_namespace, false },
	{ "write beyond 2 GiB", try_large, false },
	{ "hold 200 descriptors", try_many_files, false },
	{ "read the database", try_use_database, true },
	{ "use its scratch folder", try_use_scratch, true },
};

enum { ATTEMPTS = sizeof(probe_attempts) / sizeof(probe_attempts[0]), ROUNDS = 3 };

/* Round 0: without confinement; 1: as for types; 2: as for scans. */
static enum probe_outcome probe_run(size_t index, int round)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		return PROBE_BROKEN;
	if (pid == 0) {
		struct confine confine = { .statm = -1 };
		if (round == 2) {
			confine.database = probe_database;
			confine.scratch = probe_scratch;
		}
		if (round == 0 && chdir(probe_scratch) < 0)
			_exit(PROBE_BROKEN);
		if (round > 0 && (confine_early(&confine) < 0 || confine_close(&confine) < 0 || confine_question(&confine, 64 << 20, 5) < 0))
			_exit(PROBE_BROKEN);
		_exit(probe_attempts[index].attempt());
	}
	int status = 0;
	if (waitpid(pid, &status, 0) != pid)
		return PROBE_BROKEN;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? PROBE_REFUSED : PROBE_BROKEN;
	return (enum probe_outcome)WEXITSTATUS(status);
}

static void probe_touch(const char *folder, const char *name)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	fd_close(&fd);
}

static bool probe_prepare(void)
{
	if (mkdtemp(probe_folder) == NULL)
		return false;
	snprintf(probe_database, sizeof(probe_database), "%s/database", probe_folder);
	snprintf(probe_scratch, sizeof(probe_scratch), "%s/scratch", probe_folder);
	snprintf(probe_outside, sizeof(probe_outside), "%s/outside", probe_folder);
	return mkdir(probe_database, 0700) == 0 && mkdir(probe_scratch, 0700) == 0;
}

static void probe_clean(void)
{
	static const char *const names[] = { "database/sigs.ndb", "database/spare", "database", "scratch/large", "scratch/piece", "scratch", "outside" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", probe_folder, names[i]);
		(void)remove(path);
	}
	(void)rmdir(probe_folder);
}

int main(void)
{
	static const char *const words[] = { "without confinement", "telling types", "scanning" };
	bool fine = true;
	probe_parent = getpid();
	if (!probe_prepare())
		return 1;
	printf("1..%d\n", ATTEMPTS * ROUNDS);
	for (size_t i = 0; i < ATTEMPTS; i++) {
		for (int round = 0; round < ROUNDS; round++) {
			probe_touch(probe_database, "sigs.ndb");
			probe_touch(probe_database, "spare");
			bool may = round == 0 || (round == 2 && probe_attempts[i].scanner_may);
			bool right = probe_run(i, round) == (may ? PROBE_DONE : PROBE_REFUSED);
			printf("%sok %zu - %s: can%s %s\n", right ? "" : "not ", i * ROUNDS + (size_t)round + 1, words[round], may ? "" : "not", probe_attempts[i].name);
			fine = fine && right;
		}
	}
	probe_clean();
	return fine ? 0 : 1;
}
