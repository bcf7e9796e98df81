/*
 * libssh's scp as a command, for the live tests: libssh_scp up|down PORT USER KEY TARGET SOURCE...
 * Knows how libssh wants to be driven; several sources go through one ssh_scp_new session, as its users do.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libssh/libssh.h>

static int fail(ssh_session session, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, ssh_get_error(session));
	return 1;
}

static ssh_session login(const char *port, const char *user, const char *key_file)
{
	ssh_session session = ssh_new();
	ssh_key key = NULL;
	int number = atoi(port);
	bool off = false;

	ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
	ssh_options_set(session, SSH_OPTIONS_PORT, &number);
	ssh_options_set(session, SSH_OPTIONS_USER, user);
	ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
	if (ssh_connect(session) != SSH_OK || ssh_pki_import_privkey_file(key_file, NULL, NULL, NULL, &key) != SSH_OK ||
	    ssh_userauth_publickey(session, NULL, key) != SSH_AUTH_SUCCESS) {
		fail(session, "login");
		exit(3);
	}
	ssh_key_free(key);
	return session;
}

static int push(ssh_session session, ssh_scp scp, const char *source)
{
	static char block[60000];
	struct stat st;
	char *copy = strdup(source);
	int fd = open(source, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "%s: %s\n", source, strerror(errno));
		return 1;
	}
	int rc = ssh_scp_push_file64(scp, basename(copy), (uint64_t)st.st_size, (int)(st.st_mode & 0777));
	free(copy);
	if (rc != SSH_OK)
		return fail(session, "push");
	if (st.st_size == 0 && ssh_scp_write(scp, block, 0) != SSH_OK) /* else the library stays in the middle of an empty file */
		return fail(session, "write");
	for (ssize_t n; (n = read(fd, block, sizeof(block))) > 0;) {
		if (ssh_scp_write(scp, block, (size_t)n) != SSH_OK)
			return fail(session, "write");
	}
	close(fd);
	return 0;
}

static int up(ssh_session session, const char *target, char **sources)
{
	ssh_scp scp = ssh_scp_new(session, SSH_SCP_WRITE, target);
	int status = 0;

	if (ssh_scp_init(scp) != SSH_OK)
		return fail(session, "init");
	for (; *sources && status == 0; sources++)
		status = push(session, scp, *sources);
	if (ssh_scp_close(scp) != SSH_OK)
		status = fail(session, "close");
	ssh_scp_free(scp);
	return status;
}

static int pull(ssh_session session, ssh_scp scp, const char *target)
{
	static char block[60000];
	uint64_t left = ssh_scp_request_get_size64(scp);
	int fd = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, ssh_scp_request_get_permissions(scp) & 0777);

	if (fd < 0) {
		perror(target);
		return 1;
	}
	if (ssh_scp_accept_request(scp) != SSH_OK)
		return fail(session, "accept");
	if (left == 0) /* else the library stays in the middle of an empty file */
		ssh_scp_read(scp, block, sizeof(block));
	while (left > 0) {
		int n = ssh_scp_read(scp, block, left < sizeof(block) ? (size_t)left : sizeof(block));
		if (n <= 0)
			return fail(session, "read");
		if (write(fd, block, (size_t)n) != n)
			return 1;
		left -= (uint64_t)n;
	}
	return close(fd) < 0;
}

static int down(ssh_session session, const char *target, char **sources)
{
	ssh_scp scp = ssh_scp_new(session, SSH_SCP_READ, sources[0]);
	int status = 0;

	if (ssh_scp_init(scp) != SSH_OK)
		return fail(session, "init");
	for (;;) {
		int rc = ssh_scp_pull_request(scp);
		if (rc == SSH_SCP_REQUEST_EOF)
			break;
		if (rc == SSH_SCP_REQUEST_WARNING) {
			fprintf(stderr, "%s\n", ssh_scp_request_get_warning(scp));
			status = 1;
		} else if (rc == SSH_SCP_REQUEST_NEWFILE) {
			status |= pull(session, scp, target);
		} else {
			status = fail(session, "pull");
			break;
		}
	}
	ssh_scp_close(scp);
	ssh_scp_free(scp);
	return status;
}

int main(int argc, char **argv)
{
	if (argc < 7) {
		fprintf(stderr, "usage: libssh_scp up|down PORT USER KEY TARGET SOURCE...\n");
		return 2;
	}
	ssh_session session = login(argv[2], argv[3], argv[4]);
	int status = strcmp(argv[1], "up") == 0 ? up(session, argv[5], argv + 6) : down(session, argv[5], argv + 6);
	ssh_disconnect(session);
	ssh_free(session);
	return status;
}
