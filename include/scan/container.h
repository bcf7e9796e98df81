/*
 * The build of an archive, as far as a few reads show it: ClamAV calls an archive clean that it could not open. Knows zip (index present
 * and whole, members ClamAV can unpack and of a size it looks at, none encrypted), 7z and cab (the file is as long as its header says),
 * and rar, which ClamAV can unpack only with a library that Debian does not have. Only the outermost container is seen.
 */
#ifndef XFERWARDEN_SCAN_CONTAINER_H
#define XFERWARDEN_SCAN_CONTAINER_H

#include <stdint.h>

#include "base/finding.h"

/*
 * UNSCANNABLE_* bits, 0 if nothing is wrong; *why then says what. Reads at most size bytes of fd, by pread. A read that fails is
 * UNSCANNABLE_SCANNER_DOWN.
 */
unsigned container_check(int fd, uint64_t size, char why[FINDING_DETAIL_MAX]);

#endif
