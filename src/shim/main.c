/* xferwarden: sshd's ForceCommand for file transfers. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "sys/diag.h"

static struct session session; /* large, and zero */

/* 0, 1 and 2 have to be open, or our own files would end up there. */
static int main_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static volatile sig_atomic_t stop;

static void main_stop(int signal)
{
	(void)signal;
	stop = 1;
}

/* The signals that end programs end a session in order. They are let in while the relay waits, and only then. */
static void main_signals(void)
{
	static const int ending[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	struct sigaction action = { .sa_handler = main_stop };
	sigset_t blocked;
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		(void)sigaction(ending[i], &action, NULL);
		sigaddset(&blocked, ending[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &blocked, &session.wait_mask);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		sigdelset(&session.wait_mask, ending[i]);
	session.stop = &stop;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a user's limit on file sizes is an error of write(2) here */
	(void)signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would take our children's statuses away */
}

/*
 * sshd hands a client's "signal" request to the process group of a login shell without forced command. So there the work is done in another one: the signal finds
 * only this process, which waits and reports, and the worker sees its client gone. Returns in the worker.
 */
static void main_aside(void)
{
	int status = 0;
	pid_t worker = fork();
	if (worker == 0) {
		(void)setsid();
		return;
	}
	(void)close(STDIN_FILENO);
	(void)close(STDOUT_FILENO);
	while (worker > 0 && waitpid(worker, &status, 0) < 0 && errno == EINTR)
		;
	_exit(worker > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : SHIM_FAILED_STATUS);
}

int main(int argc, char **argv)
{
	struct invocation invocation;
	bool done = false;
	if (main_descriptors() < 0)
		return SHIM_FAILED_STATUS;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	diag_init("xferwarden");
	const char *why = invocation_read(&invocation, argc, argv, &done);
	if (why != NULL) {
		diag("%s", why);
		diag_log("called with arguments that it does not know: %s", why);
		return SHIM_REFUSED_STATUS;
	}
	if (done)
		return 0;
	if (invocation.login_shell)
		main_aside();
	main_signals();
	return session_run(&session, &invocation);
}
