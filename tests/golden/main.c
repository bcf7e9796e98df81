/*
 * Plays the transcripts of a file against the guard, each whole, byte by byte and in random cuts, and compares what happens with what is written.
 *
 *   golden FILE           TAP: a line for each dialogue
 *   golden --write FILE   the file again with what happens now in place of what is written, answers kept: to be read line by line before it is believed
 */
#include <stdio.h>
#include <stdlib.h>

#include "play.h"

enum { MAIN_DIALOGUES = 512, MAIN_CUTS = 16 };

static char *main_read(const char *path)
{
	FILE *in = fopen(path, "r");
	size_t n = 0;
	char *text = malloc(1 << 20);
	if (in == NULL || text == NULL)
		play_die("%s cannot be read", path);
	n = fread(text, 1, (1 << 20) - 1, in);
	text[n] = '\0';
	fclose(in);
	if (n == (1 << 20) - 1)
		play_die("%s is too long", path);
	return text;
}

static void main_add(struct lines *lines, char *line)
{
	if (lines->n == PLAY_LINES)
		play_die("too many lines");
	lines->at[lines->n++] = line;
}

/* Cuts the text into dialogues in place: `== title`, lines with a star, the dialogue; `#` begins a remark, empty lines are nothing. */
static size_t main_split(char *text, struct dialogue *dialogues)
{
	size_t n = 0;
	for (char *line = text, *next; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (strncmp(line, "== ", 3) == 0) {
			if (n == MAIN_DIALOGUES)
				play_die("too many dialogues");
			dialogues[n++].title = line + 3;
		} else if (line[0] == '\0' || line[0] == '#') {
			continue;
		} else if (n == 0) {
			play_die("a line before the first title: %s", line);
		} else {
			main_add(line[0] == '*' ? &dialogues[n - 1].head : &dialogues[n - 1].body, line);
		}
	}
	return n;
}

static void main_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->at[i]);
	lines->n = 0;
}

static bool main_same(const struct lines *want, const struct lines *got, const char *how, unsigned seed)
{
	size_t most = want->n > got->n ? want->n : got->n;
	for (size_t i = 0; i < most; i++) {
		const char *w = i < want->n ? want->at[i] : "(the end)", *g = i < got->n ? got->at[i] : "(the end)";
		if (strcmp(w, g) == 0)
			continue;
		printf("# %s (%u), line %zu of the dialogue\n", how, seed, i + 1);
		for (size_t k = i > 4 ? i - 4 : 0; k < i; k++)
			printf("#          %s\n", want->at[k]);
		printf("# written  %s\n# happened %s\n", w, g);
		return false;
	}
	return true;
}

static bool main_ends(const struct lines *body)
{
	return body->n > 0 && strncmp(body->at[body->n - 1], "\tdone ", 6) == 0;
}

static bool main_check(const struct dialogue *dialogue, const struct scene *scene)
{
	static struct lines out;
	bool same = main_ends(&dialogue->body);
	if (!same)
		printf("# it does not come to an end\n");
	for (unsigned i = 0; same && i < (scene->timing ? 1 : MAIN_CUTS); i++) {
		enum play_cut cut = i == 0 ? PLAY_WHOLE : i == 1 ? PLAY_BYTES : PLAY_RANDOM;
		play(scene, &dialogue->body, cut, i, &out);
		same = main_same(&dialogue->body, &out, cut == PLAY_WHOLE ? "whole" : cut == PLAY_BYTES ? "byte by byte" : "random cuts", i);
		main_free(&out);
	}
	return same;
}

/* The file again: remarks, titles and setups as they are, the dialogues as they happen now. */
static void main_write(const char *path, const struct dialogue *dialogues, const struct scene *scenes)
{
	static struct lines out;
	char *text = main_read(path);
	size_t n = 0;
	bool written = false;
	for (char *line = text, *next; line != NULL && (next = strchr(line, '\n')) != NULL; line = next) {
		*next++ = '\0';
		if (strncmp(line, "== ", 3) == 0) {
			n++;
			written = false;
		}
		if (line[0] == '\0' || line[0] == '#' || line[0] == '*' || line[0] == '=') {
			puts(line);
		} else if (!written) {
			written = true;
			play(&scenes[n - 1], &dialogues[n - 1].body, PLAY_WHOLE, 0, &out);
			for (size_t i = 0; i < out.n; i++)
				puts(out.at[i]);
			main_free(&out);
		}
	}
	free(text);
}

int main(int argc, char **argv)
{
	static struct dialogue dialogues[MAIN_DIALOGUES];
	bool rewrite = argc == 3 && strcmp(argv[1], "--write") == 0;
	if (argc != 2 && !rewrite)
		play_die("golden [--write] FILE");
	char *text = main_read(argv[argc - 1]);
	size_t n = main_split(text, dialogues);
	struct scene *scenes = calloc(n + 1, sizeof(*scenes));
	if (scenes == NULL || n == 0)
		play_die("no dialogue in %s", argv[argc - 1]);
	for (size_t i = 0; i < n; i++)
		scene_read(&scenes[i], &dialogues[i].head);
	size_t failed = 0;
	if (rewrite)
		main_write(argv[argc - 1], dialogues, scenes);
	else
		printf("TAP version 13\n1..%zu\n", n);
	for (size_t i = 0; i < n && !rewrite; i++) {
		bool good = main_check(&dialogues[i], &scenes[i]);
		printf("%sok %zu - %s\n", good ? "" : "not ", i + 1, dialogues[i].title);
		failed += !good;
	}
	free(scenes);
	free(text);
	return failed > 0;
}
