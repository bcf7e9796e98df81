/*
 * The three ways sshd calls us: as ForceCommand or command= (the request is in SSH_ORIGINAL_COMMAND), as the login shell with -c (the request is the
 * argument; the environment's word may be the client's own), and as a login shell without a command.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/shim.h"

static const char usage[] =
	"usage: xferwarden [-f FILE]      as sshd's ForceCommand\n"
	"       xferwarden -c COMMAND     as a login shell\n"
	"       xferwarden --version | --help\n"
	"Relays scp and sftp for sshd under the policy in FILE (" XFERWARDEN_CONF ").\n"
	"See xferwarden(8) and xferwarden.conf(5).\n";

/* A login shell is given the ForceCommand line with -c: when that is this very program the request is where sshd put it. */
static bool invocation_is_self(const char *command)
{
	struct stat self, named;
	return command[0] == '/' && stat("/proc/self/exe", &self) == 0 && stat(command, &named) == 0 && self.st_dev == named.st_dev &&
	       self.st_ino == named.st_ino;
}

static struct span invocation_environment(void)
{
	const char *original = getenv("SSH_ORIGINAL_COMMAND");
	return original ? span_str(original) : span_of(NULL, 0);
}

static const char *invocation_arguments(struct invocation *invocation, int argc, char **argv, bool *done)
{
	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "-f") == 0 && next != NULL && !invocation->login_shell) {
			invocation->conf_path = argv[++i];
		} else if (strcmp(argv[i], "-c") == 0 && next != NULL && argc == 3) {
			invocation->login_shell = true;
			invocation->request = invocation_is_self(next) ? invocation_environment() : span_str(next);
			i++;
		} else if (strcmp(argv[i], "--version") == 0) {
			puts("xferwarden " XFERWARDEN_VERSION);
			*done = true;
		} else if (strcmp(argv[i], "--help") == 0) {
			fputs(usage, stdout);
			*done = true;
		} else {
			return "usage: xferwarden [-f FILE] | -c COMMAND; see xferwarden(8)";
		}
	}
	return NULL;
}

const char *invocation_read(struct invocation *invocation, int argc, char **argv, bool *done)
{
	*invocation = (struct invocation){ .conf_path = XFERWARDEN_CONF, .request = invocation_environment() };
	if (argc > 0 && argv[0][0] == '-') {
		invocation->login_shell = true;
		invocation->request = span_of(NULL, 0);
	}
	const char *why = invocation_arguments(invocation, argc, argv, done);
	invocation->connection = getenv("SSH_CONNECTION");
	invocation->user_auth = getenv("SSH_USER_AUTH");
	(void)clearenv(); /* the strings stay where they are */
	return why;
}
