/*
 * What the programs say of themselves: a line to stderr, for whoever is at the other end, or to the system log, for the administrator. Never disturbs errno,
 * never writes to stdout, replaces control bytes.
 */
#ifndef XFERWARDEN_SYS_DIAG_H
#define XFERWARDEN_SYS_DIAG_H

void diag_init(const char *program); /* borrowed */
void diag(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A datagram to /dev/log, facility authpriv, severity warning; silently nothing when there is no log. */
void diag_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
