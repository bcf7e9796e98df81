/*
 * The guard in SFTP sessions: a client that asks for anything in any order, a server that is a world in memory, a relay that keeps to its contract, and somebody else who
 * changes files meanwhile. What has to hold: each request gets its one answer, in turn; nobody waits for ever; what stands under a name is what the rules allow; what a client
 * was told is stored is stored; one record for each file. Each session is played again byte by byte and has to come out the same.
 *
 * Input: four bytes of setup and seed, then operations: a byte for what happens, then what it needs.
 */
#include "sftp_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 4000000, OPS_MAX = 300, MOVED_MAX = 4 << 20 };

static const struct rule rules[] = {
	{ .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_NAME, .names = { (const char *const[]){ "*.php" }, 1 } },
	{ .kind = RULE_BLOCK, .name = "types", .conditions = CONDITION_TYPE, .types = { (const char *const[]){ "text/x-php" }, 1 } },
	{ .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = { (const char *const[]){ "*" }, 1 } },
	{ .kind = RULE_BLOCK, .name = "huge", .conditions = CONDITION_LARGER, .larger_than = 400000 },
	{ .kind = RULE_BLOCK, .name = "programs", .conditions = CONDITION_MODE, .mode = 0111 },
	{ .kind = RULE_ALLOW, .name = "site", .conditions = CONDITION_PATH, .paths = { (const char *const[]){ "p*", "p*/**" }, 2 } },
	{ .kind = RULE_BLOCK, .name = "tiny", .conditions = CONDITION_SMALLER, .smaller_than = 3 },
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static const char *const paths[] = {
	"a.txt", "new", "p/x", "p/new.txt", "b.php", "d", "d/z", "d/new", "link", "nowhere", "out/o", "big", "bad", "old.php", "p", "/srv/a.txt", "../other/o", "", "/", "new.php",
	"moved", "d/moved.php", "p/moved", "x/y", "out", "~", "/srv/p/../new", "p/b.php", "deep", "new/", "/proc/self/mem", "a\x01b",
};
static const uint64_t offsets[] = { 0, 1, 5, 65536, 200000, 262043, 262144, 300000, 399999, 70000, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX, 2, 3, 1000 };
static const uint32_t sizes[] = { 0, 1, 2, 5, 1000, 32768, 65536, 65537, 100000, 200000, 261120, 30000, 3, 4, 7, 4096 };
static const enum sftp_kind kinds[] = {
	SFTP_OPEN, SFTP_OPEN, SFTP_OPEN, SFTP_OPEN, SFTP_OPEN, SFTP_CLOSE, SFTP_CLOSE, SFTP_CLOSE, SFTP_READ, SFTP_READ, SFTP_WRITE, SFTP_WRITE, SFTP_WRITE, SFTP_WRITE, SFTP_LSTAT,
	SFTP_FSTAT, SFTP_SETSTAT, SFTP_FSETSTAT, SFTP_FSETSTAT, SFTP_OPENDIR, SFTP_READDIR, SFTP_REMOVE, SFTP_MKDIR, SFTP_RMDIR, SFTP_REALPATH, SFTP_STAT, SFTP_RENAME,
	SFTP_READLINK, SFTP_SYMLINK, SFTP_POSIX_RENAME, SFTP_POSIX_RENAME, SFTP_HARDLINK, SFTP_STATVFS, SFTP_FSTATVFS, SFTP_FSYNC, SFTP_LSETSTAT, SFTP_LIMITS, SFTP_EXPAND_PATH,
	SFTP_COPY_DATA, SFTP_HOME_DIRECTORY, SFTP_USERS_GROUPS,
};
enum { PATHS = sizeof(paths) / sizeof(paths[0]), OFFSETS = sizeof(offsets) / sizeof(offsets[0]), SIZES = sizeof(sizes) / sizeof(sizes[0]), KINDS = sizeof(kinds) / sizeof(kinds[0]) };

uint32_t model_random(struct model *model, unsigned kind)
{
	uint32_t x = model->seed ^ (kind + 1) * 0x9e3779b9u ^ ++model->asked[kind] * 0x85ebca6bu;
	x = (x ^ x >> 16) * 0x45d9f3bu;
	x = (x ^ x >> 16) * 0x45d9f3bu;
	return x ^ x >> 16;
}

uint64_t model_piece(const struct model *model, uint64_t n)
{
	return !model->bytes || n <= 1 ? n : n > 20000 ? 9973 : n > 300 ? 251 : 1;
}

void model_hash(uint64_t *hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ p[i]) * 1099511628211u;
}

