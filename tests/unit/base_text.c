/* base/text: what is UTF-8, what is shown, where a text is cut; numbers without surprises. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/text.h"

struct utf8_case {
	const char *in;
	size_t length;
	uint32_t code;
};

Test(text, utf8)
{
	static const struct utf8_case cases[] = {
		{ "a", 1, 'a' }, { "\x7f", 1, 0x7f }, { "\xc2\x80", 2, 0x80 }, { "\xdf\xbf", 2, 0x7ff }, { "\xe0\xa0\x80", 3,
		0x800 }, { "\xef\xbf\xbf", 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 0x10000 }, { "\xf4\x8f\xbf\xbf", 4, 0x10ffff }, { "\xed\x9f\xbf", 3, 0xd7ff },
		{ "\xee\x80\x80", 3, 0xe000 },
		/* none: a follower alone, overlong, a surrogate, too large, cut off, wrong followers */
		{ "\x80", 0, 0 }, { "\xbf", 0, 0 }, { "\xc0\x80", 0, 0 }, { "\xc1\xbf", 0, 0 }, { "\xe0\x9f\xbf", 0, 0 },
		{ "\xf0\x8f\xbf\xbf", 0, 0 }, { "\xed\xa0\x80", 0, 0 },
		{ "\xed\xbf\xbf", 0, 0 }, { "\xf4\x90\x80\x80", 0, 0 }, { "\xf5\x80\x80\x80", 0, 0 }, { "\xff", 0, 0 }, { "\xfe", 0,
		0 }, { "\xc2", 0, 0 }, { "\xe2\x82", 0, 0 },
		{ "\xf0\x9f\x98", 0, 0 }, { "\xc2" "a", 0, 0 }, { "\xe2\x82" "a", 0, 0 }, { "\xe2" "a\x82", 0, 0 }, { "", 0, 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].in);
		uint8_t *exact = malloc(n > 0 ? n : 1);
		uint32_t code = 0;
		cr_assert(exact);
		memcpy(exact, cases[i].in, n);
		cr_expect_eq(text_utf8(span_of(exact, n), &code), cases[i].length, "case %zu", i);
		cr_expect(cases[i].length == 0 || code == cases[i].code, "case %zu: %x", i, code);
		free(exact);
	}
}

/* Every code point, written by another hand, is read back; surrogates are not. */
Test(text, utf8_all)
{
	for (uint32_t code = 0; code <= 0x110000; code++) {
		uint8_t b[4];
		size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
		for (size_t i = n; i-- > 0;)
			b[i] = (uint8_t)(i > 0 ? 0x80 | (code >> 6 * (n - 1 - i) & 0x3f) : first[n] | code >> 6 * (n - 1));
		uint32_t read = 0;
		bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
		size_t got = text_utf8(span_of(b, n), &read);
		cr_assert(valid ? got == n && read == code : got == 0, "U+%04X", code);
	}
}

Test(text, controls)
{
	static const uint32_t controls[] = { 0, 9, 10, 13, 27, 0x1f, 0x7f, 0x80, 0x9b, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x2029,
		0x202a, 0x202e, 0x2066, 0x2069, 0xfeff };
	static const uint32_t shown[] = { ' ', 'a', '~', 0xa0, 0xe4, 0x200d, 0x2027, 0x202f, 0x2065, 0x206a, 0x1f600 };
	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
		cr_expect(text_is_control(controls[i]), "U+%04X", controls[i]);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		cr_expect(!text_is_control(shown[i]), "U+%04X", shown[i]);
}

static void cleaned(const char *in, size_t n, size_t cap, const char *want)
{
	char *dst = malloc(cap);
	cr_assert(dst);
	cr_expect_eq(text_clean(dst, cap, span_of(in, n)), strlen(want), "%s", want);
	cr_expect_str_eq(dst, want);
	free(dst);
}

Test(text, clean)
{
	cleaned("abc", 3, 4, "abc");
	cleaned("a\0b", 3, 10, "a?b");
	cleaned("\33[31m\r\n", 7, 20, "?[31m??");
	cleaned("a\xc2\x9b" "b", 4, 20, "a?b");
	cleaned("a\xe2\x80\xae" "b", 5, 20, "a?b");
	cleaned("\xff\xfe", 2, 20, "??");
	cleaned("\xc3\xa4", 2, 20, "\xc3\xa4");
	cleaned("", 0, 1, "");
}

Test(text, cut)
{
	cleaned("abcdef", 6, 7, "abcdef");
	cleaned("abcdef", 6, 6, "ab...");
	cleaned("abcdef", 6, 5, "a...");
	cleaned("abcdef", 6, 4, "abc");
	cleaned("abcdef", 6, 1, "");
	cleaned("\xc3\xa4\xc3\xa4\xc3\xa4", 6, 6, "\xc3\xa4...");
	cleaned("\xe2\x82\xac\xe2\x82\xac", 6, 5, "...");
}

/* Whatever it is given in whatever room: clean, within its room, and cleaning again changes nothing. */
Test(text, clean_anything)
{
	srandom(7);
	for (int round = 0; round < 20000; round++) {
		uint8_t in[40];
		size_t n = (size_t)random() % sizeof(in), cap = 1 + (size_t)random() % 50;
		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(random() % 3 == 0 ? random() : "\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4z"[random() % 10]);
		char dst[60], again[60];
		memset(dst, 'Z', sizeof(dst));
		size_t length = text_clean(dst, cap, span_of(in, n));
		cr_assert(length < cap && dst[length] == '\0' && strlen(dst) == length && dst[cap] == 'Z');
		cr_assert_eq(text_clean(again, sizeof(again), span_of(dst, length)), length);
		cr_assert_str_eq(dst, again);
	}
}

Test(text, numbers)
{
	uint64_t n = 7;
	cr_expect(text_number(span_str("0"), 10, &n) && n == 0);
	cr_expect(text_number(span_str("0010"), 10, &n) && n == 10);
	cr_expect(text_number(span_str("18446744073709551615"), UINT64_MAX, &n) && n == UINT64_MAX);
	n = 7;
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "11", "18446744073709551616",
		"99999999999999999999999", "\xd9\xa1" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(!text_number(span_str(bad[i]), 10, &n), "%s", bad[i]);
	cr_expect(!text_number(span_str("18446744073709551616"), UINT64_MAX, &n));
	cr_expect(!text_number(span_of("1\0", 2), 10, &n));
	cr_expect_eq(n, 7, "left alone");
}
