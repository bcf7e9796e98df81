/*
 * proto/sftp: every packet of either side, read whole, byte by byte and in every two pieces, and written again; what OpenSSH's sftp and sftp-server 9.2 said to each
 * other; and all that is no packet.
 *
 * Packets are spelt: 2a a byte, #7 a number of 4 bytes, @7 one of 8, 'ab' a string with its length, ~300 such a string of 300 times x, (ab) the bytes alone; \0 in
 * a string is a NUL. The length field goes in front by itself. Values are spelt by show().
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/sftp.h"

enum { BYTES_MAX = SFTP_PACKET_MAX + 64, TEXT_MAX = 4096 };

static const char *const kind_names[SFTP_KINDS] = {
	[SFTP_MORE] = "MORE", [SFTP_BAD] = "BAD", [SFTP_UNKNOWN] = "UNKNOWN", [SFTP_INIT] = "INIT", [SFTP_OPEN] = "OPEN", [SFTP_CLOSE] = "CLOSE",
	[SFTP_READ] = "READ", [SFTP_WRITE] = "WRITE", [SFTP_LSTAT] = "LSTAT", [SFTP_FSTAT] = "FSTAT", [SFTP_SETSTAT] = "SETSTAT",
	[SFTP_FSETSTAT] = "FSETSTAT", [SFTP_OPENDIR] = "OPENDIR", [SFTP_READDIR] = "READDIR", [SFTP_REMOVE] = "REMOVE", [SFTP_MKDIR] = "MKDIR",
	[SFTP_RMDIR] = "RMDIR", [SFTP_REALPATH] = "REALPATH", [SFTP_STAT] = "STAT", [SFTP_RENAME] = "RENAME", [SFTP_READLINK] = "READLINK",
	[SFTP_SYMLINK] = "SYMLINK", [SFTP_POSIX_RENAME] = "POSIX_RENAME", [SFTP_HARDLINK] = "HARDLINK", [SFTP_STATVFS] = "STATVFS",
	[SFTP_FSTATVFS] = "FSTATVFS", [SFTP_FSYNC] = "FSYNC", [SFTP_LSETSTAT] = "LSETSTAT", [SFTP_LIMITS] = "LIMITS", [SFTP_EXPAND_PATH] = "EXPAND_PATH",
	[SFTP_COPY_DATA] = "COPY_DATA", [SFTP_HOME_DIRECTORY] = "HOME_DIRECTORY", [SFTP_USERS_GROUPS] = "USERS_GROUPS", [SFTP_VERSION] = "VERSION",
	[SFTP_STATUS] = "STATUS", [SFTP_HANDLE] = "HANDLE", [SFTP_DATA] = "DATA", [SFTP_NAME] = "NAME", [SFTP_ATTRS] = "ATTRS",
	[SFTP_EXTENDED_REPLY] = "EXTENDED_REPLY", [SFTP_ENTRY] = "ENTRY",
};

struct bytes {
	size_t n;
	uint8_t p[BYTES_MAX];
};

static void add_number(struct bytes *to, uint64_t value, int size)
{
	while (size-- > 0)
		to->p[to->n++] = (uint8_t)(value >> 8 * size);
}

/* A string up to its closing mark; returns what is behind that. */
static const char *add_text(struct bytes *to, const char *s, char mark, bool counted)
{
	size_t start = to->n;
	to->n += counted ? 4 : 0;
	for (; *s != mark; s++) {
		bool nul = s[0] == '\\' && s[1] == '0';
		to->p[to->n++] = nul ? '\0' : (uint8_t)*s;
		s += nul;
	}
	if (counted) {
		struct bytes head = { 0 };
		add_number(&head, to->n - start - 4, 4);
		memcpy(to->p + start, head.p, 4);
	}
	return s + 1;
}

/* Adds the bytes of one packet as spelt, or without a length field. */
static void add_packet(struct bytes *to, const char *s, bool framed)
{
	size_t start = to->n;
	to->n += framed ? 4 : 0;
	while (*s) {
		char *end = (char *)s + 1;
		if (*s == '#' || *s == '@') {
			add_number(to, strtoull(s + 1, &end, 10), *s == '#' ? 4 : 8);
		} else if (*s == '~') {
			size_t n = strtoul(s + 1, &end, 10);
			add_number(to, n, 4);
			memset(to->p + to->n, 'x', n);
			to->n += n;
		} else if (*s == '\'' || *s == '(') {
			end = (char *)add_text(to, s + 1, *s == '(' ? ')' : '\'', *s == '\'');
		} else if (*s != ' ') {
			add_number(to, strtoul(s, &end, 16), 1);
			cr_assert(end == s + 2, "spelling: %s", s);
		}
		s = end;
	}
	size_t end = to->n;
	if (framed) {
		to->n = start;
		add_number(to, end - start - 4, 4);
		to->n = end;
	}
}

static void say(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(char *text, const char *format, ...)
{
	size_t n = strlen(text);
	va_list args;
	va_start(args, format);
	vsnprintf(text + n, TEXT_MAX - n, format, args);
	va_end(args);
}

static void say_span(char *text, const char *name, struct span s)
{
	if (s.p == NULL)
		return;
	say(text, " %s=", name);
	if (s.n > 80)
		say(text, "<%zu>", s.n);
	for (size_t i = 0; i < s.n && s.n <= 80; i++)
		say(text, s.p[i] > ' ' && s.p[i] < 0x7f ? "%c" : "\\%02x", s.p[i]);
}

/* The kind, and every field that is not zero; spans that were not there are NULL, empty ones show. */
static void show(char *text, const struct sftp_packet *p)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "id", p->id }, { "version", p->version }, { "extensions", p->extensions }, { "flags", p->flags }, { "offset", p->offset },
		{ "offset2", p->offset2 }, { "length", p->length }, { "count", p->count }, { "code", p->code }, { "attrs", p->attrs.flags },
		{ "size", p->attrs.size }, { "uid", p->attrs.uid }, { "gid", p->attrs.gid }, { "mode", p->attrs.mode }, { "atime", p->attrs.atime },
		{ "mtime", p->attrs.mtime },
	};
	say(text, "%s", kind_names[p->kind]);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value != 0)
			say(text, " %s=%llu", numbers[i].name, (unsigned long long)numbers[i].value);
	say_span(text, "path", p->path);
	say_span(text, "other", p->other);
	say_span(text, "handle", p->handle);
	say_span(text, "handle2", p->handle2);
	say_span(text, "name", p->name);
	say_span(text, "text", p->text);
	say_span(text, "ids", p->ids);
	say_span(text, "ids2", p->ids2);
	say_span(text, "body", p->body);
	say(text, "\n");
}

/* A side of a conversation as it is read: what was seen of it, and how it would be written. */
struct side {
	bool reply;
	bool write;          /* put what was read */
	uint64_t payload;    /* still to come of WRITE or DATA */
	char text[TEXT_MAX];
	struct bytes written;
	struct sftp_reader reader;
};

