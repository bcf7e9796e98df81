/* The words for places, findings and records in a script. */
#include <stdio.h>
#include <stdlib.h>

#include "play.h"

static bool answer_has(const char *answer, const char *word)
{
	size_t n = strlen(word);
	for (const char *at = answer; (at = strstr(at, word)) != NULL; at += n)
		if ((at == answer || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
			return true;
	return false;
}

/* The quoted text that follows a word, as a C string in to[PATH_BYTES_MAX]; false if the word is not there. */
static bool answer_quoted(const char *answer, const char *word, char *to)
{
	const char *at = strstr(answer, word);
	size_t n;
	if (at == NULL)
		return false;
	at += strlen(word);
	uint8_t *bytes = play_unquote(&at, &n);
	if (n >= 4096)
		play_die("too long: %s", answer);
	memcpy(to, bytes, n);
	to[n] = '\0';
	free(bytes);
	return true;
}

struct place answer_place(const char *answer, const char *path, char *real, char *asked)
{
	struct place place = { .outside = answer_has(answer, "outside"), .hopeless = answer_has(answer, "hopeless") };
	static const char *const kinds[] = { "lost", "absent", "file", "directory", "other" };
	bool found = false;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(answer, kinds[i], strlen(kinds[i])) == 0) {
			place.kind = (enum place_kind)i;
			found = true;
		}
	if (!found)
		play_die("no such place: %s", answer);
	if (place.kind == PLACE_LOST)
		return place;
	if (!answer_quoted(answer, " at ", real))
		sprintf(real, "/srv/%s", path);
	place.real = span_str(real);
	if (!place.outside && strncmp(real, "/srv/", 5) == 0)
		place.path = span_str(real + 5);
	if (answer_quoted(answer, " asked ", asked))
		place.asked = span_str(asked);
	return place;
}

struct finding answer_finding(const char *answer, unsigned need)
{
	struct finding found = { .known = answer_has(answer, "nothing") ? 0 : need };
	const char *type = strstr(answer, "type "), *virus = strstr(answer, "virus ");
	if (type != NULL)
		sscanf(type, "type %90s", found.type);
	if (virus != NULL)
		sscanf(virus, "virus %90s", found.virus);
	for (unsigned i = 0; i < UNSCANNABLE_WORDS; i++)
		if (answer_has(answer, unscannable_word(i)))
			found.unscannable |= 1u << i;
	if (type == NULL && virus == NULL && found.unscannable == 0 && found.known != 0 && !answer_has(answer, "clean"))
		play_die("no such finding: %s", answer);
	return found;
}

static const char *outcome_word(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_BLOCKED:
		return "blocked";
	case OUTCOME_ALLOWED:
		return "allowed";
	}
	return "?";
}

char *show_record(const struct record *record)
{
	char *path = play_quote(record->path), *detail = play_quote(record->detail);
	char *text = play_text("\trecords %s %s", record->event == RECORD_DIRECTORY ? "directory" : "file", outcome_word(record->outcome));
	char *next;
#define MORE(...) do { next = text; char *more = play_text(__VA_ARGS__); text = play_text("%s%s", next, more); free(next); free(more); } while (0)
	if (record->reason != REASON_NONE)
		MORE(" %s", reason_word(record->reason));
	if (record->rule != NULL)
		MORE(" %s", record->rule);
	MORE(" %s %04o size %llu bytes %llu %s", path, record->mode, (unsigned long long)record->size, (unsigned long long)record->bytes, record->ref);
	if (record->type.n > 0)
		MORE(" type %.*s", (int)record->type.n, (const char *)record->type.p);
	if (record->virus.n > 0)
		MORE(" virus %.*s", (int)record->virus.n, (const char *)record->virus.p);
	for (unsigned i = 0; i < UNSCANNABLE_WORDS; i++)
		if (record->unscannable & 1u << i)
			MORE(" %s", unscannable_word(i));
	for (size_t i = 0; i < record->watched_count; i++)
		MORE(" watched %s", record->watched[i]);
	if (record->detail.n > 0)
		MORE(" detail %s", detail);
#undef MORE
	free(path);
	free(detail);
	return text;
}
