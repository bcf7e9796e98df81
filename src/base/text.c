/* What is safe to show: UTF-8 by the letter of RFC 3629, and no character that moves the cursor or turns the line. */
#include "base/text.h"

size_t text_utf8(struct span s, uint32_t *code)
{
	if (s.n == 0)
		return 0;
	uint8_t first = s.p[0];
	if (first < 0x80) {
		*code = first;
		return 1;
	}
	size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc2 || first > 0xf4 || s.n < length)
		return 0;
	uint32_t value = first & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s.p[i] & 0x3fu);
	}
	bool overlong = value < (length == 4 ? 0x10000u : length == 3 ? 0x800u : 0x80u);
	if (overlong || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff)
		return 0;
	*code = value;
	return length;
}

bool text_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x061c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

size_t text_clean(char *dst, size_t cap, struct span src)
{
	static const char mark[] = "...";
	size_t at = 0;
	size_t cut = 0; /* the last place where the mark would still fit */
	while (src.n > 0) {
		uint32_t code = 0;
		size_t length = text_utf8(src, &code);
		bool shown = length > 0 && !text_is_control(code);
		size_t takes = shown ? length : 1;
		if (at + takes >= cap) {
			if (cap > sizeof(mark)) {
				memcpy(dst + cut, mark, sizeof(mark) - 1);
				at = cut + sizeof(mark) - 1;
			}
			break;
		}
		struct span character = span_take(&src, length > 0 ? length : 1);
		if (shown)
			memcpy(dst + at, character.p, takes);
		else
			dst[at] = '?';
		at += takes;
		if (at + sizeof(mark) <= cap)
			cut = at;
	}
	if (cap > 0)
		dst[at] = '\0';
	return at;
}

bool text_number(struct span digits, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	if (digits.n == 0)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		uint64_t digit = digits.p[i] - (uint64_t)'0';
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*out = value;
	return true;
}