static struct side a_side, another_side;

static void side_put(struct side *side, const struct sftp_packet *packet)
{
	uint8_t *exact = malloc(SFTP_PUT_MAX);
	size_t n = sftp_put(exact, packet);
	cr_expect(n > 0 && n <= SFTP_PUT_MAX, "not written: %s", kind_names[packet->kind]);
	memcpy(side->written.p + side->written.n, exact, n);
	side->written.n += n;
	free(exact);
}

static void side_take(struct side *side, struct span in)
{
	struct sftp_packet packet;
	for (;;) {
		struct span payload = span_take(&in, side->payload < in.n ? (size_t)side->payload : in.n);
		side->payload -= payload.n;
		if (payload.n > 0 && side->write)
			memcpy(side->written.p + side->written.n, payload.p, payload.n);
		side->written.n += side->write ? payload.n : 0;
		if (side->payload > 0)
			return;
		enum sftp_kind kind = side->reply ? sftp_next_reply(&side->reader, &in, &packet) : sftp_next_request(&side->reader, &in, &packet);
		cr_expect_eq(kind, packet.kind);
		if (kind == SFTP_MORE || kind == SFTP_BAD) {
			cr_expect((kind == SFTP_BAD) == (side->reader.why != NULL));
			cr_expect(kind == SFTP_BAD || in.n == 0);
			return;
		}
		show(side->text, &packet);
		if (side->write && kind != SFTP_UNKNOWN)
			side_put(side, &packet);
		side->payload = kind == SFTP_WRITE || kind == SFTP_DATA ? packet.count : 0;
	}
}

/* Gives n bytes in a buffer that ends where they do. */
static void side_exactly(struct side *side, const uint8_t *p, size_t n)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	memcpy(exact, p, n);
	side_take(side, span_of(exact, n));
	free(exact);
}

static struct side *side_begin(struct side *side, bool reply, bool begun)
{
	struct bytes first = { 0 };
	memset(side, 0, offsetof(struct side, reader));
	memset(&side->reader, 0xa5, sizeof(side->reader));
	side->reply = reply;
	sftp_init(&side->reader);
	add_packet(&first, reply ? "02 #3" : "01 #3", true);
	if (begun)
		side_exactly(side, first.p, first.n);
	side->text[0] = '\0';
	return side;
}

/* Whole; then the same in bytes, and in every two pieces, has to give the same. The side that read it whole and wrote it again. */
static struct side *converse(bool reply, bool begun, const struct bytes *in)
{
	struct side *whole = side_begin(&a_side, reply, begun), *other;
	whole->write = true;
	side_exactly(whole, in->p, in->n);
	size_t cuts = in->n < 300 ? in->n : 0;
	for (size_t cut = 0; cut <= cuts; cut++) {
		other = side_begin(&another_side, reply, begun);
		if (cut > 0)
			side_exactly(other, in->p, cut);
		for (size_t i = cut; i < in->n; i += cut > 0 ? in->n : 1)
			side_exactly(other, in->p + i, cut > 0 ? in->n - i : 1);
		cr_expect_str_eq(other->text, whole->text, "cut at %zu", cut);
		cr_expect(other->reader.why == whole->reader.why && other->payload == whole->payload && sftp_between(&other->reader) == sftp_between(&whole->reader));
	}
	return whole;
}

struct packet_case {
	const char *in;
	const char *text;
	const char *out; /* NULL: as it came */
};

static const struct packet_case requests[] = {
	{ "03 #7 'a/b' #26 #4 #420", "OPEN id=7 flags=26 attrs=4 mode=420 path=a/b\n", NULL },
	{ "03 #4294967295 '' #63 #0", "OPEN id=4294967295 flags=63 path=\n", NULL },
	{ "03 #0 '\xff\xfe\n' #0 #15 @5 #1 #2 #3 #4 #6", "OPEN attrs=15 size=5 uid=1 gid=2 mode=3 atime=4 mtime=6 path=\\ff\\fe\\0a\n", NULL },
	{ "03 #1 'a' #1 80 00 00 00 #0", "OPEN id=1 flags=1 path=a\n", "03 #1 'a' #1 #0" },
	{ "03 #1 'a' #1 80 00 00 04 #8 #2 'n@x' 'v' '' ''", "OPEN id=1 flags=1 attrs=4 mode=8 path=a\n", "03 #1 'a' #1 #4 #8" },
	{ "03 #1 'a' #1 80 00 00 00 #1 'n' ~33969", "OPEN id=1 flags=1 path=a\n", "03 #1 'a' #1 #0" }, /* the longest that is kept */
	{ "04 #8 'h'", "CLOSE id=8 handle=h\n", NULL },
	{ "04 #8 '\\0\\0\\0\\0'", "CLOSE id=8 handle=\\00\\00\\00\\00\n", NULL },
	{ "04 #8 ~256", "CLOSE id=8 handle=<256>\n", NULL },
	{ "05 #9 'h' @18446744073709551615 #4294967295", "READ id=9 offset=18446744073709551615 count=4294967295 handle=h\n", NULL },
	{ "06 #9 'h' @4294967296 'hello'", "WRITE id=9 offset=4294967296 count=5 handle=h\n", NULL },
	{ "06 #9 'h' @0 ''", "WRITE id=9 handle=h\n", NULL },
	{ "06 #9 ~256 @0 ~3", "WRITE id=9 count=3 handle=<256>\n", NULL },
	{ "07 #1 'p'", "LSTAT id=1 path=p\n", NULL },
	{ "07 #1 ~4095", "LSTAT id=1 path=<4095>\n", NULL },
	{ "08 #1 'h'", "FSTAT id=1 handle=h\n", NULL },
	{ "09 #1 'p' #1 @9", "SETSTAT id=1 attrs=1 size=9 path=p\n", NULL },
	{ "0a #1 'h' #2 #10 #11", "FSETSTAT id=1 attrs=2 uid=10 gid=11 handle=h\n", NULL },
	{ "0b #1 'p'", "OPENDIR id=1 path=p\n", NULL },
	{ "0c #1 'h'", "READDIR id=1 handle=h\n", NULL },
	{ "0d #1 'p'", "REMOVE id=1 path=p\n", NULL },
	{ "0e #1 'p' #0", "MKDIR id=1 path=p\n", NULL },
	{ "0f #1 'p'", "RMDIR id=1 path=p\n", NULL },
	{ "10 #1 ''", "REALPATH id=1 path=\n", NULL },
	{ "11 #1 'p'", "STAT id=1 path=p\n", NULL },
	{ "12 #1 'old' 'new'", "RENAME id=1 path=old other=new\n", NULL },
	{ "13 #1 'p'", "READLINK id=1 path=p\n", NULL },
	{ "14 #1 'says' 'at'", "SYMLINK id=1 path=says other=at\n", NULL },
	{ "c8 #1 'posix-rename@openssh.com' 'old' 'new'", "POSIX_RENAME id=1 path=old other=new\n", NULL },
	{ "c8 #1 'posix-rename@openssh.com' ~4095 ~4095", "POSIX_RENAME id=1 path=<4095> other=<4095>\n", NULL },
	{ "c8 #1 'hardlink@openssh.com' 'old' 'new'", "HARDLINK id=1 path=old other=new\n", NULL },
	{ "c8 #1 'statvfs@openssh.com' 'p'", "STATVFS id=1 path=p\n", NULL },
	{ "c8 #1 'fstatvfs@openssh.com' 'h'", "FSTATVFS id=1 handle=h\n", NULL },
	{ "c8 #1 'fsync@openssh.com' 'h'", "FSYNC id=1 handle=h\n", NULL },
	{ "c8 #1 'lsetstat@openssh.com' 'p' #8 #5 #6", "LSETSTAT id=1 attrs=8 atime=5 mtime=6 path=p\n", NULL },
	{ "c8 #1 'limits@openssh.com'", "LIMITS id=1\n", NULL },
	{ "c8 #1 'expand-path@openssh.com' '~bob/x'", "EXPAND_PATH id=1 path=~bob/x\n", NULL },
	{ "c8 #1 'copy-data' 'from' @1 @2 'to' @3", "COPY_DATA id=1 offset=1 offset2=3 length=2 handle=from handle2=to\n", NULL },
	{ "c8 #1 'home-directory' 'bob'", "HOME_DIRECTORY id=1 path=bob\n", NULL },
	{ "c8 #1 'users-groups-by-id@openssh.com' '\\0\\0\\0!' ''", "USERS_GROUPS id=1 ids=\\00\\00\\00! ids2=\n", NULL },
	{ "c8 #1 'users-groups-by-id@openssh.com' ~2048 ~2048", "USERS_GROUPS id=1 ids=<2048> ids2=<2048>\n", NULL },
};

