/*
 * The strict readers of single values: text in, value out. Each returns NULL, or why the value is refused: a phrase that can follow the
 * value and a colon.
 */
#ifndef XFERWARDEN_CONF_VALUE_H
#define XFERWARDEN_CONF_VALUE_H

#include "conf/conf.h"

enum { VALUE_NAME_MAX = 40, VALUE_MESSAGE_MAX = 80, VALUE_SECONDS_MAX = 31536000, VALUE_WHY_MAX = 120 };

/* Digits and an optional K, M, G or T, by 1024; at most INT64_MAX. */
const char *value_size(const char *text, uint64_t *out);

/* Seconds: digits; least to VALUE_SECONDS_MAX. */
const char *value_seconds(const char *text, unsigned least, unsigned *out);

/* Octal permission bits, one at least: "06000". */
const char *value_mode(const char *text, unsigned *out);

/*
 * "192.0.2.0/24", "2001:db8::/32", "192.0.2.7". why: room for VALUE_WHY_MAX bytes where a reason that names the right network is written.
 */
const char *value_cidr(const char *text, struct cidr *out, char *why);

/*
 * "unix:/path", "tcp:192.0.2.5:3310", "tcp:[2001:db8::1]:3310". host: room for the address as a C string; out's path points into text,
 * out's host to host.
 */
enum { VALUE_HOST_MAX = 46 };
const char *value_address(const char *text, struct conf_clamd *out, char host[static VALUE_HOST_MAX]);

/* An absolute path without empty, "." or ".." components. */
const char *value_path(const char *text);

/* The same with %u, %h (only at the beginning) and %% in it. */
const char *value_root(const char *text);

/* "SHA256:" and the 43 characters of a fingerprint, or a pattern. */
const char *value_key(const char *text);

/* A MIME type or a pattern for one. */
const char *value_type(const char *text);

/* What a policy or rule may be called; what a client may be told. */
const char *value_name(const char *text);
const char *value_message(const char *text);

#endif
