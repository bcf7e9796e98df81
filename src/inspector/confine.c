/*
 * Which system calls libmagic and libclamav need once their libraries are loaded (traced over ClamAV's test files, every archive in
 * tests/live and a database load), and which they try without needing them.
 */
#include "inspector/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clamav.h"
#include "sys/fd.h"
#include "sys/landlock.h"

enum { FILES_MAX = 128 };

static int confine_limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit limit;
	if (getrlimit(what, &limit) < 0)
		return -errno;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(what, &limit) < 0 ? -errno : 0;
}

int confine_early(struct confine *confine)
{
	/* An inspector whose parent died before this line sees the end of its socket. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	umask(077);
	/* A file that grows too large is an error of the library that writes it, not the end of the process. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	int error = confine_limit(RLIMIT_CORE, 0);
	if (error == 0)
		error = confine_limit(RLIMIT_NOFILE, FILES_MAX);
	if (error == 0)
		error = confine_limit(RLIMIT_FSIZE, confine->scratch != NULL ? CLAMAV_SIZE_MAX : 0);
	if (error == 0)
		error = confine_limit(RLIMIT_MEMLOCK, 0);
	confine->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	return error < 0 ? error : confine->statm < 0 ? -errno : 0;
}

int confine_question(const struct confine *confine, uint64_t memory, unsigned seconds)
{
	char text[128] = "";
	struct rusage used;
	if (pread(confine->statm, text, sizeof(text) - 1, 0) <= 0 || getrusage(RUSAGE_SELF, &used) < 0)
		return -errno;
	char *end;
	unsigned long long pages = strtoull(text, &end, 10);
	if (end == text || pages == 0)
		return -EIO;
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) < 0)
		return -errno;
	rlim_t wanted = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + memory;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max ? wanted : limit.rlim_max;
	if (setrlimit(RLIMIT_AS, &limit) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
		return -errno;
	wanted = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + seconds + 2;
	limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max ? wanted : limit.rlim_max;
	return setrlimit(RLIMIT_CPU, &limit) < 0 ? -errno : 0;
}

static int confine_landlock(const struct confine *confine)
{
	struct landlock landlock;
	int error = landlock_init(&landlock);
	if (error < 0)
		return landlock.abi == 0 && confine->unconfined_ok ? 0 : error;
	if (confine->database != NULL)
		error = landlock_permit_path(&landlock, confine->database, LANDLOCK_RIGHT_READ);
	if (error == 0 && confine->scratch != NULL)
		error = landlock_permit_path(&landlock, confine->scratch, LANDLOCK_RIGHT_READ | LANDLOCK_RIGHT_SCRATCH);
	if (error == 0)
		error = landlock_enforce(landlock.fd);
	landlock_finish(&landlock);
	return error;
}

/* Needed with any content. */
static const int confine_allowed[] = {
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(lseek),
	SCMP_SYS(fstat), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(getrusage),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname),
	SCMP_SYS(sysinfo), SCMP_SYS(getrandom), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rseq),
	SCMP_SYS(membarrier),
};

/* Needed to load a database and to unpack; Landlock says where. */
static const int confine_unpacking[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(creat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(getdents64), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(rename), SCMP_SYS(ftruncate), SCMP_SYS(fallocate),
	SCMP_SYS(pwrite64), SCMP_SYS(fadvise64), SCMP_SYS(dup), SCMP_SYS(getcwd), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(fcntl),
	SCMP_SYS(umask), SCMP_SYS(copy_file_range),
};

/* Tried by habit; a refusal is taken well. Without a scratch folder that goes for files by name, too. */
static const struct {
	int call;
	int error;
} confine_refused[] = {
	{ SCMP_SYS(socket), EACCES }, { SCMP_SYS(connect), EACCES }, { SCMP_SYS(ioctl), ENOTTY }, { SCMP_SYS(clone3), ENOSYS },
	{ SCMP_SYS(clone), EAGAIN }, { SCMP_SYS(kill), EPERM }, { SCMP_SYS(chmod), EPERM }, { SCMP_SYS(fchmod), EPERM },
	{ SCMP_SYS(fchmodat), EPERM }, { SCMP_SYS(chown), EPERM }, { SCMP_SYS(fchown), EPERM }, { SCMP_SYS(lchown), EPERM },
	{ SCMP_SYS(utimensat), EPERM }, { SCMP_SYS(readlink), EACCES }, { SCMP_SYS(readlinkat), EACCES },
	{ SCMP_SYS(memfd_create), EPERM }, { SCMP_SYS(prctl), EPERM }, { SCMP_SYS(sched_setscheduler), EPERM },
	{ SCMP_SYS(mbind), EPERM }, { SCMP_SYS(symlink), EPERM }, { SCMP_SYS(link), EPERM },
};

static const int confine_by_name[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access),
	SCMP_SYS(faccessat2),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static int confine_lists(scmp_filter_ctx filter, bool unpacks)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < COUNT(confine_allowed); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, confine_allowed[i], 0);
	for (size_t i = 0; error == 0 && unpacks && i < COUNT(confine_unpacking); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, confine_unpacking[i], 0);
	for (size_t i = 0; error == 0 && !unpacks && i < COUNT(confine_by_name); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), confine_by_name[i], 0);
	for (size_t i = 0; error == 0 && i < COUNT(confine_refused); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)confine_refused[i].error), confine_refused[i].call, 0);
	return error;
}

/* Calls that depend on their arguments: no memory that is executable, signals and limits only for ourselves. */
static int confine_arguments(scmp_filter_ctx filter)
{
	static const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	static const int limits[] = { RLIMIT_AS, RLIMIT_CPU, RLIMIT_STACK, RLIMIT_NOFILE };
	int error = 0;
	for (size_t i = 0; error == 0 && i < COUNT(maps); i++) {
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, maps[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (error == 0)
			error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), maps[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	}
	if (error == 0)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	for (size_t i = 0; error == 0 && i < COUNT(limits); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
		                         SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)limits[i]));
	return error;
}

static int confine_seccomp(bool unpacks)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return -ENOMEM;
	int error = confine_lists(filter, unpacks);
	if (error == 0)
		error = confine_arguments(filter);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

int confine_close(const struct confine *confine)
{
	if (confine->scratch != NULL && chdir(confine->scratch) < 0)
		return -errno;
	if (confine->scratch == NULL && chdir("/") < 0)
		return -errno;
	int error = confine_landlock(confine);
	return error < 0 ? error : confine_seccomp(confine->scratch != NULL);
}
