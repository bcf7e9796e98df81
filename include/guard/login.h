/*
 * The files below a home that are read by somebody else than their owner's own wish at login: shells, sshd, PAM, systemd's user manager, mail
 * delivery. Who can write one runs code or opens a door at the next login, round any ForceCommand.
 */
#ifndef XFERWARDEN_GUARD_LOGIN_H
#define XFERWARDEN_GUARD_LOGIN_H

#include "base/span.h"
#include "policy/policy.h"

/* The list itself, paths below a home; NULL past the last. */
const char *login_name(size_t index);

/* True if lifted names it: a path below a home. */
bool login_lifted(struct span below, const struct patterns *lifted);

/* path: absolute and real; letters' case does not count. True if it is such a file, or a folder of such files, and lifted does not name it. */
bool login_file(struct span path, struct span home, const struct patterns *lifted);

/* True if such files would be below path: a folder, or a link to one, that gets this name brings its own. */
bool login_above(struct span path, struct span home, const struct patterns *lifted);

#endif
