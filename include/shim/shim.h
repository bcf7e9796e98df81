/* The pieces of the ForceCommand program, in the order in which they are used. */
#ifndef XFERWARDEN_SHIM_SHIM_H
#define XFERWARDEN_SHIM_SHIM_H

#include <signal.h>
#include <sys/types.h>

#include "audit/audit.h"
#include "base/identity.h"
#include "conf/conf.h"
#include "guard/guard.h"
#include "proto/command.h"
#include "sys/expand.h"
#include "sys/landlock.h"
#include "sys/places.h"

enum { SHIM_GROUPS = 256, SHIM_REFUSED_STATUS = 126, SHIM_FAILED_STATUS = 1 };

/* invocation.c: what was asked, by arguments and environment. The environment is read here, once, and then emptied. */
struct invocation {
	const char *conf_path;
	bool login_shell;      /* called with -c, or as a login shell */
	struct span request;   /* p NULL: no command, a shell was asked for */
	const char *connection, *user_auth; /* SSH_CONNECTION, SSH_USER_AUTH; or NULL */
};
/* NULL, or why the arguments are refused. *done is set when all is said (--version, --help). */
const char *invocation_read(struct invocation *, int argc, char **argv, bool *done);

/* identity.c: who asks. Strings live in the struct. 0 or negative errno when the user is not known. */
struct identity_store {
	struct identity identity;
	char user[256], home[PATH_BYTES_MAX];
	const char *groups[SHIM_GROUPS];
	char group_names[8192];
};
int identity_read(struct identity_store *, const struct invocation *);
/* Group names cost a look-up each: only for policies that ask for groups. Groups without a name are passed over. 0, or negative errno: not all could be kept. */
int identity_groups(struct identity_store *);
/* identity_key.c: the accepted key from sshd's SSH_USER_AUTH file. */
void identity_key(struct identity *, const char *user_auth);

/* session.c: one session from its request to the exit status. */
struct session {
	const struct invocation *invocation;
	struct conf conf;
	struct record_session record_session;
	char id[9];
	enum protocol protocol;
	enum direction direction; /* SCP */
	const struct policy *policy;
	bool changes;          /* the client may change what is below root */
	struct landlock jail;
	int jail_error;        /* why there is none; 0 */
	struct expansion paths;
	bool audited;          /* the start is on record */
	const volatile sig_atomic_t *stop; /* as struct relay's */
	sigset_t wait_mask;
	/* The large ones are the last, and what is always used of them comes first: a page that is never touched costs no memory. */
	struct places places;
	struct identity_store who;
	struct audit audit;
	struct command command;
};
int session_run(struct session *, const struct invocation *);

/* child.c: the real scp or sftp-server in its jail. child_prepare makes the part of the jail that needs no configuration. child_start sets in and out to our ends of
 * the child's pipes; its pid or negative errno. */
void child_prepare(struct session *);
const char *child_program(const struct session *);
pid_t child_start(struct session *, int *in, int *out);

/* refuse.c: an answer before any transfer began, in the client's own protocol where it speaks one, and on record. Returns the exit status. */
struct refusal {
	enum reason reason;
	const char *text;   /* for the client, in place of the reason's own sentence; or NULL */
	const char *detail; /* for the record and the system log; or NULL */
};
int refuse_session(struct session *, const struct refusal *);
/* The same for a line that is made and on record already. */
int refuse_line(struct session *, const char *line);

#endif
