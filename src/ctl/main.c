/* The administrator's program: knows its subcommands, nothing of what they do. */
#include <stdio.h>
#include <string.h>

#include "ctl/command.h"

static const struct {
	const char *name;
	ctl_run *run;
	const char *arguments;
	const char *purpose;
} ctl_commands[] = {
	{ "check", check_run, "[-f FILE]", "report every mistake in the configuration" },
};

enum { CTL_COMMANDS = sizeof(ctl_commands) / sizeof(ctl_commands[0]) };

static int ctl_help(void)
{
	printf("usage: xferwardenctl COMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < CTL_COMMANDS; i++)
		printf("  %-10s %-12s %s\n", ctl_commands[i].name, ctl_commands[i].arguments, ctl_commands[i].purpose);
	printf("\n  --help     --version\n\nThe configuration is %s unless -f names another. See xferwardenctl(8).\n", XFERWARDEN_CONF);
	return CTL_OK;
}

int ctl_refuse(const char *command, const char *why, const char *what)
{
	fprintf(stderr, "xferwardenctl%s%s: %s%s%s\nTry 'xferwardenctl --help'.\n", command != NULL ? " " : "", command != NULL ? command : "", why,
	        what != NULL ? ": " : "", what != NULL ? what : "");
	return CTL_USAGE;
}

static int ctl_dispatch(int argc, char **argv)
{
	if (argc < 2)
		return ctl_refuse(NULL, "a command is missing", NULL);
	if (strcmp(argv[1], "--help") == 0)
		return ctl_help();
	if (strcmp(argv[1], "--version") == 0) {
		printf("xferwardenctl %s\n", XFERWARDEN_VERSION);
		return CTL_OK;
	}
	for (size_t i = 0; i < CTL_COMMANDS; i++)
		if (strcmp(argv[1], ctl_commands[i].name) == 0)
			return ctl_commands[i].run(argc - 1, argv + 1);
	return ctl_refuse(NULL, "there is no such command", argv[1]);
}

/* A report that nobody got is not a good report. */
int main(int argc, char **argv)
{
	int status = ctl_dispatch(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("xferwardenctl: writing");
		return CTL_USAGE;
	}
	return status;
}
