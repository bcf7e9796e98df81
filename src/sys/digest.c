/* Which library hashes: no other file includes it. */
#include <nettle/sha2.h>

#include "sys/digest.h"

_Static_assert(sizeof(struct sha256_ctx) <= DIGEST_STATE, "the state has to fit");
_Static_assert(_Alignof(struct sha256_ctx) <= 16, "the state has to be aligned");
_Static_assert(SHA256_DIGEST_SIZE == DIGEST_BYTES, "SHA-256 has 32 bytes");

static struct sha256_ctx *digest_context(struct digest *digest)
{
	return (struct sha256_ctx *)(void *)digest->state;
}

void digest_init(struct digest *digest)
{
	sha256_init(digest_context(digest));
}

void digest_update(struct digest *digest, struct span piece)
{
	if (piece.n > 0)
		sha256_update(digest_context(digest), piece.n, piece.p);
}

void digest_finish(struct digest *digest, uint8_t out[static DIGEST_BYTES])
{
	sha256_digest(digest_context(digest), DIGEST_BYTES, out);
}
