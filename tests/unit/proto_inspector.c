/* proto/inspector: a right message of each kind, and each with one thing wrong. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/inspector.h"

static struct span exact_copy(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	cr_assert(copy);
	memcpy(copy, bytes, n);
	return span_of(copy, n);
}

static bool read_hello(const void *bytes, size_t n)
{
	struct inspector_hello out;
	struct span message = exact_copy(bytes, n);
	bool right = inspector_hello_read(&out, message);
	free((void *)(uintptr_t)message.p);
	return right;
}

static bool read_question(const void *bytes, size_t n)
{
	struct inspector_question out;
	struct span message = exact_copy(bytes, n);
	bool right = inspector_question_read(&out, message);
	free((void *)(uintptr_t)message.p);
	return right;
}

static bool read_answer(const void *bytes, size_t n, const struct inspector_question *asked)
{
	struct inspector_answer out;
	struct span message = exact_copy(bytes, n);
	bool right = inspector_answer_read(&out, message, asked);
	free((void *)(uintptr_t)message.p);
	return right;
}

/* Larger than any message, so that every wrong length can be tried. */
union large {
	struct inspector_hello hello;
	struct inspector_question question;
	struct inspector_answer answer;
	uint8_t bytes[sizeof(struct inspector_answer) + 16];
};

Test(proto_inspector, hello)
{
	union large m = { .hello = { INSPECTOR_VERSION, sizeof(struct inspector_question), sizeof(struct inspector_answer) } };
	for (size_t n = 0; n <= sizeof(m); n++)
		cr_assert_eq(read_hello(&m, n), n == sizeof(m.hello), "%zu bytes", n);
	for (size_t i = 0; i < sizeof(m.hello); i++) {
		m.bytes[i] ^= 1;
		cr_assert_not(read_hello(&m, sizeof(m.hello)), "byte %zu", i);
		m.bytes[i] ^= 1;
	}
}

