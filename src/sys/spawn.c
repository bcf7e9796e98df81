/* Between clone and exec: what a child must not inherit, and how it says that exec failed. */
#include "sys/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/landlock.h"

enum { SPAWN_FDS = 4, SPAWN_HIGH = 16, SPAWN_STACK = 64 << 10 };

static void spawn_signals(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	for (int signal = 1; signal < NSIG; signal++)
		(void)sigaction(signal, &plain, NULL);
	sigset_t none;
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* First lifts every descriptor out of the way of 0 to 3, then sets it down in its place. */
static bool spawn_descriptors(const struct spawn *spawn)
{
	int from[SPAWN_FDS] = { spawn->in, spawn->out, spawn->err, spawn->extra };
	for (int i = 0; i < SPAWN_FDS; i++) {
		if (from[i] < 0 && i < 3)
			from[i] = open("/dev/null", i == 0 ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CLOEXEC);
		if (from[i] < 0 && i == 3)
			continue;
		from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, SPAWN_HIGH);
		if (from[i] < 0)
			return false;
	}
	for (int i = 0; i < SPAWN_FDS; i++)
		if (from[i] >= 0 && dup2(from[i], i) < 0)
			return false;
	unsigned first = from[3] >= 0 ? 4 : 3;
	return syscall(SYS_close_range, first, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */) == 0;
}

static bool spawn_limits(const struct spawn *spawn)
{
	struct rlimit none = { 0, 0 };
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return false;
	struct rlimit stack;
	if (spawn->stack_limit == 0 || getrlimit(RLIMIT_STACK, &stack) < 0)
		return spawn->stack_limit == 0;
	stack.rlim_cur = stack.rlim_max == RLIM_INFINITY || spawn->stack_limit < stack.rlim_max ? spawn->stack_limit : stack.rlim_max;
	return setrlimit(RLIMIT_STACK, &stack) == 0;
}

/* As seccomp names the machine whose system calls these are; 0: not tried there. */
#if defined(__x86_64__)
#define SPAWN_MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SPAWN_MACHINE AUDIT_ARCH_AARCH64
#else
#define SPAWN_MACHINE 0
#endif

/*
 * prctl(PR_SET_DUMPABLE, …) succeeds and changes nothing: sftp-server insists on it, and would not let even its own user see what it has open. The call's arguments are
 * 64 bits wide, the option is an int: its low half, which comes first on these machines.
 */
static int spawn_stay_visible(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SPAWN_MACHINE, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_DUMPABLE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	if (SPAWN_MACHINE == 0)
		return -ENOSYS;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		return -errno;
	return 0;
}

static int spawn_prepare(const struct spawn *spawn, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return errno;
	if (getppid() != parent)
		return ESRCH;
	if (spawn->cwd >= 0 && fchdir(spawn->cwd) < 0)
		return errno;
	if (!spawn_limits(spawn))
		return errno;
	int ruleset = spawn->ruleset >= 0 ? fcntl(spawn->ruleset, F_DUPFD_CLOEXEC, SPAWN_HIGH) : -1;
	if (spawn->ruleset >= 0 && ruleset < 0)
		return errno;
	if (!spawn_descriptors(spawn))
		return errno;
	int confined = ruleset >= 0 ? landlock_enforce(ruleset) : 0;
	if (confined == 0 && spawn->visible)
		confined = spawn_stay_visible();
	return -confined;
}

/* The child's side of spawn_run, in the parent's memory while the parent stands still. */
struct spawn_birth {
	const struct spawn *spawn;
	pid_t parent;
	int error;
};

static int spawn_child(void *argument)
{
	struct spawn_birth *birth = argument;
	spawn_signals();
	birth->error = spawn_prepare(birth->spawn, birth->parent);
	if (birth->error == 0) {
		(void)execve(birth->spawn->program, birth->spawn->argv, birth->spawn->envp);
		birth->error = errno;
	}
	return 127; /* which ends it; exit(3) and its kin would run on this borrowed stack */
}

/*
 * As posix_spawn: the child borrows our memory and we wait until it has left it, by exec or exit. No page table is copied, and why exec failed is simply left behind.
 */
pid_t spawn_run(const struct spawn *spawn)
{
	struct spawn_birth birth = { .spawn = spawn, .parent = getpid() };
	char *stack = mmap(NULL, SPAWN_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	pid_t pid = clone(spawn_child, stack + SPAWN_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
	int failed = pid < 0 ? errno : 0;
	(void)munmap(stack, SPAWN_STACK);
	if (pid < 0)
		return -failed;
	if (birth.error == 0)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return -birth.error;
}

/* True once pid has ended. A pidfd that cannot be had means that we do not wait. */
static bool spawn_ended(pid_t pid, unsigned milliseconds)
{
	FD_OWNED int handle = (int)syscall(SYS_pidfd_open, pid, 0);
	if (handle < 0)
		return false;
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int left = (int)milliseconds;;) {
		struct pollfd slot = { .fd = handle, .events = POLLIN };
		int ready = poll(&slot, 1, left);
		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
		clock_gettime(CLOCK_MONOTONIC, &now);
		long gone = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
		left = gone >= (long)milliseconds ? 0 : (int)((long)milliseconds - gone);
	}
}

int spawn_reap(pid_t pid, unsigned milliseconds)
{
	int status = 0;
	pid_t done = waitpid(pid, &status, WNOHANG);
	if (done != 0)
		return done == pid ? status : -1; /* not our child, or no more: its number may be another's by now */
	if (!spawn_ended(pid, milliseconds))
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}
