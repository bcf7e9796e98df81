/* The MIME type of content, by libmagic. */
#ifndef XFERWARDEN_INSPECTOR_TYPE_H
#define XFERWARDEN_INSPECTOR_TYPE_H

#include "base/finding.h"

/* Loads the database. NULL, or what went wrong. */
const char *type_start(void);

/* Adds FACT_TYPE and the type to *out, told from the first INSPECTOR_HEAD_MAX of size bytes. */
void type_tell(struct finding *out, int fd, uint64_t size);

#endif