static const struct packet_case replies[] = {
	{ "65 #7 #3 'blocked' ''", "STATUS id=7 code=3 text=blocked\n", NULL },
	{ "65 #7 #4294967295 '' 'de'", "STATUS id=7 code=4294967295 text=\n", "65 #7 #4294967295 '' ''" },
	{ "65 #7 #0", "STATUS id=7\n", "65 #7 #0 '' ''" },
	{ "65 #7 #4 'a\x1b[2Jb\\0c\xff' ''", "STATUS id=7 code=4 text=a\\1b[2Jb\\00c\\ff\n", "65 #7 #4 'a?[2Jb?c?' ''" },
	{ "66 #1 '\\0\\0\\0\\0'", "HANDLE id=1 handle=\\00\\00\\00\\00\n", NULL },
	{ "66 #1 ~256", "HANDLE id=1 handle=<256>\n", NULL },
	{ "67 #1 'hello'", "DATA id=1 count=5\n", NULL },
	{ "67 #1 ''", "DATA id=1\n", NULL },
	{ "68 #1 #0", "NAME id=1 length=9\n", NULL },
	{ "68 #1 #1 '/a/b' '/a/b' #0", "NAME id=1 length=29 count=1\nENTRY name=/a/b text=/a/b\n", NULL },
	{ "68 #1 #1 '' '' #0", "NAME id=1 length=21 count=1\nENTRY name= text=\n", NULL },
	{ "68 #1 #2 'b' '-rw- b' #15 @5 #1 #2 #3 #4 #6 'c\xff' 'd' #4 #9",
	  "NAME id=1 length=75 count=2\nENTRY attrs=15 size=5 uid=1 gid=2 mode=3 atime=4 mtime=6 name=b text=-rw-\\20b\nENTRY attrs=4 mode=9 name=c\\ff text=d\n", NULL },
	{ "68 #1 #1 ~4095 ~4351 #15 @5 #1 #2 #3 #4 #6", /* the longest */
	  "NAME id=1 length=8495 count=1\nENTRY attrs=15 size=5 uid=1 gid=2 mode=3 atime=4 mtime=6 name=<4095> text=<4351>\n", NULL },
	{ "69 #1 #15 @5 #1 #2 #3 #4 #6", "ATTRS id=1 attrs=15 size=5 uid=1 gid=2 mode=3 atime=4 mtime=6\n", NULL },
	{ "69 #1 #0", "ATTRS id=1\n", NULL },
	{ "69 #1 80 00 00 00 #1 'a' 'b'", "ATTRS id=1\n", "69 #1 #0" },
	{ "c9 #1 @262144 @261120", "EXTENDED_REPLY id=1 body=\\00\\00\\00\\00\\00\\04\\00\\00\\00\\00\\00\\00\\00\\03\\fc\\00\n", NULL },
	{ "c9 #1", "EXTENDED_REPLY id=1 body=\n", NULL },
};

static void check_packets(bool reply, const struct packet_case *cases, size_t n, bool *seen)
{
	for (size_t i = 0; i < n; i++) {
		static struct bytes in, out;
		in.n = out.n = 0;
		add_packet(&in, cases[i].in, true);
		add_packet(&out, cases[i].out ? cases[i].out : cases[i].in, true);
		struct side *side = converse(reply, true, &in);
		cr_expect_str_eq(side->text, cases[i].text, "%s", cases[i].in);
		cr_expect(side->reader.why == NULL && sftp_between(&side->reader), "%s", cases[i].in);
		cr_expect(span_equal(span_of(side->written.p, side->written.n), span_of(out.p, out.n)), "%s: written otherwise", cases[i].in);
		for (int kind = 0; kind < SFTP_KINDS; kind++) {
			size_t length = strlen(kind_names[kind]);
			seen[kind] |= strncmp(cases[i].text, kind_names[kind], length) == 0 && strchr(" \n", cases[i].text[length]);
		}
	}
}

#define CHECK_PACKETS(reply, cases, seen) check_packets(reply, cases, sizeof(cases) / sizeof(cases[0]), seen)

Test(proto_sftp, both_ways)
{
	bool seen[SFTP_KINDS] = { false };
	CHECK_PACKETS(false, requests, seen);
	CHECK_PACKETS(true, replies, seen);
	for (int kind = SFTP_OPEN; kind < SFTP_ENTRY; kind++)
		cr_expect(seen[kind] || kind == SFTP_VERSION, "%s is in no table", kind_names[kind]);
}

/* What opens a conversation, and what may not. */
static const struct packet_case openings[] = {
	{ "01 #3", "INIT version=3\n", NULL },
	{ "01 #6", "INIT version=6\n", NULL },
	{ "01 #0", "INIT\n", NULL },
	{ "01 #3 'newline@vandyke.com' '\n' '' ''", "INIT version=3\n", "01 #3" },
};

