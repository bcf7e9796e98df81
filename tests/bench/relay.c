/*
 * The least that can stand between a client and its command: bytes are copied both ways and nothing is looked at. What it costs is what any process there costs on
 * this machine; the shim's figures are read beside it.
 *
 *   relay COMMAND...
 */
#include <err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char block[65536];

/* False at the end of from. */
static int copy(int from, int to)
{
	ssize_t n = read(from, block, sizeof(block));
	for (ssize_t at = 0, put; at < n; at += put)
		if ((put = write(to, block + at, (size_t)(n - at))) <= 0)
			return 0;
	return n > 0;
}

int main(int argc, char **argv)
{
	int in[2], out[2], status = 1;
	if (argc < 2 || pipe(in) < 0 || pipe(out) < 0)
		errx(1, "usage: relay COMMAND...");
	pid_t child = fork();
	if (child == 0) {
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
			err(1, "dup2");
		close(in[0]), close(in[1]), close(out[0]), close(out[1]);
		execvp(argv[1], argv + 1);
		err(1, "%s", argv[1]);
	}
	close(in[0]);
	close(out[1]);
	struct pollfd slot[] = { { .fd = 0, .events = POLLIN }, { .fd = out[0], .events = POLLIN } };
	while (slot[1].fd >= 0 && poll(slot, 2, -1) > 0) {
		if (slot[0].revents && !copy(0, in[1])) {
			close(in[1]);
			slot[0].fd = -1;
		}
		if (slot[1].revents && !copy(out[0], 1))
			slot[1].fd = -1;
	}
	if (waitpid(child, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
