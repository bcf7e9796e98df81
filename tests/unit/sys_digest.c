/* sys/digest: the examples of FIPS 180-4's publisher, and pieces of every size. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "sys/digest.h"

static void hex(char dst[65], const uint8_t digest[DIGEST_BYTES])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(dst + 2 * i, 3, "%02x", digest[i]);
}

static const struct {
	const char *text;
	unsigned times;
	const char *digest;
} examples[] = {
	{ "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "a", 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
};

Test(sys_digest, examples)
{
	struct digest digest;
	digest_init(&digest);
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		uint8_t out[DIGEST_BYTES];
		char text[65];
		for (unsigned k = 0; k < examples[i].times; k++)
			digest_update(&digest, span_str(examples[i].text));
		/* Ready for the next one without another digest_init. */
		digest_finish(&digest, out);
		hex(text, out);
		cr_expect_str_eq(text, examples[i].digest);
	}
}

Test(sys_digest, pieces_do_not_matter)
{
	enum { SIZE = 1000 };
	uint8_t whole[DIGEST_BYTES], cut[DIGEST_BYTES];
	struct digest digest;
	uint8_t *content = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		content[i] = (uint8_t)(i * 7 + i / 256);
	digest_init(&digest);
	digest_update(&digest, span_of(content, SIZE));
	digest_finish(&digest, whole);
	for (size_t piece = 1; piece < 200; piece++) {
		struct span rest = span_of(content, SIZE);
		digest_init(&digest);
		while (rest.n > 0)
			digest_update(&digest, span_take(&rest, piece));
		digest_update(&digest, span_of(NULL, 0));
		digest_finish(&digest, cut);
		cr_assert_eq(memcmp(whole, cut, sizeof(whole)), 0, "pieces of %zu", piece);
	}
	content[SIZE / 2] ^= 1;
	digest_update(&digest, span_of(content, SIZE));
	digest_finish(&digest, cut);
	cr_expect_neq(memcmp(whole, cut, sizeof(whole)), 0);
	free(content);
}
