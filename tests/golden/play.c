/*
 * A relay without descriptors: carries out the guard's steps with buffers, asks a script for the answers, and writes down what happened. Pieces of
 * one movement are written as one line, so that a playing reads the same however its bytes were cut.
 */
#include <stdio.h>
#include <stdlib.h>

#include "player.h"

void play_line(struct play *play, char *line)
{
	if (play->out->n == PLAY_LINES)
		play_die("more happens than a script can hold");
	play->out->at[play->out->n++] = line;
}

const char *play_side(enum side side)
{
	return side == CLIENT ? "client" : "child";
}

void play_settle(struct play *play)
{
	uint64_t n = play->move.count;
	if (n == 0)
		return;
	char *shown = n > PLAY_SHOWN || strcmp(play->move.verb, "pads") == 0 ? play_text("%s", "") : play_quote(span_of(play->move.shown, (size_t)n));
	const char *to = strcmp(play->move.verb, "holds") == 0 ? "" : play->move.to == CLIENT ? " to client" : " to child";
	char *where = play->sftp ? play_text(" of %u at %llu", play->move.slot, (unsigned long long)play->move.at) : play_text("%s", "");
	play_line(play, play_text("\t%s %llu%s%s%s%s", play->move.verb, (unsigned long long)n, where, to, shown[0] ? " " : "", shown));
	free(where);
	free(shown);
	play->move.count = 0;
}

void play_move(struct play *play, const char *verb, enum side to, struct span bytes, uint64_t n)
{
	if (play->move.count > 0 && (strcmp(play->move.verb, verb) != 0 || play->move.to != to))
		play_settle(play);
	play->move.verb = verb;
	play->move.to = to;
	for (uint64_t i = 0; i < bytes.n && play->move.count + i < PLAY_SHOWN; i++)
		play->move.shown[play->move.count + i] = bytes.p[i];
	play->move.count += n;
}

/* The script's answer to a question: of the next line with one, before the next input, that begins with the question's first word. */
static const char *play_answer(struct play *play, const char *question, const char *otherwise)
{
	size_t word = strcspn(question + 1, " ") + 1;
	for (size_t i = play->answer; i < play->body->n && play->body->at[i][0] == '\t'; i++) {
		const char *line = play->body->at[i], *answer = NULL;
		for (const char *next = line; (next = strstr(next, " = ")) != NULL; next += 3)
			answer = next + 3;
		if (answer == NULL || strncmp(line, question, word) != 0 || line[word] != ' ')
			continue;
		play->answer = i + 1;
		return answer;
	}
	return otherwise;
}

/* Writes down a question with its answer; frees the question. */
const char *play_ask(struct play *play, char *question, const char *otherwise)
{
	play_settle(play);
	const char *answer = play_answer(play, question, otherwise);
	play_line(play, play_text("%s = %s", question, answer));
	free(question);
	return answer;
}

uint64_t play_piece(struct play *play, uint64_t n)
{
	if (play->cut == PLAY_WHOLE || n <= 1)
		return n;
	if (play->cut == PLAY_BYTES)
		return n > 60000 ? 16381 : n > 4096 ? 1021 : 1;
	play->seed = play->seed * 1103515245u + 12345u;
	uint64_t most = n > 60000 ? 60000 : n > 4096 ? 5000 : 9;
	uint64_t piece = 1 + (play->seed >> 16) % most;
	return piece < n ? piece : n;
}

static bool play_room(const struct play *play, uint64_t n)
{
	return n <= play->scene->room && play->spooled <= play->scene->room - n;
}

static void play_keep(struct play *play, struct span bytes)
{
	if (play->spooled + bytes.n > play->capacity) {
		play->capacity = 2 * (play->spooled + bytes.n);
		play->spool = realloc(play->spool, play->capacity);
	}
	if (play->spool == NULL)
		abort();
	memcpy(play->spool + play->spooled, bytes.p, bytes.n);
	play->spooled += bytes.n;
}

static bool play_take(struct play *play, enum side lane, const struct step *step)
{
	struct span *left = &play->lane[lane].left;
	bool keep = step->kind == STEP_HOLD || step->keep;
	if (keep && !play_room(play, step->count)) {
		play_settle(play);
		play_line(play, play_text("\tfinds no room for %llu", (unsigned long long)step->count));
		guard_spool_failed(play->guard, "spool /s: No space left on device");
		return true;
	}
	if (left->n == 0)
		return false;
	uint64_t piece = play_piece(play, step->count);
	struct span bytes = span_take(left, piece < left->n ? (size_t)piece : left->n);
	if (keep)
		play_keep(play, bytes);
	play_move(play, step->kind == STEP_HOLD ? "holds" : step->keep ? "passes and keeps" : "passes", step->to, bytes, bytes.n);
	guard_moved(play->guard, bytes.n);
	return true;
}

