/* scan/container: archives built here field by field, then with one field wrong. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/clamav.h"
#include "scan/container.h"
#include "scan/probe.h"

struct member {
	uint32_t flags, method, size;
};

struct archive {
	size_t n, index, end;
	uint8_t bytes[400000];
};

static void put(struct archive *a, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		a->bytes[a->n++] = (uint8_t)(value >> 8 * i);
}

static void put_entry(struct archive *a, const struct member *m)
{
	put(a, 0x02014b50, 4);
	put(a, 20, 2);
	put(a, 20, 2);
	put(a, m->flags, 2);
	put(a, m->method, 2);
	put(a, 0, 4);
	put(a, 0, 4);
	put(a, 1, 4);
	put(a, m->size, 4);
	put(a, 1, 2);
	put(a, 0, 8);
	put(a, 0, 4);
	put(a, 0, 4);
	put(a, 'a', 1);
}

/* A zip with members that lie in the index alone, which is what is looked at. */
static void build(struct archive *a, const struct member *members, size_t count, size_t comment)
{
	a->n = 0;
	put(a, 0x04034b50, 4);
	for (int i = 0; i < 27; i++)
		put(a, 0, 1);
	a->index = a->n;
	for (size_t i = 0; i < count; i++)
		put_entry(a, &members[i]);
	a->end = a->n;
	put(a, 0x06054b50, 4);
	put(a, 0, 4);
	put(a, count, 2);
	put(a, count, 2);
	put(a, a->end - a->index, 4);
	put(a, a->index, 4);
	put(a, comment, 2);
	for (size_t i = 0; i < comment; i++)
		put(a, ' ', 1);
}

static unsigned check_first(const void *bytes, size_t n, uint64_t size)
{
	char why[FINDING_DETAIL_MAX] = "unset";
	int fd = memfd_create("content", MFD_CLOEXEC);
	cr_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	unsigned bits = container_check(fd, size, why);
	close(fd);
	cr_assert_eq(bits != 0, why[0] != '\0', "a flaw has a reason: %s", why);
	return bits;
}

static unsigned check(const void *bytes, size_t n)
{
	return check_first(bytes, n, n);
}

static struct archive a;

/* Puts an archive of the first form behind n bytes of something else. */
static unsigned check_behind(const void *before, size_t n, const void *bytes, size_t count)
{
	uint8_t *exact = malloc(n + count);
	cr_assert(exact != NULL);
	memcpy(exact, before, n);
	memcpy(exact + n, bytes, count);
	unsigned bits = check(exact, n + count);
	free(exact);
	return bits;
}

/* What stands before an archive that unpackers find all the same. */
static const struct {
	const char *bytes;
	size_t n;
} fronts[] = {
	{ "X", 1 },
	{ "#!/bin/sh\nexit 0\n", 17 },
	{ (const char[512]){ 0 }, 512 },
	{ (const char[65535]){ 'M', 'Z' }, 65535 },
	{ (const char[65550]){ 'M', 'Z' }, 65550 },
	{ (const char[300000]){ "\177ELF" }, 300000 },
};

static unsigned check_behind_each(const void *bytes, size_t n)
{
	unsigned first = check_behind(fronts[0].bytes, fronts[0].n, bytes, n);
	for (size_t i = 1; i < sizeof(fronts) / sizeof(fronts[0]); i++)
		cr_expect_eq(check_behind(fronts[i].bytes, fronts[i].n, bytes, n), first, "behind front %zu", i);
	return first;
}

Test(scan_container, zip_behind_something)
{
	static const struct {
		struct member member;
		unsigned bits;
	} cases[] = {
		{ { 0, 8, 1 }, 0 },
		{ { 1, 8, 1 }, UNSCANNABLE_ENCRYPTED },
		{ { 0, 14, 1 }, UNSCANNABLE_DAMAGED },
		{ { 0, 8, 2097152001 }, UNSCANNABLE_TOO_LARGE },
	};
	static const size_t comments[] = { 0, 100, 65535 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < sizeof(comments) / sizeof(comments[0]); j++) {
			build(&a, &cases[i].member, 1, comments[j]);
			cr_expect_eq(check_behind_each(a.bytes, a.n), cases[i].bits, "%zu, comment %zu", i, comments[j]);
		}
	}
}

