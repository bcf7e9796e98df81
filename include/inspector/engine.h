/* Viruses, by libclamav. The inspector without ClamAV has an engine that is never there. */
#ifndef XFERWARDEN_INSPECTOR_ENGINE_H
#define XFERWARDEN_INSPECTOR_ENGINE_H

#include "base/finding.h"

/* Loads libraries; before confinement. NULL, or what went wrong. */
const char *engine_start(void);

/* Loads the signatures, within confinement. Where that fails every engine_scan says why. */
void engine_load(const char *database, const char *scratch);

/* Adds FACT_SCAN and what was found in the first size bytes of fd within milliseconds to *out. */
void engine_scan(struct finding *out, int fd, uint64_t size, uint64_t milliseconds);

#endif
