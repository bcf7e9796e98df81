/*
 * SSH_ORIGINAL_COMMAND without a shell: the words of a POSIX shell's simple command, and nothing else of its language, then the flags that real scp clients
 * send. Everything else is refused with a sentence. Facts: what clients send was recorded from OpenSSH, PuTTY, libssh2, libssh, scp.py, dropbear and read
 * in the sources of others; see tests/unit/proto_command.c, which lists each.
 */
#ifndef XFERWARDEN_PROTO_COMMAND_H
#define XFERWARDEN_PROTO_COMMAND_H

#include "base/span.h"

enum { COMMAND_MAX = 65536, COMMAND_PATH_MAX = 4095, COMMAND_OPERANDS_MAX = 256 };

enum command_kind {
	COMMAND_REFUSED = 0, /* why says it */
	COMMAND_SCP_SINK,    /* scp -t: an upload; exactly one operand */
	COMMAND_SCP_SOURCE,  /* scp -f: a download; one operand or more */
	COMMAND_SFTP,        /* the sftp subsystem, or any path of sftp-server; what arguments it was given plays no part */
};

/* One path. The bytes lie in the command's own store and end with a NUL that length does not count. */
struct command_operand {
	const char *path;    /* quotes removed; a leading ~ or ~/ still in it if tilde is set */
	size_t length;
	const char *pattern; /* for glob(3), quoted metacharacters escaped by a backslash, the tilde still in front; NULL if nothing in it is magic */
	bool tilde;          /* begins with an unquoted ~ (alone or before a slash): home */
};

struct command {
	enum command_kind kind;
	const char *why;     /* COMMAND_REFUSED: a sentence without a line end, for the client and the audit record */
	bool recursive, preserve, directory, verbose;
	size_t count;
	char store[3 * COMMAND_MAX]; /* dequoted text and patterns */
	struct command_operand operand[COMMAND_OPERANDS_MAX];
};

/* original.p may be NULL: no command was given (a shell was asked for). Returns out->kind. Never reads beyond original.n. */
enum command_kind command_parse(struct command *out, struct span original);

#endif
