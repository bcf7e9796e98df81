/* guard/message: the sentence is always clean, never longer than its room, and the reason and the ref are always in it. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/text.h"
#include "guard/message.h"
#include "proto/scp.h"

static const struct rule scripts = { .name = "scripts" };

static void says(const struct message_facts *facts, const char *want)
{
	char line[SCP_MESSAGE_MAX - 1];
	size_t n = message_refusal(line, sizeof(line), facts);
	cr_expect_str_eq(line, want);
	cr_expect_eq(n, strlen(line));
}

Test(message, sentences)
{
	says(&(struct message_facts){ .reason = REASON_RULE, .rule = &scripts, .name = span_str("shell.php"), .ref = "7f3a9c21-4" },
	     "xferwarden: shell.php: blocked by rule \"scripts\" (ref 7f3a9c21-4)");
	says(&(struct message_facts){ .reason = REASON_RULE, .rule = &scripts, .message = "no scripts here", .name = span_str("a"),
		.ref = "s-1" },
	     "xferwarden: a: no scripts here (ref s-1)");
	says(&(struct message_facts){ .reason = REASON_TIMEOUT }, "xferwarden: timed out, nothing moved for too long");
	says(&(struct message_facts){ .reason = REASON_TOO_DEEP, .name = span_str("d"), .ref = "" },
		"xferwarden: d: folders nested too deep");
	says(&(struct message_facts){ .reason = REASON_UNSCANNABLE, .unscannable = UNSCANNABLE_ENCRYPTED | UNSCANNABLE_TIMEOUT,
		.name = span_str("a.zip") },
	     "xferwarden: a.zip: content cannot be checked: encrypted, timeout");
	says(&(struct message_facts){ .reason = REASON_BAD_NAME, .name = span_str("a\33[2J\n\1b"), .ref = "s-1" },
	     "xferwarden: a?[2J??b: name with control characters refused (ref s-1)");
}

Test(message, every_reason_has_a_sentence)
{
	for (int i = 0; i < REASONS; i++) {
		const char *text = message_reason((enum reason)i);
		cr_assert(text != NULL && text[0] != '\0', "%d", i);
		for (int k = 0; k < i; k++)
			cr_expect_str_neq(text, message_reason((enum reason)k), "%d and %d", i, k);
	}
	cr_expect_str_eq(message_reason((enum reason)REASONS), message_reason(REASON_INTERNAL));
	cr_expect_str_eq(message_reason((enum reason)-1), message_reason(REASON_INTERNAL));
}

static void check_room(const struct message_facts *facts, size_t cap)
{
	char line[200];
	memset(line, 'Z', sizeof(line));
	size_t n = message_refusal(line, cap, facts);
	cr_expect(n < cap && line[n] == '\0' && strlen(line) == n, "cap %zu, n %zu", cap, n);
	for (size_t i = cap; i < sizeof(line); i++)
		cr_assert_eq(line[i], 'Z', "beyond cap %zu", cap);
	for (struct span rest = span_of(line, n); rest.n > 0;) {
		uint32_t code;
		size_t length = text_utf8(rest, &code);
		cr_assert(length > 0 && !text_is_control(code), "not clean at cap %zu: %s", cap, line);
		span_take(&rest, length);
	}
}

/* Names of any length, in bytes that are hard to cut, with every reason: what matters stays. */
Test(message, long_names)
{
	static const char *const units[] = { "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xff", "\n" };
	static char name[2000];
	for (size_t unit = 0; unit < sizeof(units) / sizeof(units[0]); unit++) {
		for (size_t n = 0; n < 260; n += n < 140 ? 1 : 37) {
			size_t at = 0;
			for (size_t i = 0; i < n; i++)
				at += (size_t)sprintf(name + at, "%s", units[unit]);
			for (int reason = 1; reason < REASONS; reason++) {
				struct message_facts facts = { .reason = (enum reason)reason, .rule = &scripts,
					.name = span_of(name, at), .ref = "7f3a9c21-4294967295" };
				char line[SCP_MESSAGE_MAX - 1];
				message_refusal(line, sizeof(line), &facts);
				cr_assert(strstr(line, "(ref 7f3a9c21-4294967295)") != NULL, "%s", line);
				cr_assert(strstr(line, reason == REASON_RULE ? "scripts" : message_reason(facts.reason)) != NULL,
					"%s", line);
				check_room(&facts, sizeof(line));
			}
		}
	}
}

Test(message, any_room)
{
	struct message_facts facts = { .reason = REASON_UNSCANNABLE, .unscannable = UNSCANNABLE_ALL,
		.name = span_str("a name of some length.zip"), .ref = "7f3a9c21-4" };
	for (size_t cap = 1; cap < 200; cap++)
		check_room(&facts, cap);
}

Test(message, long_words_of_the_administrator)
{
	static char words[400];
	memset(words, 'w', sizeof(words) - 1);
	struct message_facts facts = { .reason = REASON_RULE, .rule = &scripts, .message = words,
		.name = span_str("a name of some length.zip"), .ref = "7f3a9c21-4" };
	char line[SCP_MESSAGE_MAX - 1];
	message_refusal(line, sizeof(line), &facts);
	cr_expect(strstr(line, "(ref 7f3a9c21-4)") != NULL, "%s", line);
	cr_expect(strstr(line, "a name") != NULL, "%s", line);
	check_room(&facts, sizeof(line));
}
