/*
 * The guard under a schedule. A model relay carries out its steps with a spool in memory and checks each against what it knows by itself: what was said
 * about a file's content, what each side announced, how many answers a client can expect. The same schedule is played again byte by byte.
 *
 * Input: two bytes of setup, one that seeds the answers, then operations: a byte for what happens, where bytes arrive one for how many, and these.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "guard/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STREAM_MAX = 1 << 20, STEPS_MAX = 3000000, REPLIES_MAX = 70000, OPS_MAX = 400 };

#define REQUIRE(condition) do { if (!(condition)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); abort(); } } while (0)

static const struct rule rules[] = {
	{ .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_NAME, .names = { (const char *const[]){ "*.php" }, 1 } },
	{ .kind = RULE_BLOCK, .name = "types", .conditions = CONDITION_TYPE, .types = { (const char *const[]){ "text/x-php" }, 1 } },
	{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = { (const char *const[]){ "*" }, 1 } },
	{ .kind = RULE_WATCH, .name = "looked", .conditions = CONDITION_TYPE, .types = { (const char *const[]){ "text/*" }, 1 } },
	{ .kind = RULE_ALLOW, .name = "site", .conditions = CONDITION_PATH, .paths = { (const char *const[]){ "p*", "p*/**" }, 2 } },
	{ .kind = RULE_BLOCK, .name = "huge", .conditions = CONDITION_LARGER, .larger_than = 300000 },
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

struct model {
	struct guard guard;
	struct policy policy;
	struct rule rules[RULES];
	bool bytes;                      /* byte by byte */
	uint32_t seed;
	uint64_t room;
	struct { uint8_t *p; size_t n, at, capacity; bool ended; } lane[SIDES];
	uint64_t spooled;
	struct facts facts;              /* what was answered about the entry that was resolved last */
	char path[64], asked[64];
	unsigned resolved, recorded;     /* files */
	bool file_open;                  /* one was resolved and not recorded */
	unsigned last_number;
	bool announced;                  /* to the sink */
	uint64_t size, sent;
	unsigned replies;                /* to the client */
	uint8_t reply[REPLIES_MAX];
	bool timing, done, left;
	uint64_t hash;
	uint8_t last;                    /* the movement that is under way */
	uint64_t count;
};

static uint32_t model_random(struct model *model)
{
	model->seed = model->seed * 1664525u + 1013904223u;
	return model->seed >> 8;
}

static void model_hash(struct model *model, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < n; i++)
		model->hash = (model->hash ^ p[i]) * 1099511628211u;
}

static void model_settle(struct model *model)
{
	model_hash(model, &model->count, sizeof(model->count));
	model->count = 0;
	model->last = 0;
}

static void model_movement(struct model *model, uint8_t kind, uint64_t n)
{
	if (model->last != kind)
		model_settle(model);
	model->last = kind;
	model->count += n;
	model_hash(model, &kind, model->count == n ? 1 : 0);
}

/* What was said about the content by now allows it, by the real name and the one asked for. */
static bool model_allowed(const struct model *model)
{
	struct facts facts = model->facts;
	facts.size = model->guard.entry.record.size;
	facts.mode = model->guard.entry.record.mode;
	if ((facts.finding.known & FACT_SCAN) == 0 && facts.size > model->guard.setup.hold_limit) {
		facts.finding.known |= FACT_SCAN;
		facts.finding.unscannable |= UNSCANNABLE_TOO_LARGE;
	}
	if (policy_judge(&model->policy, &facts).decision != ALLOW)
		return false;
	if (model->asked[0] == '\0')
		return true;
	facts.path = span_str(model->asked);
	facts.name = path_name(facts.path);
	return policy_judge(&model->policy, &facts).decision == ALLOW;
}

static void model_payload(struct model *model, const struct step *step, uint64_t n)
{
	REQUIRE(step->to == model->guard.sink && model->announced && n <= model->size - model->sent);
	if (step->kind != STEP_PAD && model->policy.delivery == DELIVERY_HOLD)
		REQUIRE(model_allowed(model));
	if (step->kind != STEP_PAD)
		REQUIRE(!model->guard.entry.denied);
	model->sent += n;
}