/* What one unpacker or another reads although the records do not fit together. */
Test(scan_container, zip_behind_something_and_odd)
{
	static const struct {
		size_t at;
		uint8_t value;
		unsigned bits;
	} cases[] = {
		{ 16, 0, UNSCANNABLE_ENCRYPTED },                        /* offset of the index: as if nothing stood before it */
		{ 16, 32, UNSCANNABLE_ENCRYPTED },                       /* right without correction, behind one byte */
		{ 19, 0xff, UNSCANNABLE_ENCRYPTED },
		{ 20, 1, UNSCANNABLE_ENCRYPTED },                        /* a comment beyond the end */
		{ 10, 0, UNSCANNABLE_DAMAGED },                          /* number of entries */
		{ 10, 2, UNSCANNABLE_DAMAGED | UNSCANNABLE_ENCRYPTED },
		{ 12, 0, 0 },                                            /* length of the index: nothing stands where it leads */
	};
	struct member locked = { 1, 8, 1 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build(&a, &locked, 1, 0);
		a.bytes[a.end + cases[i].at] = cases[i].value;
		cr_expect_eq(check_behind("X", 1, a.bytes, a.n), cases[i].bits, "%zu", i);
	}
	build(&a, &locked, 1, 0);
	a.bytes[a.end + 12] = 0;
	a.bytes[a.end + 16] = 32;
	cr_expect_eq(check_behind("X", 1, a.bytes, a.n), UNSCANNABLE_DAMAGED, "no length, but a right offset");
	build(&a, &locked, 1, 0);
	put(&a, 0x06054b50, 4);
	put(&a, UINT64_MAX, 8);
	put(&a, UINT64_MAX, 8);
	put(&a, 0, 2);
	cr_expect_eq(check_behind("X", 1, a.bytes, a.n), UNSCANNABLE_ENCRYPTED, "a second end record that leads nowhere");
	a.bytes[a.n - 22] = 'Q';
	cr_expect_eq(check_behind("X", 1, a.bytes, a.n), UNSCANNABLE_ENCRYPTED, "more behind its end");
}

/* A zip whose records lead ClamAV to one index and other unpackers to the one before the end record. */
Test(scan_container, zip_of_two_indexes)
{
	struct member open = { 0, 8, 1 }, locked = { 1, 8, 1 };
	build(&a, &open, 1, 0);
	size_t first = a.index;
	a.n = a.end;
	put_entry(&a, &locked);
	size_t end = a.n;
	put(&a, 0x06054b50, 4);
	put(&a, 0, 4);
	put(&a, 1, 2);
	put(&a, 1, 2);
	put(&a, end - a.end, 4);
	put(&a, first, 4);
	put(&a, 0, 2);
	cr_expect_eq(check(a.bytes, a.n), UNSCANNABLE_DAMAGED | UNSCANNABLE_ENCRYPTED);
	a.bytes[a.end + 8] = 0;
	cr_expect_eq(check(a.bytes, a.n), UNSCANNABLE_DAMAGED, "also where nothing is encrypted");
}

/* A member's comment that ends like a zip64 locator: to some unpackers it is one, to others the index is what the end record says. */
Test(scan_container, zip_locator_in_a_comment)
{
	struct member locked = { 1, 8, 1 };
	build(&a, &locked, 1, 0);
	for (int wide = 0; wide < 2; wide++) {
		a.n = a.end;
		a.bytes[a.index + 32] = 20;
		put(&a, 0x07064b50, 4);
		put(&a, 0, 8);
		put(&a, 1, 8);
		put(&a, 0x06054b50, 4);
		put(&a, 0, 4);
		put(&a, wide ? 0xffff : 1, 2);
		put(&a, wide ? 0xffff : 1, 2);
		put(&a, a.end + 20 - a.index, 4);
		put(&a, a.index, 4);
		put(&a, 0, 2);
		unsigned broken = wide ? UNSCANNABLE_DAMAGED : 0;
		cr_expect_eq(check_behind_each(a.bytes, a.n), UNSCANNABLE_ENCRYPTED | broken, "%d", wide);
		cr_expect_eq(check(a.bytes, a.n), UNSCANNABLE_ENCRYPTED | UNSCANNABLE_DAMAGED, "%d", wide);
	}
}

