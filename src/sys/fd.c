/* The small print of descriptors: interrupted calls, short transfers, descriptors that travel with messages. */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

void fd_close(int *fd)
{
	if (*fd < 0)
		return;
	int saved = errno;
	(void)close(*fd);
	errno = saved;
	*fd = -1;
}

int fd_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	if (wanted != flags && fcntl(fd, F_SETFL, wanted) < 0)
		return -errno;
	return 0;
}

/* Waits where the descriptor happens to be non-blocking. */
static int fd_wait(int fd, short events)
{
	struct pollfd slot = { .fd = fd, .events = events };
	while (poll(&slot, 1, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int fd_retry(int fd, short events)
{
	if (errno == EINTR)
		return 0;
	if (errno == EAGAIN)
		return fd_wait(fd, events);
	return -errno;
}

int fd_read_all(int fd, void *dst, size_t n)
{
	uint8_t *at = dst;
	while (n > 0) {
		ssize_t got = read(fd, at, n);
		if (got == 0)
			return -ENODATA;
		if (got < 0) {
			int error = fd_retry(fd, POLLIN);
			if (error < 0)
				return error;
			continue;
		}
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int fd_write_all(int fd, const void *src, size_t n)
{
	const uint8_t *at = src;
	while (n > 0) {
		ssize_t put = write(fd, at, n);
		if (put < 0) {
			int error = fd_retry(fd, POLLOUT);
			if (error < 0)
				return error;
			continue;
		}
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

int fd_reopen_read(int fd)
{
	char name[32];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	int fresh = open(name, O_RDONLY | O_CLOEXEC);
	return fresh < 0 ? -errno : fresh;
}

int fd_send(int socket, const void *message, size_t n, int pass)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = (void *)(uintptr_t)message, .iov_len = n };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	if (pass >= 0) {
		header.msg_control = control.space;
		header.msg_controllen = sizeof(control.space);
		struct cmsghdr *item = CMSG_FIRSTHDR(&header);
		item->cmsg_level = SOL_SOCKET;
		item->cmsg_type = SCM_RIGHTS;
		item->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(item), &pass, sizeof(int));
	}
	ssize_t sent;
	do
		sent = sendmsg(socket, &header, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == n ? 0 : -EMSGSIZE;
}

/* Takes every descriptor out of the message, keeps one; returns how many there were. */
static size_t fd_unpack(struct msghdr *header, int *passed)
{
	size_t count = 0;
	for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL; item = CMSG_NXTHDR(header, item)) {
		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
			if (count++ == 0)
				*passed = fd;
			else
				(void)close(fd);
		}
	}
	return count;
}

ssize_t fd_receive(int socket, void *message, size_t cap, int *passed)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { .iov_base = message, .iov_len = cap };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	ssize_t got;
	*passed = -1;
	do
		got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	size_t count = fd_unpack(&header, passed);
	bool hollow = got == 0 && count > 0; /* no bytes means the end, and the end brings nothing */
	if (count > 1 || hollow || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		fd_close(passed);
		return -EPROTO;
	}
	return got;
}