/* --- playing --- */

static void model_run(struct model *model)
{
	unsigned parked = 0, steps = 0;
	for (enum side lane = CLIENT; parked < 2 * SIDES && !model->done; lane = lane == CLIENT ? CHILD : CLIENT) {
		bool moved = false;
		for (;;) {
			struct model_bytes *from = &model->lane[lane];
			struct span left = span_of(from->p, from->n);
			(void)span_take(&left, from->at);
			struct step step = guard_next(&model->guard, lane, &left);
			from->at = from->n - left.n;
			REQUIRE(++steps < STEPS_MAX);
			model->timing = model->timing || model->sftp->flying == SFTP_FLIGHT;
			if (!relay_step(model, lane, &step))
				break;
			moved = true;
		}
		parked = moved ? 1 : parked + 1;
	}
}

static void model_feed(struct model *model, enum side side, struct span bytes)
{
	struct model_bytes *lane = &model->lane[side];
	model->moved += bytes.n;
	if (model->ended[side] || model->done)
		return;
	while (bytes.n > 0) {
		if (lane->at == lane->n)
			lane->at = lane->n = 0;
		bytes_put(lane, span_take(&bytes, (size_t)model_piece(model, bytes.n)));
		model_run(model);
	}
}

static void op_end(struct model *model, enum side side)
{
	if (model->ended[side] || model->done)
		return;
	model->ended[side] = true;
	guard_ended(&model->guard, side);
	model_run(model);
}

/* What the client sends, read once more. A WRITE's payload does not count. */
static void model_hear(struct model *model, struct span bytes, const struct model_request *known)
{
	while (bytes.n > 0 && !model->ended[CLIENT]) {
		struct sftp_packet packet;
		if (model->heard_owed > 0) {
			model->heard_owed -= span_take(&bytes, model->heard_owed < bytes.n ? (size_t)model->heard_owed : bytes.n).n;
			continue;
		}
		enum sftp_kind kind = sftp_next_request(&model->heard, &bytes, &packet);
		if (kind == SFTP_MORE || kind == SFTP_BAD)
			return;
		if (kind == SFTP_WRITE)
			model->heard_owed = packet.count;
		if (kind == SFTP_INIT)
			continue;
		REQUIRE(model->waiting_n < MODEL_REQUESTS);
		struct model_request request = known ? *known : (struct model_request){ .kind = kind, .handle = WORLD_NONE, .flags = packet.flags };
		request.kind = kind;
		request.id = packet.id;
		model->waiting[(model->waiting_at + model->waiting_n++) % MODEL_REQUESTS] = request;
	}
}

static void model_request(struct model *model, const struct sftp_packet *packet, struct model_request *request)
{
	static uint8_t bytes[SFTP_PUT_MAX + SFTP_PACKET_MAX];
	size_t n = sftp_put(bytes, packet);
	REQUIRE(n > 0);
	if (model->waiting_n > MODEL_REQUESTS / 2)
		return; /* as many as can be remembered; raw bytes may be some more */
	if (packet->kind == SFTP_WRITE) {
		client_payload(bytes + n, packet->count, request->letter, request->mark);
		n += packet->count;
	}
	request->kind = packet->kind;
	model_hear(model, span_of(bytes, n), request);
	model_feed(model, CLIENT, span_of(bytes, n));
}

static uint8_t take_byte(struct span *in)
{
	return in->n > 0 ? span_take(in, 1).p[0] : 0;
}

static struct span model_handle_for(const struct model *model, uint8_t choice, struct model_request *request)
{
	static uint8_t none[8] = "no such";
	request->handle = WORLD_NONE;
	if (model->handles == 0 || choice >= 248)
		return span_of(none, sizeof(none));
	request->handle = (int)(choice < 128 ? model->handles - 1 - choice % (model->handles < 4 ? model->handles : 4) : choice % model->handles);
	return span_of(model->handle[request->handle].bytes, sizeof(none));
}

