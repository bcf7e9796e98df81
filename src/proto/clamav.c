/* Which of ClamAV's alerts are not viruses but confessions, and how they are spelled. */
#include "proto/clamav.h"

static const struct {
	const char *name;
	bool prefix;
	unsigned bit;
} clamav_confessions[] = {
	/* An exact name goes before the prefix that covers it. */
	{ "Heuristics.Limits.Exceeded.MaxRecursion", false, UNSCANNABLE_TOO_DEEP },
	{ "Heuristics.Limits.Exceeded.MaxFiles", false, UNSCANNABLE_TOO_DEEP },
	{ "Heuristics.Limits.Exceeded.MaxScanTime", false, UNSCANNABLE_TIMEOUT },
	{ "Heuristics.Limits.Exceeded", true, UNSCANNABLE_TOO_LARGE },
	{ "Heuristics.Encrypted.", true, UNSCANNABLE_ENCRYPTED },
};

enum { CONFESSIONS = sizeof(clamav_confessions) / sizeof(clamav_confessions[0]) };

void clamav_print(char *dst, size_t cap, struct span text)
{
	size_t at = 0;
	for (; at < text.n && at + 1 < cap; at++)
		dst[at] = text.p[at] >= 0x20 && text.p[at] < 0x7f ? (char)text.p[at] : '?';
	if (cap > 0)
		dst[at] = '\0';
}

static unsigned clamav_confession(struct span name)
{
	if (name.n == 0)
		return UNSCANNABLE_TOO_LARGE;
	for (unsigned i = 0; i < CONFESSIONS; i++) {
		struct span known = span_str(clamav_confessions[i].name);
		if (clamav_confessions[i].prefix ? span_starts(name, known) : span_equal(name, known))
			return clamav_confessions[i].bit;
	}
	return 0;
}

void clamav_alert(struct finding *out, struct span name)
{
	unsigned bit = clamav_confession(name);
	out->unscannable |= bit;
	if (bit == 0 && out->virus[0] == '\0')
		clamav_print(out->virus, sizeof(out->virus), name);
	else if (bit != 0 && name.n > 0 && out->detail[0] == '\0')
		clamav_print(out->detail, sizeof(out->detail), name);
}
