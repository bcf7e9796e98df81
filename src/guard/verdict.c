/* Where something stands, and under which names it is judged. */
#include "guard/verdict.h"

#include <stdio.h>

#include "base/path.h"
#include "base/text.h"
#include "guard/login.h"

static bool verdict_name_is_safe(struct span name)
{
	while (name.n > 0) {
		uint32_t code = 0;
		size_t n = text_utf8(name, &code);
		if (n > 0 && (code < 0x20 || (code >= 0x7f && code <= 0x9f)))
			return false;
		span_take(&name, n > 0 ? n : 1);
	}
	return true;
}

enum reason verdict_place(const struct guard *guard, const struct place *place, struct span name, bool writes)
{
	if (!verdict_name_is_safe(name))
		return REASON_BAD_NAME;
	if (place->kind == PLACE_LOST)
		return REASON_INTERNAL;
	if (place->outside)
		return REASON_OUTSIDE_ROOT;
	if (place->kind == PLACE_RESERVED || span_starts(path_name(place->real), span_str(".xferwarden-"))) /* what waits for its verdict, here or in another session */
		return REASON_RESERVED;
	if (place->kind == PLACE_OTHER)
		return REASON_NOT_A_FILE;
	if (writes && (place->login || login_file(place->real, guard->setup.home, &guard->setup.policy->login_files)))
		return REASON_LOGIN_FILE;
	return REASON_NONE;
}

/* In the order in which they can be had. */
static bool verdict_cheaper(unsigned a, unsigned b)
{
	static const unsigned order[] = { FACT_TYPE, FACT_SIZE, FACT_SCAN };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && b != order[i]; i++)
		if (a == order[i])
			return true;
	return false;
}

struct verdict verdict_entry(const struct guard *guard, const struct facts *given, struct span asked_path)
{
	struct facts facts = *given;
	struct verdict real = policy_judge(guard->setup.policy, &facts);
	if (asked_path.n == 0 || real.decision == DENY)
		return real;
	facts.path = asked_path;
	facts.name = path_name(asked_path);
	struct verdict asked = policy_judge(guard->setup.policy, &facts);
	if (asked.decision == ALLOW && real.decision == ALLOW)
		for (size_t i = 0; i < sizeof(real.watched) / sizeof(real.watched[0]); i++)
			real.watched[i] |= asked.watched[i];
	if (asked.decision == DENY || real.decision == ALLOW)
		return asked.decision == ALLOW ? real : asked;
	if (asked.decision == NEED && verdict_cheaper(asked.need, real.need))
		real.need = asked.need;
	return real;
}

static void verdict_note(void *missing, const struct rule *rule, struct rule_match match)
{
	(void)rule;
	*(unsigned *)missing |= match.need;
}

unsigned verdict_missing(const struct guard *guard, const struct facts *given, struct span asked)
{
	unsigned missing = 0;
	struct facts facts = *given;
	(void)policy_explain(guard->setup.policy, &facts, verdict_note, &missing);
	if (asked.n == 0)
		return missing;
	facts.path = asked;
	facts.name = path_name(asked);
	(void)policy_explain(guard->setup.policy, &facts, verdict_note, &missing);
	return missing;
}

/* In the unit that an administrator would write it in. */
void verdict_too_large(const struct guard *guard, struct finding *finding)
{
	static const char units[] = "KMGT";
	uint64_t limit = guard->setup.hold_limit;
	size_t unit = 0;
	while (unit < sizeof(units) - 1 && limit >= 1024 && limit % 1024 == 0) {
		limit /= 1024;
		unit++;
	}
	char letter[2] = { unit > 0 ? units[unit - 1] : '\0' };
	finding->known |= FACT_SCAN;
	finding->unscannable |= UNSCANNABLE_TOO_LARGE;
	(void)snprintf(finding->detail, sizeof(finding->detail), "larger than the spool's limit of %llu%s", (unsigned long long)limit, unit > 0 ? letter : " bytes");
}

void verdict_learn(struct finding *known, const struct finding *found, unsigned need)
{
	unsigned fresh = found->known & ~known->known;
	if (fresh & FACT_TYPE)
		memcpy(known->type, found->type, sizeof(known->type));
	if (fresh & FACT_SCAN)
		memcpy(known->virus, found->virus, sizeof(known->virus));
	if (found->detail[0] != '\0')
		memcpy(known->detail, found->detail, sizeof(known->detail));
	known->unscannable |= found->unscannable;
	known->known |= fresh;
	if (need & ~known->known) { /* no answer to what was asked */
		known->unscannable |= UNSCANNABLE_SCANNER_DOWN;
		known->known |= need;
	}
}
