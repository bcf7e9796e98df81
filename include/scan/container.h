/*
 * The build of an archive, as far as some reads show it: ClamAV calls an archive clean that it could not open. Knows zip (index present
 * and whole, members ClamAV can unpack and of a size it looks at, none encrypted), 7z and cab (the file is as long as its header says),
 * and rar, which ClamAV can unpack only with a library that Debian does not have. It looks where unpackers look: at the start, behind
 * anything else in the first CONTAINER_SEARCH bytes (rar, 7z, cab, members of a zip), and from the end of the file (the index of a zip). Each
 * end record in the tail counts, so that it does not matter which one an unpacker believes.
 *
 * Not seen: what an archive holds packed or a mail holds encoded (ClamAV opens that itself); rar, 7z and cab behind more than that; a zip
 * with more than that before it and more than some 66,000 bytes behind it; an archive, itself in order, that a tar, cpio, zip or 7z carries
 * behind its own end or between its members, where ClamAV 1.4 does not look either. Where ClamAV does not look for archives at all, behind
 * the head of an ID3, Ogg, SQLite or gzip file, any archive is UNSCANNABLE_SCANNER_BLIND. The rar of before 1993 is not known.
 */
#ifndef XFERWARDEN_SCAN_CONTAINER_H
#define XFERWARDEN_SCAN_CONTAINER_H

#include <stdint.h>

#include "base/finding.h"

/* As far as unrar 7 looks for an archive; other unpackers look at 1 MiB or less. */
enum { CONTAINER_SEARCH = 4 << 20 };

/*
 * UNSCANNABLE_* bits, 0 if nothing is wrong; *why then says what. Reads at most size bytes of fd, by pread. A read that fails is
 * UNSCANNABLE_SCANNER_DOWN.
 */
unsigned container_check(int fd, uint64_t size, char why[FINDING_DETAIL_MAX]);

#endif
