/* base/words: each word is there, stands for one thing only, and what can be read back reads back. */
#include <criterion/criterion.h>

#include "base/words.h"

Test(words, directions)
{
	cr_expect_str_eq(direction_word(UPLOAD), "upload");
	cr_expect_str_eq(direction_word(DOWNLOAD), "download");
}

static void is_plain(const char *word)
{
	cr_assert(word != NULL && word[0] != '\0');
	cr_expect_eq(strspn(word, "abcdefghijklmnopqrstuvwxyz-"), strlen(word), "%s", word);
}

Test(words, reasons)
{
	for (int i = 0; i < REASONS; i++) {
		is_plain(reason_word((enum reason)i));
		for (int k = 0; k < i; k++)
			cr_expect_str_neq(reason_word((enum reason)i), reason_word((enum reason)k));
	}
	cr_expect_str_eq(reason_word(REASON_NONE), "none");
	cr_expect_str_eq(reason_word(REASON_LOGIN_FILE), "login-file");
	cr_expect_str_eq(reason_word((enum reason)REASONS), "internal");
	cr_expect_str_eq(reason_word((enum reason)-1), "internal");
}

Test(words, unscannable)
{
	unsigned all = 0;
	for (unsigned i = 0; i < UNSCANNABLE_WORDS; i++) {
		is_plain(unscannable_word(i));
		cr_expect_eq(unscannable_bit(span_str(unscannable_word(i))), 1u << i);
		all |= 1u << i;
	}
	cr_expect_eq(all, (unsigned)UNSCANNABLE_ALL);
	cr_expect_null(unscannable_word(UNSCANNABLE_WORDS));
	cr_expect_eq(unscannable_bit(span_str("encrypted")), (unsigned)UNSCANNABLE_ENCRYPTED);
	cr_expect_eq(unscannable_bit(span_str("scanner-blind")), (unsigned)UNSCANNABLE_SCANNER_BLIND);
}

Test(words, no_such_word)
{
	static const char *const words[] = { "", "encrypte", "encryptedx", "Encrypted", " encrypted", "clean" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		cr_expect_eq(unscannable_bit(span_str(words[i])), 0, "%s", words[i]);
	cr_expect_eq(unscannable_bit(span_of("encrypted\0", 10)), 0);
	cr_expect_eq(unscannable_bit(span_of(NULL, 0)), 0);
}