static uint64_t model_piece(struct model *model, uint64_t n)
{
	return !model->bytes || n <= 1 ? n : n > 4096 ? 4093 : 1;
}

static bool model_take(struct model *model, enum side lane, const struct step *step)
{
	bool keep = step->kind == STEP_HOLD || step->keep;
	size_t left = model->lane[lane].n - model->lane[lane].at;
	REQUIRE(lane == model->guard.source && step->count > 0);
	if (keep && (step->count > model->room || model->spooled > model->room - step->count)) {
		model_settle(model);
		guard_spool_failed(&model->guard, "spool: full");
		return true;
	}
	uint64_t n = model_piece(model, step->count);
	n = n < left ? n : left;
	if (n == 0)
		return false;
	model->lane[lane].at += (size_t)n;
	model->spooled += keep ? n : 0;
	if (step->kind == STEP_PASS)
		model_payload(model, step, n);
	model_movement(model, (uint8_t)(1 + step->kind), n);
	guard_moved(&model->guard, n);
	return true;
}

static void model_emit(struct model *model, const struct step *step)
{
	REQUIRE(step->count > 0);
	if (step->kind == STEP_RELEASE)
		REQUIRE(step->offset <= model->spooled && step->count <= model->spooled - step->offset);
	uint64_t n = model_piece(model, step->count);
	model_payload(model, step, n);
	model_movement(model, (uint8_t)(1 + step->kind), n);
	guard_moved(&model->guard, n);
}

/* Everything that is sent is a canonical record or reply. */
static enum scp_kind model_parse(const struct model *model, const struct step *step)
{
	struct scp_reader reader;
	struct scp_record record = { 0 };
	uint8_t again[SCP_PUT_MAX];
	struct span in = step->bytes;
	scp_init(&reader);
	bool sink = step->to == model->guard.sink;
	enum scp_kind kind = sink && in.n > 1 ? scp_next_record(&reader, &in, &record) : scp_next_reply(&reader, &in, &record);
	REQUIRE(kind != SCP_MORE && kind != SCP_BAD && kind != SCP_BAD_NAME && in.n == 0);
	if (kind == SCP_WARNING || kind == SCP_FATAL)
		REQUIRE(step->bytes.n <= SCP_MESSAGE_MAX);
	if (kind == SCP_FILE || kind == SCP_DIR)
		REQUIRE(record.mode <= 0777);
	REQUIRE(scp_put(again, kind, &record) == step->bytes.n && memcmp(again, step->bytes.p, step->bytes.n) == 0);
	return kind;
}

static void model_send(struct model *model, const struct step *step)
{
	enum scp_kind kind = model_parse(model, step);
	model_settle(model);
	model_hash(model, &step->to, sizeof(step->to));
	model_hash(model, step->bytes.p, step->bytes.n);
	if (step->to == CLIENT && model->guard.source == CLIENT) {
		REQUIRE(model->replies < REPLIES_MAX);
		model->reply[model->replies++] = (uint8_t)kind;
	}
	if (step->to != model->guard.sink)
		return;
	/* no line goes into the middle of content, and content is whole before the status byte */
	REQUIRE(!model->announced || model->sent == 0 || model->sent == model->size);
	if (kind == SCP_OK)
		REQUIRE(model->announced && model->sent == model->size);
	model->announced = kind == SCP_FILE;
	if (kind == SCP_FILE) {
		model->size = model->guard.entry.record.size;
		model->sent = 0;
	}
}

