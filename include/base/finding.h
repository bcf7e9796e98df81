/* What a look at the content brought. Written by the scan floor, believed by the policy. */
#ifndef XFERWARDEN_BASE_FINDING_H
#define XFERWARDEN_BASE_FINDING_H

#include "base/words.h"

enum { FINDING_TYPE_MAX = 96, FINDING_VIRUS_MAX = 128, FINDING_DETAIL_MAX = 160 };

/*
 * known: FACT_* bits that this finding answers, even when the answer is that it could not be told. An empty type with FACT_TYPE
 * known means the type could not be found out: then unscannable says why. An empty virus with FACT_SCAN known and unscannable 0 is
 * the only thing that means clean. detail is for the log and the audit record, never for the client.
 */
struct finding {
	unsigned known;
	unsigned unscannable;            /* UNSCANNABLE_* bits */
	char type[FINDING_TYPE_MAX];     /* MIME type as libmagic names it, "application/zip"; printable ASCII */
	char virus[FINDING_VIRUS_MAX];   /* signature name, printable ASCII; empty if none */
	char detail[FINDING_DETAIL_MAX]; /* printable ASCII: "clamd at unix:/run/x: connection refused" */
};

#endif