static const struct packet_case answers[] = {
	{ "02 #3", "VERSION version=3\n", NULL },
	{ "02 #6 'x' 'y'", "VERSION version=6\n", "02 #3" },
	{ "02 #3 'limits@openssh.com' '1' 'copy-data' '1'", "VERSION version=3 extensions=320\n", NULL },
	{ "02 #3 'copy-data' '1' 'limits@openssh.com' '1' 'copy-data' '1'", "VERSION version=3 extensions=320\n", "02 #3 'limits@openssh.com' '1' 'copy-data' '1'" },
	{ "02 #3 'limits@openssh.com' '2' 'limits' '1' 'limits@openssh.com\\0' '1' 'statvfs@openssh.com' '' 'fsync@openssh.com' '1\\0'", "VERSION version=3\n", "02 #3" },
};

static void check_openings(bool reply, const struct packet_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bytes in = { 0 }, out = { 0 };
		add_packet(&in, cases[i].in, true);
		add_packet(&out, cases[i].out ? cases[i].out : cases[i].in, true);
		struct side *side = converse(reply, false, &in);
		cr_expect_str_eq(side->text, cases[i].text, "%s", cases[i].in);
		cr_expect(side->reader.begun && side->reader.why == NULL, "%s", cases[i].in);
		cr_expect(span_equal(span_of(side->written.p, side->written.n), span_of(out.p, out.n)), "%s: written otherwise", cases[i].in);
	}
}

Test(proto_sftp, openings)
{
	check_openings(false, openings, sizeof(openings) / sizeof(openings[0]));
	check_openings(true, answers, sizeof(answers) / sizeof(answers[0]));
}

/* Recorded. One string a packet, in hexadecimal. */
static const char *const said_by_sftp[] = {
	"000000050100000003",
	"0000001bc800000001000000126c696d697473406f70656e7373682e636f6d",
	"0000000a1000000002000000012e",
	"000000210300000004000000042f772f670000001a0000000c000001a46553f1006553f100",
	"0000001e0600000006000000040000000000000000000000000000000568656c6c6f",
	"0000001d0a0000000500000004000000000000000c000001a46553f1006553f100",
	"0000000d04000000060000000400000000",
	"0000000b0b00000007000000022f77",
	"00000037c80000000b0000001e75736572732d67726f7570732d62792d6964406f70656e7373682e636f6d00000004000000000000000400000000",
	"00000019050000000f000000040000000000000000000000000003fc00",
	"00000031c80000001200000018706f7369782d72656e616d65406f70656e7373682e636f6d000000042f772f67000000042f772f69",
	"0000002dc80000001300000014686172646c696e6b406f70656e7373682e636f6d000000042f772f69000000042f772f6a",
	"0000001214000000140000000169000000042f772f6b",
	"000000150e00000017000000042f772f6400000004000001ff",
	"0000003ac80000001c00000009636f70792d6461746100000004000000000000000000000000000000000000000000000004000000010000000000000000",
	"00000024c80000001f0000001373746174766673406f70656e7373682e636f6d000000042f772f2e",
};

static const char text_of_sftp[] = "INIT version=3\n"
	"LIMITS id=1\n"
	"REALPATH id=2 path=.\n"
	"OPEN id=4 flags=26 attrs=12 mode=420 atime=1700000000 mtime=1700000000 path=/w/g\n"
	"WRITE id=6 count=5 handle=\\00\\00\\00\\00\n"
	"FSETSTAT id=5 attrs=12 mode=420 atime=1700000000 mtime=1700000000 handle=\\00\\00\\00\\00\n"
	"CLOSE id=6 handle=\\00\\00\\00\\00\n"
	"OPENDIR id=7 path=/w\n"
	"USERS_GROUPS id=11 ids=\\00\\00\\00\\00 ids2=\\00\\00\\00\\00\n"
	"READ id=15 count=261120 handle=\\00\\00\\00\\00\n"
	"POSIX_RENAME id=18 path=/w/g other=/w/i\n"
	"HARDLINK id=19 path=/w/i other=/w/j\n"
	"SYMLINK id=20 path=i other=/w/k\n"
	"MKDIR id=23 attrs=4 mode=511 path=/w/d\n"
	"COPY_DATA id=28 handle=\\00\\00\\00\\00 handle2=\\00\\00\\00\\01\n"
	"STATVFS id=31 path=/w/.\n";

static const char *const said_by_server[] = {
	"0000013e020000000300000018706f7369782d72656e616d65406f70656e7373682e636f6d00000001310000001373746174766673406f70656e7373682e636f6d0000000132"
	"000000146673746174766673406f70656e7373682e636f6d000000013200000014686172646c696e6b406f70656e7373682e636f6d000000013100000011"
	"6673796e63406f70656e7373682e636f6d0000000131000000146c73657473746174406f70656e7373682e636f6d0000000131000000126c696d697473406f70656e7373682e"
	"636f6d000000013100000017657870616e642d70617468406f70656e7373682e636f6d000000013100000009636f70792d6461746100000001310000000e686f6d652d"
	"6469726563746f727900000001310000001e75736572732d67726f7570732d62792d6964406f70656e7373682e636f6d0000000131",
	"0000000d66000000070000000400000000",
	"00000018650000000800000000000000075375636365737300000000",
	"0000002569000000090000000f00000000000000050000000000000000000081a46553f1006553f101",
	"0000001d650000000b000000020000000c4e6f20737563682066696c6500000000",
	"0000000e670000000d0000000568656c6c6f",
	"00000131680000001100000003000000012e0000003964727778722d78722d78202020203220726f6f742020202020726f6f7420202020202020202034303936204e6f7620"
	"32302031313a3130202e0000000f00000000000010000000000000000000000041ed6b002ab66b002ab60000000178000000392d72772d722d2d722d2d202020203120726f"
	"6f742020202020726f6f7420202020202020202020202030204e6f7620313420203230323320780000000f00000000000000000000000000000000000081a46553f1006553"
	"f101000000022e2e0000003a647277782d2d2d2d2d2d202020203320726f6f742020202020726f6f7420202020202020202034303936204e6f762032302031313a3130202e"
	"2e0000000f00000000000010000000000000000000000041c06b002ab66b002ab6",
	"00000017680000001400000001000000012f000000012f00000000",
	"00000025c9000000150000000000040000000000000003fc00000000000003fc000000000000004e1b",
	"00000026650000001700000008000000154f7065726174696f6e20756e737570706f7274656400000000",
	"00000021c9000000180000000c00000004726f6f74000000000000000800000004726f6f74",
};