/* Thousands of end records, each with a large index: the work has an end, and it is said. */
Test(scan_container, zip_of_many_ends, .timeout = 20)
{
	static struct member members[4000];
	build(&a, members, 4000, 0);
	size_t index = a.index, length = a.end - a.index;
	for (int i = 0; i < 2900; i++) {
		put(&a, 0x06054b50, 4);
		put(&a, 0, 4);
		put(&a, 4000, 2);
		put(&a, 4000, 2);
		put(&a, length - (size_t)i, 4);
		put(&a, index + 1, 4);
		put(&a, 0, 2);
	}
	cr_expect(check_behind("X", 1, a.bytes, a.n) & UNSCANNABLE_TOO_DEEP);
}

static void build_local(uint32_t version, uint32_t flags, uint32_t method, uint32_t name)
{
	a.n = 0;
	put(&a, 0x04034b50, 4);
	put(&a, version, 2);
	put(&a, flags, 2);
	put(&a, method, 2);
	put(&a, 0, 8);
	put(&a, 1, 8);
	put(&a, name, 2);
	put(&a, 0, 2);
	for (int i = 0; i < 100; i++)
		put(&a, 0, 1);
}

/* Without an index in reach: what unpackers find that read on from the first member. */
Test(scan_container, zip_members_behind_something)
{
	static const struct {
		uint32_t version, flags, method, name;
		unsigned bits;
	} cases[] = {
		{ 20, 0, 8, 5, 0 },
		{ 20, 1, 8, 5, UNSCANNABLE_ENCRYPTED },
		{ 51, 9, 99, 100, UNSCANNABLE_ENCRYPTED },
		{ 63, 0, 14, 5, UNSCANNABLE_DAMAGED },
		{ 20, 0, 95, 5, UNSCANNABLE_DAMAGED },
		{ 20, 1, 8, 0, 0 },       /* no name */
		{ 20, 1, 8, 101, 0 },     /* a name beyond the end */
		{ 20, 1, 50, 5, 0 },      /* no such method */
		{ 0x2020, 1, 8, 5, 0 },   /* text */
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build_local(cases[i].version, cases[i].flags, cases[i].method, cases[i].name);
		cr_expect_eq(check_behind_each(a.bytes, a.n), cases[i].bits, "%zu", i);
	}
	build_local(20, 1, 8, 5);
	for (size_t n = 0; n < a.n; n++)
		cr_expect_eq(check_behind("X", 1, a.bytes, n), n < 35 ? 0 : UNSCANNABLE_ENCRYPTED, "%zu bytes of it", n);
}

