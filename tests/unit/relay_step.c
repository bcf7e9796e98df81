/*
 * relay/step: every step of the SFTP kind, carried out for a guard that follows a script: this file defines the guard's functions itself, so the real one is not linked. What
 * the relay answers is compared with the script.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/relay.h"
#include "sys/fd.h"

enum { KIB = 1 << 10, LARGE = 3 << 20 };

enum expected {
	NOTHING,    /* the step has no answer */
	MOVED,      /* all of it moved */
	FULL,       /* the spool said no, and `text` is in why */
	YES, NO,    /* guard_confirmed */
	KIND,       /* guard_resolved of the path in text, if there is one: place.kind is number */
	FOUND,      /* guard_found: `text` is in virus or detail, or both are empty; number: the scanner is down */
	MET,        /* guard_met number times, then yes */
	WRITTEN,    /* guard_recorded */
};

struct act {
	struct step step;
	enum side lane;
	enum expected expected;
	uint64_t number;
	const char *text;
	void (*before)(void); /* what happens meanwhile */
};

static struct relay relay;
static struct guard guard;
static struct places places;
static struct spool_store store;
static struct audit audit;
static struct sftp *const sftp = (struct sftp *)&guard; /* not NULL: that is all the relay asks */
static const struct identity who = { .user = "tester", .home = "/" };
static const struct record_session session = { .id = "00c0ffee", .who = &who, .protocol = PROTOCOL_SFTP };

static char folder[64], root[96], log_path[96];
static uint8_t *content; /* what the client sends, the child sends, and files hold */

static const struct act *acts;
static size_t act, act_count;
static uint64_t done, met;
static bool asked;

/* --- the guard --- */

static bool is_moving(const struct act *a)
{
	return a->step.kind == STEP_HOLD || a->step.kind == STEP_PASS || a->step.kind == STEP_RELEASE;
}

static void act_over(enum expected what)
{
	cr_expect_eq(what, acts[act].expected, "act %zu: %d, not %d", act, what, acts[act].expected);
	act++;
	done = 0;
	asked = false;
}

/* As the real one: the child gets all that was for it, and is heard to its end. */
static struct step the_end(struct guard *g, enum side lane, struct span *in)
{
	cr_expect_eq(asked, false);
	if (!g->winding_up) {
		g->winding_up = true;
		return (struct step){ .kind = STEP_SHUT };
	}
	if (lane == CLIENT)
		return (struct step){ .kind = STEP_WAIT };
	span_take(in, in->n);
	bool taken = relay.lane[CHILD].out_n == 0; /* who listens here is not who speaks, and may be slower */
	return (struct step){ .kind = g->ended[CHILD] && taken ? STEP_DONE : STEP_READ };
}

struct step guard_next(struct guard *g, enum side lane, struct span *in)
{
	while (act < act_count && asked && acts[act].expected == NOTHING)
		act_over(NOTHING);
	if (act == act_count)
		return the_end(g, lane, in);
	bool waits = asked && acts[act].expected == FOUND; /* the only answer that may come later */
	if (waits || lane != acts[act].lane)
		return (struct step){ .kind = STEP_WAIT };
	struct step step = acts[act].step;
	if (step.kind == STEP_LOOK && acts[act].text != NULL)
		step.bytes = span_str(acts[act].text);
	if (!asked && acts[act].before != NULL)
		acts[act].before();
	cr_assert(!asked || is_moving(&acts[act]), "act %zu was not answered", act);
	asked = true;
	if (is_moving(&acts[act])) {
		step.offset += done;
		step.count -= done;
	}
	return step;
}

void guard_moved(struct guard *g, uint64_t n)
{
	(void)g;
	done += n;
	cr_assert(n > 0 && done <= acts[act].step.count);
	if (done == acts[act].step.count && acts[act].expected == MOVED)
		act_over(MOVED);
}

void guard_spool_failed(struct guard *g, const char *detail)
{
	(void)g;
	cr_expect(acts[act].text && strstr(detail, acts[act].text) != NULL, "act %zu: %s", act, detail);
	act_over(FULL);
}

