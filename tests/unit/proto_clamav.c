/* proto/clamav: every alert by which ClamAV says that it did not look, and names that only resemble them. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/clamav.h"

static const struct {
	const char *name;
	unsigned unscannable;
	const char *virus;
} cases[] = {
	{ "Heuristics.Limits.Exceeded.MaxFileSize", UNSCANNABLE_TOO_LARGE, "" },
	{ "Heuristics.Limits.Exceeded.MaxScanSize", UNSCANNABLE_TOO_LARGE, "" },
	{ "Heuristics.Limits.Exceeded.MaxRecursion", UNSCANNABLE_TOO_DEEP, "" },
	{ "Heuristics.Limits.Exceeded.MaxFiles", UNSCANNABLE_TOO_DEEP, "" },
	{ "Heuristics.Limits.Exceeded.MaxScanTime", UNSCANNABLE_TIMEOUT, "" },
	{ "Heuristics.Limits.Exceeded.SomethingNew", UNSCANNABLE_TOO_LARGE, "" },
	{ "Heuristics.Limits.Exceeded", UNSCANNABLE_TOO_LARGE, "" },
	{ "", UNSCANNABLE_TOO_LARGE, "" },
	{ "Heuristics.Encrypted.Zip", UNSCANNABLE_ENCRYPTED, "" },
	{ "Heuristics.Encrypted.7Zip", UNSCANNABLE_ENCRYPTED, "" },
	{ "Heuristics.Encrypted.PDF", UNSCANNABLE_ENCRYPTED, "" },
	{ "Heuristics.Encrypted.Doc", UNSCANNABLE_ENCRYPTED, "" },
	{ "Heuristics.Broken.Executable", 0, "Heuristics.Broken.Executable" },
	{ "Heuristics.Phishing.Email.SpoofedDomain", 0, "Heuristics.Phishing.Email.SpoofedDomain" },
	{ "heuristics.encrypted.zip", 0, "heuristics.encrypted.zip" },
	{ "Win.Test.EICAR_HDB-1", 0, "Win.Test.EICAR_HDB-1" },
	{ "Bad\x01\xffName", 0, "Bad??Name" },
};

Test(proto_clamav, alerts)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct finding finding = { 0 };
		size_t n = strlen(cases[i].name);
		uint8_t *exact = malloc(n > 0 ? n : 1);
		cr_assert(exact);
		memcpy(exact, cases[i].name, n);
		clamav_alert(&finding, span_of(exact, n));
		free(exact);
		cr_assert_eq(finding.unscannable, cases[i].unscannable, "%s: %u", cases[i].name, finding.unscannable);
		cr_assert_str_eq(finding.virus, cases[i].virus);
		cr_assert(finding.unscannable == 0 || n == 0 || strcmp(finding.detail, cases[i].name) == 0, "the log says which limit");
	}
}

Test(proto_clamav, both_are_kept_and_the_first_virus_stays)
{
	struct finding finding = { 0 };
	clamav_alert(&finding, span_str("Heuristics.Encrypted.Zip"));
	clamav_alert(&finding, span_str("First"));
	clamav_alert(&finding, span_str("Second"));
	clamav_alert(&finding, span_str("Heuristics.Limits.Exceeded.MaxFiles"));
	cr_assert_str_eq(finding.virus, "First");
	cr_assert_eq(finding.unscannable, UNSCANNABLE_ENCRYPTED | UNSCANNABLE_TOO_DEEP);
}

Test(proto_clamav, long_names_are_cut)
{
	char name[3 * FINDING_VIRUS_MAX];
	struct finding finding = { 0 };
	memset(name, 'v', sizeof(name));
	clamav_alert(&finding, span_of(name, sizeof(name)));
	cr_assert_eq(strlen(finding.virus), FINDING_VIRUS_MAX - 1);
	char small[4] = "xxx";
	clamav_print(small, 1, span_str("abc"));
	cr_assert_str_eq(small, "");
	clamav_print(small, sizeof(small), span_str("a\nbc"));
	cr_assert_str_eq(small, "a?b");
}