static const char text_of_server[] = "VERSION version=3 extensions=2047\n"
	"HANDLE id=7 handle=\\00\\00\\00\\00\n"
	"STATUS id=8 text=Success\n"
	"ATTRS id=9 attrs=15 size=5 mode=33188 atime=1700000000 mtime=1700000001\n"
	"STATUS id=11 code=2 text=No\\20such\\20file\n"
	"DATA id=13 count=5\n"
	"NAME id=17 length=305 count=3\n"
	"ENTRY attrs=15 size=4096 mode=16877 atime=1795173046 mtime=1795173046 name=. text=drwxr-xr-x\\20\\20\\20\\202\\20root\\20\\20\\20\\20\\20root\\20\\20\\20\\20\\20\\20\\20"
	"\\20\\204096\\20Nov\\2020\\2011:10\\20.\n"
	"ENTRY attrs=15 mode=33188 atime=1700000000 mtime=1700000001 name=x text=-rw-r--r--\\20\\20\\20\\201\\20root\\20\\20\\20\\20\\20root\\20\\20\\20\\20\\20\\20\\20\\20\\20"
	"\\20\\20\\200\\20Nov\\2014\\20\\202023\\20x\n"
	"ENTRY attrs=15 size=4096 mode=16832 atime=1795173046 mtime=1795173046 name=.. text=drwx------\\20\\20\\20\\203\\20root\\20\\20\\20\\20\\20root\\20\\20\\20\\20\\20\\20\\20"
	"\\20\\204096\\20Nov\\2020\\2011:10\\20..\n"
	"NAME id=20 length=23 count=1\n"
	"ENTRY name=/ text=/\n"
	"EXTENDED_REPLY id=21 body=\\00\\00\\00\\00\\00\\04\\00\\00\\00\\00\\00\\00\\00\\03\\fc\\00\\00\\00\\00\\00\\00\\03\\fc\\00\\00\\00\\00\\00\\00\\00N\\1b\n"
	"STATUS id=23 code=8 text=Operation\\20unsupported\n"
	"EXTENDED_REPLY id=24 body=\\00\\00\\00\\0c\\00\\00\\00\\04root\\00\\00\\00\\00\\00\\00\\00\\08\\00\\00\\00\\04root\n";

static void check_transcript(bool reply, const char *const *said, size_t n, const char *text)
{
	static struct bytes in, first;
	in.n = 0;
	for (size_t i = 0; i < n; i++) {
		for (const char *s = said[i]; *s; s += 2)
			add_number(&in, strtoul((char[]){ s[0], s[1], '\0' }, NULL, 16), 1);
		if (i == 0)
			first = in;
	}
	struct side *side = converse(reply, false, &in);
	cr_expect_str_eq(side->text, text);
	/* All but VERSION, whose extensions stand in our order, is written as OpenSSH wrote it. */
	cr_expect(side->written.n == in.n && memcmp(side->written.p + first.n, in.p + first.n, in.n - first.n) == 0);
}

Test(proto_sftp, transcripts)
{
	check_transcript(false, said_by_sftp, sizeof(said_by_sftp) / sizeof(said_by_sftp[0]), text_of_sftp);
	check_transcript(true, said_by_server, sizeof(said_by_server) / sizeof(said_by_server[0]), text_of_server);
}

/* What is no packet. With = in front the bytes are all there are: no length field is added. */
struct bad_case {
	const char *in;
	const char *why;
};

#define SHORT "a packet is shorter than its fields"
#define LONG "a packet is longer than its fields"
#define HANDLE "a handle is empty or too long"
#define NUL "a path has a NUL in it"
#define NAMES "the names do not fit their packet"

static const struct bad_case bad_requests[] = {
	{ "=#0", "a packet of length 0" },
	{ "=#262145", "a packet longer than 256 KiB" },
	{ "=#4294967295", "a packet longer than 256 KiB" },
	{ "=#1 07", SHORT },
	{ "=#4 07", SHORT },
	{ "=#1 ff", SHORT },
	{ "01 #3", "a second INIT" },
	{ "07 #1", SHORT },
	{ "07 #1 00 00 00", SHORT },
	{ "07 #1 #2 (a)", SHORT },
	{ "07 #1 #4294967295 (a)", SHORT },
	{ "07 #1 #4294967292 (a)", SHORT },
	{ "07 #1 'a' 00", LONG },
	{ "07 #1 'a\\0'", NUL },
	{ "07 #1 '\\0'", NUL },
	{ "12 #1 'a'", SHORT },
	{ "12 #1 'a' 'b' 00", LONG },
	{ "12 #1 'a' 'b\\0c'", NUL },
	{ "14 #1 '\\0a' 'b'", NUL },
	{ "03 #1 'a' #1", SHORT },
	{ "03 #1 'a' #64 #0", "OPEN has unknown flags" },
	{ "03 #1 'a' #2147483649 #0", "OPEN has unknown flags" },
	{ "03 #1 'a' #1 #16", "attributes have unknown flags" },
	{ "03 #1 'a' #1 40 00 00 00", "attributes have unknown flags" },
	{ "03 #1 'a' #1 #1 #1", SHORT },
	{ "03 #1 'a' #1 #2 #1", SHORT },
	{ "03 #1 'a' #1 #4 00 00 00", SHORT },
	{ "03 #1 'a' #1 #8 #1", SHORT },
	{ "03 #1 'a' #1 #0 #0", LONG },
	{ "03 #1 'a' #1 80 00 00 00", SHORT },
	{ "03 #1 'a' #1 80 00 00 00 #1 'a'", SHORT },
	{ "03 #1 'a' #1 80 00 00 00 #4294967295 'a' 'b'", SHORT },
	{ "03 #1 'a' #1 80 00 00 00 #0 'a' 'b'", LONG },
	{ "0e #1 'a'", SHORT },
	{ "09 #1 'a' #8 #1 #2 #3", LONG },
	{ "0a #1 '' #0", HANDLE },
	{ "04 #1", SHORT },
	{ "04 #1 00", SHORT },
	{ "04 #1 ''", HANDLE },
	{ "04 #1 ~257", HANDLE },
	{ "05 #1 'h' @1", SHORT },
	{ "05 #1 'h' @1 00 00 00", SHORT },
	{ "05 #1 'h' @1 #1 00", LONG },
	{ "06 #1", SHORT },
	{ "06 #1 #1", SHORT },
	{ "06 #1 '' @0 'abc'", HANDLE },
	{ "06 #1 ~257 @0 'abc'", HANDLE },
	{ "06 #1 #4294967295 @0 'abc'", HANDLE },
	{ "06 #1 'h' @0", SHORT },
	{ "06 #1 'h' @0 #4 (abc)", "the data does not fill its packet" },
	{ "06 #1 'h' @0 #4294967295", "the data does not fill its packet" },
	{ "c8 #1", SHORT },
	{ "c8 #1 00", SHORT },
	{ "c8 #1 #5 (abcd)", SHORT },
	{ "c8 #1 'limits@openssh.com' 00", LONG },
	{ "c8 #1 'statvfs@openssh.com'", SHORT },
	{ "c8 #1 'fstatvfs@openssh.com' ''", HANDLE },
	{ "c8 #1 'copy-data' 'h' @0 @0 'g'", SHORT },
	{ "c8 #1 'copy-data' 'h' @0 @0 '' @0", HANDLE },
	{ "c8 #1 'copy-data' 'h' @0 @0 'g' @0 00", LONG },
	{ "c8 #1 'users-groups-by-id@openssh.com'", SHORT },
	{ "c8 #1 'users-groups-by-id@openssh.com' ''", SHORT },
	{ "c8 #1 'home-directory' 'b\\0b'", NUL },
	{ "c8 #1 'users-groups-by-id@openssh.com' 'abc' ''", "a list of ids does not hold whole numbers" },
	{ "c8 #1 'users-groups-by-id@openssh.com' '' 'abcde'", "a list of ids does not hold whole numbers" },
};

