/*
 * Knows how each single value is written, to the letter: a size with a sign, an address with host bits or a path with ".." is refused,
 * never corrected.
 */
#include "conf/value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/glob.h"

const char *value_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	struct span digits = span_str(text);
	unsigned shift = 0;
	if (digits.n > 0) {
		const char *unit = strchr(units, text[digits.n - 1]);
		if (unit != NULL) {
			shift = 10 * (unsigned)(unit - units + 1);
			digits.n--;
		}
	}
	if (digits.n == 0 || strspn(text, "0123456789") != digits.n)
		return "a size is written in digits with an optional K, M, G or T, like 64M";
	uint64_t number = 0;
	if (!text_number(digits, (uint64_t)INT64_MAX >> shift, &number))
		return "the size is too large";
	*out = number << shift;
	return NULL;
}

const char *value_seconds(const char *text, unsigned least, unsigned *out)
{
	uint64_t number = 0;
	struct span digits = span_str(text);
	if (digits.n == 0 || strspn(text, "0123456789") != digits.n)
		return "seconds are written in digits";
	if (!text_number(digits, VALUE_SECONDS_MAX, &number))
		return "more seconds than a year has";
	if (number < least)
		return "it has to be one second at least";
	*out = (unsigned)number;
	return NULL;
}

const char *value_mode(const char *text, unsigned *out)
{
	size_t n = strlen(text);
	unsigned mode = 0;
	if (n == 0 || n > 5 || strspn(text, "01234567") != n)
		return "permission bits are written in octal digits, like 06000";
	for (size_t i = 0; i < n; i++)
		mode = mode << 3 | (unsigned)(text[i] - '0');
	if (mode > 07777)
		return "no permission bits are above 07777";
	if (mode == 0)
		return "it names no bit";
	*out = mode;
	return NULL;
}

/* An IPv4 address in IPv6 clothes becomes what it is; *shift is what its prefix loses. */
static bool value_ip(const char *text, struct address *out, unsigned *shift)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	memset(out, 0, sizeof(*out));
	*shift = 0;
	if (inet_pton(AF_INET, text, out->bytes) == 1) {
		out->family = ADDRESS_IPV4;
		return true;
	}
	if (inet_pton(AF_INET6, text, out->bytes) != 1)
		return false;
	out->family = ADDRESS_IPV6;
	if (memcmp(out->bytes, mapped, sizeof(mapped)) == 0) {
		memmove(out->bytes, out->bytes + 12, 4);
		memset(out->bytes + 4, 0, 12);
		out->family = ADDRESS_IPV4;
		*shift = 96;
	}
	return true;
}

/* Clears the host bits; true if there were any. */
static bool value_cut_host(struct cidr *c)
{
	bool any = false;
	unsigned size = c->network.family == ADDRESS_IPV4 ? 4 : 16;
	for (unsigned i = 0; i < size; i++) {
		unsigned keep = c->bits <= 8 * i ? 0 : c->bits >= 8 * i + 8 ? 8 : c->bits - 8 * i;
		uint8_t host = (uint8_t)(0xffu >> keep);
		any |= (c->network.bytes[i] & host) != 0;
		c->network.bytes[i] &= (uint8_t)~host;
	}
	return any;
}

const char *value_cidr(const char *text, struct cidr *out, char *why)
{
	static const char form[] = "an address is numeric, with an optional /bits, like 192.0.2.0/24";
	char host[VALUE_HOST_MAX];
	const char *slash = strchr(text, '/');
	unsigned shift = 0;
	uint64_t bits = 0;
	if (!span_copy(host, sizeof(host), span_of(text, slash != NULL ? (size_t)(slash - text) : strlen(text))))
		return form;
	if (!value_ip(host, &out->network, &shift))
		return form;
	unsigned most = out->network.family == ADDRESS_IPV4 ? 32 : 128;
	if (slash == NULL) {
		bits = most + shift;
	} else {
		struct span digits = span_str(slash + 1);
		if ((digits.n > 1 && digits.p[0] == '0') || !text_number(digits, most + shift, &bits))
			return most + shift == 32 ? "the bits after the slash are 0 to 32" : "the bits after the slash are 0 to 128";
	}
	if (bits < shift)
		return "a mapped IPv4 address has 96 bits at least; write it as IPv4";
	out->bits = (unsigned)bits - shift;
	if (value_cut_host(out)) {
		inet_ntop(most == 32 ? AF_INET : AF_INET6, out->network.bytes, host, sizeof(host));
		snprintf(why, VALUE_WHY_MAX, "bits are set behind the network; it is %s/%u, or write /%u for the one address", host, out->bits, most);
		return why;
	}
	return NULL;
}

