/* The words for places, findings and records in a script. */
#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
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
	struct place place = { .outside = answer_has(answer, "outside"), .hopeless = answer_has(answer, "hopeless"), .login = answer_has(answer, "login"),
			       .above = answer_has(answer, "above"), .unwritable = answer_has(answer, "unwritable"), .mode = 0644 };
	static const char *const kinds[] = { "lost", "absent", "file", "directory", "other", "reserved" };
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
	const char *size = strstr(answer, " size "), *mode = strstr(answer, " mode ");
	if (size != NULL)
		place.size = strtoull(size + 6, NULL, 10);
	if (mode != NULL)
		place.mode = (unsigned)strtoul(mode + 6, NULL, 8);
	if (!answer_quoted(answer, " at ", real) && !path_join(real, PATH_BYTES_MAX, span_str("/srv"), span_str(path)))
		play_die("the path is too long: %s", path);
	place.real = span_str(real);
	if (!place.outside && strncmp(real, "/srv/", 5) == 0)
		place.path = span_str(real + 5);
	if (answer_quoted(answer, " asked ", asked))
		place.asked = span_str(asked);
	return place;
}

uint8_t *answer_content(const char *answer, struct span *content)
{
	const char *at = strstr(answer, " holds ");
	if (at == NULL)
		return NULL;
	at += strlen(" holds ");
	uint8_t *bytes = play_unquote(&at, &content->n);
	content->p = bytes;
	return bytes;
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
	static const char *const events[] = { [RECORD_FILE] = "file", [RECORD_DIRECTORY] = "directory", [RECORD_OPERATION] = "operation" };
	bool operation = record->event == RECORD_OPERATION;
	char *other = play_quote(record->other), *next;
	char *text = play_text("\trecords %s%s%s %s", events[record->event], operation ? " " : "", operation ? action_word(record->action) : "", outcome_word(record->outcome));
#define MORE(...) do { next = text; char *more = play_text(__VA_ARGS__); text = play_text("%s%s", next, more); free(next); free(more); } while (0)
	if (record->reason != REASON_NONE)
		MORE(" %s", reason_word(record->reason));
	if (record->rule != NULL)
		MORE(" %s", record->rule);
	MORE(" %s", path);
	if (record->other.n > 0)
		MORE(" and %s", other);
	MORE(" %04o size %llu bytes %llu %s", record->mode, (unsigned long long)record->size, (unsigned long long)record->bytes, record->ref);
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
	free(other);
	free(detail);
	return text;
}