Test(proto_inspector, question)
{
	const struct inspector_question right = { .number = 1, .need = FACT_TYPE | FACT_SCAN, .size = 5, .timeout = 1 };
	union large m = { .question = right };
	for (size_t n = 0; n <= sizeof(m); n++)
		cr_assert_eq(read_question(&m, n), n == sizeof(m.question), "%zu bytes", n);
	const struct inspector_question fine[] = {
		{ .number = UINT32_MAX, .need = FACT_TYPE, .size = INT64_MAX, .timeout = INSPECTOR_TIMEOUT_MAX },
		{ .number = 1, .need = FACT_SCAN, .size = 0, .timeout = 1 },
	};
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		cr_assert(read_question(&fine[i], sizeof(fine[i])), "%zu", i);
	const struct inspector_question wrong[] = {
		{ .number = 0, .need = FACT_TYPE, .size = 5, .timeout = 1 },
		{ .number = 1, .need = 0, .size = 5, .timeout = 1 },
		{ .number = 1, .need = 4, .size = 5, .timeout = 1 },
		{ .number = 1, .need = FACT_TYPE | 1u << 31, .size = 5, .timeout = 1 },
		{ .number = 1, .need = FACT_TYPE, .size = (uint64_t)INT64_MAX + 1, .timeout = 1 },
		{ .number = 1, .need = FACT_TYPE, .size = 5, .timeout = 0 },
		{ .number = 1, .need = FACT_TYPE, .size = 5, .timeout = INSPECTOR_TIMEOUT_MAX + 1 },
		{ .number = 1, .need = FACT_TYPE, .size = 5, .timeout = 1, .reserved = 1 },
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not(read_question(&wrong[i], sizeof(wrong[i])), "%zu", i);
}

enum { TYPE = FACT_TYPE, SCAN = FACT_SCAN, BOTH = FACT_TYPE | FACT_SCAN };

static const struct {
	unsigned asked;
	struct finding finding;
	bool right;
	const char *what;
} answers[] = {
	{ TYPE, { .known = TYPE, .type = "text/plain" }, true, "a type" },
	{ TYPE, { .known = TYPE, .unscannable = UNSCANNABLE_SCANNER_DOWN, .detail = "libmagic: no" }, true, "no type, and why" },
	{ SCAN, { .known = SCAN }, true, "clean" },
	{ SCAN, { .known = SCAN, .virus = "Eicar" }, true, "a virus" },
	{ SCAN, { .known = SCAN, .virus = "Eicar", .unscannable = UNSCANNABLE_ENCRYPTED }, true, "a virus and a dark corner" },
	{ BOTH, { .known = BOTH, .type = "text/plain", .unscannable = UNSCANNABLE_TIMEOUT }, true, "a type and no verdict" },
	{ TYPE, { .known = TYPE }, false, "no type and no reason" },
	{ BOTH, { .known = BOTH }, false, "clean but no type and no reason" },
	{ TYPE, { .known = 0, .type = "text/plain" }, false, "nothing known" },
	{ BOTH, { .known = TYPE, .type = "text/plain" }, false, "half of what was asked" },
	{ TYPE, { .known = BOTH, .type = "text/plain" }, false, "more than was asked" },
	{ TYPE, { .known = SCAN }, false, "something else than was asked" },
	{ SCAN, { .known = SCAN | 4 }, false, "a fact that does not exist" },
	{ SCAN, { .known = SCAN, .unscannable = 1u << UNSCANNABLE_WORDS }, false, "a bit that does not exist" },
	{ SCAN, { .known = SCAN, .type = "text/plain" }, false, "a type that was not asked for" },
	{ TYPE, { .known = TYPE, .type = "text/plain", .virus = "Eicar" }, false, "a virus that was not asked for" },
	{ TYPE, { .known = TYPE, .type = "text/plain", .unscannable = UNSCANNABLE_TIMEOUT }, false, "a type and a reason why there is none" },
	{ TYPE, { .known = TYPE, .type = "text plain" }, false, "a blank in the type" },
	{ TYPE, { .known = TYPE, .type = "text/\x07" }, false, "a control byte in the type" },
	{ SCAN, { .known = SCAN, .virus = "\xc3\xa4" }, false, "beyond ASCII" },
	{ SCAN, { .known = SCAN, .detail = "a\nb" }, false, "a line end in the detail" },
	{ TYPE, { .known = TYPE, .type = "text/plain\0hidden" }, false, "bytes behind the end" },
};

Test(proto_inspector, answer)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct inspector_question asked = { .number = 7, .need = answers[i].asked };
		struct inspector_answer answer = { .number = 7, .finding = answers[i].finding };
		cr_assert_eq(read_answer(&answer, sizeof(answer), &asked), answers[i].right, "%s", answers[i].what);
		answer.number = 8;
		cr_assert_not(read_answer(&answer, sizeof(answer), &asked), "%s, to another question", answers[i].what);
		answer.number = 7;
		answer.reserved = 1;
		cr_assert_not(read_answer(&answer, sizeof(answer), &asked), "%s, reserved", answers[i].what);
	}
}

Test(proto_inspector, answer_length_and_ends)
{
	struct inspector_question asked = { .number = 7, .need = BOTH };
	union large m = { .answer = { .number = 7, .finding = { .known = BOTH, .type = "text/plain" } } };
	for (size_t n = 0; n <= sizeof(m); n++)
		cr_assert_eq(read_answer(&m, n, &asked), n == sizeof(m.answer), "%zu bytes", n);
	struct finding *finding = &m.answer.finding;
	struct {
		char *text;
		size_t n;
	} texts[] = { { finding->type, sizeof(finding->type) }, { finding->virus, sizeof(finding->virus) }, { finding->detail, sizeof(finding->detail) } };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(texts[i].text, 'x', texts[i].n);
		cr_assert_not(read_answer(&m, sizeof(m.answer), &asked), "text %zu without an end", i);
		texts[i].text[texts[i].n - 1] = '\0';
		cr_assert(read_answer(&m, sizeof(m.answer), &asked), "text %zu as long as can be", i);
	}
}
