/* shim/child: what the real scp and sftp-server are given and what they may do, told by a stand-in for both. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/shim.h"
#include "sys/fd.h"
#include "sys/landlock.h"
#include "sys/spawn.h"

enum { REQUESTS = 24 };

static struct session session;
static char base[] = "/tmp/child-XXXXXX", said[65536];

static const char *in_base(const char *name)
{
	static char text[4][256];
	static unsigned turn;
	char *at = text[turn++ % 4];
	snprintf(at, sizeof(text[0]), "%s/%s", base, name);
	return at;
}

static void make(const char *name)
{
	int fd = open(in_base(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert(fd >= 0 && fd_write_all(fd, "content", 7) == 0);
	close(fd);
}

static void set_up(void)
{
	const char *what;
	cr_assert(mkdtemp(base));
	cr_assert(mkdir(in_base("root"), 0755) == 0 && mkdir(in_base("root/home"), 0755) == 0 && mkdir(in_base("outside"), 0755) == 0);
	make("root/file");
	make("outside/file");
	cr_assert_eq(symlink("../outside/file", in_base("root/link-out")), 0);
	memset(&session, 0, sizeof(session));
	session.conf.scp_program = STANDIN;
	session.conf.sftp_server_program = STANDIN;
	session.conf.confine = true;
	session.who.identity.user = "tester";
	session.who.identity.home = "/home/tester";
	cr_assert_eq(places_open(&session.places, in_base("root"), in_base("root/home"), &what), 0);
}

static void tear_down(void)
{
	char command[64];
	places_finish(&session.places);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
}

TestSuite(shim_child, .init = set_up, .fini = tear_down, .timeout = 60);

static int open_count(void)
{
	int count = 0;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Starts the child, gives it the requests to the stand-in, as operands or (sftp-server has none) by the pipe, and hears it out. */
static void ask(bool changes, const char **requests, size_t count)
{
	int in = -1, out = -1;
	size_t n = 0;
	session.changes = changes;
	session.direction = changes ? UPLOAD : DOWNLOAD;
	session.paths.path = requests;
	session.paths.count = count;
	child_prepare(&session);
	pid_t pid = child_start(&session, &in, &out);
	cr_assert_gt(pid, 0, "%d", (int)pid);
	cr_expect(fcntl(in, F_GETFD) == FD_CLOEXEC && fcntl(out, F_GETFD) == FD_CLOEXEC);
	for (size_t i = 0; i < count && session.protocol == PROTOCOL_SFTP; i++)
		cr_assert(fd_write_all(out, requests[i], strlen(requests[i])) == 0 && fd_write_all(out, "\n", 1) == 0);
	fd_close(&out);
	for (ssize_t got; n < sizeof(said) - 1 && (got = read(in, said + n, sizeof(said) - 1 - n)) > 0;)
		n += (size_t)got;
	said[n] = '\0';
	fd_close(&in);
	cr_expect_eq(spawn_reap(pid, 5000), 0, "%s", said);
}

Test(shim_child, environment_arguments_and_descriptors_are_made_from_nothing)
{
	const char *requests[] = { "report", "-rf", "~x" };
	char wanted[1024];
	int before = open_count();
	setenv("LD_PRELOAD", "", 1);
	setenv("SSH_ORIGINAL_COMMAND", "scp -t .", 1);
	for (int i = 0; i < 30; i++)
		cr_assert_geq(fcntl(0, F_DUPFD, 20), 0); /* without close-on-exec */
	session.command.recursive = session.command.preserve = session.command.directory = true;
	ask(true, requests, 3);
	snprintf(wanted, sizeof(wanted),
		 "descriptors 0 1 2\nargument scp\nargument -r\nargument -p\nargument -d\nargument -t\nargument --\nargument report\nargument -rf\nargument ~x\n"
		 "environment PATH=/usr/bin:/bin\nenvironment LANG=C.UTF-8\nenvironment TZ=:/etc/localtime\nenvironment HOME=/home/tester\nenvironment USER=tester\nenvironment LOGNAME=tester\n"
		 "folder ");
	cr_expect(strncmp(said, wanted, strlen(wanted)) == 0, "wanted:\n%s\ngot:\n%s", wanted, said);
	snprintf(wanted, sizeof(wanted), "folder %s\n", in_base("root/home"));
	cr_expect(strstr(said, wanted) != NULL || strstr(said, "folder ?") != NULL, "%s", said);
	cr_expect(strstr(said, "\ncore 0\n") && strstr(said, "\ndeath 9\n") && strstr(said, "\nprivileges 1\n") == NULL, "%s", said);
	cr_expect(strstr(said, "handled") == NULL && strstr(said, "blocked") == NULL, "%s", said);
	cr_expect_eq(open_count(), before + 30);
	session.command.recursive = session.command.preserve = session.command.directory = false;
	const char *other[] = { "report" };
	ask(false, other, 1);
	cr_expect(strstr(said, "\nargument scp\nargument -f\nargument --\nargument report\nenvironment ") != NULL, "%s", said);
}

