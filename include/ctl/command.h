/* The subcommands of xferwardenctl: one row in main.c and one function each. */
#ifndef XFERWARDEN_CTL_COMMAND_H
#define XFERWARDEN_CTL_COMMAND_H

enum ctl_exit {
	CTL_OK = 0,
	CTL_FOUND = 1, /* the command ran and what it looked at is not in order */
	CTL_USAGE = 2, /* it could not be run as it was called */
};

/* argv[0] is the subcommand's own name; argv ends with NULL. Returns the exit status. Prints to stdout, errors of use to stderr. */
typedef int ctl_run(int argc, char **argv);

ctl_run check_run;

/* Names what is wrong with the call, on stderr. Returns CTL_USAGE. */
int ctl_refuse(const char *command, const char *why, const char *what);

#endif