/* A request, from six bytes. */
static void op_request(struct model *model, struct span *in)
{
	static const uint32_t flags[] = { SFTP_OPEN_WRITE | SFTP_OPEN_CREAT, SFTP_OPEN_WRITE | SFTP_OPEN_CREAT | SFTP_OPEN_TRUNC, SFTP_OPEN_READ, SFTP_OPEN_READ | SFTP_OPEN_WRITE,
					  SFTP_OPEN_WRITE | SFTP_OPEN_CREAT | SFTP_OPEN_APPEND, SFTP_OPEN_WRITE | SFTP_OPEN_CREAT | SFTP_OPEN_EXCL,
					  SFTP_OPEN_READ | SFTP_OPEN_WRITE | SFTP_OPEN_CREAT };
	uint8_t a = take_byte(in), b = take_byte(in), c = take_byte(in), d = take_byte(in), e = take_byte(in), f = take_byte(in);
	struct model_request request = { .handle = WORLD_NONE, .letter = (uint8_t)("abcdefghijklmnoqrstuwxyz"[f % 24]), .mark = e };
	struct sftp_packet packet = { .kind = kinds[a % KINDS], .id = b & 128 ? 7 : 1000u + 256u * f + a };
	packet.path = span_str(paths[b % PATHS]);
	packet.other = span_str(paths[c % PATHS]);
	packet.handle = model_handle_for(model, c, &request);
	packet.offset = offsets[d % OFFSETS];
	packet.count = sizes[d / OFFSETS];
	if (packet.kind == SFTP_WRITE && (e & 64) && request.handle >= 0)
		packet.offset = model->handle[request.handle].want.n;
	if (packet.kind == SFTP_OPEN)
		packet.flags = request.flags = e & 128 ? e & SFTP_OPEN_ALL : flags[e % 7];
	if (packet.kind == SFTP_COPY_DATA) {
		struct model_request other;
		packet.handle2 = model_handle_for(model, b, &other);
		packet.offset2 = offsets[e % OFFSETS];
		packet.length = offsets[f % OFFSETS];
	}
	bool attrs = packet.kind == SFTP_SETSTAT || packet.kind == SFTP_FSETSTAT || packet.kind == SFTP_LSETSTAT || packet.kind == SFTP_OPEN || packet.kind == SFTP_MKDIR;
	if (attrs && (f & 15) != 0)
		packet.attrs = (struct sftp_attrs){ .flags = f & 15, .size = offsets[d % OFFSETS], .mode = f & 16 ? 0104755 : f & 32 ? 0100755 : 0100644, .atime = 1, .mtime = 2 };
	if (packet.kind == SFTP_FSETSTAT)
		request.flags = packet.attrs.flags;
	if (packet.kind == SFTP_EXPAND_PATH && (e & 1))
		packet.path = span_str("~/a.txt");
	request.size = packet.attrs.size;
	request.offset = packet.offset;
	request.count = packet.count;
	model_request(model, &packet, &request);
}

/* A file written from one end to the other: where it is to be large. */
static void op_burst(struct model *model, struct span *in)
{
	uint8_t c = take_byte(in), n = take_byte(in), e = take_byte(in);
	struct model_request request = { .letter = (uint8_t)('a' + n % 8), .mark = 0 };
	struct sftp_packet packet = { .kind = SFTP_WRITE, .handle = model_handle_for(model, c, &request), .count = sizes[5 + e % 6] };
	uint64_t at = request.handle >= 0 ? model->handle[request.handle].want.n : 0;
	for (unsigned i = 0; i <= n % 12u; i++) {
		packet.id = 5 + i;
		packet.offset = request.offset = at;
		request.count = packet.count;
		request.mark = i == n % 12u ? e >> 6 : 0;
		at += packet.count;
		model_request(model, &packet, &request);
	}
}

/* More requests than can be under way at once. */
static void op_flood(struct model *model, struct span *in)
{
	uint8_t c = take_byte(in), kind = take_byte(in);
	struct model_request request = { .letter = 'f' };
	struct sftp_packet packet = { .kind = kind & 1 ? SFTP_READ : SFTP_WRITE, .count = 1 };
	for (unsigned i = 0; i < SFTP_FLIGHT + 50; i++) {
		packet.handle = model_handle_for(model, kind & 2 && i % 7 == 0 ? 255 : c, &request);
		packet.id = i;
		packet.offset = request.offset = i;
		request.count = 1;
		model_request(model, &packet, &request);
	}
}