static const struct bad_case bad_openings[] = {
	{ "10 #1 '.'", "the client did not begin with INIT" },
	{ "02 #3", "the client did not begin with INIT" },
	{ "ff #1", "the client did not begin with INIT" },
	{ "c8 #1 'limits@openssh.com'", "the client did not begin with INIT" },
	{ "=(GET )", "a packet longer than 256 KiB" },
	{ "=(SSH-)", "a packet longer than 256 KiB" },
	{ "=#1 01", SHORT },
	{ "01 #3 00", SHORT },
	{ "01 #3 'a'", SHORT },
	{ "01 #3 'a' #2 (b)", SHORT },
	{ "=#34001 01", "a packet of this type is too long" },
};

static const struct bad_case bad_replies[] = {
	{ "=#0", "a packet of length 0" },
	{ "=#262145", "a packet longer than 256 KiB" },
	{ "02 #3", "a second VERSION" },
	{ "=#200 63", "a reply of a type that is not known" },
	{ "07 #1 'a'", "a reply of a type that is not known" },
	{ "c8 #1 'a'", "a reply of a type that is not known" },
	{ "00 #1", "a reply of a type that is not known" },
	{ "=#34001 65", "a packet of this type is too long" },
	{ "=#34001 c9", "a packet of this type is too long" },
	{ "65 #1", SHORT },
	{ "65 #1 #0 'a'", SHORT },
	{ "65 #1 #0 'a' #1", SHORT },
	{ "65 #1 #0 'a' '' 00", LONG },
	{ "66 #1 ''", HANDLE },
	{ "66 #1 ~257", HANDLE },
	{ "66 #1 'h' 00", LONG },
	{ "67 #1", SHORT },
	{ "67 #1 #4 (abc)", "the data does not fill its packet" },
	{ "67 #1 #2 (abc)", "the data does not fill its packet" },
	{ "69 #1", SHORT },
	{ "69 #1 #0 #0", LONG },
	{ "69 #1 #16", "attributes have unknown flags" },
	{ "68 #1", SHORT },
	{ "68 #1 #0 00", NAMES },
	{ "68 #1 #1", NAMES },
	{ "68 #1 #4294967295 'a' 'a' #0", NAMES },
	{ "68 #1 #3 'a' 'a' #0 'b' 'b' #0", NAMES },
	{ "68 #1 #2 'a' ~20 #0", "ENTRY" NAMES },
	{ "68 #1 #1 'a' 'a' #0 00", "the names do not fill their packet" },
	{ "68 #1 #1 'a' 'a' #0 'b' 'b' #0", "the names do not fill their packet" },
	{ "68 #1 #1 #100 'a' 'a' #0", NAMES },
	{ "68 #1 #1 'a' #100 (a) #0", NAMES },
	{ "68 #1 #1 'a' 'a' #1 #0", NAMES },
	{ "68 #1 #1 ~4096 'a' #0", "a name is too long" },
	{ "68 #1 #1 'a' ~4352 #0", "a long name is too long" },
	{ "68 #1 #1 #4294967295 'a' #0", "a name is too long" },
	{ "68 #1 #1 'a' #4294967295 #0", "a long name is too long" },
	{ "68 #1 #1 'a\\0' 'a' #0", NUL },
	{ "68 #1 #1 'a' 'a\\0' #0", "a long name has a NUL in it" },
	{ "68 #1 #1 'a' 'a' #16", "attributes have unknown flags" },
	{ "68 #1 #1 'a' 'a' 80 00 00 00 #0", "attributes have unknown flags" },
};

static const struct bad_case bad_answers[] = {
	{ "65 #1 #0", "the server did not begin with VERSION" },
	{ "01 #3", "the server did not begin with VERSION" },
	{ "=(Welcome to)", "a packet longer than 256 KiB" },
	{ "02 #3 'a'", SHORT },
	{ "02 #3 'a' 'b' 00", SHORT },
	{ "=#34001 02", "a packet of this type is too long" },
};

static void check_bad(bool reply, bool begun, const struct bad_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		static struct bytes in, more;
		bool framed = cases[i].in[0] != '=';
		bool entry = strncmp(cases[i].why, "ENTRY", 5) == 0;
		in.n = more.n = 0;
		add_packet(&in, cases[i].in + !framed, framed);
		struct side *side = converse(reply, begun, &in);
		cr_assert(side->reader.why, "%s: taken as %s", cases[i].in, side->text);
		cr_expect_str_eq(side->reader.why, cases[i].why + (entry ? 5 : 0), "%s", cases[i].in);
		/* At most what stands in front of the mistake in the same NAME was given out. */
		cr_expect(side->text[0] == '\0' || strncmp(side->text, "NAME ", 5) == 0, "%s: %s", cases[i].in, side->text);
		struct sftp_packet packet;
		add_packet(&more, reply ? "65 #1 #0" : "10 #1 '.'", true);
		struct span good = span_of(more.p, more.n);
		cr_expect_eq(reply ? sftp_next_reply(&side->reader, &good, &packet) : sftp_next_request(&side->reader, &good, &packet), SFTP_BAD);
		cr_expect_eq(good.n, more.n);
	}
}

#define CHECK_BAD(reply, begun, cases) check_bad(reply, begun, cases, sizeof(cases) / sizeof(cases[0]))

Test(proto_sftp, no_packets)
{
	CHECK_BAD(false, true, bad_requests);
	CHECK_BAD(false, false, bad_openings);
	CHECK_BAD(true, true, bad_replies);
	CHECK_BAD(true, false, bad_answers);
}

