/* A log file that many sessions append to at once, that a disk without room may tear, and that is rotated under us. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/target.h"
#include "sys/fd.h"

int audit_file_open(struct audit_target *target)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO of that name must not stop us. */
	FD_OWNED int fd = open(target->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd_close(&target->fd);
	target->fd = fd_steal(&fd);
	target->torn = false;
	return 0;
}

/* Follows a rotation: the name may stand for another file by now, or for none. While a new one can't be opened the renamed one still serves. */
static int file_follow(struct audit_target *target, time_t now)
{
	struct stat ours, named;
	if (target->fd < 0)
		return audit_file_open(target);
	if (target->followed == now)
		return 0;
	target->followed = now;
	if (fstat(target->fd, &ours) < 0)
		return -errno;
	if (lstat(target->path, &named) == 0 && named.st_dev == ours.st_dev && named.st_ino == ours.st_ino)
		return 0;
	int error = audit_file_open(target);
	return ours.st_nlink > 0 ? 0 : error;
}

static ssize_t file_write_once(int fd, const char *bytes, size_t n)
{
	for (;;) {
		ssize_t wrote = write(fd, bytes, n);
		if (wrote >= 0)
			return wrote;
		if (errno != EINTR)
			return -errno;
	}
}

/* Ends a line that was not written whole, so that the next record, of whichever session, has a line of its own. */
static void file_mend(struct audit_target *target)
{
	if (target->torn && file_write_once(target->fd, "\n", 1) == 1)
		target->torn = false;
}

int audit_file_write(struct audit_target *target, const struct audit_job *job)
{
	int error = file_follow(target, job->now.tv_sec);
	if (error)
		return error;
	file_mend(target);
	if (target->torn)
		return -EIO;
	size_t n = audit_format(job->line, AUDIT_LINE_MAX - 1, job->session, job->record, &job->now);
	job->line[n++] = '\n';
	ssize_t wrote = file_write_once(target->fd, job->line, n);
	if (wrote < 0)
		return (int)wrote;
	if ((size_t)wrote == n)
		return 0;
	target->torn = wrote > 0;
	file_mend(target);
	return -EIO;
}