static void model_resolve(struct model *model, const struct step *step)
{
	static const char *const names[] = { "plain", "a.php", "p/x", "q.txt", "p/y.php", "" };
	uint32_t r = model_random(model);
	struct place place = { .kind = (r & 15) < 11 ? (step->entry == ENTRY_FILE ? PLACE_ABSENT + (r & 1) : PLACE_ABSENT + 2 * (r & 1)) : r & 3 };
	place.outside = (r >> 4 & 31) == 0;
	place.hopeless = (r >> 9 & 15) == 0;
	(void)snprintf(model->path, sizeof(model->path), "/srv/%s", names[(r >> 13) % 6]);
	(void)snprintf(model->asked, sizeof(model->asked), "%s", (r >> 17 & 3) == 0 ? names[(r >> 19) % 5] : "");
	REQUIRE(step->count <= GUARD_DEPTH_MAX && step->bytes.n > 0);
	REQUIRE(!model->file_open);
	place.real = span_str(model->path);
	place.path = span_str(model->path + 5);
	place.asked = span_str(model->asked);
	model->facts = (struct facts){ .kind = step->entry, .direction = model->guard.setup.direction, .path = place.path, .name = path_name(place.path) };
	model->file_open = step->entry == ENTRY_FILE;
	model->resolved += model->file_open;
	model->spooled = 0;
	guard_resolved(&model->guard, &place);
}

static void model_inspect(struct model *model, const struct step *step)
{
	static const char *const types[] = { "text/plain", "text/x-php", "application/zip", "" };
	uint32_t r = model_random(model);
	struct finding found = { .known = (r & 15) == 0 ? 0 : (r & 15) == 1 ? FACT_TYPE | FACT_SCAN : step->need };
	struct finding *facts = &model->facts.finding;
	REQUIRE(step->count == model->spooled && (step->need == FACT_TYPE || step->need == FACT_SCAN) && !(step->need & facts->known));
	(void)snprintf(found.type, sizeof(found.type), "%s", types[(r >> 4) % 4]);
	(void)snprintf(found.virus, sizeof(found.virus), "%s", (r >> 6 & 3) == 0 ? "Test" : "");
	found.unscannable = (r >> 8 & 3) == 0 ? r >> 10 & UNSCANNABLE_ALL : 0;
	/* what the model believes: facts once given stay, no answer is a scanner that is down */
	unsigned fresh = found.known & ~facts->known;
	if (fresh & FACT_TYPE)
		memcpy(facts->type, found.type, sizeof(found.type));
	if (fresh & FACT_SCAN)
		memcpy(facts->virus, found.virus, sizeof(found.virus));
	facts->unscannable |= found.unscannable | (found.known & step->need ? 0 : UNSCANNABLE_SCANNER_DOWN);
	facts->known |= found.known | step->need;
	guard_found(&model->guard, &found);
}

static void model_record(struct model *model, const struct step *step)
{
	const struct record *record = step->record;
	unsigned number = 0;
	REQUIRE(sscanf(record->ref, "s-%u", &number) == 1 && number > model->last_number && number <= model->guard.entries);
	model->last_number = number;
	REQUIRE((record->outcome == OUTCOME_ALLOWED) == (record->reason == REASON_NONE));
	REQUIRE(record->bytes <= record->size);
	if (record->outcome == OUTCOME_ALLOWED && record->event == RECORD_FILE)
		REQUIRE(record->bytes == record->size && model_allowed(model));
	model->file_open = false;
	model->recorded += record->event == RECORD_FILE;
	model_hash(model, &record->outcome, sizeof(record->outcome));
	model_hash(model, &record->reason, sizeof(record->reason));
	model_hash(model, &record->bytes, sizeof(record->bytes));
	guard_recorded(&model->guard, (model_random(model) & 15) != 0);
}

