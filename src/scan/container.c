/*
 * Where the containers that hide their content from ClamAV say how long they are and what is in them. Sources: PKWARE APPNOTE 6.3.10
 * (zip, zip64), 7zFormat.txt, Microsoft's cabinet format. That ClamAV 1.4.6 passes each of these by was measured:
 * tests/live/scan_engines.py.
 */
#include "scan/container.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "scan/probe.h"

enum {
	ZIP_END = 22, ZIP_COMMENT_MAX = 65535, ZIP_TAIL_MAX = ZIP_END + ZIP_COMMENT_MAX,
	ZIP_LOCATOR = 20, ZIP_END64 = 56, ZIP_ENTRY = 46, ZIP_INDEX_MAX = 64 << 20,
	ZIP_FLAG_ENCRYPTED = 1, WINDOW = 64 << 10,
};

struct container {
	int fd;
	uint64_t size;
	char *why;
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

static unsigned container_zip_entry(const struct container *c, const uint8_t *entry)
{
	enum { FLAGS = 8, METHOD = 10, COMPRESSED = 20, SIZE = 24 };
	unsigned bits = 0;
	if (entry[FLAGS] & ZIP_FLAG_ENCRYPTED)
		bits |= container_say(c, UNSCANNABLE_ENCRYPTED, "zip: encrypted member");
	else if (!container_zip_method(container_number(entry + METHOD, 2)))
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: member packed in a way that ClamAV cannot unpack");
	/* A size that stands in a zip64 field is 2^32 - 1 here, and so too large whatever it is there. */
	if (container_number(entry + SIZE, 4) > PROBE_MEMBER || container_number(entry + COMPRESSED, 4) > PROBE_MEMBER)
		bits |= container_say(c, UNSCANNABLE_TOO_LARGE, "zip: member larger than 2000 MiB");
	return bits;
}

/* Reads the index entry by entry through a window, so that neither its length nor that of a name matters. */
static unsigned container_zip_index(const struct container *c, uint64_t at, uint64_t length, uint64_t entries)
{
	static const uint8_t signature[] = { 'P', 'K', 1, 2 };
	uint8_t window[WINDOW];
	uint64_t begin = 0, filled = 0, end = at + length;
	unsigned bits = 0;
	if (length > ZIP_INDEX_MAX)
		return container_say(c, UNSCANNABLE_TOO_DEEP, "zip: index larger than 64 MiB");
	for (; entries > 0 && end - at >= ZIP_ENTRY; entries--) {
		if (at < begin || at + ZIP_ENTRY > begin + filled) {
			begin = at;
			filled = end - at < WINDOW ? end - at : WINDOW;
			if (!container_read(c, window, (size_t)filled, begin))
				return bits | container_say(c, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
		}
		const uint8_t *entry = window + (at - begin);
		uint64_t whole = ZIP_ENTRY + container_number(entry + 28, 2) + container_number(entry + 30, 2) + container_number(entry + 32, 2);
		if (memcmp(entry, signature, sizeof(signature)) != 0 || whole > end - at)
			break;
		bits |= container_zip_entry(c, entry);
		at += whole;
	}
	if (entries > 0 || at != end)
		bits |= container_say(c, UNSCANNABLE_DAMAGED, "zip: its index is broken");
	return bits;
}

/* The index as zip64 names it; end is where the end record stands. */
static unsigned container_zip64(const struct container *c, uint64_t end)
{
	uint8_t locator[ZIP_LOCATOR], record[ZIP_END64];
	if (end < ZIP_LOCATOR || !container_read(c, locator, sizeof(locator), end - ZIP_LOCATOR) || memcmp(locator, "PK\6\7", 4) != 0 ||
	    !container_read(c, record, sizeof(record), container_number(locator + 8, 8)) || memcmp(record, "PK\6\6", 4) != 0)
		return container_say(c, UNSCANNABLE_DAMAGED, "zip: its index is broken");
	uint64_t entries = container_number(record + 32, 8), length = container_number(record + 40, 8), at = container_number(record + 48, 8);
	if (at > end || length > end - at)
		return container_say(c, UNSCANNABLE_DAMAGED, "zip: its index is broken");
	return container_zip_index(c, at, length, entries);
}

static unsigned container_zip(const struct container *c)
{
	static uint8_t tail[ZIP_TAIL_MAX];
	size_t n = c->size < ZIP_TAIL_MAX ? (size_t)c->size : ZIP_TAIL_MAX;
	uint64_t base = c->size - n;
	if (!container_read(c, tail, n, base))
		return container_say(c, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
	for (size_t i = n >= ZIP_END ? n - ZIP_END + 1 : 0; i > 0; i--) {
		const uint8_t *record = tail + i - 1;
		uint64_t end = base + i - 1;
		if (memcmp(record, "PK\5\6", 4) != 0 || end + ZIP_END + container_number(record + 20, 2) > c->size)
			continue;
		uint64_t entries = container_number(record + 10, 2), length = container_number(record + 12, 4), at = container_number(record + 16, 4);
		if (entries == 0xffff || length == 0xffffffff || at == 0xffffffff)
			return container_zip64(c, end);
		if (at > end || length > end - at)
			return container_say(c, UNSCANNABLE_DAMAGED, "zip: its index is broken");
		return container_zip_index(c, at, length, entries);
	}
	return container_say(c, UNSCANNABLE_DAMAGED, "zip: it has no end record");
}

static unsigned container_7z(const struct container *c)
{
	uint8_t head[32];
	if (!container_read(c, head, sizeof(head), 0))
		return container_say(c, UNSCANNABLE_DAMAGED, "7z: shorter than its header");
	uint64_t room = c->size - sizeof(head), offset = container_number(head + 12, 8), length = container_number(head + 20, 8);
	if (offset > room || length > room - offset)
		return container_say(c, UNSCANNABLE_DAMAGED, "7z: its index lies beyond its end");
	return 0;
}

static unsigned container_cab(const struct container *c)
{
	uint8_t head[12];
	if (!container_read(c, head, sizeof(head), 0) || container_number(head + 8, 4) > c->size)
		return container_say(c, UNSCANNABLE_DAMAGED, "cab: shorter than it says");
	return 0;
}

/* Debian's ClamAV comes without the unpacker for rar, and neither libclamav nor clamd says whether it has one. */
static unsigned container_rar(const struct container *c)
{
	return container_say(c, UNSCANNABLE_SCANNER_BLIND, "rar: ClamAV does not say whether it can unpack it");
}

static const struct {
	const char *magic;
	unsigned length;
	unsigned (*check)(const struct container *);
} container_kinds[] = {
	{ "PK\3\4", 4, container_zip },
	{ "PK\5\6", 4, container_zip },
	{ "7z\xbc\xaf\x27\x1c", 6, container_7z },
	{ "MSCF", 4, container_cab },
	{ "Rar!\x1a\x07", 6, container_rar },
};

unsigned container_check(int fd, uint64_t size, char why[FINDING_DETAIL_MAX])
{
	struct container container = { .fd = fd, .size = size, .why = why };
	uint8_t head[8];
	why[0] = '\0';
	if (size < 4)
		return 0;
	size_t n = size < sizeof(head) ? (size_t)size : sizeof(head);
	if (!container_read(&container, head, n, 0))
		return container_say(&container, UNSCANNABLE_SCANNER_DOWN, "the content cannot be read");
	for (size_t i = 0; i < sizeof(container_kinds) / sizeof(container_kinds[0]); i++)
		if (n >= container_kinds[i].length && memcmp(head, container_kinds[i].magic, container_kinds[i].length) == 0)
			return container_kinds[i].check(&container);
	return 0;
}