Test(scan_container, others_behind_something)
{
	static const struct {
		const char *bytes;
		size_t n;
		unsigned bits;
	} cases[] = {
#define FOUND(text, bits) { text, sizeof(text) - 1, bits }
		/* RAR 1.5 to 4: marker, then CRC, type, flags and length of the first block */
		FOUND("Rar!\x1a\x07\0\xcf\x90\x73\0\0\x0d\0\0\0\0\0\0\0", UNSCANNABLE_SCANNER_BLIND),
		FOUND("Rar!\x1a\x07\0\xcf\x90\x73\0\0\x0d\0\0\0\0\0\0", 0),       /* shorter than its first block */
		FOUND("Rar!\x1a\x07\0\xcf\x90\x70\0\0\x0d\0\0\0\0\0\0\0", 0),    /* no such block */
		FOUND("Rar!\x1a\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0),
		FOUND("Rar!\x1a\x07\0", 0),
		FOUND("Rar!\x1a\x07", 0),
		FOUND("Rar!....................", 0),
		/* RAR 5: marker, then CRC, length and type of the first block */
		FOUND("Rar!\x1a\x07\1\0\x33\x92\xb5\xe5\x0a\1\5\6\0\5\1\1\x80\x80\0", UNSCANNABLE_SCANNER_BLIND),
		FOUND("Rar!\x1a\x07\1\0\x33\x92\xb5\xe5\x8a\x80\0\4\5\6\0\5\1\1\x80\x80\0", UNSCANNABLE_SCANNER_BLIND),
		FOUND("Rar!\x1a\x07\1\0\x33\x92\xb5\xe5\x0a\1\5\6\0\5\1\1\x80\x80", 0),
		FOUND("Rar!\x1a\x07\1\0\x33\x92\xb5\xe5\x0a\6\5\6\0\5\1\1\x80\x80\0", 0),
		FOUND("Rar!\x1a\x07\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0),
		FOUND("Rar!\x1a\x07\1\0\x33\x92\xb5\xe5\xff\xff\xff\xff\xff\xff\xff\xff", 0),
		FOUND("Rar!\x1a\x07\1\0", 0),
		/* 7z: version, CRC of what follows, offset, length and CRC of the index */
		FOUND("7z\xbc\xaf\x27\x1c\0\4\x9a\xc4\xcf\x8c\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0....abcd", 0),
		FOUND("7z\xbc\xaf\x27\x1c\0\4\x9a\xc4\xcf\x8c\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0....abc", UNSCANNABLE_DAMAGED),
		FOUND("7z\xbc\xaf\x27\x1c\0\4\x9a\xc4\xcf\x8d\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0....abc", 0),
		FOUND("7z\xbc\xaf\x27\x1c\1\4\x9a\xc4\xcf\x8c\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0....abc", 0),
		FOUND("7z\xbc\xaf\x27\x1c\0\4\x9a\xc4\xcf\x8c\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0...", 0),
		/* cab: reserved, length, reserved, offset of the files, reserved, version 1.3 */
		FOUND("MSCF\0\0\0\0\x24\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\3\1\1\0\1\0\0\0\0\0\0\0", 0),
		FOUND("MSCF\0\0\0\0\x25\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\3\1\1\0\1\0\0\0\0\0\0\0", UNSCANNABLE_DAMAGED),
		FOUND("MSCF\0\0\0\0\x25\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\4\1\1\0\1\0\0\0\0\0\0\0", 0),
		FOUND("MSCF\0\0\0\0\x25\0\0\0\0\0\0\0\x2c\0\0\0\0\1\0\0\3\1\1\0\1\0\0\0\0\0\0\0", 0),
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(check_behind_each(cases[i].bytes, cases[i].n), cases[i].bits, "%zu", i);
}

/* Every place near the border of a window, and the last that is looked at. */
Test(scan_container, search_borders)
{
	static const char rar[] = "Rar!\x1a\x07\1\0\x33\x92\xb5\xe5\x0a\1\5\6\0\5\1\1\x80\x80";
	static uint8_t before[CONTAINER_SEARCH];
	for (size_t n = 65536 - 40; n < 65536 + 40; n++)
		cr_expect_eq(check_behind(before, n, rar, sizeof(rar)), UNSCANNABLE_SCANNER_BLIND, "behind %zu", n);
	cr_expect_eq(check_behind(before, CONTAINER_SEARCH - 1, rar, sizeof(rar)), UNSCANNABLE_SCANNER_BLIND);
	cr_expect_eq(check_behind(before, CONTAINER_SEARCH, rar, sizeof(rar)), 0);
	cr_expect_eq(check_first(before, 100, 101), UNSCANNABLE_SCANNER_DOWN, "content that ends early");
}

/* ClamAV reads nothing behind these heads, so that an archive there is not looked into, whatever it is like. */
Test(scan_container, heads_that_blind)
{
	static const struct {
		const char *bytes;
		size_t n;
	} heads[] = { { "ID3\3", 4 }, { "OggS", 4 }, { "SQLite format 3", 16 }, { "\x1f\x8b\x08", 3 } };
	static const char sevenzip[] = "7z\xbc\xaf\x27\x1c\0\4\x9a\xc4\xcf\x8c\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0....abcd";
	struct member one = { 0, 8, 1 };
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		build(&a, &one, 1, 0);
		cr_expect_eq(check_behind(heads[i].bytes, heads[i].n, a.bytes, a.n), UNSCANNABLE_SCANNER_BLIND, "zip behind %zu", i);
		cr_expect_eq(check_behind(heads[i].bytes, heads[i].n, sevenzip, sizeof(sevenzip)), UNSCANNABLE_SCANNER_BLIND, "7z behind %zu", i);
		cr_expect_eq(check(heads[i].bytes, heads[i].n), 0, "%zu alone", i);
	}
}

Test(scan_container, zip_members)
{
	static const struct {
		struct member members[3];
		size_t count;
		unsigned bits;
	} cases[] = {
		{ { { 0, 0, 1 } }, 0, 0 },
		{ { { 0, 0, 1 }, { 0, 8, 2097152000 }, { 0x808, 12, 7 } }, 3, 0 },
		{ { { 0, 6, 1 }, { 0, 9, 1 } }, 2, 0 },
		{ { { 1, 8, 1 } }, 1, UNSCANNABLE_ENCRYPTED },
		{ { { 0, 8, 1 }, { 0, 8, 1 }, { 1, 99, 1 } }, 3, UNSCANNABLE_ENCRYPTED },
		{ { { 0, 14, 1 } }, 1, UNSCANNABLE_DAMAGED },
		{ { { 0, 8, 1 }, { 0, 93, 1 } }, 2, UNSCANNABLE_DAMAGED },
		{ { { 0, 8, 2097152001 } }, 1, UNSCANNABLE_TOO_LARGE },
		{ { { 0, 8, 0xffffffff } }, 1, UNSCANNABLE_TOO_LARGE },
		{ { { 1, 8, 1 }, { 0, 14, 1 }, { 0, 8, 0xfffffffe } }, 3, UNSCANNABLE_ENCRYPTED | UNSCANNABLE_DAMAGED | UNSCANNABLE_TOO_LARGE },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build(&a, cases[i].members, cases[i].count, 0);
		cr_assert_eq(check(a.bytes, a.n), cases[i].bits, "%zu", i);
	}
}

Test(scan_container, zip_end)
{
	struct member one = { 0, 8, 1 };
	static const size_t comments[] = { 0, 1, 100, 65535 };
	for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++) {
		build(&a, &one, 1, comments[i]);
		cr_assert_eq(check(a.bytes, a.n), 0, "a comment of %zu bytes", comments[i]);
	}
	build(&a, &one, 1, 0);
	for (size_t n = 4; n < a.n; n++)
		cr_assert_eq(check(a.bytes, n), UNSCANNABLE_DAMAGED, "cut to %zu bytes", n);
	cr_assert_eq(check_first(a.bytes, a.n, a.n - 1), UNSCANNABLE_DAMAGED, "only what is asked about counts");
	cr_assert_eq(check_first(a.bytes, a.n, a.n + 1), UNSCANNABLE_SCANNER_DOWN, "content that ends early");
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = { { 10, 2 }, { 10, 0 }, { 12, 1 }, { 15, 1 }, { 16, 0 }, { 19, 1 }, { 20, 1 } };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		build(&a, &one, 1, 0);
		a.bytes[a.end + wrong[i].at] = wrong[i].value;
		cr_assert_eq(check(a.bytes, a.n), UNSCANNABLE_DAMAGED, "end record, byte %zu", wrong[i].at);
	}
	build(&a, &one, 1, 0);
	a.bytes[a.index]++;
	cr_assert_eq(check(a.bytes, a.n), UNSCANNABLE_DAMAGED, "an entry without its signature");
	build(&a, &one, 1, 0);
	a.bytes[a.index + 28] = 200;
	cr_assert_eq(check(a.bytes, a.n), UNSCANNABLE_DAMAGED, "a name beyond the index");
}

