/*
 * A server whose processor time can be told: it ends when the last of its processes has ended, and has waited for each of them. sshd itself leaves without waiting
 * for those that did the work when the client hangs up first.
 *
 *   reap COMMAND...
 */
#include <err.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: reap COMMAND...");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
		err(1, "subreaper");
	pid_t child = fork();
	if (child < 0)
		err(1, "fork");
	if (child == 0) {
		execvp(argv[1], argv + 1);
		err(1, "%s", argv[1]);
	}
	close(0);
	close(1);
	while (wait(NULL) >= 0 || errno == EINTR)
		;
	return 0;
}
