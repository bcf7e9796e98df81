/* Small archives of our own that a clamd with all its alerts on cannot call clean. */
#ifndef XFERWARDEN_SCAN_PROBE_H
#define XFERWARDEN_SCAN_PROBE_H

#include "base/span.h"

enum probe_kind {
	PROBE_NONE = 0,
	PROBE_ENCRYPTED, /* AlertEncryptedArchive */
	PROBE_DEEP,      /* AlertExceedsMax: nested deeper than any MaxRecursion */
	/* MaxFileSize, MaxScanSize: a member that announces PROBE_MEMBER bytes; of larger ones in a zip clamd looks at the front and says nothing */
	PROBE_LARGE,
	PROBES,
};

enum { PROBE_BYTES_MAX = 16384 };

/*
 * The least MaxFileSize that a clamd must have (MaxScanSize has to be above it), and the largest member of an archive that is believed to have been
 * looked at: 2000 MiB.
 */
#define PROBE_MEMBER (UINT64_C(2000) << 20)

struct probe_store {
	size_t n;
	uint8_t bytes[PROBE_BYTES_MAX];
};

/* Builds the archive in the store. */
struct span probe_make(struct probe_store *, enum probe_kind);

/* What is wrong with a clamd's settings; bits. */
enum probe_fault {
	PROBE_FAULT_ENCRYPTED = 1, /* AlertEncrypted is off */
	PROBE_FAULT_LIMITS = 2,    /* AlertExceedsMax is off: then nothing can be learnt of the sizes */
	PROBE_FAULT_FILE_SIZE = 4, /* MaxFileSize is too low */
	PROBE_FAULT_SCAN_SIZE = 8, /* MaxScanSize is too low: then nothing can be learnt of MaxFileSize */
	PROBE_FAULT_ODD = 16,      /* it finds something where there is nothing */
};

/* The PROBE_FAULT_* bits that the answer shows: the alert's name, empty for "OK". 0: the clamd looks. */
unsigned probe_faults(enum probe_kind, struct span alert);

/* All of the faults, and what they hide, as a phrase for the log: "clamd.conf: AlertEncrypted is off, MaxScanSize is not above 2000M". Not for 0. */
void probe_explain(unsigned faults, char *dst, size_t cap);

#endif
