/*
 * What ClamAV's signature names say of a file: most name a virus, some only that the scanner gave up. Valid for libclamav and clamd
 * alike. Facts: ClamAV 1.4.6, measured; see tests/live/scan_engines.py, which has a case for each.
 */
#ifndef XFERWARDEN_PROTO_CLAMAV_H
#define XFERWARDEN_PROTO_CLAMAV_H

#include "base/finding.h"
#include "base/span.h"

/* The largest file that ClamAV reads, in bytes; larger values of MaxFileSize do not raise it. */
#define CLAMAV_SIZE_MAX UINT64_C(2147483645)

/*
 * Adds the name of an alert to *out: Heuristics.Limits.Exceeded.* and Heuristics.Encrypted.* as unscannable bits, all else as a virus. No
 * name at all is how libclamav reports a file beyond its size limit. The first virus stays. What is not printable ASCII becomes '?'.
 */
void clamav_alert(struct finding *out, struct span name);

/* Copies text into dst as printable ASCII, cut to cap - 1 bytes; everything else becomes '?'. */
void clamav_print(char *dst, size_t cap, struct span text);

#endif
