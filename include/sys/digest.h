/*
 * SHA-256 of content, piece by piece; the state lies in the caller's memory, nothing is allocated, nothing can fail.
 *
 * The work is libnettle's, linked statically. Measured with Debian 12's nettle 3.8.1 and OpenSSL 3.0 on a processor with SHA extensions, as
 * ratios to an empty program, or for speed to nettle: spawn to exit 1.02 linked statically, 1.2 as a shared library; libcrypto 2.3 by its old
 * SHA256_* calls, 4.0 by EVP. Idle memory (PSS of one process, KiB more than the empty program): 27, 213, 1470, 1470; after the first hash by
 * EVP 3500. Speed of 1 GiB in pieces of 256 KiB: nettle 1.0 (1.6 GB/s), libcrypto 1.11. A session lives long and hashes seldom: the small one
 * wins.
 */
#ifndef XFERWARDEN_SYS_DIGEST_H
#define XFERWARDEN_SYS_DIGEST_H

#include "base/span.h"

enum { DIGEST_BYTES = 32, DIGEST_STATE = 128 };

struct digest {
	_Alignas(16) uint8_t state[DIGEST_STATE];
};

void digest_init(struct digest *);
void digest_update(struct digest *, struct span piece);

/* The digest of all pieces since digest_init; then the state is as after digest_init. */
void digest_finish(struct digest *, uint8_t out[static DIGEST_BYTES]);

#endif