static void play_release(struct play *play, const struct step *step)
{
	if (step->offset > play->spooled || step->count > play->spooled - step->offset)
		play_die("line %zu: release beyond the spool", play->at);
	uint64_t n = play_piece(play, step->count);
	play_move(play, "releases", step->to, span_of(play->spool + step->offset, (size_t)n), n);
	guard_moved(play->guard, n);
}

static void play_resolve(struct play *play, const struct step *step)
{
	static const char *const kinds[] = { [ENTRY_FILE] = "file", [ENTRY_DIRECTORY] = "directory" };
	char *name = play_quote(step->bytes);
	const char *answer = play_ask(play, play_text("\tresolves %s %s in %llu", kinds[step->entry], name, (unsigned long long)step->count),
		play->scene->setup.direction == DOWNLOAD ? kinds[step->entry] : "absent");
	free(name);
	if (step->count > GUARD_DEPTH_MAX)
		play_die("resolve at depth %llu", (unsigned long long)step->count);
	char *folder = play->path[step->count];
	char *path = play_text("%s%s%.*s", folder ? folder : "", folder ? "/" : "", (int)step->bytes.n, (const char *)step->bytes.p);
	struct place place = answer_place(answer, path, play->real, play->asked);
	free(play->path[step->count + 1]);
	play->path[step->count + 1] = path;
	guard_resolved(play->guard, &place);
}

static void play_question(struct play *play, const struct step *step)
{
	char *line;
	if (step->kind == STEP_ENTER)
		line = play_text("\tenters %llu", (unsigned long long)step->count);
	else
		line = play_text("\t%s", step->kind == STEP_PIN ? "pins" : "scrubs");
	const char *answer = play_ask(play, line, "yes");
	guard_confirmed(play->guard, strcmp(answer, "yes") == 0);
}

static void play_inspect(struct play *play, const struct step *step)
{
	if (step->count != play->spooled)
		play_die("inspect of %llu bytes, but the spool has %zu", (unsigned long long)step->count, play->spooled);
	bool type = step->need == FACT_TYPE;
	char *line = play_text("\tinspects %llu for %s", (unsigned long long)step->count, type ? "type" : "scan");
	struct finding found = answer_finding(play_ask(play, line, type ? "type text/plain" : "clean"), step->need);
	guard_found(play->guard, &found);
}

static void play_say(struct play *play, const struct step *step)
{
	char *quoted = play_quote(step->bytes);
	play_settle(play);
	play_line(play, play_text("\ttells %s %s", play_side(step->to), quoted));
	free(quoted);
}

static bool play_step(struct play *play, enum side lane, const struct step *step)
{
	if (play->sftp && step->kind != STEP_SHUT && step->kind != STEP_DONE)
		return sftp_play_step(play, lane, step);
	switch (step->kind) {
	case STEP_READ:
		if (play->lane[lane].left.n > 0)
			play_die("line %zu: more bytes are wanted, but some are left", play->at);
		return false;
	case STEP_WAIT:
		return false;
	case STEP_SEND:
		play_say(play, step);
		return true;
	case STEP_PASS:
	case STEP_HOLD:
		return play_take(play, lane, step);
	case STEP_RELEASE:
		play_release(play, step);
		return true;
	case STEP_PAD: {
		uint64_t n = play_piece(play, step->count);
		play_move(play, "pads", step->to, span_of(NULL, 0), n);
		guard_moved(play->guard, n);
		return true;
	}
	case STEP_DROP:
		play->spooled = 0;
		play_settle(play);
		play_line(play, play_text("\tdrops"));
		return true;
	case STEP_RESOLVE:
		play_resolve(play, step);
		return true;
	case STEP_ENTER:
	case STEP_PIN:
	case STEP_SCRUB:
		play_question(play, step);
		return true;
	case STEP_INSPECT:
		play_inspect(play, step);
		return true;
	case STEP_RECORD:
		guard_recorded(play->guard, strcmp(play_ask(play, show_record(step->record), "written"), "written") == 0);
		return true;
	case STEP_SHUT:
		play->shut = true;
		play->due_n = step->count ? 0 : play->due_n;
		play_settle(play);
		play_line(play, play_text(step->count ? "\tkills" : "\tshuts"));
		return true;
	case STEP_DONE:
		play_settle(play);
		play_line(play, play_text("\tdone %llu", (unsigned long long)step->count));
		play->done = true;
		return false;
	case STEP_LOOK:
	case STEP_TREE:
	case STEP_SIZE:
	case STEP_SETTLE:
	case STEP_STILL:
	case STEP_LOCK:
	case STEP_STANDS:
	case STEP_STEADY:
	case STEP_CLOSED:
		play_die("line %zu: a step of SFTP's", play->at);
	}
	return false;
}