/* The same for sftp-server, and what scp can do without: it stays visible. */
Test(shim_child, sftp_server_has_no_arguments_from_the_client)
{
	const char *requests[] = { "hide=0", "report" };
	setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22", 1);
	session.protocol = PROTOCOL_SFTP;
	session.command.recursive = session.command.preserve = true;
	ask(true, requests, 2);
	cr_expect(strstr(said, "hide=0 ok\ndescriptors 0 1 2\nargument sftp-server\nenvironment PATH=/usr/bin:/bin\n") != NULL, "%s", said);
	cr_expect(strstr(said, "environment HOME=/home/tester\nenvironment USER=tester\nenvironment LOGNAME=tester\nfolder ") != NULL, "%s", said);
	cr_expect(strstr(said, "\ndumpable 1\n") != NULL && strstr(said, "\nprivileges 0\n") != NULL, "%s", said);
	ask(false, requests, 2);
	cr_expect(strstr(said, "\nargument sftp-server\nargument -R\nenvironment ") != NULL, "%s", said);
	session.protocol = PROTOCOL_SCP;
	ask(true, requests, 2);
	cr_expect(strstr(said, "\ndumpable 0\n") != NULL, "%s", said);
}

struct row {
	const char *verb, *path; /* path: %s is the base */
	const char *upload, *download, *manage; /* manage: an SFTP session that may change; NULL: as upload */
};

static const struct row rows[] = {
	{ "read", "/etc/shadow", "EACCES", "EACCES" },
	{ "read", "/etc/ssh/sshd_config", "EACCES", "EACCES" },
	{ "read", "/root", "EACCES", "EACCES" },
	{ "read", "/proc/self/environ", "EACCES", "EACCES" },
	{ "read", "/proc/1/environ", "EACCES", "EACCES" },
	{ "read", "/dev/zero", "EACCES", "EACCES" },
	{ "read", "/tmp", "EACCES", "EACCES" },
	{ "create", "/tmp/xferwarden-child-test", "EACCES", "EACCES" },
	{ "create", "/dev/shm/xferwarden-child-test", "EACCES", "EACCES" },
	{ "read", "%s/outside/file", "EACCES", "EACCES" },
	{ "write", "%s/outside/file", "EACCES", "EACCES" },
	{ "create", "%s/outside/new", "EACCES", "EACCES" },
	{ "read", "%s/root/link-out", "EACCES", "EACCES" },
	{ "write", "%s/root/link-out", "EACCES", "EACCES" },
	{ "read", "%s/root/../outside/file", "EACCES", "EACCES" },
	{ "read", "%s/root/file", "ok", "ok" },
	{ "read", "%s/root", "ok", "ok" },
	{ "read", "../file", "ok", "ok" },
	{ "write", "%s/root/file", "ok", "EACCES" },
	{ "truncate", "%s/root/file", "ok", "EACCES" },
	{ "create", "%s/root/new", "ok", "EACCES" },
	{ "folder", "%s/root/folder", "ok", "EACCES" },
	{ "create", "%s/root/folder/new", "ok", "ENOENT" },
	{ "fifo", "%s/root/fifo", "EACCES", "EACCES" },
	{ "write", "/dev/null", "ok", "ok" },
	{ "read", "/etc/passwd", "ok", "ok" },
	{ "write", "/etc/passwd", "EACCES", "EACCES" },
	{ "exec", "/bin/sh", "EACCES", "EACCES" },
	{ "exec", "/bin/true", "EACCES", "EACCES" },
	{ "exec", "/usr/bin/env", "EACCES", "EACCES" },
	{ "exec", "/usr/bin/scp", "EACCES", "EACCES" }, /* not the program that is configured here */
	{ "exec", "%s/root/file", "EACCES", "EACCES" },
	{ "rename", "%s/root/file", "EACCES", "EACCES", "ok" },
	{ "rename", "%s/root/home", "EACCES", "EACCES", "ok" },
	{ "symlink", "%s/root/symlink", "EACCES", "EACCES", "ok" },
	{ "remove", "%s/root/link-out", "EACCES", "EACCES", "ok" },
	{ "remove", "%s/outside/file", "EACCES", "EACCES" },
	{ "rename", "%s/outside/file", "EACCES", "EACCES" },
	{ "symlink", "%s/outside/symlink", "EACCES", "EACCES" },
};

static const char *wanted_of(const struct row *row, bool changes)
{
	if (!changes)
		return row->download;
	return session.protocol == PROTOCOL_SFTP && row->manage != NULL ? row->manage : row->upload;
}

static void expect_rows(bool changes)
{
	static char words[sizeof(rows) / sizeof(rows[0])][320];
	const char *requests[sizeof(rows) / sizeof(rows[0])];
	size_t count = sizeof(rows) / sizeof(rows[0]);
	for (size_t i = 0; i < count; i++) {
		const char *rest = strncmp(rows[i].path, "%s", 2) == 0 ? rows[i].path + 2 : rows[i].path;
		snprintf(words[i], sizeof(words[i]), "%s=%s%s", rows[i].verb, rest == rows[i].path ? "" : base, rest);
		requests[i] = words[i];
	}
	ask(changes, requests, count);
	for (size_t i = 0; i < count; i++) {
		char line[400];
		snprintf(line, sizeof(line), "%.300s %.60s\n", words[i], wanted_of(&rows[i], changes));
		cr_expect(strstr(said, line) != NULL, "%s: wanted %sgot:\n%s", changes ? "upload" : "download", line, said);
	}
}

