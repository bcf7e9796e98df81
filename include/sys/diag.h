/*
 * What the programs say of themselves: one line to stderr, and to the system log where that is wanted. Never disturbs errno, never writes to
 * stdout, replaces control bytes.
 */
#ifndef XFERWARDEN_SYS_DIAG_H
#define XFERWARDEN_SYS_DIAG_H

/* program is borrowed. to_syslog: also a datagram to /dev/log (facility authpriv, severity warning); silently nothing when there is no log. */
void diag_init(const char *program, int to_stderr, int to_syslog);
void diag(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