static const char *value_tcp(const char *text, struct conf_clamd *out, char host[static VALUE_HOST_MAX])
{
	static const char form[] = "a TCP address is written tcp:192.0.2.5:3310 or tcp:[2001:db8::5]:3310";
	const char *colon = strrchr(text, ':');
	bool six = text[0] == '[';
	struct address address;
	unsigned shift = 0;
	uint64_t port = 0;
	if (colon == NULL || (six && (colon - text < 2 || colon[-1] != ']')))
		return form;
	const char *begin = text + six;
	if (!span_copy(host, VALUE_HOST_MAX, span_of(begin, (size_t)(colon - six - begin))))
		return form;
	if (!value_ip(host, &address, &shift))
		return "the host has to be a numeric address; names are not looked up";
	if (six != (strchr(host, ':') != NULL))
		return form;
	if (colon[1] == '0' || !text_number(span_str(colon + 1), 65535, &port))
		return "the port is 1 to 65535";
	out->host = host;
	out->port = (uint16_t)port;
	return NULL;
}

const char *value_address(const char *text, struct conf_clamd *out, char host[static VALUE_HOST_MAX])
{
	enum { SUN_PATH_MAX = 107 };
	struct span s = span_str(text);
	*out = (struct conf_clamd){ .text = text };
	if (span_starts(s, span_str("tcp:")))
		return value_tcp(text + 4, out, host);
	if (!span_starts(s, span_str("unix:")))
		return "an address begins with unix: or tcp:";
	const char *why = value_path(text + 5);
	if (why == NULL && s.n - 5 > SUN_PATH_MAX)
		why = "a socket's path has 107 bytes at most";
	out->path = text + 5;
	return why;
}

static const char *value_components(struct span path)
{
	if (span_is(path, "/"))
		return NULL;
	if (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	while (path.n > 0) {
		span_take(&path, 1);
		const uint8_t *end = path.n > 0 ? memchr(path.p, '/', path.n) : NULL;
		struct span component = span_take(&path, end != NULL ? (size_t)(end - path.p) : path.n);
		if (component.n == 0 || span_is(component, ".") || span_is(component, ".."))
			return "a path has no empty, . or .. components";
	}
	return NULL;
}

const char *value_path(const char *text)
{
	return text[0] == '/' ? value_components(span_str(text)) : "it has to be an absolute path";
}

const char *value_root(const char *text)
{
	bool home = strncmp(text, "%h", 2) == 0;
	if (!home && text[0] != '/')
		return "it has to begin with a slash or with %h";
	if (home && text[2] != '\0' && text[2] != '/')
		return "a slash has to follow %h";
	for (const char *p = text + (home ? 2 : 0); (p = strchr(p, '%')) != NULL; p += 2) {
		if (p[1] == 'h')
			return "%h is an absolute path and can only stand at the beginning";
		if (p[1] != 'u' && p[1] != '%')
			return "only %u, %h and %% may follow a percent sign";
	}
	return value_components(span_str(home ? text + 2 : text));
}

const char *value_key(const char *text)
{
	enum { PREFIX = 7, FINGERPRINT = 43 };
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	if (strncmp(text, "SHA256:", PREFIX) != 0)
		return "a key begins with SHA256:, as ssh-keygen -l prints it";
	const char *rest = text + PREFIX;
	size_t n = strlen(rest);
	if (strspn(rest, base64) == n)
		return n == FINGERPRINT ? NULL : "a fingerprint has 43 characters after SHA256:";
	if (rest[strcspn(rest, "*?[")] == '\0')
		return "a fingerprint has letters, digits, + and / after SHA256:";
	return glob_check(text, GLOB_TEXT);
}

const char *value_type(const char *text)
{
	if (strcmp(text, "*") != 0 && strchr(text, '/') == NULL)
		return "a type is written like application/zip or text/*";
	return glob_check(text, GLOB_TEXT);
}

static bool value_printable(const char *text, bool quotes)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e || (!quotes && strchr("'\"`\\", *text) != NULL))
			return false;
	return true;
}

const char *value_name(const char *text)
{
	size_t n = strlen(text);
	if (n == 0)
		return "a name can't be empty";
	if (n > VALUE_NAME_MAX)
		return "a name has 40 bytes at most";
	return value_printable(text, false) ? NULL : "a name is printable ASCII without quotes and backslashes";
}

const char *value_message(const char *text)
{
	size_t n = strlen(text);
	if (n == 0)
		return "a message can't be empty";
	if (n > VALUE_MESSAGE_MAX)
		return "a message has 80 bytes at most";
	return value_printable(text, true) ? NULL : "a message is printable ASCII";
}