Test(scan_container, zip_many_members)
{
	enum { MANY = 8000 };
	static struct member members[MANY];
	for (size_t i = 0; i < MANY; i++)
		members[i] = (struct member){ 0, 8, 5 };
	build(&a, members, MANY, 10);
	cr_assert_eq(check(a.bytes, a.n), 0, "an index of many windows");
	members[MANY - 1].flags = 1;
	build(&a, members, MANY, 10);
	cr_assert_eq(check(a.bytes, a.n), UNSCANNABLE_ENCRYPTED, "its last entry");
}

static void build64(uint64_t entries, uint64_t length, uint64_t at, uint64_t record)
{
	struct member one = { 0, 8, 1 };
	build(&a, &one, 1, 0);
	a.n = a.end;
	put(&a, 0x06064b50, 4);
	put(&a, 44, 8);
	put(&a, 45, 2);
	put(&a, 45, 2);
	put(&a, 0, 8);
	put(&a, entries, 8);
	put(&a, entries, 8);
	put(&a, length, 8);
	put(&a, at, 8);
	put(&a, 0x07064b50, 4);
	put(&a, 0, 4);
	put(&a, record, 8);
	put(&a, 1, 4);
	put(&a, 0x06054b50, 4);
	put(&a, 0, 4);
	put(&a, 0xffff, 2);
	put(&a, 0xffff, 2);
	put(&a, 0xffffffff, 4);
	put(&a, 0xffffffff, 4);
	put(&a, 0, 2);
}

