/* When a message between shim and inspector is exactly right, and that nothing less is taken. */
#include "proto/inspector.h"

_Static_assert(sizeof(struct finding) == 2 * sizeof(unsigned) + FINDING_TYPE_MAX + FINDING_VIRUS_MAX + FINDING_DETAIL_MAX, "no padding");
_Static_assert(sizeof(struct inspector_answer) == 2 * sizeof(uint32_t) + sizeof(struct finding), "no padding");
_Static_assert(sizeof(struct inspector_question) == 24, "no padding");

enum { FACTS_ALL = FACT_TYPE | FACT_SCAN };

static bool inspector_take(void *out, size_t size, struct span message)
{
	if (message.n != size)
		return false;
	memcpy(out, message.p, size);
	return true;
}

bool inspector_hello_read(struct inspector_hello *out, struct span message)
{
	return inspector_take(out, sizeof(*out), message) && out->version == INSPECTOR_VERSION &&
	       out->size_of_question == sizeof(struct inspector_question) && out->size_of_answer == sizeof(struct inspector_answer);
}

bool inspector_question_read(struct inspector_question *out, struct span message)
{
	return inspector_take(out, sizeof(*out), message) && out->number > 0 && out->reserved == 0 && out->need != 0 &&
	       (out->need & ~(unsigned)FACTS_ALL) == 0 && out->size <= INT64_MAX && out->timeout > 0 && out->timeout <= INSPECTOR_TIMEOUT_MAX;
}

/* Printable ASCII, then a NUL, then nothing but NULs: no bytes that a later reader could take for more. */
static bool inspector_text(const char *text, size_t size)
{
	size_t n = 0;
	while (n < size && text[n] >= 0x20 && text[n] <= 0x7e)
		n++;
	if (n == size)
		return false;
	for (size_t i = n; i < size; i++)
		if (text[i] != '\0')
			return false;
	return true;
}

static bool inspector_finding(const struct finding *finding, unsigned asked)
{
	if (finding->known != asked || (finding->unscannable & ~(unsigned)UNSCANNABLE_ALL) != 0)
		return false;
	if (!inspector_text(finding->type, sizeof(finding->type)) || !inspector_text(finding->virus, sizeof(finding->virus)) ||
	    !inspector_text(finding->detail, sizeof(finding->detail)))
		return false;
	bool has_type = finding->type[0] != '\0';
	if (has_type && (!(asked & FACT_TYPE) || strchr(finding->type, ' ') != NULL))
		return false;
	if (!has_type && (asked & FACT_TYPE) && finding->unscannable == 0)
		return false;
	if (!(asked & FACT_SCAN))
		return finding->virus[0] == '\0' && (!has_type || finding->unscannable == 0);
	return true;
}

bool inspector_answer_read(struct inspector_answer *out, struct span message, const struct inspector_question *asked)
{
	return inspector_take(out, sizeof(*out), message) && out->number == asked->number && out->reserved == 0 &&
	       inspector_finding(&out->finding, asked->need);
}