/* What is not served and breaks nothing: what follows is read. */
static const struct packet_case unknown[] = {
	{ "ff #7", "UNKNOWN id=7 code=8\n", NULL },
	{ "00 #7 (anything)", "UNKNOWN id=7 code=8\n", NULL },
	{ "02 #7", "UNKNOWN id=7 code=8\n", NULL },
	{ "15 #7 ~2000", "UNKNOWN id=7 code=8\n", NULL }, /* version 6: LINK */
	{ "65 #7 #0 '' ''", "UNKNOWN id=7 code=8\n", NULL },
	{ "c9 #7", "UNKNOWN id=7 code=8\n", NULL },
	{ "15 #7 ~262000", "UNKNOWN id=7 code=8\n", NULL },
	{ "c8 #7 ''", "UNKNOWN id=7 code=8\n", NULL },
	{ "c8 #7 'vendor-id' ~9000", "UNKNOWN id=7 code=8\n", NULL },
	{ "c8 #7 'limits' ", "UNKNOWN id=7 code=8\n", NULL },
	{ "c8 #7 'limits@openssh.com\\0'", "UNKNOWN id=7 code=8\n", NULL },
	{ "c8 #7 'Limits@openssh.com'", "UNKNOWN id=7 code=8\n", NULL },
	{ "c8 #7 ~60000", "UNKNOWN id=7 code=5\n", NULL },
	{ "03 #7 'a' #1 80 00 00 00 #1 'n' ~33970", "UNKNOWN id=7 code=5\n", NULL },
	{ "07 #7 ~4096", "UNKNOWN id=7 code=5\n", NULL },
	{ "12 #7 'a' ~4096", "UNKNOWN id=7 code=5\n", NULL },
	{ "12 #7 ~4096 'a'", "UNKNOWN id=7 code=5\n", NULL },
	{ "07 #7 ~33991", "UNKNOWN id=7 code=5\n", NULL },
	{ "07 #7 ~33992", "UNKNOWN id=7 code=5\n", NULL },
	{ "07 #7 ~262135", "UNKNOWN id=7 code=5\n", NULL },
	{ "c8 #7 'users-groups-by-id@openssh.com' ~4100 ''", "UNKNOWN id=7 code=5\n", NULL },
	{ "c8 #7 'users-groups-by-id@openssh.com' ~4096 ~4", "UNKNOWN id=7 code=5\n", NULL },
};

Test(proto_sftp, requests_that_are_not_served)
{
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		static struct bytes in;
		char text[200];
		in.n = 0;
		add_packet(&in, unknown[i].in, true);
		snprintf(text, sizeof(text), "%s", unknown[i].text);
		if (in.n < 100000) { /* for two of them the bytes would not fit */
			add_packet(&in, "10 #8 '.'", true);
			snprintf(text, sizeof(text), "%sREALPATH id=8 path=.\n", unknown[i].text);
		}
		struct side *side = converse(false, true, &in);
		cr_expect_str_eq(side->text, text, "%s", unknown[i].in);
		cr_expect(side->reader.why == NULL && sftp_between(&side->reader), "%s", unknown[i].in);
	}
}

