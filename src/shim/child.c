/*
 * The real scp or sftp-server: its arguments and environment made from nothing, its jail, its pipes. What it needs besides root to run at all is listed here: the
 * loader and libraries, and what the C library reads to look up the user's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shim/shim.h"
#include "sys/diag.h"
#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/spawn.h"

static const char *const child_readable[] = {
	"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/share/locale", "/usr/share/zoneinfo",
	"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/localtime",
	"/var/lib/sss", "/var/lib/extrausers", "/run/nscd", "/run/systemd/userdb",
};

/* The loader that runs us runs the child as well. */
static int child_loader(struct dl_phdr_info *info, size_t size, void *path)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*(const char **)path = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	return 1; /* the program itself comes first */
}

static int child_permit_system(struct landlock *jail)
{
	const char *loader = NULL;
	int error = landlock_permit_path(jail, "/dev/null", LANDLOCK_RIGHT_READ | LANDLOCK_RIGHT_WRITE);
	for (size_t i = 0; i < sizeof(child_readable) / sizeof(child_readable[0]) && error == 0; i++)
		error = landlock_permit_path(jail, child_readable[i], LANDLOCK_RIGHT_READ);
	(void)dl_iterate_phdr(child_loader, &loader);
	if (error == 0 && loader != NULL)
		error = landlock_permit_path(jail, loader, LANDLOCK_RIGHT_EXECUTE);
	return error;
}

void child_prepare(struct session *session)
{
	session->jail_error = landlock_init(&session->jail);
	if (session->jail_error == 0)
		session->jail_error = child_permit_system(&session->jail);
}

const char *child_program(const struct session *session)
{
	return session->protocol == PROTOCOL_SFTP ? session->conf.sftp_server_program : session->conf.scp_program;
}

static unsigned child_rights(const struct session *session)
{
	if (!session->changes)
		return LANDLOCK_RIGHT_READ;
	return LANDLOCK_RIGHT_READ | (session->protocol == PROTOCOL_SFTP ? LANDLOCK_RIGHT_MANAGE : LANDLOCK_RIGHT_WRITE);
}

/* Completes the jail; without one only where the kernel has none and the configuration can do without. */
static int child_jail(struct session *session)
{
	unsigned rights = child_rights(session);
	int error = session->jail_error;
	if (!session->conf.confine && (error == -ENOSYS || error == -EOPNOTSUPP))
		return 0;
	if (error == 0)
		error = landlock_permit_path(&session->jail, child_program(session), LANDLOCK_RIGHT_EXECUTE);
	if (error == 0)
		error = landlock_permit(&session->jail, session->places.root, rights);
	if (error < 0)
		diag_log("no Landlock for %s: %s (see confinement in xferwarden.conf(5))", child_program(session), strerror(-error));
	return error;
}

struct child_words {
	char *envp[8];
	char user[300], logname[300];
	char *argv[8 + EXPAND_PATHS_MAX];
	char home[PATH_BYTES_MAX + 8];
};

static char *child_word(const char *word)
{
	return (char *)(uintptr_t)word;
}

static void child_arguments(const struct session *session, struct child_words *words)
{
	const struct command *command = &session->command;
	size_t n = 0;
	if (session->protocol == PROTOCOL_SFTP) {
		words->argv[n++] = child_word("sftp-server");
		if (!session->changes)
			words->argv[n++] = child_word("-R"); /* read-only also where the kernel has no Landlock */
		words->argv[n] = NULL;
		return;
	}
	words->argv[n++] = child_word("scp");
	if (command->recursive)
		words->argv[n++] = child_word("-r");
	if (command->preserve)
		words->argv[n++] = child_word("-p");
	if (command->directory)
		words->argv[n++] = child_word("-d");
	words->argv[n++] = child_word(session->direction == UPLOAD ? "-t" : "-f");
	words->argv[n++] = child_word("--");
	for (size_t i = 0; i < session->paths.count && i < EXPAND_PATHS_MAX; i++)
		words->argv[n++] = child_word(session->paths.path[i]);
	words->argv[n] = NULL;
}

static void child_environment(const struct session *session, struct child_words *words)
{
	size_t n = 0;
	(void)snprintf(words->home, sizeof(words->home), "HOME=%s", session->who.identity.home);
	(void)snprintf(words->user, sizeof(words->user), "USER=%s", session->who.identity.user);
	(void)snprintf(words->logname, sizeof(words->logname), "LOGNAME=%s", session->who.identity.user);
	words->envp[n++] = child_word("PATH=/usr/bin:/bin");
	words->envp[n++] = child_word("LANG=C.UTF-8");
	words->envp[n++] = child_word("TZ=:/etc/localtime"); /* as without it, but the C library does not look at the file again for each line of a listing */
	words->envp[n++] = words->home;
	words->envp[n++] = words->user;
	words->envp[n++] = words->logname;
	words->envp[n] = NULL;
}

pid_t child_start(struct session *session, int *in, int *out)
{
	static struct child_words words;
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	child_arguments(session, &words);
	child_environment(session, &words);
	int error = child_jail(session);
	if (error == 0 && (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0))
		error = -errno;
	pid_t pid = error;
	if (error == 0) {
		struct spawn spawn = {
			.program = child_program(session), .argv = words.argv, .envp = words.envp,
			.in = to[0], .out = from[1], .err = STDERR_FILENO, .extra = -1, .cwd = session->places.start, .ruleset = session->jail.fd,
			.visible = session->protocol == PROTOCOL_SFTP,
		};
		pid = spawn_run(&spawn);
	}
	if (pid > 0) {
		*in = fd_steal(&from[0]);
		*out = fd_steal(&to[1]);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&to[i]);
		fd_close(&from[i]);
	}
	landlock_finish(&session->jail);
	return pid;
}