/* Carries out one step. False: this lane has nothing more to do now. */
static bool model_step(struct model *model, enum side lane, const struct step *step)
{
	switch (step->kind) {
	case STEP_READ:
		REQUIRE(model->lane[lane].at == model->lane[lane].n);
		return false;
	case STEP_WAIT:
		return false;
	case STEP_SEND:
		model_send(model, step);
		return true;
	case STEP_PASS:
	case STEP_HOLD:
		return model_take(model, lane, step);
	case STEP_RELEASE:
	case STEP_PAD:
		model_emit(model, step);
		return true;
	case STEP_DROP:
		model->spooled = 0;
		return true;
	case STEP_RESOLVE:
		model_settle(model);
		model_resolve(model, step);
		return true;
	case STEP_ENTER:
	case STEP_PIN:
	case STEP_SCRUB:
		model_settle(model);
		model_hash(model, &step->kind, sizeof(step->kind));
		guard_confirmed(&model->guard, (model_random(model) & 15) != 0);
		return true;
	case STEP_INSPECT:
		model_settle(model);
		model_inspect(model, step);
		return true;
	case STEP_RECORD:
		model_settle(model);
		model_record(model, step);
		return true;
	case STEP_SHUT:
		return true;
	case STEP_DONE:
		model->done = true;
		REQUIRE(step->count != 0 || model->guard.blocked + model->guard.failed == 0);
		model_hash(model, &step->count, sizeof(step->count));
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
		REQUIRE(step->kind <= STEP_DONE); /* these are SFTP's */
	}
	return false;
}

static void model_run(struct model *model)
{
	unsigned parked = 0, steps = 0;
	for (enum side lane = CLIENT; parked < 2 * SIDES && !model->done; lane = lane == CLIENT ? CHILD : CLIENT) {
		bool moved = false;
		for (;;) {
			struct span left = span_of(model->lane[lane].p, model->lane[lane].n);
			span_take(&left, model->lane[lane].at);
			struct step step = guard_next(&model->guard, lane, &left);
			model->lane[lane].at = model->lane[lane].n - left.n;
			const struct guard_entry *entry = &model->guard.entry;
			model->timing = model->timing || (entry->active && entry->pipelined && entry->denied);
			REQUIRE(++steps < STEPS_MAX);
			if (!model_step(model, lane, &step))
				break;
			moved = true;
		}
		parked = moved ? 1 : parked + 1;
	}
}

static void model_grow(struct model *model, enum side side, size_t n)
{
	if (model->lane[side].n + n <= model->lane[side].capacity)
		return;
	model->lane[side].capacity = 2 * (model->lane[side].n + n);
	model->lane[side].p = realloc(model->lane[side].p, model->lane[side].capacity);
	REQUIRE(model->lane[side].p != NULL);
}

static void model_feed(struct model *model, enum side side, const uint8_t *p, size_t n)
{
	if (model->lane[side].ended || model->lane[side].n + n > STREAM_MAX)
		return;
	for (size_t fed = 0; fed < n;) {
		size_t piece = model->bytes && p == NULL ? (n - fed < 4093 ? n - fed : 4093) : (size_t)model_piece(model, n - fed);
		model_grow(model, side, piece);
		if (p != NULL)
			memcpy(model->lane[side].p + model->lane[side].n, p + fed, piece);
		else
			memset(model->lane[side].p + model->lane[side].n, 'x', piece);
		model->lane[side].n += piece;
		fed += piece;
		model_run(model);
	}
}

static void model_end(struct model *model, enum side side)
{
	if (!model->lane[side].ended)
		guard_ended(&model->guard, side);
	model->lane[side].ended = true;
	model_run(model);
}

/* One reply for each action of an uploading client; a fatal word more at the end. */
static void model_check_replies(const struct model *model)
{
	struct scp_reader reader;
	struct span in = span_of(model->lane[CLIENT].p, model->lane[CLIENT].n);
	unsigned at = 1;
	scp_init(&reader);
	if (model->guard.source != CLIENT)
		return;
	while (at < model->replies && model->reply[0] == SCP_OK) {
		struct scp_record record = { 0 };
		enum scp_kind kind = scp_next_record(&reader, &in, &record);
		if (kind == SCP_WARNING)
			continue;
		bool agreed = kind == SCP_FILE && model->reply[at] == SCP_OK;
		at += kind != SCP_MORE || reader.n > 0;
		if (kind == SCP_MORE || kind == SCP_BAD || kind == SCP_FATAL)
			break;
		if (!agreed)
			continue;
		uint64_t size = record.size;
		if (span_take(&in, size < in.n ? (size_t)size : in.n).n < size)
			break;
		kind = scp_next_reply(&reader, &in, &record);
		at++;
		if (kind != SCP_OK && kind != SCP_WARNING)
			break;
	}
	REQUIRE(at >= model->replies || (at + 1 == model->replies && model->reply[at] == SCP_FATAL));
}

