/* The world of tests/unit/sys_places*.c: a root with links and odd files in it, and a folder outside. */
#ifndef XFERWARDEN_UNIT_SYS_PLACES_WORLD_H
#define XFERWARDEN_UNIT_SYS_PLACES_WORLD_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/places.h"
#include "sys/spawn.h"

enum { STRANGER = 65534 }; /* nobody: sftp-server wants to know a name */

static char base[PATH_BYTES_MAX];
static struct places places;

static void make(const char *name, const char *content)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(fd_write_all(fd, content, strlen(content)), 0);
	close(fd);
}

static void make_socket(const char *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", name);
	cr_assert_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
}

static void set_up(void)
{
	static const char *const links[][2] = {
		{ "file", "link-file" }, { "dir", "link-dir" }, { "../outside", "link-out" }, { "../outside/file", "link-out-file" }, { "nowhere", "dangling" },
		{ "../outside/nowhere", "dangling-out" }, { "loop", "loop" }, { "link-file", "link-link" }, { "fifo", "link-fifo" }, { "/dev/null", "link-device" },
	};
	char name[] = "/tmp/places-XXXXXX";
	umask(022);
	cr_assert(mkdtemp(name));
	cr_assert(realpath(name, base));
	cr_assert_eq(chmod(base, 0755), 0);
	cr_assert_eq(chdir(base), 0);
	cr_assert(mkdir("root", 0755) == 0 && mkdir("root/dir", 0755) == 0 && mkdir("root/dir/sub", 0755) == 0 && mkdir("outside", 0755) == 0);
	make("root/file", "file");
	make("root/dir/file", "in dir");
	make("outside/file", "out");
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		char at[64];
		snprintf(at, sizeof(at), "root/%s", links[i][1]);
		cr_assert_eq(symlink(links[i][0], at), 0);
	}
	cr_assert_eq(link("outside/file", "root/hard"), 0);
	cr_assert_eq(mkfifo("root/fifo", 0644), 0);
	make_socket("root/socket");
}

static void tear_down(void)
{
	char command[PATH_BYTES_MAX + 16];
	places_finish(&places);
	cr_expect_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
}

/* As in an old kernel or a strict container: the rest of this test's process gets that error from openat2(2). */
static inline void without_openat2(unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	cr_assert(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
	cr_assert(syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) < 0 && errno == (int)error);
}

static const char *in_base(const char *name)
{
	static char text[4][PATH_BYTES_MAX * 2];
	static unsigned turn;
	char *at = text[turn++ % 4];
	snprintf(at, sizeof(text[0]), "%s/%s", base, name);
	return at;
}

static void begin(const char *home)
{
	const char *what;
	cr_assert_eq(places_open(&places, in_base("root"), home, &what), 0, "%s", what);
}

/* "file root/dir/x", with "outside", "login" and "hopeless" where they hold; the path below the base. */
static inline const char *shown(const struct place *place)
{
	static const char *const kinds[] = {
		[PLACE_LOST] = "lost", [PLACE_ABSENT] = "absent", [PLACE_FILE] = "file", [PLACE_DIRECTORY] = "directory", [PLACE_OTHER] = "other",
		[PLACE_RESERVED] = "reserved",
	};
	static char text[PATH_BYTES_MAX * 3];
	struct span rest = place->real;
	(void)path_below(place->real, span_str(base), &rest);
	snprintf(text, sizeof(text), "%s %.*s%s%s%s%s%.*s", kinds[place->kind], (int)rest.n, rest.n ? (const char *)rest.p : "", place->outside ? " outside" : "",
		 place->login ? " login" : "", place->hopeless ? " hopeless" : "", place->asked.n ? " asked " : "", (int)place->asked.n,
		 place->asked.n ? (const char *)place->asked.p : "");
	return text;
}

/* path is real without root in front, and only what is inside has one. */
static inline void expect_consistent(const struct place *place, const char *which)
{
	struct span below = span_of(NULL, 0);
	if (place->kind == PLACE_LOST)
		return;
	bool inside = path_below(place->real, span_str(places.root_real), &below);
	cr_expect_eq(place->outside, !inside, "%s", which);
	cr_expect(span_equal(place->path, inside ? below : span_of(NULL, 0)), "%s", which);
}

#define NEED(condition)                                                                                                                                       \
	do {                                                                                                                                                  \
		if (!(condition)) {                                                                                                                           \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                                                                               \
			return 1;                                                                                                                             \
		}                                                                                                                                             \
	} while (0)

/* In a process of its own; work gives 0 when all was as it should be. */
static inline void as_stranger(int (*work)(void))
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(setgroups(0, NULL) == 0 && setresgid(STRANGER, STRANGER, STRANGER) == 0 && setresuid(STRANGER, STRANGER, STRANGER) == 0 ? work() : 99);
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "%x", (unsigned)status);
}

#endif