void guard_confirmed(struct guard *g, bool yes)
{
	(void)g;
	if (acts[act].expected == MET)
		cr_expect(yes && met == acts[act].number, "act %zu: %ju", act, (uintmax_t)met);
	act_over(acts[act].expected == MET ? MET : yes ? YES : NO);
}

void guard_resolved(struct guard *g, const struct place *place)
{
	(void)g;
	cr_expect_eq((uint64_t)place->kind, acts[act].number, "act %zu: kind %d", act, place->kind);
	act_over(KIND);
}

bool guard_met(struct guard *g, struct span below, const struct place *place)
{
	(void)g;
	cr_expect(below.n > 0 && place->kind != PLACE_LOST);
	return ++met <= 100;
}

void guard_found(struct guard *g, const struct finding *found)
{
	(void)g;
	const char *text = acts[act].text;
	bool nothing = found->virus[0] == '\0' && found->detail[0] == '\0';
	cr_expect(text[0] ? strstr(found->virus, text) || strstr(found->detail, text) : nothing, "act %zu: %s, %s", act, found->virus, found->detail);
	cr_expect_eq((found->unscannable & UNSCANNABLE_SCANNER_DOWN) != 0, acts[act].number, "act %zu", act);
	cr_expect_eq(found->known, acts[act].step.need);
	act_over(FOUND);
}

void guard_recorded(struct guard *g, bool written)
{
	(void)g;
	cr_expect(written);
	act_over(WRITTEN);
}

void guard_ended(struct guard *g, enum side lane)
{
	g->ended[lane] = true;
}

void guard_client_left(struct guard *g)
{
	g->gone = true;
}

void guard_aborted(struct guard *g, enum reason reason)
{
	(void)g;
	cr_assert(false, "aborted at act %zu: %s", act, reason_word(reason));
}

/* --- the world --- */

static const char *at(const char *name)
{
	static char text[4][160];
	static unsigned turn;
	char *here = text[turn++ % 4];
	snprintf(here, sizeof(text[0]), "%s/%s", root, name);
	return here;
}

static void make(const char *name, const void *bytes, size_t n)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert(fd >= 0 && fd_write_all(fd, bytes, n) == 0);
	close(fd);
}

static void set_up(void)
{
	uint32_t state = 11;
	signal(SIGPIPE, SIG_IGN);
	strcpy(folder, "/tmp/step-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(root, sizeof(root), "%s/root", folder);
	snprintf(log_path, sizeof(log_path), "%s/audit", folder);
	cr_assert_eq(mkdir(root, 0755), 0);
	content = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++) {
		state = state * 1664525 + 1013904223;
		content[i] = (uint8_t)(state >> 24) | 1; /* no NULs */
	}
}

static void tear_down(void)
{
	char command[96];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
	free(content);
}

TestSuite(relay_step, .init = set_up, .fini = tear_down, .timeout = 60);

/* A process that sends the content from offset on, as long as somebody takes it. */
static int sender(pid_t *pid, size_t offset)
{
	int ends[2];
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	*pid = fork();
	if (*pid == 0) {
		close(ends[0]);
		_exit(fd_write_all(ends[1], content + offset, LARGE - offset) < 0 ? 0 : 0);
	}
	close(ends[1]);
	return ends[0];
}

static int receiver(pid_t *pid, const char *name)
{
	static uint8_t bytes[64 * KIB];
	int ends[2];
	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	*pid = fork();
	if (*pid == 0) {
		int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		close(ends[1]);
		for (ssize_t n; (n = read(ends[0], bytes, sizeof(bytes))) > 0;)
			if (fd_write_all(fd, bytes, (size_t)n) < 0)
				_exit(1);
		_exit(0);
	}
	close(ends[0]);
	return ends[1];
}

static struct {
	uint64_t memory, limit;
	bool no_hash;
} setting;

