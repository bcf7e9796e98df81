/* base/json: whatever goes in, a parser that is not ours reads it back. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

#include "base/json.h"

/* Reads what was written, from a copy of exactly its size. */
static yajl_val read_back(const char *text, size_t n)
{
	char error[256];
	cr_assert_eq(strlen(text), n);
	char *exact = malloc(n + 1);
	cr_assert(exact);
	memcpy(exact, text, n + 1);
	yajl_val root = yajl_tree_parse(exact, error, sizeof(error));
	cr_assert(root, "%s in %s", error, text);
	cr_assert(YAJL_IS_OBJECT(root));
	free(exact);
	return root;
}

static yajl_val member(yajl_val root, const char *name)
{
	return yajl_tree_get(root, (const char *[]){ name, NULL }, yajl_t_any);
}

struct text_case {
	const char *in;
	size_t n;
	const char *written; /* between the quotes */
	unsigned result;
};

#define TEXT(in, written, result) { in, sizeof(in) - 1, written, result }

static const struct text_case text_cases[] = {
	TEXT("", "", 0),
	TEXT("plain /path.txt", "plain /path.txt", 0),
	TEXT("a\"b\\c", "a\\\"b\\\\c", 0),
	TEXT("\b\t\n\f\r", "\\b\\t\\n\\f\\r", 0),
	TEXT("\0\x01\x1b\x7f", "\\u0000\\u0001\\u001b\\u007f", 0),
	TEXT("\"}\n{\"event.action\":\"x", "\\\"}\\n{\\\"event.action\\\":\\\"x", 0),
	TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0),
	/* C1, line and paragraph separator, bidirectional controls, byte order mark */
	TEXT("\xc2\x9b\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf", "\\u009b\\u2028\\u2029\\u202e\\u2066\\ufeff", 0),
	TEXT("a\xff" "b", "a\xef\xbf\xbd" "b", JSON_REPLACED),
	TEXT("\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", JSON_REPLACED),             /* overlong */
	TEXT("\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", JSON_REPLACED), /* surrogate */
	TEXT("x\xe2\x82", "x\xef\xbf\xbd\xef\xbf\xbd", JSON_REPLACED),            /* ends too early */
};

Test(base_json, text)
{
	for (size_t i = 0; i < sizeof(text_cases) / sizeof(text_cases[0]); i++) {
		const struct text_case *c = &text_cases[i];
		char line[512], wanted[512];
		struct json j;
		char *exact = malloc(c->n + (c->n == 0));
		memcpy(exact, c->in, c->n);
		json_begin(&j, line, sizeof(line));
		cr_expect_eq(json_text(&j, "k", span_of(exact, c->n), 400), c->result, "case %zu", i);
		size_t n = json_end(&j);
		free(exact);
		snprintf(wanted, sizeof(wanted), "{\"k\":\"%s\"}", c->written);
		cr_expect_str_eq(line, wanted);
		cr_expect_eq(n, strlen(wanted));
		yajl_tree_free(read_back(line, n));
	}
}

Test(base_json, members)
{
	char line[256];
	struct json j;
	json_begin(&j, line, sizeof(line));
	json_number(&j, "zero", 0);
	json_number(&j, "most", UINT64_MAX);
	json_bool(&j, "yes", true);
	json_bool(&j, "no", false);
	json_string(&j, "none", NULL, 10);
	cr_expect_eq(json_hex(&j, "hex", span_of("\x00\xff\x7f", 3), 100), 0);
	cr_assert(json_list_begin(&j, "list"));
	json_item(&j, span_str("a"), 10);
	json_item(&j, span_str("b"), 10);
	json_list_end(&j);
	cr_assert(json_list_begin(&j, "empty"));
	json_list_end(&j);
	json_number(&j, "last", 7);
	size_t n = json_end(&j);
	cr_expect_str_eq(line, "{\"zero\":0,\"most\":18446744073709551615,\"yes\":true,\"no\":false,\"hex\":\"00ff7f\",\"list\":[\"a\",\"b\"],\"empty\":[],\"last\":7}");
	cr_expect_eq(n, strlen(line));
	cr_expect_not(j.dropped);
}

Test(base_json, empty_object)
{
	char line[JSON_CAP_MIN];
	struct json j;
	json_begin(&j, line, sizeof(line));
	cr_expect_eq(json_end(&j), 2);
	cr_expect_str_eq(line, "{}");
}

