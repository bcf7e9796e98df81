/*
 * The kernel's Landlock interface, version by version: which rights each ABI knows, and how they make up our few words. Our own copies
 * of the constants let an older build machine's headers do.
 */
#include "sys/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/fd.h"

enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10,
	FS_MAKE_SYM = 1 << 12,
	FS_FIRST_ABI = (1 << 13) - 1,
	FS_REFER = 1 << 13,     /* ABI 2 */
	FS_TRUNCATE = 1 << 14,  /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */

	FS_ON_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
};

enum { NET_TCP = 3 /* bind and connect; ABI 4 */, SCOPE_ALL = 3 /* abstract sockets and signals; ABI 6 */ };
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

struct ruleset_attributes {
	uint64_t handled_fs;
	uint64_t handled_net;
	uint64_t scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

static size_t landlock_attributes(struct ruleset_attributes *attributes, int abi)
{
	*attributes = (struct ruleset_attributes){ .handled_fs = FS_FIRST_ABI };
	if (abi >= 2)
		attributes->handled_fs |= FS_REFER;
	if (abi >= 3)
		attributes->handled_fs |= FS_TRUNCATE;
	if (abi >= 5)
		attributes->handled_fs |= FS_IOCTL_DEV;
	if (abi >= 4)
		attributes->handled_net = NET_TCP;
	if (abi >= 6)
		attributes->scoped = SCOPE_ALL;
	return abi >= 6 ? sizeof(*attributes) : abi >= 4 ? offsetof(struct ruleset_attributes, scoped) : sizeof(uint64_t);
}

int landlock_init(struct landlock *landlock)
{
	*landlock = (struct landlock){ .fd = -1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	if (abi < 1)
		return abi < 0 ? -errno : -ENOSYS;
	struct ruleset_attributes attributes;
	size_t size = landlock_attributes(&attributes, (int)abi);
	long fd = syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
	if (fd < 0)
		return -errno;
	*landlock = (struct landlock){ .fd = (int)fd, .abi = (int)abi, .handled = attributes.handled_fs };
	return 0;
}

static uint64_t landlock_rights(unsigned rights)
{
	uint64_t allowed = 0;
	if (rights & LANDLOCK_RIGHT_READ)
		allowed |= FS_READ_FILE | FS_READ_DIR;
	if (rights & LANDLOCK_RIGHT_EXECUTE)
		allowed |= FS_EXECUTE | FS_READ_FILE;
	if (rights & (LANDLOCK_RIGHT_WRITE | LANDLOCK_RIGHT_MANAGE | LANDLOCK_RIGHT_SCRATCH))
		allowed |= FS_WRITE_FILE | FS_TRUNCATE | FS_MAKE_REG | FS_MAKE_DIR;
	if (rights & (LANDLOCK_RIGHT_MANAGE | LANDLOCK_RIGHT_SCRATCH))
		allowed |= FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_SYM | FS_REFER;
	if (rights & LANDLOCK_RIGHT_SCRATCH)
		allowed |= FS_MAKE_SOCK | FS_MAKE_FIFO;
	return allowed;
}

int landlock_permit(struct landlock *landlock, int below, unsigned rights)
{
	struct stat status;
	if (fstat(below, &status) < 0)
		return -errno;
	struct path_beneath rule = { .allowed = landlock_rights(rights) & landlock->handled, .parent = below };
	if (!S_ISDIR(status.st_mode))
		rule.allowed &= FS_ON_FILES;
	if (rule.allowed == 0)
		return 0;
	return syscall(SYS_landlock_add_rule, landlock->fd, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno : 0;
}

int landlock_permit_path(struct landlock *landlock, const char *path, unsigned rights)
{
	FD_OWNED int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	return landlock_permit(landlock, fd, rights);
}

int landlock_enforce(int ruleset_fd)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}

void landlock_finish(struct landlock *landlock)
{
	fd_close(&landlock->fd);
}