Test(scan_container, zip64)
{
	build64(1, 47, 31, 78);
	cr_assert_eq(check(a.bytes, a.n), 0);
	cr_assert_eq(check_behind_each(a.bytes, a.n), 0);
	a.bytes[a.index + 8] = 1;
	cr_assert_eq(check_behind_each(a.bytes, a.n), UNSCANNABLE_ENCRYPTED);
	static const uint64_t wrong[][4] = {
		{ 2, 47, 31, 78 },
		{ UINT64_MAX, 47, 31, 78 },
		{ 1, 46, 31, 78 },
		{ 1, UINT64_MAX, 31, 78 },
		{ 1, 47, 32, 78 },
		{ 1, 47, UINT64_MAX, 78 },
		{ 1, 47, 31, 77 },
		{ 1, 47, 31, UINT64_MAX },
		{ 1, 47, 31, 200 },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		build64(wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]);
		cr_assert_eq(check(a.bytes, a.n), UNSCANNABLE_DAMAGED, "%zu", i);
		if (i < 6) /* what leads to the index is corrected, the rest counts */
			continue;
		a.bytes[a.index + 8] = 1;
		cr_assert_eq(check_behind("X", 1, a.bytes, a.n), UNSCANNABLE_ENCRYPTED, "%zu behind something", i);
	}
}