struct cut_case {
	const char *in;
	size_t limit;
	const char *written;
	unsigned result;
};

/* A cut never parts a character or an escape, and its mark is within the limit. */
static const struct cut_case cut_cases[] = {
	{ "abcdef", 6, "abcdef", 0 },
	{ "abcdef", 5, "ab...", JSON_CUT },
	{ "abcdef", 3, "...", JSON_CUT },
	{ "abc", 3, "abc", 0 },
	{ "a\xe2\x82\xac\xe2\x82\xac", 7, "a\xe2\x82\xac\xe2\x82\xac", 0 },
	{ "a\xe2\x82\xac\xe2\x82\xac", 6, "a...", JSON_CUT },
	{ "\x01\x01", 12, "\\u0001\\u0001", 0 },
	{ "\x01\x01", 11, "\\u0001...", JSON_CUT },
	{ "\x01\x01", 8, "...", JSON_CUT },
	{ "\"\"\"", 5, "\\\"...", JSON_CUT },
	{ "\xff\xff", 6, "\xef\xbf\xbd\xef\xbf\xbd", JSON_REPLACED },
	{ "\xff\xff", 5, "...", JSON_CUT },
	{ "ab\xff\xff", 6, "ab...", JSON_CUT },
};

Test(base_json, cuts)
{
	for (size_t i = 0; i < sizeof(cut_cases) / sizeof(cut_cases[0]); i++) {
		const struct cut_case *c = &cut_cases[i];
		char line[128], wanted[128];
		struct json j;
		json_begin(&j, line, sizeof(line));
		cr_expect_eq(json_text(&j, "k", span_str(c->in), c->limit), c->result, "case %zu", i);
		size_t n = json_end(&j);
		snprintf(wanted, sizeof(wanted), "{\"k\":\"%s\"}", c->written);
		cr_expect_str_eq(line, wanted, "case %zu: %s", i, line);
		yajl_tree_free(read_back(line, n));
	}
}

Test(base_json, reserve_keeps_room_for_the_last_member)
{
	char line[64];
	struct json j;
	json_begin(&j, line, sizeof(line));
	json_reserve(&j, 16);
	json_text(&j, "long", span_str("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), 60);
	json_number(&j, "gone", 12345678901234);
	cr_expect(j.dropped);
	json_release(&j);
	json_bool(&j, "cut", true);
	size_t n = json_end(&j);
	yajl_val root = read_back(line, n);
	cr_expect(YAJL_IS_TRUE(member(root, "cut")));
	cr_expect_null(member(root, "gone"));
	yajl_tree_free(root);
}

static uint64_t seed = 0x9e3779b97f4a7c15;

static unsigned random_below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 33) % n;
}

static void write_anything(struct json *j)
{
	static const char *const names[] = { "a", "bb", "a.long.name", "d", "e", "f", "g", "h" };
	uint8_t bytes[40];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t n = random_below(sizeof(bytes));
		for (size_t k = 0; k < n; k++)
			bytes[k] = (uint8_t)(random_below(2) ? random_below(256) : 0x20 + random_below(0x60));
		switch (random_below(5)) {
		case 0:
			json_number(j, names[i], seed);
			break;
		case 1:
			json_hex(j, names[i], span_of(bytes, n), random_below(60));
			break;
		case 2:
			json_bool(j, names[i], n > 3);
			break;
		case 3:
			if (!json_list_begin(j, names[i]))
				break;
			for (unsigned k = random_below(4); k > 0; k--)
				json_item(j, span_of(bytes, n / k), random_below(50));
			json_list_end(j);
			break;
		case 4:
			json_text(j, names[i], span_of(bytes, n), random_below(90));
			break;
		}
	}
}

/* Every size of buffer, on the heap to the byte: always an object, never a byte too many. */
Test(base_json, any_size)
{
	for (size_t cap = JSON_CAP_MIN; cap < 320; cap++) {
		for (unsigned round = 0; round < 40; round++) {
			char *line = malloc(cap);
			struct json j;
			json_begin(&j, line, cap);
			json_reserve(&j, random_below(20));
			write_anything(&j);
			json_release(&j);
			json_bool(&j, "end", true);
			size_t n = json_end(&j);
			cr_assert_lt(n, cap);
			cr_assert_eq(strlen(line), n);
			yajl_tree_free(read_back(line, n));
			free(line);
		}
	}
}
