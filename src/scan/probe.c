/*
 * How the archives are built that tell a clamd with its alerts on from one without. They are made here, byte by byte, because each lies
 * or is odd in a way that no archiver would write. Formats: PKWARE APPNOTE 4.3 for zip, POSIX ustar for tar. The alerts were seen from
 * ClamAV 1.4.6: with a limit below the announced size a tar member is skipped and reported as Limits.Exceeded.MaxScanSize, or else as
 * .MaxFileSize; with both above it there is nothing to report.
 */
#include "scan/probe.h"

#include <stdio.h>

enum { ZIP_LOCAL = 31, ZIP_CENTRAL = 47, ZIP_END = 22, NESTED = 110 /* MaxRecursion is at most 100 */, TAR_BLOCK = 512, ENCRYPTED_FLAG = 1 };

_Static_assert((NESTED + 1) * (ZIP_LOCAL + ZIP_CENTRAL + ZIP_END) < PROBE_BYTES_MAX, "fits");

static uint32_t probe_crc(const uint8_t *p, size_t n)
{
	uint32_t crc = ~0u;
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static uint8_t *probe_put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> 8 * i);
	return at;
}

/* What local header and central directory have in common, from "version needed" on. */
static uint8_t *probe_zip_fields(uint8_t *at, uint32_t flags, uint32_t crc, uint32_t size)
{
	at = probe_put(at, 20, 2);
	at = probe_put(at, flags, 2);
	at = probe_put(at, 0, 2);            /* stored */
	at = probe_put(at, 33u << 16, 4);    /* 1980-01-01 00:00 */
	at = probe_put(at, crc, 4);
	at = probe_put(at, size, 4);
	at = probe_put(at, size, 4);
	return probe_put(at, 1, 2);          /* length of the name */
}

/* Makes the store's content the only, stored member of a zip. */
static void probe_wrap(struct probe_store *store, uint32_t flags)
{
	uint32_t size = (uint32_t)store->n, crc = probe_crc(store->bytes, store->n);
	memmove(store->bytes + ZIP_LOCAL, store->bytes, store->n);
	uint8_t *at = probe_put(store->bytes, 0x04034b50, 4);
	at = probe_zip_fields(at, flags, crc, size);
	at = probe_put(at, 0, 2);
	*at = 'a';
	at = probe_put(store->bytes + ZIP_LOCAL + size, 0x02014b50, 4);
	at = probe_put(at, 20, 2);
	at = probe_zip_fields(at, flags, crc, size);
	for (int i = 0; i < 4; i++)          /* extra, comment, disk, attributes; then the offset */
		at = probe_put(at, 0, i == 3 ? 6 : 2);
	at = probe_put(at, 0, 4);
	*at++ = 'a';
	at = probe_put(at, 0x06054b50, 4);
	at = probe_put(at, 0, 4);
	at = probe_put(at, 1, 2);
	at = probe_put(at, 1, 2);
	at = probe_put(at, ZIP_CENTRAL, 4);
	at = probe_put(at, ZIP_LOCAL + size, 4);
	at = probe_put(at, 0, 2);
	store->n = (size_t)(at - store->bytes);
}

static void probe_tar(struct probe_store *store)
{
	char *header = (char *)store->bytes;
	memset(header, 0, 4 * TAR_BLOCK);
	snprintf(header, 100, "member");
	snprintf(header + 100, 8, "0000644");
	snprintf(header + 108, 8, "0000000");
	snprintf(header + 116, 8, "0000000");
	snprintf(header + 124, 12, "%011llo", (unsigned long long)PROBE_MEMBER);
	snprintf(header + 136, 12, "00000000000");
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	memset(header + 148, ' ', 8);
	unsigned sum = 0;
	for (int i = 0; i < TAR_BLOCK; i++)
		sum += store->bytes[i];
	snprintf(header + 148, 8, "%06o", sum);
	snprintf(header + TAR_BLOCK, TAR_BLOCK, "Announced long, sent short.\n");
	store->n = 4 * TAR_BLOCK;
}

struct span probe_make(struct probe_store *store, enum probe_kind kind)
{
	static const uint8_t cipher[] = { 0x5d, 0x81, 0x2e, 0xc4, 0x73, 0x19, 0xe0, 0x4a, 0xb6, 0x0f, 0x92, 0x38, 0xd7, 0x64, 0xab, 0x25 };
	store->n = 0;
	switch (kind) {
	case PROBE_ENCRYPTED:
		memcpy(store->bytes, cipher, sizeof(cipher));
		store->n = sizeof(cipher);
		probe_wrap(store, ENCRYPTED_FLAG);
		break;
	case PROBE_DEEP:
		store->bytes[0] = '.';
		store->n = 1;
		for (int i = 0; i < NESTED; i++)
			probe_wrap(store, 0);
		break;
	case PROBE_LARGE:
		probe_tar(store);
		break;
	case PROBE_NONE:
	case PROBES:
		break;
	}
	return span_of(store->bytes, store->n);
}

unsigned probe_faults(enum probe_kind kind, struct span alert)
{
	switch (kind) {
	case PROBE_ENCRYPTED:
		return span_starts(alert, span_str("Heuristics.Encrypted.")) ? 0 : PROBE_FAULT_ENCRYPTED;
	case PROBE_DEEP:
		return span_starts(alert, span_str("Heuristics.Limits.Exceeded")) ? 0 : PROBE_FAULT_LIMITS;
	case PROBE_LARGE:
		if (alert.n == 0)
			return 0;
		if (span_is(alert, "Heuristics.Limits.Exceeded.MaxFileSize"))
			return PROBE_FAULT_FILE_SIZE;
		return span_is(alert, "Heuristics.Limits.Exceeded.MaxScanSize") ? PROBE_FAULT_SCAN_SIZE : PROBE_FAULT_ODD;
	case PROBE_NONE:
	case PROBES:
		break;
	}
	return PROBE_FAULT_ODD;
}

void probe_explain(unsigned faults, char *dst, size_t cap)
{
	static const struct {
		unsigned fault;
		const char *phrase;
	} phrases[] = {
		{ PROBE_FAULT_ENCRYPTED, "AlertEncrypted is off" },
		{ PROBE_FAULT_LIMITS, "AlertExceedsMax is off" },
		{ PROBE_FAULT_FILE_SIZE, "MaxFileSize is below 2000M" },
		{ PROBE_FAULT_SCAN_SIZE, "MaxScanSize is not above 2000M" },
		{ PROBE_FAULT_ODD, "it alerts to a harmless archive" },
	};
	const char *hidden = faults & PROBE_FAULT_LIMITS ? "; needed, too: MaxFileSize 2000M, MaxScanSize 4000M" :
	                     faults & PROBE_FAULT_SCAN_SIZE ? "; needed, too: MaxFileSize 2000M" : "";
	size_t at = 0;
	const char *before = "clamd.conf: ";
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]) && at < cap; i++) {
		if (!(faults & phrases[i].fault))
			continue;
		at += (size_t)snprintf(dst + at, cap - at, "%s%s", before, phrases[i].phrase);
		before = ", ";
	}
	if (at < cap)
		(void)snprintf(dst + at, cap - at, "%s", hidden);
}