Test(scan_container, others)
{
	static const struct {
		const char *bytes;
		size_t n, size;
		unsigned bits;
	} cases[] = {
#define BYTES(text, size, bits) { text, sizeof(text) - 1, size, bits }
		BYTES("", 0, 0),
		BYTES("P", 1, 0),
		BYTES("PK\3", 3, 0),
		BYTES("PK\3\5 not a zip", 14, 0),
		BYTES("text", 4, 0),
		BYTES("7z\xbc\xaf\x27\x1c\0\4....\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0....", 32, 0),
		BYTES("7z\xbc\xaf\x27\x1c\0\4....\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0....abcd", 36, 0),
		BYTES("7z\xbc\xaf\x27\x1c\0\4....\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0....abcd", 36, UNSCANNABLE_DAMAGED),
		BYTES("7z\xbc\xaf\x27\x1c\0\4....\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0....abcd", 36, UNSCANNABLE_DAMAGED),
		BYTES("7z\xbc\xaf\x27\x1c\0\4....\2\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff....abcd", 36, UNSCANNABLE_DAMAGED),
		BYTES("7z\xbc\xaf\x27\x1c\0\4", 8, UNSCANNABLE_DAMAGED),
		BYTES("Rar!\x1a\x07\0", 7, UNSCANNABLE_SCANNER_BLIND),
		BYTES("Rar!\x1a\x07\1\0", 8, UNSCANNABLE_SCANNER_BLIND),
		BYTES("Rar!\x1a", 5, 0),
		BYTES("MSCF\0\0\0\0\x0c\0\0\0", 12, 0),
		BYTES("MSCF\0\0\0\0\x0d\0\0\0", 12, UNSCANNABLE_DAMAGED),
		BYTES("MSCF\0\0\0\0\x0d\0\0", 11, UNSCANNABLE_DAMAGED),
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_eq(check_first(cases[i].bytes, cases[i].n, cases[i].size), cases[i].bits, "%zu", i);
	char why[FINDING_DETAIL_MAX];
	cr_assert_eq(container_check(-1, 100, why), UNSCANNABLE_SCANNER_DOWN);
}

/* The probes are archives that this very check has its opinion about. */
Test(scan_container, probes)
{
	static struct probe_store store;
	static const unsigned bits[PROBES] = { [PROBE_ENCRYPTED] = UNSCANNABLE_ENCRYPTED };
	for (enum probe_kind kind = PROBE_ENCRYPTED; kind < PROBES; kind++) {
		struct span probe = probe_make(&store, kind);
		cr_assert(probe.n > 100 && probe.n <= PROBE_BYTES_MAX);
		cr_assert_eq(check(probe.p, probe.n), bits[kind], "%d", kind);
	}
}

Test(scan_container, what_an_answer_to_a_probe_shows)
{
	static const struct {
		enum probe_kind kind;
		const char *alert;
		unsigned faults;
	} rows[] = {
		{ PROBE_ENCRYPTED, "Heuristics.Encrypted.Zip", 0 },
		{ PROBE_ENCRYPTED, "", PROBE_FAULT_ENCRYPTED },
		{ PROBE_ENCRYPTED, "Some.Virus", PROBE_FAULT_ENCRYPTED },
		{ PROBE_DEEP, "Heuristics.Limits.Exceeded.MaxRecursion", 0 },
		{ PROBE_DEEP, "", PROBE_FAULT_LIMITS },
		{ PROBE_LARGE, "", 0 },
		{ PROBE_LARGE, "Heuristics.Limits.Exceeded.MaxFileSize", PROBE_FAULT_FILE_SIZE },
		{ PROBE_LARGE, "Heuristics.Limits.Exceeded.MaxScanSize", PROBE_FAULT_SCAN_SIZE },
		{ PROBE_LARGE, "Heuristics.Limits.Exceeded.MaxScanTime", PROBE_FAULT_ODD },
		{ PROBE_LARGE, "Some.Virus", PROBE_FAULT_ODD },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(probe_faults(rows[i].kind, span_str(rows[i].alert)), rows[i].faults, "%s", rows[i].alert);
}

Test(scan_container, all_faults_are_named_at_once)
{
	static const struct {
		unsigned faults;
		const char *text;
	} rows[] = {
		{ PROBE_FAULT_ENCRYPTED, "clamd.conf: AlertEncrypted is off" },
		{ PROBE_FAULT_LIMITS, "clamd.conf: AlertExceedsMax is off; needed, too: MaxFileSize 2000M, MaxScanSize 4000M" },
		{ PROBE_FAULT_ENCRYPTED | PROBE_FAULT_LIMITS,
		  "clamd.conf: AlertEncrypted is off, AlertExceedsMax is off; needed, too: MaxFileSize 2000M, MaxScanSize 4000M" },
		{ PROBE_FAULT_FILE_SIZE, "clamd.conf: MaxFileSize is below 2000M" },
		{ PROBE_FAULT_ENCRYPTED | PROBE_FAULT_SCAN_SIZE,
		  "clamd.conf: AlertEncrypted is off, MaxScanSize is not above 2000M; needed, too: MaxFileSize 2000M" },
		{ PROBE_FAULT_ODD, "clamd.conf: it alerts to a harmless archive" },
	};
	char text[FINDING_DETAIL_MAX];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		probe_explain(rows[i].faults, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].text);
		for (size_t cap = 1; cap < sizeof(text); cap++) { /* it is cut, and not written beyond */
			char *exact = malloc(cap);
			probe_explain(rows[i].faults, exact, cap);
			cr_expect(strncmp(exact, rows[i].text, cap - 1) == 0 && strlen(exact) < cap);
			free(exact);
		}
	}
}