Test(shim_child, the_jail_of_a_download_and_of_an_upload)
{
	struct stat status;
	expect_rows(false);
	cr_expect(stat(in_base("root/file"), &status) == 0 && status.st_size == 7);
	session.protocol = PROTOCOL_SFTP;
	expect_rows(false);
	cr_expect(stat(in_base("root/file"), &status) == 0 && status.st_size == 7);
	session.protocol = PROTOCOL_SCP;
	expect_rows(true);
	cr_expect_neq(stat("/tmp/xferwarden-child-test", &status), 0);
}

Test(shim_child, the_jail_of_an_sftp_session_that_may_change)
{
	session.protocol = PROTOCOL_SFTP;
	expect_rows(true);
}

Test(shim_child, no_network_and_no_signals)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(here);
	struct landlock landlock;
	char connect_to[32], kill_us[32], line[64];
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(tcp, (const struct sockaddr *)&here, sizeof(here)) == 0 && listen(tcp, 5) == 0);
	cr_assert_eq(getsockname(tcp, (struct sockaddr *)&here, &length), 0);
	snprintf(connect_to, sizeof(connect_to), "connect=%u", ntohs(here.sin_port));
	snprintf(kill_us, sizeof(kill_us), "kill=%d", (int)getpid());
	const char *requests[] = { connect_to, "bind=0", kill_us };
	cr_assert_eq(landlock_init(&landlock), 0);
	ask(false, requests, 3);
	snprintf(line, sizeof(line), "%s %s\n", connect_to, landlock.abi >= 4 ? "EACCES" : "ok");
	cr_expect(strstr(said, line) != NULL, "%s", said);
	snprintf(line, sizeof(line), "bind=0 %s\n", landlock.abi >= 4 ? "EACCES" : "ok");
	cr_expect(strstr(said, line) != NULL, "%s", said);
	snprintf(line, sizeof(line), "%s %s\n", kill_us, landlock.abi >= 6 ? "EPERM" : "ok");
	cr_expect(strstr(said, line) != NULL, "%s", said);
	landlock_finish(&landlock);
	close(tcp);
}

Test(shim_child, a_program_that_cannot_be_started)
{
	static const struct {
		const char *program;
		int error;
	} programs[] = { { "/nowhere/scp", -ENOENT }, { "/etc/passwd", -EACCES }, { "/", -EACCES } };
	int in = -1, out = -1, before = open_count();
	const char *paths[] = { "." };
	session.paths.path = paths;
	session.paths.count = 1;
	cr_assert(freopen("/dev/null", "w", stderr) != NULL);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		session.conf.scp_program = programs[i].program;
		child_prepare(&session);
		cr_expect_eq(child_start(&session, &in, &out), programs[i].error, "%s", programs[i].program);
		cr_expect(in == -1 && out == -1);
		cr_expect_eq(open_count(), before, "%s", programs[i].program);
	}
}

/* Greeted by its own version. */
Test(shim_child, the_real_sftp_server_runs_in_its_jail)
{
	static const uint8_t init[] = { 0, 0, 0, 5, 1, 0, 0, 0, 3 }, wanted[] = { 2, 0, 0, 0, 3 };
	for (int changes = 0; changes < 2; changes++) {
		uint8_t reply[9];
		int in = -1, out = -1;
		session.conf.sftp_server_program = "/usr/lib/openssh/sftp-server";
		session.protocol = PROTOCOL_SFTP;
		session.changes = changes;
		child_prepare(&session);
		pid_t pid = child_start(&session, &in, &out);
		cr_assert_gt(pid, 0);
		cr_assert_eq(fd_write_all(out, init, sizeof(init)), 0);
		cr_assert_eq(fd_read_all(in, reply, sizeof(reply)), 0);
		cr_expect(memcmp(reply + 4, wanted, sizeof(wanted)) == 0);
		fd_close(&in);
		fd_close(&out);
		cr_expect_eq(spawn_reap(pid, 5000), 0);
	}
}

/* The real one, jailed, does its work. */
Test(shim_child, the_real_scp_runs_in_its_jail)
{
	const char *paths[] = { "../file" };
	char text[64];
	int in = -1, out = -1;
	session.conf.scp_program = "/usr/bin/scp";
	session.direction = DOWNLOAD;
	session.paths.path = paths;
	session.paths.count = 1;
	child_prepare(&session);
	pid_t pid = child_start(&session, &in, &out);
	cr_assert_gt(pid, 0);
	cr_assert_eq(fd_write_all(out, "\0\0\0", 3), 0);
	static const char wanted[] = "C0644 7 file\ncontent";
	cr_assert_eq(fd_read_all(in, text, sizeof(wanted)), 0);
	cr_expect(memcmp(text, wanted, sizeof(wanted)) == 0);
	fd_close(&in);
	fd_close(&out);
	cr_expect_eq(spawn_reap(pid, 5000), 0);
}