/* As the relay does: each lane in turn, until neither has anything to do; once more, as a lane may hand over to the other without a step. */
static void play_run(struct play *play)
{
	unsigned steps = 0, parked = 0;
	for (enum side lane = CLIENT; parked < 2 * SIDES && !play->done; lane = lane == CLIENT ? CHILD : CLIENT) {
		bool moved = false;
		for (;;) {
			struct step step = guard_next(play->guard, lane, &play->lane[lane].left);
			if (++steps > PLAY_STEPS_MAX)
				play_die("line %zu: no end of steps", play->at);
			if (!play_step(play, lane, &step))
				break;
			moved = true;
		}
		parked = moved ? 1 : parked + 1;
	}
}

static void play_feed(struct play *play, enum side side, const uint8_t *bytes, size_t n)
{
	struct play_lane *lane = &play->lane[side];
	size_t left = lane->left.n;
	uint8_t *joined = malloc(left + n > 0 ? left + n : 1);
	if (joined == NULL)
		abort();
	if (left > 0)
		memcpy(joined, lane->left.p, left);
	memcpy(joined + left, bytes, n);
	free(lane->bytes);
	lane->bytes = joined;
	lane->left = span_of(joined, left + n);
}

void play_ends(struct play *play, enum side side)
{
	guard_ended(play->guard, side);
	play_run(play);
}

void play_say_bytes(struct play *play, enum side side, struct span bytes)
{
	struct span rest = bytes;
	if (play->sftp && side == CLIENT)
		sftp_play_heard(play, bytes);
	while (rest.n > 0) {
		bool middle = bytes.n > 4096 && rest.n < bytes.n - 200 && rest.n > 1500;
		size_t most = middle || play->cut == PLAY_WHOLE ? rest.n : rest.n < 400 ? rest.n : 400;
		size_t usual = rest.n > 20000 ? 16381 : 1021;
		struct span piece = span_take(&rest, middle && play->cut != PLAY_WHOLE ? usual : (size_t)play_piece(play, most));
		play_feed(play, side, piece.p, piece.n);
		play_run(play);
	}
}

static void play_says(struct play *play, enum side side, const char *text)
{
	size_t n;
	uint8_t *bytes = play_unquote(&text, &n);
	if (*text != '\0')
		play_die("something follows the quote: %s", text);
	play_say_bytes(play, side, span_of(bytes, n));
	free(bytes);
}

static void play_input(struct play *play, const char *line)
{
	if (strncmp(line, "client says ", 12) == 0) {
		play_says(play, CLIENT, line + 12);
	} else if (strncmp(line, "child says ", 11) == 0) {
		play_says(play, CHILD, line + 11);
	} else if (play->sftp && strncmp(line, "client: ", 8) == 0) {
		sftp_play_says(play, CLIENT, line + 8);
	} else if (play->sftp && strncmp(line, "child: ", 7) == 0) {
		sftp_play_says(play, CHILD, line + 7);
	} else if (strcmp(line, "client ends") == 0 || strcmp(line, "child ends") == 0) {
		play_ends(play, line[1] == 'l' ? CLIENT : CHILD);
	} else if (strcmp(line, "client is gone") == 0) {
		guard_client_left(play->guard);
		play_run(play);
	} else if (strcmp(line, "time is up") == 0) {
		guard_aborted(play->guard, REASON_TIMEOUT);
		play_run(play);
	} else {
		play_die("line not understood: %s", line);
	}
}

static struct play *play_begin(const struct scene *scene, const struct lines *body, enum play_cut cut, unsigned seed, struct lines *out)
{
	struct play *play = calloc(1, sizeof(*play));
	struct guard_setup setup = scene->setup;
	if (play == NULL)
		abort();
	*play = (struct play){ .scene = scene, .body = body, .out = out, .cut = cut, .seed = seed, .guard = malloc(sizeof(*play->guard)) };
	if (scene->sftp)
		setup.sftp = play->sftp = calloc(1, sizeof(*play->sftp));
	if (play->guard == NULL || (scene->sftp && play->sftp == NULL))
		abort();
	guard_init(play->guard, &setup);
	if (scene->operand != NULL)
		guard_defer(play->guard, span_str(scene->operand));
	if (scene->sftp)
		sftp_play_begin(play);
	return play;
}

static void play_end(struct play *play)
{
	for (size_t i = 0; i < sizeof(play->path) / sizeof(play->path[0]); i++)
		free(play->path[i]);
	sftp_play_end(play);
	free(play->lane[CLIENT].bytes);
	free(play->lane[CHILD].bytes);
	free(play->spool);
	free(play->guard);
	free(play);
}

void play(const struct scene *scene, const struct lines *body, enum play_cut cut, unsigned seed, struct lines *out)
{
	struct play *play = play_begin(scene, body, cut, seed, out);
	for (play->at = 0; play->at < body->n; play->at++) {
		const char *line = body->at[play->at];
		if (line[0] == '\t')
			continue;
		if (play->done) { /* what the script says after the end is missing in what happened */
			play_line(play, play_text("\t(after the end)"));
			break;
		}
		play_line(play, play_text("%s", line));
		play->answer = play->at + 1;
		play_input(play, line);
		play_settle(play);
		if (scene->answers)
			sftp_play_child(play);
	}
	play_end(play);
}
