/* Every single value: what is taken, and what is refused with which words. */
#include <criterion/criterion.h>
#include <inttypes.h>

#include "conf/value.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

Test(conf_value, size)
{
	static const struct {
		const char *text;
		uint64_t size;
		const char *why;
	} rows[] = {
		{ "0", 0, NULL },
		{ "1", 1, NULL },
		{ "007", 7, NULL },
		{ "1K", 1024, NULL },
		{ "64M", 67108864, NULL },
		{ "2G", 2147483648, NULL },
		{ "3T", 3298534883328, NULL },
		{ "9223372036854775807", INT64_MAX, NULL },
		{ "8388607T", 9223370937343148032, NULL },
		{ "9223372036854775808", 0, "large" },
		{ "18446744073709551617", 0, "large" },
		{ "8388608T", 0, "large" },
		{ "99999999999999999999T", 0, "large" },
		{ "", 0, "digits" },
		{ "K", 0, "digits" },
		{ "-1", 0, "digits" },
		{ "+1", 0, "digits" },
		{ " 1", 0, "digits" },
		{ "1 M", 0, "digits" },
		{ "1k", 0, "digits" },
		{ "1MM", 0, "digits" },
		{ "1MB", 0, "digits" },
		{ "1.5G", 0, "digits" },
		{ "0x10", 0, "digits" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t got = 77;
		const char *why = value_size(rows[i].text, &got);
		cr_expect((why == NULL) == (rows[i].why == NULL), "%s: %s", rows[i].text, why);
		cr_expect(why == NULL ? got == rows[i].size : strstr(why, rows[i].why) != NULL, "%s: %" PRIu64 " %s", rows[i].text, got, why);
	}
}

Test(conf_value, seconds_and_modes)
{
	static const struct {
		const char *text;
		int seconds, mode; /* -1: refused */
	} rows[] = {
		{ "0", -1, -1 },     { "1", 1, 01 },        { "120", 120, 0120 },   { "06000", 6000, 06000 }, { "31536000", 31536000, -1 }, { "31536001", -1, -1 },
		{ "7777", 7777, 07777 }, { "07777", 7777, 07777 }, { "10000", 10000, -1 }, { "00001", 1, 01 }, { "000001", 1, -1 }, { "8", 8, -1 },
		{ "", -1, -1 },      { "-1", -1, -1 },      { "1s", -1, -1 },       { "0x1", -1, -1 },        { "u+s", -1, -1 },
		{ "4294967297", -1, -1 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned seconds = 0;
		unsigned mode = 0;
		int got_seconds = value_seconds(rows[i].text, 1, &seconds) == NULL ? (int)seconds : -1;
		int got_mode = value_mode(rows[i].text, &mode) == NULL ? (int)mode : -1;
		cr_expect_eq(got_seconds, rows[i].seconds, "%s: %d", rows[i].text, got_seconds);
		cr_expect_eq(got_mode, rows[i].mode, "%s: %o", rows[i].text, (unsigned)got_mode);
	}
	unsigned seconds = 9;
	cr_expect(value_seconds("0", 0, &seconds) == NULL && seconds == 0);
}

Test(conf_value, networks)
{
	static const struct {
		const char *text;
		enum address_family family; /* ADDRESS_NONE: refused */
		unsigned bits;
		uint8_t first, last;        /* of the address's bytes */
		const char *why;
	} rows[] = {
		{ "0.0.0.0/0", ADDRESS_IPV4, 0, 0, 0, "" },
		{ "10.0.0.0/8", ADDRESS_IPV4, 8, 10, 0, "" },
		{ "192.0.2.7", ADDRESS_IPV4, 32, 192, 7, "" },
		{ "192.0.2.6/31", ADDRESS_IPV4, 31, 192, 6, "" },
		{ "::/0", ADDRESS_IPV6, 0, 0, 0, "" },
		{ "2001:db8::/32", ADDRESS_IPV6, 32, 0x20, 0, "" },
		{ "fe80::1", ADDRESS_IPV6, 128, 0xfe, 1, "" },
		{ "::ffff:192.0.2.0/120", ADDRESS_IPV4, 24, 192, 0, "" },
		{ "::ffff:192.0.2.1", ADDRESS_IPV4, 32, 192, 1, "" },
		{ "10.0.0.1/8", ADDRESS_NONE, 0, 0, 0, "bits are set behind the network; it is 10.0.0.0/8, or write /32 for the one address" },
		{ "192.0.2.7/30", ADDRESS_NONE, 0, 0, 0, "bits are set behind the network; it is 192.0.2.4/30, or write /32 for the one address" },
		{ "2001:db8::1/64", ADDRESS_NONE, 0, 0, 0, "bits are set behind the network; it is 2001:db8::/64, or write /128 for the one address" },
		{ "10.0.0.0/33", ADDRESS_NONE, 0, 0, 0, "the bits after the slash are 0 to 32" },
		{ "10.0.0.0/08", ADDRESS_NONE, 0, 0, 0, "the bits after the slash are 0 to 32" },
		{ "10.0.0.0/", ADDRESS_NONE, 0, 0, 0, "the bits after the slash are 0 to 32" },
		{ "10.0.0.0/-1", ADDRESS_NONE, 0, 0, 0, "the bits after the slash are 0 to 32" },
		{ "10.0.0.0/255.0.0.0", ADDRESS_NONE, 0, 0, 0, "the bits after the slash are 0 to 32" },
		{ "::/129", ADDRESS_NONE, 0, 0, 0, "the bits after the slash are 0 to 128" },
		{ "::ffff:0.0.0.0/95", ADDRESS_NONE, 0, 0, 0, "a mapped IPv4 address has 96 bits at least; write it as IPv4" },
		{ "10.0.0", ADDRESS_NONE, 0, 0, 0, "an address is numeric, with an optional /bits, like 192.0.2.0/24" },
		{ "010.0.0.1", ADDRESS_NONE, 0, 0, 0, "an address is numeric, with an optional /bits, like 192.0.2.0/24" },
		{ "localhost", ADDRESS_NONE, 0, 0, 0, "an address is numeric, with an optional /bits, like 192.0.2.0/24" },
		{ "fe80::1%eth0", ADDRESS_NONE, 0, 0, 0, "an address is numeric, with an optional /bits, like 192.0.2.0/24" },
		{ "", ADDRESS_NONE, 0, 0, 0, "an address is numeric, with an optional /bits, like 192.0.2.0/24" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb/1", ADDRESS_NONE, 0, 0, 0,
		  "an address is numeric, with an optional /bits, like 192.0.2.0/24" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cidr got;
		char reason[VALUE_WHY_MAX];
		const char *why = value_cidr(rows[i].text, &got, reason);
		cr_expect_str_eq(why != NULL ? why : "", rows[i].why, "%s: %s", rows[i].text, why);
		if (why != NULL)
			continue;
		uint8_t last = got.network.bytes[rows[i].family == ADDRESS_IPV4 ? 3 : 15];
		cr_expect(got.network.family == rows[i].family && got.bits == rows[i].bits && got.network.bytes[0] == rows[i].first && last == rows[i].last,
		          "%s: %d/%u", rows[i].text, (int)got.network.family, got.bits);
	}
}

Test(conf_value, scanner_addresses)
{
	static const struct {
		const char *text, *path, *host; /* both NULL: refused */
		unsigned port;
	} rows[] = {
		{ "unix:/run/clamav/clamd.ctl", "/run/clamav/clamd.ctl", NULL, 0 },
		{ "tcp:192.0.2.5:3310", NULL, "192.0.2.5", 3310 },
		{ "tcp:[2001:db8::5]:65535", NULL, "2001:db8::5", 65535 },
		{ "unix:run/x", NULL, NULL, 0 },
		{ "unix:", NULL, NULL, 0 },
		{ "unix:/a/../b", NULL, NULL, 0 },
		{ "tcp:192.0.2.5", NULL, NULL, 0 },
		{ "tcp:192.0.2.5:", NULL, NULL, 0 },
		{ "tcp:192.0.2.5:0", NULL, NULL, 0 },
		{ "tcp:192.0.2.5:65536", NULL, NULL, 0 },
		{ "tcp:192.0.2.5:033", NULL, NULL, 0 },
		{ "tcp:192.0.2.5:+33", NULL, NULL, 0 },
		{ "tcp:[192.0.2.5]:3310", NULL, NULL, 0 },
		{ "tcp:2001:db8::5:3310", NULL, NULL, 0 },
		{ "tcp:[2001:db8::5]3310", NULL, NULL, 0 },
		{ "tcp:[2001:db8::5:3310", NULL, NULL, 0 },
		{ "tcp:[]:3310", NULL, NULL, 0 },
		{ "tcp:[:3310", NULL, NULL, 0 },
		{ "tcp::3310", NULL, NULL, 0 },
		{ "tcp::", NULL, NULL, 0 },
		{ "tcp:", NULL, NULL, 0 },
		{ "tcp:]:1", NULL, NULL, 0 },
		{ "tcp:scanner.example:3310", NULL, NULL, 0 },
		{ "/run/clamav/clamd.ctl", NULL, NULL, 0 },
		{ "", NULL, NULL, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct conf_clamd got;
		char host[VALUE_HOST_MAX];
		const char *why = value_address(rows[i].text, &got, host);
		cr_expect((why == NULL) == (rows[i].path != NULL || rows[i].host != NULL), "%s: %s", rows[i].text, why);
		if (why != NULL)
			continue;
		cr_expect_str_eq(got.text, rows[i].text);
		cr_expect_eq(got.port, rows[i].port);
		cr_expect(rows[i].path == NULL ? got.path == NULL : strcmp(got.path, rows[i].path) == 0, "%s", rows[i].text);
		cr_expect(rows[i].host == NULL ? got.host == NULL : strcmp(got.host, rows[i].host) == 0, "%s", rows[i].text);
	}
	char longest[5 + 109];
	struct conf_clamd got;
	char host[VALUE_HOST_MAX];
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "unix:/", 6);
	longest[5 + 107] = '\0';
	cr_expect_null(value_address(longest, &got, host));
	longest[5 + 107] = 'a';
	longest[5 + 108] = '\0';
	cr_expect_not_null(value_address(longest, &got, host));
}

Test(conf_value, paths)
{
	static const struct {
		const char *text;
		bool path, root;
	} rows[] = {
		{ "/", true, true },         { "/a", true, true },       { "/a/b.c", true, true },   { "/a/", true, true },       { "/..a/b..", true, true },
		{ "", false, false },        { "a", false, false },      { "a/b", false, false },    { "~/a", false, false },     { "//", false, false },
		{ "/a//b", false, false },   { "//a", false, false },    { "/a//", false, false },   { "/.", false, false },      { "/..", false, false },
		{ "/a/../b", false, false }, { "/a/./b", false, false }, { "/a/..", false, false },  { "/a/b/.", false, false },  { "/srv/%u", true, true },
		{ "/srv/%%", true, true },   { "%h", false, true },      { "%h/", false, true },     { "%h/in/%u", false, true }, { "%h%u", false, false },
		{ "%hx", false, false },     { "%h/../b", false, false }, { "%h//b", false, false }, { "/a/%h", true, false },    { "/a/%d", true, false },
		{ "/a/%", true, false },     { "%u/a", false, false },   { "%%h", false, false },    { "/%%h", true, true },      { "/%%%u", true, true },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cr_expect_eq(value_path(rows[i].text) == NULL, rows[i].path, "path %s: %s", rows[i].text, value_path(rows[i].text));
		cr_expect_eq(value_root(rows[i].text) == NULL, rows[i].root, "root %s: %s", rows[i].text, value_root(rows[i].text));
	}
}

Test(conf_value, keys_types_names_messages)
{
#define FORTY "0123456789012345678901234567890123456789"
	static const struct {
		const char *(*check)(const char *);
		const char *text;
		bool taken;
	} rows[] = {
		{ value_key, "SHA256:" FORTY "abc", true },
		{ value_key, "SHA256:" FORTY "+/Z", true },
		{ value_key, "SHA256:*", true },
		{ value_key, "SHA256:ab?[c-e]*", true },
		{ value_key, "SHA256:" FORTY "abcd", false },
		{ value_key, "SHA256:" FORTY "abc=", false },
		{ value_key, "SHA256:" FORTY "ab", false },
		{ value_key, "SHA256:", false },
		{ value_key, "SHA256:ab[c", false },
		{ value_key, "SHA256", false },
		{ value_key, "sha256:*", false },
		{ value_key, "MD5:*", false },
		{ value_key, "*", false },
		{ value_key, "", false },
		{ value_type, "application/zip", true },
		{ value_type, "text/*", true },
		{ value_type, "*", true },
		{ value_type, "zip", false },
		{ value_type, "*zip", false },
		{ value_type, "text/[", false },
		{ value_type, "", false },
		{ value_name, "a", true },
		{ value_name, "web 2.0 #1", true },
		{ value_name, FORTY, true },
		{ value_name, FORTY "x", false },
		{ value_name, "", false },
		{ value_name, "it's", false },
		{ value_name, "a\"b", false },
		{ value_name, "a\\b", false },
		{ value_name, "a`b", false },
		{ value_name, "a\tb", false },
		{ value_name, "\xc3\xa4", false },
		{ value_message, "don't say \"no\"", true },
		{ value_message, FORTY FORTY, true },
		{ value_message, FORTY FORTY "x", false },
		{ value_message, "", false },
		{ value_message, "a\tb", false },
		{ value_message, "\xc3\xa4", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		cr_expect_eq(rows[i].check(rows[i].text) == NULL, rows[i].taken, "row %zu, %s: %s", i, rows[i].text, rows[i].check(rows[i].text));
}
