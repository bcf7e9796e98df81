/* A child for tests/unit/sys_places_child.c and sys_spot.c: it opens what it is told to, and keeps it open. */
#ifndef XFERWARDEN_UNIT_SYS_PLACES_HAND_H
#define XFERWARDEN_UNIT_SYS_PLACES_HAND_H

#include "sys_places_world.h"

/*
 * w: as scp opens for writing, x: what is new, r: to read, d: a folder, s: a socket; k: closes that number, c: what was opened last. What is open stays open.
 */
struct hand {
	pid_t pid;
	int say, hear;
};

static struct hand hand;

static int hand_open(char what, const char *path)
{
	if (what == 's')
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (what == 'c' || what == 'k')
		return -1;
	int flags = what == 'w' ? O_WRONLY | O_CREAT : what == 'x' ? O_RDWR | O_CREAT | O_EXCL : what == 'd' ? O_RDONLY | O_DIRECTORY : O_RDONLY;
	return open(path, flags | O_CLOEXEC, 0644);
}

static _Noreturn void hand_work(int hear, int say)
{
	char line[PATH_BYTES_MAX + 2];
	int held[256], count = 0;
	close_range(3, 599, 0); /* the next descriptor is 3, as in scp */
	for (size_t n = 0; fd_read_all(hear, line + n, 1) == 0;) {
		if (line[n++] != '\n')
			continue;
		line[n - 1] = '\0';
		n = 0;
		int fd = hand_open(line[0], line + 1);
		if (line[0] == 'k')
			fd = close(atoi(line + 1));
		else if (line[0] == 'c')
			fd = count > 0 ? close(held[--count]) : -1;
		else if (fd >= 0 && count < 256)
			held[count++] = fd;
		(void)!write(say, fd < 0 ? "-" : "+", 1);
	}
	_exit(0);
}

static void hand_start(void)
{
	int to[2], from[2];
	cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	hand.pid = fork();
	if (hand.pid == 0) {
		int hear = fcntl(to[0], F_DUPFD_CLOEXEC, 600), say = fcntl(from[1], F_DUPFD_CLOEXEC, 600);
		hand_work(hear, say);
	}
	close(to[0]);
	close(from[1]);
	hand.say = to[1];
	hand.hear = from[0];
	places_child(&places, hand.pid);
}

static bool hand_does(char what, const char *path)
{
	char line[PATH_BYTES_MAX + 2], answer;
	int n = snprintf(line, sizeof(line), "%c%s\n", what, path);
	cr_assert_eq(fd_write_all(hand.say, line, (size_t)n), 0);
	cr_assert_eq(fd_read_all(hand.hear, &answer, 1), 0);
	return answer == '+';
}

static void hand_stop(void)
{
	kill(hand.pid, SIGKILL);
	waitpid(hand.pid, NULL, 0);
	fd_close(&hand.say);
	fd_close(&hand.hear);
}

#endif
