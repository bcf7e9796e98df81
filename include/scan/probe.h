/* Small archives of our own that a clamd with all its alerts on cannot call clean. */
#ifndef XFERWARDEN_SCAN_PROBE_H
#define XFERWARDEN_SCAN_PROBE_H

#include "base/span.h"

enum probe_kind {
	PROBE_NONE = 0,
	PROBE_ENCRYPTED, /* AlertEncryptedArchive */
	PROBE_DEEP,      /* AlertExceedsMax: nested deeper than any MaxRecursion */
	PROBE_LARGE,     /* MaxFileSize: a member that announces PROBE_MEMBER bytes; of larger ones in a zip clamd looks at the front and says nothing */
	PROBES,
};

enum { PROBE_BYTES_MAX = 16384 };

/* The least MaxFileSize that a clamd must have, and the largest member of an archive that is believed to have been looked at: 2000 MiB. */
#define PROBE_MEMBER (UINT64_C(2000) << 20)

struct probe_store {
	size_t n;
	uint8_t bytes[PROBE_BYTES_MAX];
};

/* Builds the archive in the store. */
struct span probe_make(struct probe_store *, enum probe_kind);

/* Whether the answer shows that the clamd looks: the alert's name, empty for "OK". */
bool probe_passed(enum probe_kind, struct span alert);

/* "AlertEncrypted is off", for the log. */
const char *probe_failure(enum probe_kind);

#endif
