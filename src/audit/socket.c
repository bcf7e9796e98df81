/* Datagrams to a local daemon that may be slow, full, restarted or gone. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "audit/target.h"
#include "sys/fd.h"

int audit_socket_open(struct audit_target *target)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (!span_copy(address.sun_path, sizeof(address.sun_path), span_str(target->path)))
		return -ENAMETOOLONG;
	FD_OWNED int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	fd_close(&target->fd);
	target->fd = fd_steal(&fd);
	return 0;
}

static int64_t milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 0 when the daemon has room again, -ETIMEDOUT at the deadline. */
static int socket_wait(int fd, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline - milliseconds();
		struct pollfd slot = { .fd = fd, .events = POLLOUT };
		int ready = poll(&slot, 1, left > 0 ? (int)left : 0);
		if (ready > 0)
			return 0;
		if (ready == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static int socket_send(int fd, const struct msghdr *message, int64_t deadline)
{
	for (;;) {
		if (sendmsg(fd, message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		int error = socket_wait(fd, deadline);
		if (error)
			return error;
	}
}

/* The other end is not there any more; another may be there by that name. */
static bool socket_is_gone(int error)
{
	return error == -ECONNREFUSED || error == -ENOTCONN || error == -ECONNRESET || error == -EPIPE;
}

int audit_socket_send(struct audit_target *target, const struct iovec *pieces, size_t count, int pass, int64_t deadline)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr message = { .msg_iov = (struct iovec *)pieces, .msg_iovlen = count };
	if (pass >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &pass, sizeof(int));
	}
	if (target->fd >= 0) {
		int error = socket_send(target->fd, &message, deadline);
		if (!socket_is_gone(error))
			return error;
		fd_close(&target->fd);
	}
	int error = audit_socket_open(target);
	return error ? error : socket_send(target->fd, &message, deadline);
}
