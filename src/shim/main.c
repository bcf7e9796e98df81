/* xferwarden: sshd's ForceCommand for file transfers. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
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

int main(int argc, char **argv)
{
	struct invocation invocation;
	bool done = false;
	if (main_descriptors() < 0)
		return SHIM_FAILED_STATUS;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a user's limit on file sizes is an error of write(2) here */
	(void)signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would take our children's statuses away */
	diag_init("xferwarden");
	const char *why = invocation_read(&invocation, argc, argv, &done);
	if (why != NULL) {
		diag("%s", why);
		diag_log("called with arguments that it does not know: %s", why);
		return SHIM_REFUSED_STATUS;
	}
	return done ? 0 : session_run(&session, &invocation);
}
