/* What the first word of a command asks for; a part of the command parser. */
#ifndef XFERWARDEN_PROTO_COMMAND_WORDS_H
#define XFERWARDEN_PROTO_COMMAND_WORDS_H

#include "base/span.h"

bool command_is_scp(struct span verb);

/* internal-sftp, or any path whose last component is sftp-server. */
bool command_is_sftp(struct span verb);

/* The one text that PuTTY and WinSCP send to search for an SFTP server where the subsystem was refused; a shell script, compared whole. */
bool command_is_search(struct span command);

/* Why a command that begins with this word is not served, and what to do instead. Never NULL, at most 100 bytes. */
const char *command_advice(struct span verb);

#endif
