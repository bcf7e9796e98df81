/*
 * The files below a home that are read by somebody else than their owner's own wish at login: shells, sshd, PAM, systemd's user manager, mail
 * delivery. Who can write one runs code or opens a door at the next login, round any ForceCommand.
 */
#ifndef XFERWARDEN_GUARD_LOGIN_H
#define XFERWARDEN_GUARD_LOGIN_H

#include "base/span.h"
#include "policy/policy.h"

/* path: absolute and real. True if it is such a file, or a folder of such files, and lifted does not name it. */
bool login_file(struct span path, struct span home, const struct patterns *lifted);

#endif
