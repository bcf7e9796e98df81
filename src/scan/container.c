/*
 * Where the containers that hide their content from ClamAV say how long they are and what is in them, and where unpackers look for them:
 * zip from the end record backwards, the others wherever their signature stands. Sources: PKWARE APPNOTE 6.3.10 (zip, zip64),
 * 7zFormat.txt, Microsoft's cabinet format, RAR technote. That ClamAV 1.4.6 passes each of these by was measured:
 * tests/live/scan_engines.py.
 *
 * Behind something else the writer's offsets are wrong by its length. Unpackers believe the place instead, that the index ends where the end record
 * begins, and some fall back on the offset as it stands. What either of the two leads to is looked at, for every end record in the tail.
 */
#include "scan/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scan/probe.h"

enum {
	ZIP_END = 22, ZIP_COMMENT_MAX = 65535, ZIP_TAIL_MAX = ZIP_END + ZIP_COMMENT_MAX,
	ZIP_LOCATOR = 20, ZIP_END64 = 56, ZIP_END64_MORE = 1024, ZIP_ENTRY = 46, ZIP_LOCAL = 30, ZIP_INDEX_MAX = 64 << 20,
	ZIP_FLAG_ENCRYPTED = 1, TAIL = ZIP_TAIL_MAX + ZIP_LOCATOR + ZIP_END64 + ZIP_END64_MORE,
	WINDOW = 64 << 10, HEADER_MAX = 64,
};

struct container {
	int fd;
	uint64_t size;
	char *why;
	bool strict;     /* the end record at hand is the one of a file that begins as a zip */
	bool behind;     /* an archive stands behind something else */
	uint64_t budget; /* bytes of index that may still be read */
	uint64_t seen_at, seen_length; /* the last index that was looked at */
};

struct zip_index {
	uint64_t entries, length, at;
};

static unsigned container_say(const struct container *c, unsigned bits, const char *why)
{
	if (c->why[0] == '\0')
		snprintf(c->why, FINDING_DETAIL_MAX, "%s", why);
	return bits;
}

static bool container_read(const struct container *c, uint8_t *dst, size_t n, uint64_t at)
{
	if (at > c->size || n > c->size - at)
		return false;
	while (n > 0) {
		ssize_t got = pread(c->fd, dst, n, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		dst += got;
		n -= (size_t)got;
		at += (uint64_t)got;
	}
	return true;
}

static uint64_t container_number(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = bytes; i > 0; i--)
		value = value << 8 | p[i - 1];
	return value;
}

/* Methods that ClamAV unpacks: stored, imploded, deflate, deflate64, bzip2. */
static bool container_zip_method(uint64_t method)
{
	return method == 0 || method == 6 || method == 8 || method == 9 || method == 12;
}

static unsigned container_zip_member(const struct container *c, unsigned flags, uint64_t method)
{
	if (flags & ZIP_FLAG_ENCRYPTED)
		return container_say(c, UNSCANNABLE_ENCRYPTED, "zip: encrypted member");
	if (!container_zip_method(method))
		return container_say(c, UNSCANNABLE_DAMAGED, "zip: member packed in a way that ClamAV cannot unpack");
	return 0;
}

static unsigned container_zip_entry(const struct container *c, const uint8_t *entry)
{
	enum { FLAGS = 8, METHOD = 10, COMPRESSED = 20, SIZE = 24 };
	unsigned bits = container_zip_member(c, entry[FLAGS], container_number(entry + METHOD, 2));
	/* A size that stands in a zip64 field is 2^32 - 1 here, and so too large whatever it is there. */
	if (container_number(entry + SIZE, 4) > PROBE_MEMBER || container_number(entry + COMPRESSED, 4) > PROBE_MEMBER)
		bits |= container_say(c, UNSCANNABLE_TOO_LARGE, "zip: member larger than 2000 MiB");
	return bits;
}

