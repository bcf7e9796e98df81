/* sys/fd: descriptors that end, block, refuse and travel. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"

TestSuite(sys_fd, .timeout = 30);

static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static bool close_on_exec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

/* A child that runs in its own time: what it returns is its exit status. */
static pid_t aside(int (*work)(int), int fd, int drop)
{
	pid_t pid = fork();
	if (pid == 0) {
		close(drop);
		_exit(work(fd));
	}
	cr_assert_gt(pid, 0);
	close(fd);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Test(sys_fd, close_forgets_and_keeps_errno)
{
	int fd = dup(0), same = fd, none = -1;
	errno = ENOTTY;
	fd_close(&fd);
	fd_close(&none);
	cr_expect_eq(fd, -1);
	cr_expect_eq(none, -1);
	cr_expect_eq(errno, ENOTTY);
	cr_expect_lt(fcntl(same, F_GETFD), 0);
	fd = 1000; /* open nowhere: close fails, errno stays */
	errno = ENOTTY;
	fd_close(&fd);
	cr_expect_eq(errno, ENOTTY);
}

Test(sys_fd, owned_closes_at_the_end_of_its_block_and_steal_keeps_it_open)
{
	int kept, gone, before = open_count();
	{
		FD_OWNED int a = dup(0);
		FD_OWNED int b = dup(0);
		gone = a;
		kept = fd_steal(&b);
		cr_expect_eq(b, -1);
	}
	cr_expect_lt(fcntl(gone, F_GETFD), 0);
	cr_expect_geq(fcntl(kept, F_GETFD), 0);
	fd_close(&kept);
	cr_expect_eq(open_count(), before);
}

Test(sys_fd, nonblock_switches_only_that_flag)
{
	int ends[2];
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_expect_eq(fcntl(ends[1], F_SETFL, O_APPEND), 0);
	cr_expect_eq(fd_nonblock(ends[1], true), 0);
	cr_expect_eq(fcntl(ends[1], F_GETFL) & (O_NONBLOCK | O_APPEND), O_NONBLOCK | O_APPEND);
	cr_expect_eq(fd_nonblock(ends[1], false), 0);
	cr_expect_eq(fcntl(ends[1], F_GETFL) & (O_NONBLOCK | O_APPEND), O_APPEND);
	cr_expect_eq(fd_nonblock(-1, true), -EBADF);
}

static int write_in_pieces(int fd)
{
	for (int i = 0; i < 5; i++) {
		usleep(10000);
		if (write(fd, &"hello"[i], 1) != 1)
			return 1;
	}
	return 0;
}

static volatile sig_atomic_t rang;

static void on_alarm(int signal)
{
	(void)signal;
	rang++;
}

/* Interrupted calls, short reads, and a descriptor that happens to be non-blocking. */
Test(sys_fd, read_all_waits_through_signals_and_short_reads)
{
	struct sigaction noisy = { .sa_handler = on_alarm };
	int ends[2];
	char text[6] = "";
	cr_assert_eq(sigaction(SIGALRM, &noisy, NULL), 0);
	for (int nonblocking = 0; nonblocking < 2; nonblocking++) {
		cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
		cr_assert_eq(fd_nonblock(ends[0], nonblocking), 0);
		pid_t pid = aside(write_in_pieces, ends[1], ends[0]);
		ualarm(3000, 3000);
		cr_expect_eq(fd_read_all(ends[0], text, 5), 0);
		ualarm(0, 0);
		cr_expect_str_eq(text, "hello");
		cr_expect_eq(status_of(pid), 0);
		cr_expect_eq(fd_read_all(ends[0], text, 1), -ENODATA);
		cr_expect_eq(fd_read_all(ends[0], text, 0), 0);
		fd_close(&ends[0]);
	}
	cr_expect_gt(rang, 1);
	cr_expect_eq(fd_read_all(-1, text, 1), -EBADF);
}

enum { LARGE = 1 << 20 };

static int swallow_slowly(int fd)
{
	static char block[65536];
	size_t total = 0;
	for (ssize_t got; (got = read(fd, block, sizeof(block))) > 0; total += (size_t)got) {
		usleep(2000);
		for (ssize_t i = 0; i < got; i++)
			if (block[i] != (char)((total + (size_t)i) * 7 >> 3))
				return 1;
	}
	return total == LARGE ? 0 : 2;
}

Test(sys_fd, write_all_waits_for_a_slow_reader)
{
	int ends[2];
	char *block = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		block[i] = (char)(i * 7 >> 3);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(fd_nonblock(ends[1], true), 0);
	pid_t pid = aside(swallow_slowly, ends[0], ends[1]);
	cr_expect_eq(fd_write_all(ends[1], block, LARGE), 0);
	fd_close(&ends[1]);
	cr_expect_eq(status_of(pid), 0);
	free(block);
}

Test(sys_fd, write_all_says_when_nobody_reads)
{
	int ends[2];
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	fd_close(&ends[0]);
	cr_expect_eq(fd_write_all(ends[1], "x", 1), -EPIPE);
	cr_expect_eq(fd_write_all(ends[1], "x", 0), 0);
}

Test(sys_fd, a_reopened_descriptor_reads_the_same_file_and_cannot_write)
{
	char name[] = "/tmp/fd-XXXXXX", text[4] = "";
	int fd = mkstemp(name);
	cr_assert_geq(fd, 0);
	unlink(name);
	cr_assert_eq(fd_write_all(fd, "abc", 3), 0);
	int reader = fd_reopen_read(fd);
	cr_assert_geq(reader, 0);
	cr_expect(close_on_exec(reader));
	cr_expect_eq(fd_read_all(reader, text, 3), 0); /* from the start: it has an offset of its own */
	cr_expect_str_eq(text, "abc");
	cr_expect_lt(write(reader, "x", 1), 0);
	cr_expect_eq(errno, EBADF);
	cr_expect_lt(ftruncate(reader, 0), 0);
	cr_expect_eq(fd_reopen_read(-1), -ENOENT);
}

/* Puts n descriptors into one message: what an honest peer never does. */
static void send_many(int socket, const void *message, size_t length, int fd, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(16 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)message, .iov_len = length };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *item = CMSG_FIRSTHDR(&header);
	item->cmsg_level = SOL_SOCKET;
	item->cmsg_type = SCM_RIGHTS;
	item->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof(int));
	cr_assert_eq(sendmsg(socket, &header, 0), (ssize_t)length);
}

