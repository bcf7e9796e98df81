/* How JSON is written: what has to be escaped, where a text may be cut, and how many bytes have to stay free for the brackets that close. */
#include "base/json.h"
#include "base/text.h"

enum { CLOSERS = 2 }; /* "}" and the NUL; a list sets aside its own "]" */

static const char digits[] = "0123456789abcdef";

static bool json_put(struct json *j, const char *bytes, size_t n)
{
	if (n > j->room - j->at)
		return false;
	memcpy(j->dst + j->at, bytes, n);
	j->at += n;
	return true;
}

static bool json_put_name(struct json *j, const char *name)
{
	if (j->comma && !json_put(j, ",", 1))
		return false;
	if (!name)
		return true;
	return json_put(j, "\"", 1) && json_put(j, name, strlen(name)) && json_put(j, "\":", 2);
}

/* Ends a member that began at start: it is there whole, or nothing of it is. */
static bool json_settle(struct json *j, size_t start, bool whole)
{
	if (whole) {
		j->comma = true;
	} else {
		j->at = start;
		j->dropped = true;
	}
	return whole;
}

void json_begin(struct json *j, char *dst, size_t cap)
{
	*j = (struct json){ .dst = dst, .room = cap - CLOSERS };
	json_put(j, "{", 1);
}

void json_reserve(struct json *j, size_t n)
{
	if (n > j->room - j->at)
		n = j->room - j->at;
	j->room -= n;
	j->spare += n;
}

void json_release(struct json *j)
{
	j->room += j->spare;
	j->spare = 0;
}

static size_t json_escape_unit(char *dst, uint32_t unit)
{
	static const char shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
		if ((uint8_t)shorts[i] == unit) {
			dst[0] = '\\';
			dst[1] = shorts[i + 1];
			return 2;
		}
	}
	dst[0] = '\\';
	dst[1] = 'u';
	for (unsigned i = 0; i < 4; i++)
		dst[2 + i] = digits[unit >> (12 - 4 * i) & 0xf];
	return 6;
}

/* The written form of the character at the front of *text, which is taken off; its length. All controls are below U+10000, so one unit will do. */
static size_t json_character(char dst[static 8], struct span *text, unsigned *result)
{
	uint32_t code = 0;
	size_t length = text_utf8(*text, &code);
	if (length == 0) {
		span_take(text, 1);
		*result |= JSON_REPLACED;
		memcpy(dst, "\xef\xbf\xbd", 3);
		return 3;
	}
	struct span character = span_take(text, length);
	if (code == '"' || code == '\\' || (code <= 0xffff && text_is_control(code)))
		return json_escape_unit(dst, code);
	memcpy(dst, character.p, length);
	return length;
}

/* The text between quotes in at most limit bytes; where it has to be cut, the mark stands within the limit. */
static unsigned json_body(struct json *j, struct span text, size_t limit)
{
	static const char mark[] = "...";
	size_t end = j->at + limit;
	size_t cut = j->at; /* the last border behind which the mark still fits */
	unsigned result = 0;
	unsigned before_cut = 0;
	while (text.n > 0) {
		char form[8];
		size_t n = json_character(form, &text, &result);
		if (n > end - j->at) {
			j->at = cut;
			json_put(j, mark, sizeof(mark) - 1);
			return before_cut | JSON_CUT;
		}
		json_put(j, form, n);
		if (end - j->at >= sizeof(mark) - 1) {
			cut = j->at;
			before_cut = result;
		}
	}
	return result;
}

static unsigned json_value(struct json *j, const char *name, struct span text, size_t limit)
{
	size_t start = j->at;
	bool whole = json_put_name(j, name) && json_put(j, "\"", 1);
	size_t left = whole ? j->room - j->at : 0;
	/* Less than the mark and the closing quote would say nothing. */
	if (left < 4 || limit < 3) {
		json_settle(j, start, false);
		return JSON_DROPPED;
	}
	unsigned result = json_body(j, text, limit < left - 1 ? limit : left - 1);
	json_put(j, "\"", 1);
	json_settle(j, start, true);
	return result;
}

unsigned json_text(struct json *j, const char *name, struct span text, size_t limit)
{
	return json_value(j, name, text, limit);
}

unsigned json_string(struct json *j, const char *name, const char *text, size_t limit)
{
	return text ? json_text(j, name, span_str(text), limit) : 0;
}

unsigned json_hex(struct json *j, const char *name, struct span bytes, size_t limit)
{
	size_t start = j->at;
	bool whole = json_put_name(j, name) && json_put(j, "\"", 1);
	size_t left = whole ? j->room - j->at : 0;
	if (left < 3) {
		json_settle(j, start, false);
		return JSON_DROPPED;
	}
	if (limit > left - 1)
		limit = left - 1;
	size_t n = bytes.n < limit / 2 ? bytes.n : limit / 2;
	for (size_t i = 0; i < n; i++) {
		char pair[2] = { digits[bytes.p[i] >> 4], digits[bytes.p[i] & 0xf] };
		json_put(j, pair, 2);
	}
	json_put(j, "\"", 1);
	json_settle(j, start, true);
	return n < bytes.n ? JSON_CUT : 0;
}

void json_number(struct json *j, const char *name, uint64_t value)
{
	char text[20];
	size_t first = sizeof(text);
	do {
		text[--first] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	size_t start = j->at;
	json_settle(j, start, json_put_name(j, name) && json_put(j, text + first, sizeof(text) - first));
}

void json_bool(struct json *j, const char *name, bool value)
{
	size_t start = j->at;
	json_settle(j, start, json_put_name(j, name) && json_put(j, value ? "true" : "false", value ? 4 : 5));
}

bool json_list_begin(struct json *j, const char *name)
{
	size_t start = j->at;
	if (!json_settle(j, start, json_put_name(j, name) && json_put(j, "[", 1) && j->at < j->room))
		return false;
	j->room--;
	j->in_list = true;
	j->comma = false;
	return true;
}

unsigned json_item(struct json *j, struct span text, size_t limit)
{
	return json_value(j, NULL, text, limit);
}

/* Writes into a byte that was kept back for it. */
static void json_close(struct json *j, char bracket)
{
	j->dst[j->at++] = bracket;
}

void json_list_end(struct json *j)
{
	if (!j->in_list)
		return;
	j->in_list = false;
	j->comma = true;
	j->room++;
	json_close(j, ']');
}

size_t json_end(struct json *j)
{
	json_list_end(j);
	json_close(j, '}');
	j->dst[j->at] = '\0';
	return j->at;
}