/* Plays the script to its end. What went to either side is in the files to-client and to-child. */
static void play(const struct act *script, size_t count)
{
	const struct scan_setup scan_setup = { .inspector = STANDIN, .database = folder, .timeout = 10, .scratch = folder };
	pid_t pids[4];
	const char *what;
	char name[128];
	acts = script;
	act_count = count;
	act = done = met = 0;
	asked = false;
	(void)unlink(log_path);
	relay_init(&relay);
	relay.lane[CLIENT].in = sender(&pids[0], 0);
	relay.lane[CHILD].in = sender(&pids[1], LARGE / 2);
	snprintf(name, sizeof(name), "%s/to-client", folder);
	relay.lane[CLIENT].out = receiver(&pids[2], name);
	snprintf(name, sizeof(name), "%s/to-child", folder);
	relay.lane[CHILD].out = receiver(&pids[3], name);
	memset(&places, 0, sizeof(places));
	cr_assert_eq(places_open(&places, root, NULL, &what), 0);
	memset(&guard, 0, sizeof(guard));
	guard.setup.sftp = sftp;
	spool_store_init(&store, setting.memory ? setting.memory : 256 * KIB, setting.limit ? setting.limit : 16384 * KIB, folder);
	audit_init(&audit, &session);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_FILE, log_path), 0);
	relay.guard = &guard;
	relay.places = &places;
	relay.store = &store;
	relay.audit = &audit;
	relay.sha256 = !setting.no_hash;
	relay.scan = scan_create(&scan_setup);
	cr_expect_eq(relay_run(&relay), 0);
	cr_expect_eq(act, count, "it ended at act %zu of %zu", act, count);
	scan_destroy(relay.scan);
	audit_finish(&audit);
	places_finish(&places);
	cr_expect(store.in_memory == 0 && store.in_folder == 0);
	spool_store_finish(&store);
	fd_close(&relay.lane[CLIENT].in);
	fd_close(&relay.lane[CLIENT].out);
	for (int i = 0; i < 4; i++)
		(void)waitpid(pids[i], NULL, 0);
}

#define PLAY(script) play(script, sizeof(script) / sizeof((script)[0]))

static void expect_received(const char *name, const void *bytes, size_t n)
{
	char path[128];
	uint8_t *got = malloc(n + 1);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_expect_eq(fd_read_all(fd, got, n), 0, "%s: less than %zu bytes", name, n);
	cr_expect_eq(read(fd, got + n, 1), 0, "%s: more than %zu bytes", name, n);
	cr_expect(n == 0 || memcmp(got, bytes, n) == 0, "%s differs", name);
	close(fd);
	free(got);
}