Test(sys_fd, a_descriptor_travels_with_a_message)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_SEQPACKET };
	for (size_t i = 0; i < 2; i++) {
		int pair[2], ends[2], passed = 77;
		char text[8] = "";
		cr_assert_eq(socketpair(AF_UNIX, kinds[i] | SOCK_CLOEXEC, 0, pair), 0);
		cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
		cr_expect_eq(fd_send(pair[0], "hello", 5, ends[1]), 0);
		fd_close(&ends[1]);
		cr_expect_eq(fd_receive(pair[1], text, sizeof(text), &passed), 5);
		cr_expect_str_eq(text, "hello");
		cr_assert_geq(passed, 0);
		cr_expect(close_on_exec(passed));
		cr_expect_eq(write(passed, "y", 1), 1);
		cr_expect_eq(fd_read_all(ends[0], text, 1), 0);
		fd_close(&passed);
		cr_expect_eq(fd_send(pair[0], "none", 4, -1), 0);
		passed = 77;
		cr_expect_eq(fd_receive(pair[1], text, sizeof(text), &passed), 4);
		cr_expect_eq(passed, -1);
		fd_close(&pair[0]);
		cr_expect_eq(fd_receive(pair[1], text, sizeof(text), &passed), 0);
		cr_expect_eq(passed, -1);
		cr_expect_eq(fd_send(pair[1], "x", 1, -1), -EPIPE); /* and no SIGPIPE */
		fd_close(&pair[1]);
		fd_close(&ends[0]);
	}
}

/* Whatever the peer puts in, nothing of it stays open here. */
Test(sys_fd, what_no_honest_peer_sends_is_refused_and_leaves_no_descriptor)
{
	static const struct {
		size_t length, descriptors;
		ssize_t wanted;
	} rows[] = { { 5, 2, -EPROTO }, { 5, 4, -EPROTO }, { 5, 5, -EPROTO }, { 5, 16, -EPROTO }, { 9, 1, -EPROTO }, { 9, 0, -EPROTO }, { 8, 0, 8 } };
	int pair[2], passed;
	char text[8];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = open_count();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].descriptors > 0)
			send_many(pair[0], "too much", rows[i].length, 0, rows[i].descriptors);
		else
			cr_assert_eq(send(pair[0], "too much", rows[i].length, 0), (ssize_t)rows[i].length);
		passed = 77;
		cr_expect_eq(fd_receive(pair[1], text, sizeof(text), &passed), rows[i].wanted, "row %zu", i);
		cr_expect_eq(passed, -1, "row %zu", i);
		cr_expect_eq(open_count(), before, "row %zu", i);
	}
}

/* An empty message is what the end looks like: one that carries a descriptor is neither, and must not lose it. */
Test(sys_fd, an_empty_message_with_a_descriptor_is_not_the_end)
{
	int pair[2], passed = 77;
	char text[8];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = open_count();
	send_many(pair[0], "", 0, 0, 1);
	cr_expect_eq(fd_receive(pair[1], text, sizeof(text), &passed), -EPROTO);
	cr_expect_eq(passed, -1);
	cr_expect_eq(open_count(), before);
}

Test(sys_fd, a_message_that_does_not_fit_in_the_queue_is_not_sent_in_part)
{
	int pair[2];
	static char large[1 << 20];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	int error = fd_send(pair[0], large, sizeof(large), -1);
	cr_expect(error == -EMSGSIZE || error == -EAGAIN, "%d", error);
	cr_expect_lt(recv(pair[1], large, 1, MSG_DONTWAIT), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	cr_expect_eq(fd_send(pair[0], large, sizeof(large), -1), -EMSGSIZE); /* on a stream a part is gone: the caller has to give up */
}