/* The largest WRITE and DATA, and what is one byte more. */
Test(proto_sftp, payload)
{
	static const struct {
		bool reply;
		const char *in;
		const char *text; /* NULL: too long */
	} cases[] = {
		{ false, "06 #1 'h' @0 ~261120", "WRITE id=1 count=261120 handle=h\n" },
		{ false, "06 #1 'h' @0 ~262122", "WRITE id=1 count=262122 handle=h\n" },
		{ false, "06 #1 'h' @0 ~262123", NULL },
		{ true, "67 #1 ~261120", "DATA id=1 count=261120\n" },
		{ true, "67 #1 ~262135", "DATA id=1 count=262135\n" },
		{ true, "67 #1 ~262136", NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct bytes in;
		in.n = 0;
		add_packet(&in, cases[i].in, true);
		struct side *side = converse(cases[i].reply, true, &in);
		cr_expect_str_eq(side->text, cases[i].text ? cases[i].text : "", "%s", cases[i].in);
		cr_expect_eq(side->reader.why != NULL, cases[i].text == NULL, "%s", cases[i].in);
		cr_expect_eq(side->payload, 0);
		cr_expect(cases[i].text == NULL || (side->written.n == in.n && memcmp(side->written.p, in.p, in.n) == 0), "%s", cases[i].in);
	}
}

/* Many names, more than OpenSSH's server puts into one packet; only the packet's length limits them. */
Test(proto_sftp, many_names)
{
	static struct bytes in;
	enum { COUNT = 21844 };
	in.n = 0;
	add_number(&in, 9 + COUNT * 12, 4);
	add_packet(&in, "68 #5 #21844", false);
	for (int i = 0; i < COUNT; i++)
		add_packet(&in, "'' '' #0", false);
	struct sftp_packet packet;
	struct side *side = side_begin(&a_side, true, true);
	struct span left = span_of(in.p, in.n);
	cr_expect(sftp_next_reply(&side->reader, &left, &packet) == SFTP_NAME && packet.count == COUNT && packet.length == in.n - 4);
	cr_expect_not(sftp_between(&side->reader));
	for (uint32_t i = COUNT; i > 0; i--)
		cr_assert(side->reader.entries == i && sftp_next_reply(&side->reader, &left, &packet) == SFTP_ENTRY);
	cr_expect(left.n == 0 && sftp_between(&side->reader) && sftp_next_reply(&side->reader, &left, &packet) == SFTP_MORE);
}

/* Where a stream may end. */
Test(proto_sftp, between)
{
	static struct bytes in;
	in.n = 0;
	add_packet(&in, "07 #1 'a'", true);
	size_t end = in.n;
	add_packet(&in, "63 #1 ~9", true);
	struct side *side = side_begin(&a_side, false, true);
	for (size_t i = 0; i < in.n; i++) {
		cr_expect_eq(sftp_between(&side->reader), i == 0 || i == end, "at %zu", i);
		side_exactly(side, in.p + i, 1);
	}
	cr_expect(sftp_between(&side->reader));
	cr_expect_str_eq(side->text, "LSTAT id=1 path=a\nUNKNOWN id=1 code=8\n");
}

#define X(n) { many_x, n }

Test(proto_sftp, not_written)
{
	static uint8_t many_x[SFTP_PUT_MAX + 10], dst[SFTP_PUT_MAX];
	memset(many_x, 'x', sizeof(many_x));
	const struct span nul = span_of("a\0b", 3), h = span_str("h");
	const struct sftp_packet cases[] = {
		{ .kind = SFTP_MORE },
		{ .kind = SFTP_BAD },
		{ .kind = SFTP_UNKNOWN, .id = 1 },
		{ .kind = SFTP_KINDS },
		{ .kind = SFTP_STAT, .path = X(SFTP_PATH_MAX + 1) },
		{ .kind = SFTP_STAT, .path = nul },
		{ .kind = SFTP_RENAME, .path = h, .other = nul },
		{ .kind = SFTP_RENAME, .path = h, .other = X(SFTP_PATH_MAX + 1) },
		{ .kind = SFTP_CLOSE },
		{ .kind = SFTP_CLOSE, .handle = X(SFTP_HANDLE_MAX + 1) },
		{ .kind = SFTP_COPY_DATA, .handle = h },
		{ .kind = SFTP_OPEN, .path = h, .flags = 64 },
		{ .kind = SFTP_OPEN, .path = h, .attrs = { .flags = 16 } },
		{ .kind = SFTP_ATTRS, .attrs = { .flags = 1u << 31 } },
		{ .kind = SFTP_WRITE, .handle = h, .count = SFTP_PACKET_MAX },
		{ .kind = SFTP_WRITE, .handle = h, .count = UINT32_MAX },
		{ .kind = SFTP_DATA, .count = SFTP_PACKET_MAX - 8 },
		{ .kind = SFTP_NAME, .count = 0, .length = 10 },
		{ .kind = SFTP_NAME, .count = 0 },
		{ .kind = SFTP_NAME, .count = 2, .length = 32 },
		{ .kind = SFTP_NAME, .count = 1, .length = SFTP_PACKET_MAX + 1 },
		{ .kind = SFTP_NAME, .count = UINT32_MAX, .length = SFTP_PACKET_MAX },
		{ .kind = SFTP_NAME, .count = 1, .length = UINT64_MAX },
		{ .kind = SFTP_ENTRY, .name = X(SFTP_PATH_MAX + 1) },
		{ .kind = SFTP_ENTRY, .name = nul },
		{ .kind = SFTP_ENTRY, .text = nul },
		{ .kind = SFTP_ENTRY, .text = X(SFTP_LONG_NAME_MAX + 1) },
		{ .kind = SFTP_USERS_GROUPS, .ids = X(3) },
		{ .kind = SFTP_USERS_GROUPS, .ids = X(4 * SFTP_IDS_MAX), .ids2 = X(4) },
		{ .kind = SFTP_EXTENDED_REPLY, .body = X(SFTP_PUT_MAX - 8) },
		{ .kind = SFTP_EXTENDED_REPLY, .body = { many_x, SIZE_MAX } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(sftp_put(dst, &cases[i]), 0, "case %zu", i);
	struct sftp_packet longest = { .kind = SFTP_EXTENDED_REPLY, .body = X(SFTP_PUT_MAX - 9) };
	cr_expect_eq(sftp_put(dst, &longest), SFTP_PUT_MAX);
}

Test(proto_sftp, status_text)
{
	/* §5.1's example of a refusal */
	static const char refusal[] = "\0\0\0\x18\x65\0\0\0\7\0\0\0\3\0\0\0\7blocked\0\0\0";
	static uint8_t dst[SFTP_PUT_MAX], again[SFTP_PUT_MAX], many[1000];
	struct sftp_packet packet = { .kind = SFTP_STATUS, .id = 7, .code = SFTP_PERMISSION_DENIED, .text = span_str("blocked") };
	cr_expect(sftp_put(dst, &packet) == sizeof(refusal) && memcmp(dst, refusal, sizeof(refusal)) == 0);
	memset(many, 'y', sizeof(many));
	packet.text = span_of(many, sizeof(many));
	size_t n = sftp_put(dst, &packet);
	cr_expect_eq(n, 4 + 1 + 4 + 4 + 4 + SFTP_TEXT_MAX + 4);
	cr_expect(memcmp(dst + 17, "yyy", 3) == 0 && memcmp(dst + 17 + SFTP_TEXT_MAX - 3, "...", 3) == 0);
	struct side *side = side_begin(&a_side, true, true);
	struct span in = span_of(dst, n);
	cr_expect(sftp_next_reply(&side->reader, &in, &packet) == SFTP_STATUS && in.n == 0 && packet.text.n == SFTP_TEXT_MAX);
	cr_expect(sftp_put(again, &packet) == n && memcmp(dst, again, n) == 0);
}

/* Names and revisions as they are announced, each by its bit; an own NAME with one entry. */
Test(proto_sftp, own_replies)
{
	static const char *const names[] = { "posix-rename@openssh.com 1", "hardlink@openssh.com 1", "statvfs@openssh.com 2", "fstatvfs@openssh.com 2", "fsync@openssh.com 1",
		"lsetstat@openssh.com 1", "limits@openssh.com 1", "expand-path@openssh.com 1", "copy-data 1", "home-directory 1", "users-groups-by-id@openssh.com 1" };
	static uint8_t dst[SFTP_PUT_MAX];
	for (int kind = SFTP_FIRST_EXTENSION; kind <= SFTP_LAST_EXTENSION; kind++) {
		struct sftp_packet version = { .kind = SFTP_VERSION, .version = 6, .extensions = sftp_extension((enum sftp_kind)kind) };
		const char *name = names[kind - SFTP_FIRST_EXTENSION];
		struct bytes want = { 0 };
		char spelt[100];
		snprintf(spelt, sizeof(spelt), "02 #3 '%.*s' '%s'", (int)(strchr(name, ' ') - name), name, strchr(name, ' ') + 1);
		add_packet(&want, spelt, true);
		size_t n = sftp_put(dst, &version);
		cr_expect(n == want.n && memcmp(dst, want.p, n) == 0, "%s", name);
	}
	struct sftp_packet entry = { .kind = SFTP_ENTRY, .name = span_str("/home/bob"), .text = span_str("bob"), .attrs = { .flags = SFTP_ATTR_ALL } };
	struct sftp_packet head = { .kind = SFTP_NAME, .id = 9, .count = 1, .length = sftp_name_length(entry.name, entry.text, &entry.attrs) };
	struct side *side = side_begin(&a_side, true, true);
	size_t n = sftp_put(dst, &head);
	n += sftp_put(dst + n, &entry);
	side_exactly(side, dst, n);
	cr_expect_str_eq(side->text, "NAME id=9 length=61 count=1\nENTRY attrs=15 name=/home/bob text=bob\n");
	cr_expect(head.length == n - 4 && sftp_between(&side->reader));
}

/* As rclone's library writes: the rest of its buffer stands behind the data, within the packet. */
Test(proto_sftp, bytes_behind_the_data_of_a_write)
{
	static const uint8_t bytes[] = { 0, 0, 0, 5, 1, 0, 0, 0, 3,
					 0, 0, 0, 26, 6, 0, 0, 0, 7, 0, 0, 0, 1, 'h', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 'X', 'Y',
					 0, 0, 0, 10, 4, 0, 0, 0, 8, 0, 0, 0, 1, 'h' };
	for (size_t step = 1; step <= sizeof(bytes); step++) {
		struct sftp_reader *reader = calloc(1, sizeof(*reader));
		struct sftp_packet packet = { 0 };
		enum sftp_kind seen[8] = { 0 };
		size_t n = 0, payload = 0;
		sftp_init(reader);
		for (size_t at = 0; at < sizeof(bytes); at += step) {
			struct span in = span_of(bytes + at, at + step < sizeof(bytes) ? step : sizeof(bytes) - at);
			while (in.n > 0) {
				payload -= span_take(&in, payload).n;
				enum sftp_kind kind = payload > 0 ? SFTP_MORE : sftp_next_request(reader, &in, &packet);
				if (kind == SFTP_MORE)
					continue;
				cr_assert_lt(n, 8);
				seen[n++] = kind;
				payload = kind == SFTP_WRITE ? packet.count : 0;
			}
		}
		cr_expect(n == 3 && seen[0] == SFTP_INIT && seen[1] == SFTP_WRITE && seen[2] == SFTP_CLOSE, "in pieces of %zu: %zu packets", step, n);
		cr_expect(sftp_between(reader), "in pieces of %zu", step);
		free(reader);
	}
}