/* Reads the index entry by entry through a window, so that neither its length nor that of a name matters. */
static unsigned container_zip_index(struct container *c, uint64_t at, uint64_t length, uint64_t entries)
{
	static uint8_t window[WINDOW];
	uint64_t begin = 0, filled = 0, end = at + length;
	unsigned bits = 0;
	if (at == c->seen_at && length == c->seen_length)
		return 0;
	c->seen_at = at;
	c->seen_length = length;
	if (length > c->budget)
		return container_say(c, UNSCANNABLE_TOO_DEEP, "zip: index larger than 64 MiB");
	c->budget -= length;
	for (; entries > 0 && end - at >= ZIP_ENTRY; entries--) {
		if (at < begin || at + ZIP_ENTRY > begin + filled) {
			begin = at;
			filled = end - at < WINDOW ? end - at : WINDOW;
			if (!container_read(c, window, (size_t)filled, begin))
				return bits | container_say(c, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
		}
		const uint8_t *entry = window + (at - begin);
		uint64_t whole = ZIP_ENTRY + container_number(entry + 28, 2) + container_number(entry + 30, 2) + container_number(entry + 32, 2);
		if (memcmp(entry, "PK\1\2", 4) != 0 || whole > end - at)
			break;
		bits |= container_zip_entry(c, entry);
		at += whole;
	}
	if (entries > 0 || at != end)
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: its index is broken");
	return bits;
}

static bool container_stands(const struct container *c, const char *signature, uint64_t at)
{
	uint8_t found[4];
	return container_read(c, found, sizeof(found), at) && memcmp(found, signature, sizeof(found)) == 0;
}

/* Looks at each index that an unpacker may take for the one that is meant. It should end at end. */
static unsigned container_zip_indexes(struct container *c, const struct zip_index *index, uint64_t end)
{
	uint64_t place = end - index->length;
	bool fits = index->length <= end, moved = !fits || place != index->at;
	unsigned bits = 0;
	if (c->strict && moved)
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: its index is not where it says");
	if (fits && ((c->strict && !moved) || container_stands(c, "PK\1\2", place))) {
		bits |= container_zip_index(c, place, index->length, index->entries);
		c->behind = true;
	}
	if (moved && index->at < end && container_stands(c, "PK\1\2", index->at)) {
		uint64_t room = end - index->at;
		bits |= container_zip_index(c, index->at, index->length < room ? index->length : room, index->entries);
		c->behind = true;
	}
	return bits;
}

static unsigned container_zip64(struct container *c, uint64_t at)
{
	uint8_t record[ZIP_END64];
	if (!container_read(c, record, sizeof(record), at) || memcmp(record, "PK\6\6", 4) != 0)
		return 0;
	struct zip_index index = { container_number(record + 32, 8), container_number(record + 40, 8), container_number(record + 48, 8) };
	return container_zip_indexes(c, &index, at);
}

/* The zip64 records that stand before an end record: where the locator says, and where one stands. *end: where the last index may end. */
static unsigned container_zip64_records(struct container *c, const uint8_t *tail, size_t locator, uint64_t base, uint64_t *end)
{
	uint64_t said = container_number(tail + locator + 8, 8);
	unsigned bits = 0;
	size_t at = locator;
	for (size_t back = ZIP_END64; back <= ZIP_END64 + ZIP_END64_MORE && back <= locator && at == locator; back++)
		if (memcmp(tail + locator - back, "PK\6\6", 4) == 0)
			at = locator - back;
	if (c->strict && (at == locator || base + at != said))
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: its zip64 record is not where it says");
	*end = base + at;
	if (at != locator)
		bits |= container_zip64(c, base + at);
	if (at == locator || base + at != said)
		bits |= container_zip64(c, said);
	return bits;
}

/* One end record, at tail + i. */
static unsigned container_zip_end(struct container *c, const uint8_t *tail, size_t i, uint64_t base)
{
	const uint8_t *record = tail + i;
	uint64_t end = base + i;
	struct zip_index index = { container_number(record + 10, 2), container_number(record + 12, 4), container_number(record + 16, 4) };
	unsigned bits = 0;
	if (c->strict && end + ZIP_END + container_number(record + 20, 2) > c->size)
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: shorter than its comment");
	if (i >= ZIP_LOCATOR && memcmp(record - ZIP_LOCATOR, "PK\6\7", 4) == 0) {
		uint64_t before = 0;
		bits |= container_zip64_records(c, tail, i - ZIP_LOCATOR, base, &before);
		c->strict = c->strict && index.entries != 0xffff && index.length != 0xffffffff && index.at != 0xffffffff;
		bits |= container_zip_indexes(c, &index, before);
		c->strict = false; /* from here on for unpackers to which that was no locator, but the end of a member's comment */
	}
	return bits | container_zip_indexes(c, &index, end);
}

/* Of a file that begins as a zip the last end record has to be right; the others may be a member's, or what another unpacker takes. */
static unsigned container_tail(struct container *c, bool zip)
{
	static uint8_t tail[TAIL];
	size_t n = c->size < TAIL ? (size_t)c->size : TAIL;
	uint64_t base = c->size - n;
	unsigned bits = 0;
	c->strict = zip;
	if (!container_read(c, tail, n, base))
		return container_say(c, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
	for (size_t i = n >= ZIP_END ? n - ZIP_END + 1 : 0; i > 0; i--) {
		if (memcmp(tail + i - 1, "PK\5\6", 4) != 0)
			continue;
		bits |= container_zip_end(c, tail, i - 1, base);
		c->strict = false;
	}
	if (c->strict)
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: it has no end record");
	return bits;
}

/*
 * The rest is found by its signature. p, n: what stands at that place, at least the signature and up to HEADER_MAX bytes; at: the place. A
 * signature alone proves nothing (programs that know archives hold them all), so a header has to follow that an unpacker would accept.
 */

static unsigned container_member(struct container *c, const uint8_t *p, size_t n, uint64_t at)
{
	enum { VERSION = 4, FLAGS = 6, METHOD = 8, NAME = 26, EXTRA = 28, NAME_MAX_BELIEVED = 4096, METHOD_MAX = 20 };
	if (n < ZIP_LOCAL)
		return 0;
	uint64_t version = container_number(p + VERSION, 2), method = container_number(p + METHOD, 2), name = container_number(p + NAME, 2);
	if (version > 99 || (method > METHOD_MAX && (method < 93 || method > 99)) || name == 0 || name > NAME_MAX_BELIEVED ||
	    ZIP_LOCAL + name + container_number(p + EXTRA, 2) > c->size - at)
		return 0;
	c->behind = true;
	return container_zip_member(c, p[FLAGS], method);
}

static uint32_t container_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static unsigned container_7z(struct container *c, const uint8_t *p, size_t n, uint64_t at)
{
	enum { HEADER = 32 };
	if (n < HEADER)
		return at == 0 ? container_say(c, UNSCANNABLE_DAMAGED, "7z: shorter than its header") : 0;
	if (at > 0 && (p[6] != 0 || container_crc(p + 12, HEADER - 12) != container_number(p + 8, 4)))
		return 0;
	c->behind = true;
	uint64_t room = c->size - at - HEADER, offset = container_number(p + 12, 8), length = container_number(p + 20, 8);
	if (offset > room || length > room - offset)
		return container_say(c, UNSCANNABLE_DAMAGED, "7z: its index lies beyond its end");
	return 0;
}

static unsigned container_cab(struct container *c, const uint8_t *p, size_t n, uint64_t at)
{
	enum { SIZE = 8, HEADER = 36 };
	bool plausible = n >= HEADER && container_number(p + 4, 4) == 0 && container_number(p + 12, 4) == 0 &&
	                 container_number(p + 20, 4) == 0 && container_number(p + 24, 2) == 0x0103;
	if (at > 0 && !plausible)
		return 0;
	c->behind = true;
	if (n < SIZE + 4 || container_number(p + SIZE, 4) > c->size - at)
		return container_say(c, UNSCANNABLE_DAMAGED, "cab: shorter than it says");
	return 0;
}

/* RAR 1.5 to 4: a checksum of two bytes, a type, flags, a length. RAR 5: a checksum of four bytes, length and type in groups of 7 bits. */
static bool container_rar_plausible(const struct container *c, const uint8_t *p, size_t n, uint64_t at)
{
	enum { OLD = 7, NEW = 8, SUM = 4, LENGTH_MAX = 3 };
	uint64_t length = 0;
	if (n < NEW + SUM + LENGTH_MAX + 1)
		return false;
	if (p[6] == 0) {
		length = container_number(p + OLD + 5, 2);
		return p[OLD + 2] >= 0x72 && p[OLD + 2] <= 0x7b && length >= 7 && length <= c->size - at - OLD;
	}
	unsigned used = 0;
	do
		length |= (uint64_t)(p[NEW + SUM + used] & 0x7f) << 7 * used;
	while (p[NEW + SUM + used++] & 0x80 && used < LENGTH_MAX);
	uint8_t type = p[NEW + SUM + used];
	return p[6] == 1 && p[7] == 0 && !(p[NEW + SUM + used - 1] & 0x80) && length > 0 && type >= 1 && type <= 5 &&
	       length <= c->size - at - NEW - SUM - used;
}

/* Debian's ClamAV comes without the unpacker for rar, and neither libclamav nor clamd says whether it has one. */
static unsigned container_rar(struct container *c, const uint8_t *p, size_t n, uint64_t at)
{
	if (at > 0 && !container_rar_plausible(c, p, n, at))
		return 0;
	return container_say(c, UNSCANNABLE_SCANNER_BLIND, "rar: ClamAV does not say whether it can unpack it");
}

static const struct {
	const char *magic;
	unsigned length;
	unsigned (*check)(struct container *, const uint8_t *p, size_t n, uint64_t at);
} container_kinds[] = {
	{ "PK\3\4", 4, container_member },
	{ "7z\xbc\xaf\x27\x1c", 6, container_7z },
	{ "MSCF", 4, container_cab },
	{ "Rar!\x1a\x07", 6, container_rar },
};

/* All signatures that begin in the first step bytes of n, which stand at base. */
static unsigned container_window(struct container *c, const uint8_t *window, size_t n, size_t step, uint64_t base)
{
	unsigned bits = 0;
	for (size_t i = 0; i < sizeof(container_kinds) / sizeof(container_kinds[0]); i++) {
		const uint8_t *p = window;
		while ((p = memmem(p, n - (size_t)(p - window), container_kinds[i].magic, container_kinds[i].length)) != NULL) {
			size_t at = (size_t)(p - window);
			if (at >= step)
				break;
			bits |= container_kinds[i].check(c, p, n - at < HEADER_MAX ? n - at : HEADER_MAX, base + at);
			p++;
		}
	}
	return bits;
}

static unsigned container_search(struct container *c)
{
	static uint8_t window[WINDOW + HEADER_MAX];
	unsigned bits = 0;
	for (uint64_t at = 0; at < c->size && at < CONTAINER_SEARCH; at += WINDOW) {
		size_t n = c->size - at < sizeof(window) ? (size_t)(c->size - at) : sizeof(window);
		if (!container_read(c, window, n, at))
			return bits | container_say(c, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
		bits |= container_window(c, window, n, WINDOW, at);
	}
	return bits;
}

static bool container_begins(const uint8_t *head, size_t n, const char *magic, size_t length)
{
	return n >= length && memcmp(head, magic, length) == 0;
}

/* What ClamAV takes for sound or a database and lets be, and gzip, behind whose end it does not look. */
static bool container_blinding(const uint8_t *head, size_t n)
{
	return container_begins(head, n, "ID3", 3) || container_begins(head, n, "OggS", 4) ||
	       container_begins(head, n, "SQLite format 3", 16) || container_begins(head, n, "\x1f\x8b", 2);
}

unsigned container_check(int fd, uint64_t size, char why[FINDING_DETAIL_MAX])
{
	struct container c = { .fd = fd, .size = size, .why = why, .budget = ZIP_INDEX_MAX };
	uint8_t head[16];
	why[0] = '\0';
	if (size < 4)
		return 0;
	size_t n = size < sizeof(head) ? (size_t)size : sizeof(head);
	if (!container_read(&c, head, n, 0))
		return container_say(&c, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
	unsigned bits = container_tail(&c, memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0);
	bits |= container_search(&c);
	if (c.behind && container_blinding(head, n))
		bits |= container_say(&c, UNSCANNABLE_SCANNER_BLIND, "an archive stands where ClamAV does not look");
	return bits;
}