/* The client goes in the middle of a WRITE. */
static void op_half(struct model *model, uint8_t choice)
{
	static uint8_t bytes[SFTP_PUT_MAX + 50];
	struct model_request request = { .letter = 'h' };
	struct sftp_packet packet = { .kind = SFTP_WRITE, .id = 9, .handle = model_handle_for(model, choice & 7, &request), .count = 100000, .offset = choice & 8 ? 70000 : 0 };
	size_t n = sftp_put(bytes, &packet);
	memset(bytes + n, 'h', 50);
	model->mangled = true;
	model_hear(model, span_of(bytes, n), &request);
	model_feed(model, CLIENT, span_of(bytes, n + 50));
	op_end(model, CLIENT);
}

static void op_child_speaks(struct model *model, size_t most)
{
	struct model_bytes *replies = &model->replies;
	while (replies->at < replies->n && most > 0) {
		static uint8_t piece[65536];
		size_t n = replies->n - replies->at < sizeof(piece) ? replies->n - replies->at : sizeof(piece);
		n = n < most ? n : most;
		memcpy(piece, replies->p + replies->at, n);
		replies->at += n;
		most -= n;
		model_feed(model, CHILD, span_of(piece, n));
	}
	if (replies->at >= replies->n)
		replies->at = replies->n = 0;
	if (model->shut && replies->n == 0 && !model->ended[CHILD]) {
		model->ended[CHILD] = true;
		guard_ended(&model->guard, CHILD);
		model_run(model);
	}
}

/* When the child has said all there is nothing that a request could wait for. */
static void model_check_answered(const struct model *model)
{
	if (model->done || model->shut || model->mangled || model->ended[CLIENT])
		return;
	REQUIRE(model->replies.n == 0);
	REQUIRE(model->waiting_n == 0);
}

static void op_raw(struct model *model, enum side side, struct span *in)
{
	struct span bytes = span_take(in, take_byte(in) % 64u);
	model->mangled = true;
	if (side == CLIENT)
		model_hear(model, bytes, NULL);
	model_feed(model, side, bytes);
}

/* What does not happen often. */
static void op_rare(struct model *model, struct span *in)
{
	uint8_t how = take_byte(in), which = take_byte(in);
	if ((how & 7) == 0) {
		op_end(model, CLIENT);
	} else if ((how & 7) == 1 && !model->left) {
		model->left = true;
		guard_client_left(&model->guard);
		model_run(model);
	} else if ((how & 7) == 2) {
		guard_aborted(&model->guard, which & 1 ? REASON_TIMEOUT : REASON_CLIENT_GONE);
		model_run(model);
	} else if ((how & 7) == 3) {
		op_end(model, CHILD);
	} else if ((how & 7) == 4) {
		op_raw(model, CLIENT, in);
	} else if ((how & 7) == 5) {
		op_raw(model, CHILD, in);
	} else if ((how & 7) == 7) {
		op_half(model, which);
	} else {
		model->wild = true;
		world_meddle(&model->world, paths[which % PATHS], how >> 3 & 3);
	}
}

static void model_setup(struct model *model, const uint8_t *data, bool bytes)
{
	static struct sftp sftp;
	struct model_handle *handle = model->handle;
	size_t count = 0, content = 0;
	memset(&model->guard, 0, offsetof(struct guard, outbox));
	if (sftp.files > 0)
		memset(sftp.file, 0, sftp.files * sizeof(sftp.file[0]));
	memset(&sftp, 0, offsetof(struct sftp, file));
	model->sftp = &sftp;
	model->bytes = bytes;
	model->seed = data[2] | (uint32_t)data[3] << 8;
	for (size_t i = 0; i < RULES; i++) {
		if (!(data[0] & 1u << i))
			continue;
		model->rules[count++] = rules[i];
		if (!(rules[i].conditions & (CONDITION_LARGER | CONDITION_SMALLER | CONDITION_MODE)))
			model->content_rules[content++] = rules[i];
	}
	model->policy = (struct policy){
		.name = "fuzz",
		.operations = data[1] & 1 ? OPERATION_ALL & ~(1u << (data[2] & 7)) : OPERATION_ALL,
		.delivery = data[1] & 2 ? DELIVERY_STREAM : DELIVERY_HOLD,
		.accept_unscannable = data[1] & 4 ? UNSCANNABLE_ALL : 0,
		.unique = (data[1] & 8) != 0,
		.rules = { [UPLOAD] = { .permitted = true, .rules = model->rules, .count = count },
			   [DOWNLOAD] = { .permitted = (data[1] & 16) == 0, .rules = model->rules, .count = data[1] & 32 ? 0 : count } },
	};
	model->content = model->policy;
	model->content.rules[UPLOAD].rules = model->content.rules[DOWNLOAD].rules = model->content_rules;
	model->content.rules[UPLOAD].count = content;
	model->content.rules[DOWNLOAD].count = data[1] & 32 ? 0 : content;
	model->room = data[1] & 128 ? 350000 : MODEL_STREAM / 2;
	struct guard_setup setup = {
		.policy = &model->policy, .session = "s", .sftp = &sftp, .root = span_str("/srv"), .start = span_str("/srv"), .home = span_str("/srv"), .audit_refuse = (data[1] & 64) != 0,
		.hold_limit = data[0] & 128 ? 300000 : 2000000,
	};
	for (size_t i = 0; i < sizeof(model->handle) / sizeof(model->handle[0]); i++)
		handle[i].want.n = 0;
	guard_init(&model->guard, &setup);
}