static const char *audited(void)
{
	static char text[65536];
	int fd = open(log_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	fd_close(&fd);
	return text;
}

static void expect_hash(const void *bytes, size_t n, bool there, const char *when)
{
	char text[2 * DIGEST_BYTES + 1];
	struct digest digest;
	uint8_t sum[DIGEST_BYTES];
	digest_init(&digest);
	digest_update(&digest, span_of(bytes, n));
	digest_finish(&digest, sum);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	cr_expect_eq(strstr(audited(), text) != NULL, there, "%s: %s", when, audited());
	if (!there)
		cr_expect(strstr(audited(), "sha256") == NULL, "%s: another hash: %s", when, audited());
}

/* --- scripts --- */

#define LOOK(n, name, kind_) { .step = { .kind = STEP_LOOK, .slot = n, .follow = true }, .text = name, .expected = KIND, .number = kind_ }
#define MOVE(kind_, from, to_, n, at_, size) { .step = { .kind = kind_, .to = to_, .slot = n, .offset = at_, .count = size }, .lane = from, .expected = MOVED }
#define HOLD(n, at_, size) MOVE(STEP_HOLD, CLIENT, CHILD, n, at_, size)
#define PASS(n, at_, size) MOVE(STEP_PASS, CLIENT, CHILD, n, at_, size)
#define READ(n, at_, size) MOVE(STEP_PASS, CHILD, CLIENT, n, at_, size)
#define RELEASE(n, at_, size) MOVE(STEP_RELEASE, CLIENT, CHILD, n, at_, size)
#define RECORD(n, record_) { .step = { .kind = STEP_RECORD, .slot = n, .record = record_ }, .expected = WRITTEN }
#define DO(kind_, n, count_, answer) { .step = { .kind = kind_, .slot = n, .count = count_ }, .expected = answer }

static struct record uploaded(const char *name, uint64_t size)
{
	return (struct record){ .event = RECORD_FILE, .outcome = OUTCOME_ALLOWED, .direction = UPLOAD, .path = span_str(name), .name = span_str("f"), .has_announced = true,
				.size = size };
}

/* Content in any order, on top of an old file, out to the child: with hash and without, in each place that a spool has. */
Test(relay_step, held_content_is_the_file_as_it_will_be)
{
	static const uint64_t sizes[] = { 10000, 150000, 900000 };
	for (size_t i = 0; i < 6; i++) {
		uint64_t n = sizes[i % 3], half = n / 2;
		make("f", content + 1000, n);
		struct record record = uploaded(at("f"), n + 100);
		struct act script[] = {
			LOOK(5, "f", PLACE_FILE),
			HOLD(5, half, 1000),
			HOLD(5, 10, 5000),
			DO(STEP_SIZE, 5, n - 50, NOTHING),
			DO(STEP_SIZE, 5, n + 100, NOTHING),
			DO(STEP_SETTLE, 5, UINT64_MAX, YES),
			RELEASE(5, 0, n + 100),
			RECORD(5, &record),
			DO(STEP_DROP, 5, 0, NOTHING),
		};
		uint8_t *wanted = calloc(1, n + 100);
		memcpy(wanted, content + 1000, n - 50);
		memcpy(wanted + half, content, 1000);
		memcpy(wanted + 10, content + 1000, 5000);
		setting.no_hash = i >= 3;
		PLAY(script);
		expect_received("to-child", wanted, n + 100);
		expect_hash(wanted, n + 100, i < 3, "held");
		free(wanted);
	}
}

/* Large pieces, which are read or spliced past the lane's buffer. */
Test(relay_step, large_pieces_take_every_way)
{
	for (int hash = 0; hash < 2; hash++) {
		struct record record = uploaded(at("new"), 2000000);
		struct act script[] = {
			LOOK(0, "new", PLACE_ABSENT), LOOK(77, "f2", PLACE_ABSENT),
			HOLD(0, 0, 70000), HOLD(0, 70000, 200000), HOLD(0, 270000, 1730000),
			PASS(77, 0, 100000), PASS(77, 100000, 400000),
			RELEASE(0, 0, 2000000),
			RECORD(0, &record),
		};
		setting.no_hash = !hash;
		uint8_t *wanted = malloc(2500000);
		memcpy(wanted, content + 2000000, 500000);
		memcpy(wanted + 500000, content, 2000000);
		PLAY(script);
		expect_received("to-child", wanted, 2500000);
		expect_hash(content, 2000000, hash, "large");
		free(wanted);
	}
}

enum { STORED = LARGE / 4 }; /* bytes of the file on disk, which begin at content + 7 */

struct hash_row {
	const char *name;
	struct {
		enum step_kind kind; /* READ: no more */
		uint64_t offset, count;
	} moves[6];
	uint64_t size;               /* of the record */
	bool there;                  /* a hash: of what moved, or, */
	bool stored;                 /* of the file on disk */
	bool download, anew, blocked;
};

static const struct hash_row hash_rows[] = {
	{ "held in order", { { STEP_HOLD, 0, 1000 }, { STEP_HOLD, 1000, 500 } }, .size = 1500, .there = true },
	{ "passed in order", { { STEP_PASS, 0, 1000 }, { STEP_PASS, 1000, 90000 } }, .size = 91000, .there = true },
	{ "held, then passed", { { STEP_HOLD, 0, 1000 }, { STEP_PASS, 1000, 500 } }, .size = 1500, .there = true },
	{ "in order and blocked", { { STEP_HOLD, 0, 1500 } }, .size = 1500, .there = true, .blocked = true },
	{ "the size is set that it has", { { STEP_HOLD, 0, 1500 }, { STEP_SIZE, 0, 1500 } }, .size = 1500, .there = true },
	{ "held out of order", { { STEP_SIZE, 0, 0 }, { STEP_HOLD, 1000, 500 }, { STEP_HOLD, 0, 1000 } }, .size = 1500, .there = true },
	{ "held out of order, and large", { { STEP_SIZE, 0, 0 }, { STEP_HOLD, 1000, 300000 }, { STEP_HOLD, 0, 1000 } }, .size = 301000, .there = true },
	{ "held out of order and blocked", { { STEP_SIZE, 0, 0 }, { STEP_HOLD, 10, 90 }, { STEP_HOLD, 0, 10 } }, .size = 100, .there = true, .blocked = true },
	{ "held twice, cut and filled", { { STEP_HOLD, 0, 1500 }, { STEP_HOLD, 5, 10 }, { STEP_SIZE, 0, 9 }, { STEP_SIZE, 0, 20 }, { STEP_SETTLE, 0, 20 } }, .size = 20,
	  .there = true },
	{ "passed out of order", { { STEP_PASS, 1000, 500 }, { STEP_PASS, 0, 1000 } }, .size = STORED, .there = true, .stored = true },
	{ "passed twice", { { STEP_PASS, 0, 1500 }, { STEP_PASS, 0, 10 } }, .size = STORED, .there = true, .stored = true },
	{ "passed, and cut", { { STEP_PASS, 0, STORED }, { STEP_SIZE, 0, 10 } }, .size = STORED, .there = true, .stored = true },
	{ "only some of it was written", { { STEP_PASS, 0, 1500 } }, .size = STORED, .there = true, .stored = true },
	{ "held, then passed over", { { STEP_SIZE, 0, 0 }, { STEP_HOLD, 0, STORED }, { STEP_PASS, 0, 10 } }, .size = STORED, .there = true, .stored = true },
	{ "what moved does not count", { { STEP_PASS, 0, STORED } }, .size = STORED, .there = true, .stored = true, .anew = true },
	{ "the stored one is larger", { { STEP_PASS, 10, 1500 } }, .size = 1510 },
	{ "the stored one is smaller", { { STEP_PASS, 10, 1500 } }, .size = STORED + 1 },
	{ "blocked, and not all of it came", { { STEP_HOLD, 10, 1500 } }, .size = STORED, .blocked = true },
	{ "read in order", { { STEP_PASS, 0, 1000 }, { STEP_PASS, 1000, 500 } }, .size = 1500, .there = true, .download = true },
	{ "read again", { { STEP_PASS, 0, 1000 }, { STEP_PASS, 0, 1000 }, { STEP_PASS, 500, 700 }, { STEP_PASS, 1000, 500 } }, .size = 1500, .there = true, .download = true },
	{ "read with a gap", { { STEP_PASS, 0, 500 }, { STEP_PASS, 600, 900 } }, .size = 1500, .download = true },
	{ "read from behind", { { STEP_PASS, 1000, 500 }, { STEP_PASS, 0, 1000 } }, .size = 1500, .download = true },
	{ "not read to the end", { { STEP_PASS, 0, 1000 } }, .size = 1500, .download = true },
	{ "read, all of it by chance", { { STEP_PASS, 10, STORED - 10 }, { STEP_PASS, 0, 10 } }, .size = STORED, .download = true },
};

/* What the file is after the row's moves: written over and over, or read for the first time. */
static size_t hash_row_moves(const struct hash_row *row, uint8_t *file, struct act *script)
{
	size_t n = 0, stream = row->download ? LARGE / 2 : 0, seen = 0;
	memset(file, 0, LARGE);
	for (size_t i = 0; i < 6 && row->moves[i].kind != STEP_READ; i++, n++) {
		uint64_t offset = row->moves[i].offset, count = row->moves[i].count;
		script[n] = (struct act){ .step = { .kind = row->moves[i].kind, .to = row->download ? CLIENT : CHILD, .slot = 9, .offset = offset, .count = count },
					  .lane = row->download ? CHILD : CLIENT, .expected = MOVED };
		if (row->moves[i].kind == STEP_SIZE || row->moves[i].kind == STEP_SETTLE) {
			script[n].expected = row->moves[i].kind == STEP_SIZE ? NOTHING : YES;
			memset(file + count, 0, LARGE - count);
			continue;
		}
		for (uint64_t k = 0; k < count; k++)
			if (!row->download || offset + k >= seen)
				file[offset + k] = content[stream + k];
		stream += count;
		seen = offset + count > seen ? offset + count : seen;
	}
	return n;
}

Test(relay_step, the_hash_is_the_files_or_there_is_none)
{
	uint8_t *file = malloc(LARGE);
	for (size_t i = 0; i < sizeof(hash_rows) / sizeof(hash_rows[0]); i++) {
		const struct hash_row *row = &hash_rows[i];
		struct act script[8] = { LOOK(9, "f", PLACE_FILE) };
		struct record record = uploaded(at("f"), row->size);
		make("f", content + 7, STORED);
		record.direction = row->download ? DOWNLOAD : UPLOAD;
		record.outcome = row->blocked ? OUTCOME_BLOCKED : OUTCOME_ALLOWED;
		size_t n = 1 + hash_row_moves(row, file, script + 1);
		script[n] = (struct act)RECORD(9, &record);
		script[n++].step.file = row->anew;
		play(script, n);
		expect_hash(row->stored ? content + 7 : file, row->size, row->there, row->name);
	}
	free(file);
}

/* The file that was written is not at its place any more: what is there now has another hash, and gets none. */
Test(relay_step, another_file_in_its_place_is_not_hashed)
{
	char other[160];
	struct record record = uploaded(at("f"), STORED);
	snprintf(other, sizeof(other), "%s", at("other"));
	make("f", content, STORED);
	make("other", content, STORED);
	struct act script[] = { LOOK(3, "f", PLACE_FILE), PASS(3, 10, 1000), RECORD(3, &record) };
	struct record elsewhere = record;
	elsewhere.path = span_str(other);
	struct act script_elsewhere[] = { LOOK(3, "f", PLACE_FILE), PASS(3, 10, 1000), RECORD(3, &elsewhere) };
	PLAY(script);
	expect_hash(content, STORED, true, "its own");
	PLAY(script_elsewhere);
	expect_hash(content, STORED, false, "another's");
	struct record forged = record;
	forged.path = span_of("/x\0y", 4);
	struct act script_forged[] = { LOOK(3, "f", PLACE_FILE), PASS(3, 10, 1000), RECORD(3, &forged) };
	PLAY(script_forged);
	expect_hash(content, STORED, false, "no path");
}

/* --- what stood there --- */

static void change(void)
{
	struct stat before, after;
	cr_assert_eq(stat(at("f"), &before), 0);
	do { /* until the clock of the file system has gone on */
		make("f", content + 1, 1000);
		cr_assert_eq(stat(at("f"), &after), 0);
	} while (before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void replace(void)
{
	char from[160];
	snprintf(from, sizeof(from), "%s", at("g"));
	make("g", content, 1000);
	cr_assert_eq(rename(from, at("f")), 0);
}

static void shorten(void)
{
	cr_assert_eq(truncate(at("f"), 500), 0);
}

#define AFTER(hook, ...) { __VA_ARGS__, .before = hook }
#define ASK(kind_, n, count_) .step = { .kind = kind_, .slot = n, .count = count_ }

Test(relay_step, what_stood_there_is_watched)
{
	static const struct act changed[] = {
		LOOK(1, "f", PLACE_FILE), DO(STEP_STILL, 1, 0, YES), DO(STEP_STILL, 1, 0, YES), AFTER(change, ASK(STEP_STILL, 1, 0), .expected = NO),
		LOOK(1, "f", PLACE_FILE), DO(STEP_STILL, 1, 0, YES),
	};
	static const struct act replaced[] = {
		LOOK(1, "f", PLACE_FILE), AFTER(replace, ASK(STEP_STILL, 1, 0), .expected = NO), LOOK(2, "none", PLACE_ABSENT), DO(STEP_STILL, 2, 0, NO),
		LOOK(2, "", PLACE_DIRECTORY), DO(STEP_STILL, 2, 0, NO),
	};
	make("f", content, 1000);
	PLAY(changed);
	PLAY(replaced);
}

Test(relay_step, what_stood_there_fails)
{
	static const struct act replaced[] = {
		LOOK(1, "f", PLACE_FILE), AFTER(replace, ASK(STEP_SETTLE, 1, 900), .expected = FULL, .text = "the file that stands there: Stale file handle"),
		LOOK(1, "f", PLACE_FILE), DO(STEP_SETTLE, 1, 900, YES), DO(STEP_SETTLE, 1, 1000, YES),
	};
	static const struct act shortened[] = {
		LOOK(1, "f", PLACE_FILE), HOLD(1, 0, 10), AFTER(shorten, ASK(STEP_SETTLE, 1, 501), .expected = FULL, .text = "the file that stands there: Stale file handle"),
	};
	static const struct act gap[] = {
		LOOK(1, "f", PLACE_FILE), HOLD(1, 0, 10),
		AFTER(replace, .step = { .kind = STEP_HOLD, .slot = 1, .offset = 100, .count = 1 }, .expected = FULL, .text = "Stale file handle"),
	};
	static const struct act order[] = { LOOK(1, "f", PLACE_FILE), AFTER(replace, .step = { .kind = STEP_HOLD, .slot = 1, .count = 2000 }, .expected = MOVED),
		DO(STEP_SETTLE, 1, 3000, YES) };
	make("f", content, 1000);
	PLAY(replaced);
	make("f", content, 1000);
	PLAY(shortened);
	make("f", content, 1000);
	PLAY(gap);
	make("f", content, 1000);
	PLAY(order);
}

#define INSPECT(n, count_, file_) .step = { .kind = STEP_INSPECT, .slot = n, .count = count_, .need = FACT_SCAN, .file = file_ }, .expected = FOUND

Test(relay_step, content_is_looked_into_where_it_is)
{
	static const struct act script[] = {
		LOOK(1, "f", PLACE_FILE), { INSPECT(1, 1000, true), .text = "Test.Evil" }, { INSPECT(1, 1000, true), .text = "Test.Evil" },
		HOLD(1, 0, 3), { INSPECT(1, 1000, false), .text = "Test.Evil" }, /* what nobody wrote comes from below */
		HOLD(1, 500, 3), { INSPECT(1, 1000, false), .text = "" }, { INSPECT(1, 1000, true), .text = "Test.Evil" },
		AFTER(change, INSPECT(1, 1000, true), .text = ""), /* looked at as it is; STILL has the last word */
		LOOK(2, "f", PLACE_FILE), AFTER(replace, INSPECT(2, 1000, true), .text = "the file could not be opened: Stale file handle", .number = 1),
		LOOK(2, "none", PLACE_ABSENT), { INSPECT(2, 0, true), .text = "the file could not be opened", .number = 1 }, { INSPECT(2, 0, false), .text = "" },
	};
	static uint8_t bytes[1000];
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes + 499, "EVIL", 4);
	make("f", bytes, sizeof(bytes));
	PLAY(script);
}

/* --- room --- */

Test(relay_step, no_room_is_told_with_its_reason)
{
	static const struct act script[] = {
		LOOK(1, "a", PLACE_ABSENT), HOLD(1, 0, 600 * KIB), LOOK(2, "b", PLACE_ABSENT),
		{ .step = { .kind = STEP_HOLD, .slot = 2, .count = 500 * KIB }, .expected = FULL, .text = "the session's other files leave no room" },
		{ .step = { .kind = STEP_HOLD, .slot = 2, .offset = 1024 * KIB, .count = 1 }, .expected = FULL, .text = "larger than what the spool can hold" },
		{ .step = { .kind = STEP_HOLD, .slot = 2, .offset = UINT64_MAX, .count = 1 }, .expected = FULL, .text = "larger than what the spool can hold" },
		{ .step = { .kind = STEP_SIZE, .slot = 2, .count = 1024 * KIB + 1 }, .expected = FULL, .text = "larger than what the spool can hold" },
		DO(STEP_DROP, 1, 0, NOTHING), HOLD(2, 0, 1024 * KIB),
		{ .step = { .kind = STEP_PASS, .slot = 2, .to = CHILD, .offset = 1024 * KIB, .count = 10, .keep = true }, .expected = FULL, .text = "larger than" },
	};
	setting.limit = 1024 * KIB;
	PLAY(script);
}

Test(relay_step, what_is_passed_can_be_kept)
{
	static const struct act script[] = {
		LOOK(1, "a", PLACE_ABSENT), HOLD(1, 0, 70000),
		{ .step = { .kind = STEP_PASS, .slot = 1, .to = CHILD, .offset = 70000, .count = 2000000, .keep = true }, .expected = MOVED },
		RELEASE(1, 0, 2070000), PASS(GUARD_NO_SLOT, 0, 50000), READ(GUARD_NO_SLOT, 0, 50000),
	};
	for (int hash = 0; hash < 2; hash++) {
		setting.no_hash = !hash;
		uint8_t *wanted = malloc(4120000);
		memcpy(wanted, content + 70000, 2000000);
		memcpy(wanted + 2000000, content, 2070000);
		memcpy(wanted + 4070000, content + 2070000, 50000);
		PLAY(script);
		expect_received("to-child", wanted, 4120000);
		expect_received("to-client", content + LARGE / 2, 50000);
		free(wanted);
	}
}

static size_t resident(const void *from, const void *to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
	uintptr_t first = ((uintptr_t)from + page - 1) / page * page;
	for (uintptr_t here = first; here + page <= (uintptr_t)to; here += page) {
		unsigned char there = 0;
		cr_assert_eq(mincore((void *)here, page, &there), 0);
		count += there & 1;
	}
	return count;
}

/* Slots are large; what is not used of them costs no memory. */
Test(relay_step, unused_slots_cost_nothing)
{
	static const struct act script[] = {
		LOOK(0, "a", PLACE_ABSENT), HOLD(0, 0, 1000), LOOK(99, "b", PLACE_ABSENT), HOLD(99, 0, 200000), LOOK(50, "c", PLACE_ABSENT),
	};
	PLAY(script);
	cr_expect_eq(resident(&relay.slot[1], &relay.slot[50]), 0);
	cr_expect_eq(resident(&relay.slot[51], &relay.slot[99]), 0);
	cr_expect_eq(resident(&relay.slot[100], &relay.slot[GUARD_SLOTS]), 0);
	cr_expect_leq(resident(&relay.slot[50], &relay.slot[51]), 2);
	cr_expect_leq(resident(&relay.slot[0], &relay.slot[1]), 2);
}

/* --- names --- */

#define NAMED(kind_, text_, n) .step = { .kind = kind_, .bytes = { (const uint8_t *)(text_), n }, .slot = 1 }

Test(relay_step, names_that_are_none_are_no)
{
	static uint8_t endless[PATH_BYTES_MAX];
	memset(endless, 'a', sizeof(endless));
	const struct act script[] = {
		{ NAMED(STEP_LOOK, "a\0b", 3), .expected = KIND, .number = PLACE_LOST }, { NAMED(STEP_LOOK, endless, sizeof(endless)), .expected = KIND, .number = PLACE_LOST },
		{ NAMED(STEP_TREE, "a\0b", 3), .expected = NO }, { NAMED(STEP_TREE, endless, sizeof(endless)), .expected = NO },
		{ NAMED(STEP_PIN, "a\0b", 3), .expected = NO }, { NAMED(STEP_PIN, "/none", 5), .expected = NO },
		{ NAMED(STEP_SCRUB, "a\0b", 3), .expected = NO }, { NAMED(STEP_SCRUB, "/none", 5), .expected = NO },
		DO(STEP_CLOSED, 1, 0, NOTHING),
	};
	PLAY(script);
}

Test(relay_step, trees_and_what_is_to_go)
{
	char tree[160], file[160];
	snprintf(tree, sizeof(tree), "%s", at("d"));
	cr_assert_eq(mkdir(tree, 0755), 0);
	make("d/a", "x", 1);
	cr_assert_eq(mkdir(at("d/e"), 0755), 0);
	make("d/e/f", "x", 1);
	make("f", content, 1000);
	snprintf(file, sizeof(file), "%s", at("f"));
	const struct act script[] = {
		{ NAMED(STEP_TREE, tree, strlen(tree)), .expected = MET, .number = 3 }, LOOK(1, "f", PLACE_FILE), LOOK(2, "d/a", PLACE_FILE),
		{ NAMED(STEP_SCRUB, file, strlen(file)), .expected = YES },
	};
	PLAY(script);
	struct stat status;
	cr_expect(stat(file, &status) == 0 && status.st_size == 0, "its content goes");
	struct act whole[] = { LOOK(1, "f", PLACE_FILE), { NAMED(STEP_SCRUB, file, strlen(file)), .expected = YES }, { NAMED(STEP_SCRUB, file, strlen(file)), .expected = NO } };
	whole[1].step.count = whole[2].step.count = 1;
	PLAY(whole);
	cr_expect(stat(file, &status) < 0, "its name goes");
}
