/* Descriptors with an owner. Every descriptor here is close-on-exec. */
#ifndef XFERWARDEN_SYS_FD_H
#define XFERWARDEN_SYS_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"

/* Closes *fd unless it is negative, sets it to -1, keeps errno. */
void fd_close(int *fd);

/* An fd that closes itself at the end of its block: FD_OWNED int fd = open(…); */
#define FD_OWNED __attribute__((cleanup(fd_close)))

/* Gives up ownership: returns *fd and sets it to -1. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

int fd_nonblock(int fd, bool on);                      /* 0 or negative errno */

/* Reads or writes all of it, through EINTR. 0 or negative errno; -ENODATA when the other end stopped before. */
int fd_read_all(int fd, void *dst, size_t n);
int fd_write_all(int fd, const void *src, size_t n);

/* A new descriptor for the same open file, read-only, by way of /proc/self/fd. Negative errno. */
int fd_reopen_read(int fd);

/* One message with at most one descriptor on a SOCK_SEQPACKET or stream socket. pass -1: none. 0 or negative errno. */
int fd_send(int socket, const void *message, size_t n, int pass);

/* Receives one message of at most cap bytes; *passed is the one descriptor that came with it or -1, more than one is -EPROTO. Length, 0 at the end, negative errno. */
ssize_t fd_receive(int socket, void *message, size_t cap, int *passed);

#endif