static void model_clear(struct model *model)
{
	memset(model->asked, 0, sizeof(model->asked));
	memset(model->ended, 0, sizeof(model->ended));
	memset(model->numbers, 0, sizeof(model->numbers));
	for (size_t i = 0; i < GUARD_SLOTS; i++)
		model->slot[i] = (struct model_slot){ .content = { .p = model->slot[i].content.p, .capacity = model->slot[i].content.capacity }, .node = WORLD_NONE };
	for (int side = 0; side < SIDES; side++) {
		model->lane[side].n = model->lane[side].at = 0;
		sftp_init(&model->ear[side].reader);
		model->ear[side].owed = model->ear[side].at = 0;
		model->hash[side] = 0;
	}
	sftp_init(&model->heard);
	model->replies.n = model->replies.at = model->payload.n = 0;
	model->served = 0;
	model->heard_owed = model->records = model->moved = 0;
	model->waiting_at = model->waiting_n = model->handles = model->looked_n = 0;
	model->last_look = WORLD_NONE;
	model->last_outcome = OUTCOME_FAILED;
	model->steady = false;
	model->shut = model->killed = model->done = model->left = model->odd = model->mangled = model->wild = model->timing = false;
	world_init(&model->world);
}

static void model_greet(struct model *model)
{
	struct sftp_packet init = { .kind = SFTP_INIT, .version = 3 };
	struct model_request request = { .kind = SFTP_INIT };
	model_request(model, &init, &request);
	op_child_speaks(model, SIZE_MAX);
}

static void model_play(struct model *model, struct span in)
{
	model_greet(model);
	for (unsigned ops = 0; in.n > 0 && !model->done && ops < OPS_MAX && model->moved < MOVED_MAX && !model->world.broken; ops++) {
		uint8_t op = take_byte(&in);
		if ((op & 15) < 9) {
			op_request(model, &in);
		} else if ((op & 15) == 9) {
			op_burst(model, &in);
		} else if (op == 0xfc) {
			op_flood(model, &in);
		} else if ((op & 15) == 10) {
			op_child_speaks(model, 1 + op / 16u * 8u);
		} else if ((op & 15) == 11) {
			op_rare(model, &in);
		} else {
			op_child_speaks(model, SIZE_MAX);
			model_check_answered(model);
		}
	}
	op_child_speaks(model, SIZE_MAX);
	model_check_answered(model);
	op_end(model, CLIENT);
	for (unsigned i = 0; i < 4 && !model->done; i++)
		op_child_speaks(model, SIZE_MAX);
	op_end(model, CHILD);
	REQUIRE(model->done);
	REQUIRE(model->waiting_n == 0 || model->guard.lost != REASON_NONE || model->mangled);
	for (size_t i = 0; i < GUARD_SLOTS; i++)
		REQUIRE(!model->slot[i].given || model->slot[i].records == 1);
	model_check_world(model, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model whole, bytes;
	if (size < 4)
		return 0;
	model_clear(&whole);
	model_setup(&whole, data, false);
	model_play(&whole, span_of(data + 4, size - 4));
	if (whole.moved > 1 << 20 || (whole.moved > 100000 && (data[3] & 7) != 0))
		return 0; /* byte by byte it would take long: for some */
	model_clear(&bytes);
	model_setup(&bytes, data, true);
	model_play(&bytes, span_of(data + 4, size - 4));
	if (whole.mangled || whole.timing) /* the end comes when that is read; what was full has room: sooner or later */
		return 0;
	REQUIRE(whole.records == bytes.records && whole.hash[CLIENT] == bytes.hash[CLIENT] && whole.hash[CHILD] == bytes.hash[CHILD]);
	return 0;
}