static void model_setup(struct model *model, const uint8_t *data, bool bytes)
{
	memset(model, 0, sizeof(*model));
	model->bytes = bytes;
	model->seed = data[2] * 2654435761u;
	size_t count = 0;
	for (size_t i = 0; i < RULES; i++)
		if (data[0] & 1u << i)
			model->rules[count++] = rules[i];
	model->policy = (struct policy){
		.name = "fuzz",
		.operations = OPERATION_ALL,
		.delivery = data[1] & 1 ? DELIVERY_STREAM : DELIVERY_HOLD,
		.on_block = data[1] & 2 ? ON_BLOCK_SKIP : ON_BLOCK_STOP,
		.accept_unscannable = data[0] & 64 ? UNSCANNABLE_ALL : 0,
		.rules = { [UPLOAD] = { .permitted = true, .rules = model->rules, .count = count },
			   [DOWNLOAD] = { .permitted = true, .rules = model->rules, .count = count } },
	};
	model->room = data[1] & 4 ? 1000 : UINT64_MAX;
	struct guard_setup setup = {
		.policy = &model->policy, .session = "s", .direction = data[1] & 8 ? DOWNLOAD : UPLOAD, .recursive = (data[1] & 16) != 0,
		.early_max = data[1] & 32 ? 65536 : 0, .audit_refuse = (data[1] & 64) != 0, .hold_limit = data[1] & 128 ? 2000 : UINT64_MAX,
	};
	guard_init(&model->guard, &setup);
	if (data[0] & 128)
		guard_defer(&model->guard, span_str("an operand that was refused"));
}

static void model_play(struct model *model, const uint8_t *data, size_t size)
{
	struct span in = span_of(data + 3, size - 3);
	for (unsigned ops = 0; in.n > 0 && !model->done && ops < OPS_MAX; ops++) {
		uint8_t op = span_take(&in, 1).p[0];
		enum side side = op & 16 ? CHILD : CLIENT;
		unsigned n = in.n > 0 && (op & 15) < 13 ? span_take(&in, 1).p[0] : 0;
		if ((op & 15) < 11) {
			struct span chunk = span_take(&in, n);
			model_feed(model, side, chunk.p, chunk.n);
		} else if ((op & 15) < 13) {
			model_feed(model, side, NULL, (n % 80 + 1) * 4096u);
		} else if ((op & 15) == 13 && side == CLIENT && !model->left) {
			model->left = true;
			guard_client_left(&model->guard);
			model_run(model);
		} else if ((op & 15) == 14 && (op & 96) == 96) {
			guard_aborted(&model->guard, REASON_TIMEOUT);
			model_run(model);
		} else if ((op & 15) == 15) {
			model_end(model, side);
		}
	}
	model_run(model);
	model_end(model, CLIENT);
	model_end(model, CHILD);
	REQUIRE(model->done);
	REQUIRE(!model->file_open && model->recorded >= model->resolved);
	model_check_replies(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model whole, bytes;
	if (size < 3)
		return 0;
	model_setup(&whole, data, false);
	model_play(&whole, data, size);
	model_setup(&bytes, data, true);
	model_play(&bytes, data, size);
	if (!whole.timing && !bytes.timing)
		REQUIRE(whole.hash == bytes.hash && whole.replies == bytes.replies);
	for (int side = 0; side < SIDES; side++) {
		free(whole.lane[side].p);
		free(bytes.lane[side].p);
	}
	return 0;
}
