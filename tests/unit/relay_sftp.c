/* relay: SFTP sessions of the real guard with the real sftp-server: content in any order, what stood there before, and both ways at once. */
#include <sys/prctl.h>

#include "relay_stage.h"

enum { LARGE = 4 << 20, PIECE = 32768, MOST = SFTP_PAYLOAD_MAX };

static uint8_t *content;
static struct sftp_reader replies;
static uint8_t heard[64 << 10];
static struct span heard_left;
static uint32_t next_id;

static void set_up(void)
{
	uint32_t state = 7;
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	strcpy(base, "/tmp/relay-XXXXXX");
	cr_assert(mkdtemp(base));
	snprintf(audit_path, sizeof(audit_path), "%s/audit", base);
	cr_assert_eq(mkdir(at("root"), 0755), 0);
	content = malloc(LARGE + 64);
	for (size_t i = 0; i < LARGE + 64; i++) {
		state = state * 1664525 + 1013904223;
		content[i] = (uint8_t)(state >> 24) | 1;
	}
}

static void tear_down(void)
{
	char command[96];
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
	free(content);
}

TestSuite(relay_sftp, .init = set_up, .fini = tear_down, .timeout = 110);

/* --- files --- */

static void make(const char *name, const void *bytes, size_t n)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert(fd >= 0 && fd_write_all(fd, bytes, n) == 0);
	close(fd);
}

static bool stored(const char *name, const void *bytes, size_t n)
{
	uint8_t *got = malloc(n + 1);
	int fd = open(at(name), O_RDONLY | O_CLOEXEC);
	bool same = fd >= 0 && fd_read_all(fd, got, n) == 0 && memcmp(got, bytes, n) == 0 && read(fd, got, 1) == 0;
	fd_close(&fd);
	free(got);
	return same;
}

/* Nothing but these files is there: nothing temporary was left. */
static size_t files_there(void)
{
	char command[160];
	snprintf(command, sizeof(command), "test $(ls -A %s | wc -l) -le 1", at("root"));
	return system(command) == 0 ? 1 : 2;
}

static bool hashed(const void *bytes, size_t n)
{
	char text[2 * DIGEST_BYTES + 1];
	struct digest digest;
	uint8_t sum[DIGEST_BYTES];
	digest_init(&digest);
	digest_update(&digest, span_of(bytes, n));
	digest_finish(&digest, sum);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return strstr(audited(), text) != NULL;
}

/* --- packets --- */

static void ask(struct sftp_packet packet)
{
	uint8_t bytes[SFTP_PUT_MAX];
	packet.id = ++next_id;
	size_t n = sftp_put(bytes, &packet);
	cr_assert_gt(n, 0);
	say(bytes, n);
}

/* The next reply; of DATA the payload is put into dst. */
static struct sftp_packet answer(uint8_t *dst)
{
	struct sftp_packet packet;
	enum sftp_kind kind;
	while ((kind = sftp_next_reply(&replies, &heard_left, &packet)) == SFTP_MORE) {
		struct pollfd slot = { .fd = from_shim, .events = POLLIN };
		cr_assert_eq(poll(&slot, 1, PATIENCE), 1, "nothing more comes");
		ssize_t n = read(from_shim, heard, sizeof(heard));
		cr_assert_gt(n, 0, "the session is over: %s", audited());
		heard_left = span_of(heard, (size_t)n);
	}
	cr_assert_neq(kind, SFTP_BAD, "%s", replies.why);
	if (kind == SFTP_DATA) {
		struct span some = span_take(&heard_left, packet.count);
		memcpy(dst, some.p, some.n);
		cr_assert(some.n == packet.count || hear(dst + some.n, packet.count - some.n));
	}
	return packet;
}

static uint32_t status(void)
{
	struct sftp_packet packet = answer(NULL);
	cr_assert_eq(packet.kind, SFTP_STATUS, "%d", packet.kind);
	return packet.code;
}

static void begin(const struct stage *stage)
{
	stage_begin(stage);
	sftp_init(&replies);
	heard_left = span_of(NULL, 0);
	next_id = 0;
	ask((struct sftp_packet){ .kind = SFTP_INIT, .version = 3 });
	cr_assert_eq(answer(NULL).kind, SFTP_VERSION);
}

struct handle {
	uint8_t bytes[SFTP_HANDLE_MAX];
	size_t n;
};

static struct sftp_packet opening(const char *name, uint32_t flags)
{
	return (struct sftp_packet){ .kind = SFTP_OPEN, .path = span_str(name), .flags = flags };
}

static uint32_t open_file(struct handle *handle, const char *name, uint32_t flags)
{
	ask(opening(name, flags));
	struct sftp_packet packet = answer(NULL);
	if (packet.kind == SFTP_STATUS)
		return packet.code;
	cr_assert_eq(packet.kind, SFTP_HANDLE);
	memcpy(handle->bytes, packet.handle.p, packet.handle.n);
	handle->n = packet.handle.n;
	return SFTP_OK;
}

static void ask_write(const struct handle *handle, uint64_t offset, const void *bytes, size_t n)
{
	ask((struct sftp_packet){ .kind = SFTP_WRITE, .handle = span_of(handle->bytes, handle->n), .offset = offset, .count = (uint32_t)n });
	say(bytes, n);
}

static uint32_t write_at(const struct handle *handle, uint64_t offset, const void *bytes, size_t n)
{
	ask_write(handle, offset, bytes, n);
	return status();
}

static void ask_read(const struct handle *handle, uint64_t offset, size_t n)
{
	ask((struct sftp_packet){ .kind = SFTP_READ, .handle = span_of(handle->bytes, handle->n), .offset = offset, .count = (uint32_t)n });
}

static uint32_t close_file(const struct handle *handle)
{
	ask((struct sftp_packet){ .kind = SFTP_CLOSE, .handle = span_of(handle->bytes, handle->n) });
	return status();
}

/* --- policies --- */

static const char *const all[] = { "*" };
static const struct rule no_virus[] = { { .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = { all, 1 } } };
static const char *const php[] = { "text/x-php" };
static const struct rule no_php[] = { { .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_TYPE, .types = { php, 1 } } };
static const struct policy scanned = { .name = "scanned", .protocols = PROTOCOL_SFTP, .operations = OPERATION_ALL,
	.rules = { { .permitted = true, .rules = no_virus, .count = 1 }, { .permitted = true, .rules = no_virus, .count = 1 } } };
static const struct policy typed = { .name = "typed", .protocols = PROTOCOL_SFTP, .operations = OPERATION_ALL,
	.rules = { { .permitted = true, .rules = no_php, .count = 1 }, { .permitted = true, .rules = no_php, .count = 1 } } };
static const struct policy streamed = { .name = "streamed", .protocols = PROTOCOL_SFTP, .operations = OPERATION_ALL, .delivery = DELIVERY_STREAM,
	.rules = { { .permitted = true, .rules = no_virus, .count = 1 }, { .permitted = true, .rules = no_virus, .count = 1 } } };
static const struct policy *const policies[] = { &everything, &scanned, &typed, &streamed };
enum { POLICIES = 4 };

/* --- tests --- */

static const size_t sizes[] = { 0, 1, 1000, 65536, 65537, 262144, 400000, 1 << 20, LARGE };

/* In order, as most clients do, in small pieces and in the largest; new, and over a file that stands there, with TRUNC and without. */
Test(relay_sftp, uploads_of_every_size)
{
	static const uint32_t flags[] = { SFTP_OPEN_WRITE | SFTP_OPEN_CREAT | SFTP_OPEN_TRUNC, SFTP_OPEN_WRITE | SFTP_OPEN_CREAT };
	for (unsigned round = 0; round < 4 * POLICIES; round++) {
		struct stage stage = { .sftp = true, .sha256 = round % 2, .policy = policies[round / 4] };
		size_t piece = round % 4 / 2 ? MOST : PIECE;
		begin(&stage);
		for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
			size_t n = sizes[i / 2], pieces = 0;
			struct handle handle;
			cr_assert_eq(open_file(&handle, "f", flags[i % 2]), SFTP_OK);
			for (size_t from = 0; from < n; from += piece, pieces++) {
				ask_write(&handle, from, content + i + from, n - from < piece ? n - from : piece);
				if (pieces >= 8)
					cr_assert_eq(status(), SFTP_OK);
			}
			for (size_t k = 0; k < (pieces < 8 ? pieces : 8); k++)
				cr_assert_eq(status(), SFTP_OK);
			if (i % 2) { /* as OpenSSH's scp does */
				ask((struct sftp_packet){ .kind = SFTP_FSETSTAT, .handle = span_of(handle.bytes, handle.n), .attrs = { .flags = SFTP_ATTR_SIZE, .size = n } });
				cr_assert_eq(status(), SFTP_OK);
			}
			cr_assert_eq(close_file(&handle), SFTP_OK, "%u, %zu: %s", round, n, audited());
			cr_expect(stored("root/f", content + i, n), "%u, %zu", round, n);
			cr_expect_eq(files_there(), 1);
			cr_expect_eq(hashed(content + i, n), stage.sha256, "%u, %zu", round, n);
		}
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 0, "%u: %s", round, audited());
	}
}

static uint32_t random_state;

static size_t below(size_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (size_t)((uint64_t)(random_state >> 4) * n >> 28);
}

/* In any order, over each other and with gaps, new and on top of what stood there: what is stored is what an array would hold, and so is its hash. */
Test(relay_sftp, uploads_in_any_order)
{
	uint8_t *model = malloc(LARGE);
	random_state = 5;
	for (unsigned round = 0; round < 6 * POLICIES; round++) {
		struct stage stage = { .sftp = true, .sha256 = true, .policy = policies[round % POLICIES] };
		struct handle handle;
		size_t length = round % 3 * 350000, span = round % 2 ? LARGE / 8 : 90000;
		memset(model, 0, LARGE);
		memcpy(model, content, length);
		(void)unlink(at("root/f"));
		if (length > 0)
			make("root/f", content, length);
		begin(&stage);
		cr_assert_eq(open_file(&handle, "f", SFTP_OPEN_WRITE | SFTP_OPEN_CREAT), SFTP_OK);
		for (unsigned i = 0; i < 20; i++) {
			size_t from = below(span), n = below(i % 4 ? 5000 : 150000);
			const uint8_t *bytes = content + below(LARGE - 150000);
			cr_assert_eq(write_at(&handle, from, bytes, n), SFTP_OK, "%u: %s", round, audited());
			memcpy(model + from, bytes, n);
			length = n > 0 && from + n > length ? from + n : length;
		}
		cr_assert_eq(close_file(&handle), SFTP_OK, "%u: %s", round, audited());
		cr_expect(stored("root/f", model, length), "%u: %zu bytes", round, length);
		cr_expect(hashed(model, length), "%u: %s", round, audited());
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 0);
	}
	free(model);
}

/* The virus is made of what stood there and what comes; the old file stays as it was. */
Test(relay_sftp, content_is_judged_as_a_whole)
{
	static const size_t lengths[] = { 1000, 300000 };
	for (size_t i = 0; i < 2; i++) {
		struct stage stage = { .sftp = true, .sha256 = true, .policy = &scanned };
		struct handle handle;
		memset(content, 'x', lengths[i]);
		memcpy(content + 100, "EV--", 4);
		make("root/f", content, lengths[i]);
		begin(&stage);
		cr_assert_eq(open_file(&handle, "f", SFTP_OPEN_WRITE), SFTP_OK);
		cr_assert_eq(write_at(&handle, 102, "IL", 2), SFTP_OK);
		cr_expect_eq(close_file(&handle), SFTP_PERMISSION_DENIED);
		cr_expect(strstr(audited(), "Test.Evil") != NULL, "%s", audited());
		cr_expect(stored("root/f", content, lengths[i]), "%s", audited());
		cr_assert_eq(open_file(&handle, "f", SFTP_OPEN_WRITE | SFTP_OPEN_APPEND), SFTP_OK);
		cr_assert_eq(write_at(&handle, 0, "tail", 4), SFTP_OK);
		cr_expect_eq(close_file(&handle), SFTP_OK, "%s", audited());
		memcpy(content + lengths[i], "tail", 4);
		cr_expect(stored("root/f", content, lengths[i] + 4), "%s", audited());
		cr_expect(hashed(content, lengths[i] + 4), "%s", audited());
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 1);
	}
}

static void expect_download(const struct handle *handle, size_t n, size_t piece)
{
	static uint8_t got[MOST];
	size_t asked = 0, flying = 0;
	for (size_t from = 0; from < n;) {
		for (; asked < n && flying < 8; asked += piece, flying++)
			ask_read(handle, asked, piece);
		struct sftp_packet data = answer(got);
		cr_assert_eq(data.kind, SFTP_DATA);
		cr_assert_eq(data.count, n - from < piece ? n - from : piece);
		cr_assert(memcmp(got, content + from, data.count) == 0, "the bytes at %zu differ", from);
		from += data.count;
		flying--;
	}
	ask_read(handle, n, 1);
	cr_expect_eq(status(), SFTP_EOF);
}

Test(relay_sftp, downloads_of_every_size)
{
	for (unsigned round = 0; round < 4 * POLICIES; round++) {
		struct stage stage = { .sftp = true, .sha256 = round % 2, .policy = policies[round / 4] };
		begin(&stage);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct handle handle;
			make("root/f", content, sizes[i]);
			cr_assert_eq(open_file(&handle, "f", SFTP_OPEN_READ), SFTP_OK, "%s", audited());
			expect_download(&handle, sizes[i], round % 4 / 2 ? MOST : PIECE);
			cr_expect_eq(close_file(&handle), SFTP_OK);
			cr_expect_eq(hashed(content, sizes[i]), stage.sha256, "%u, %zu: %s", round, sizes[i], audited());
		}
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 0, "%s", audited());
	}
}

/* What was judged is what is read: not one byte of what came into its place since. */
Test(relay_sftp, a_file_that_changes_is_not_read_on)
{
	static uint8_t got[MOST];
	struct stage stage = { .sftp = true, .sha256 = true, .policy = &scanned };
	struct handle handle;
	struct stat before, after;
	make("root/f", content, 100000);
	begin(&stage);
	cr_assert_eq(open_file(&handle, "f", SFTP_OPEN_READ), SFTP_OK, "%s", audited());
	ask_read(&handle, 0, 1000);
	cr_expect(answer(got).kind == SFTP_DATA && memcmp(got, content, 1000) == 0);
	cr_assert_eq(stat(at("root/f"), &before), 0);
	do {
		make("root/f", content + 1, 100000);
		cr_assert_eq(stat(at("root/f"), &after), 0);
	} while (before.st_ctim.tv_sec == after.st_ctim.tv_sec && before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
	ask_read(&handle, 1000, 1000);
	cr_expect_eq(status(), SFTP_PERMISSION_DENIED);
	(void)close_file(&handle);
	fd_close(&to_shim);
	cr_expect_eq(stage_end(), 1);
	cr_expect(strstr(audited(), "\"moved\"") != NULL, "%s", audited());
	memcpy(content, "EVIL", 4);
	make("root/f", content, 100000);
	begin(&stage);
	cr_expect_eq(open_file(&handle, "f", SFTP_OPEN_READ), SFTP_PERMISSION_DENIED);
	fd_close(&to_shim);
	cr_expect_eq(stage_end(), 1);
}

/* --- a server that does one thing after the other: it reads nothing while nobody takes what it says --- */

static struct {
	struct sftp_reader requests;
	uint8_t bytes[16 << 10], payload[MOST];
	struct span left;
	int in, out;
} server;

static void server_say(const struct sftp_packet *packet, size_t payload)
{
	uint8_t bytes[SFTP_PUT_MAX];
	size_t n = sftp_put(bytes, packet);
	if (n == 0 || fd_write_all(server.out, bytes, n) < 0 || fd_write_all(server.out, server.payload, payload) < 0)
		_exit(1);
}

/* Handles are the descriptor's number. */
static void server_do(const struct sftp_packet *request)
{
	struct sftp_packet reply = { .kind = SFTP_STATUS, .id = request->id };
	int fd = request->handle.n == 1 ? request->handle.p[0] : -1;
	uint8_t number = 0;
	char path[4096];
	ssize_t n = 0;
	if (request->kind == SFTP_INIT) {
		reply = (struct sftp_packet){ .kind = SFTP_VERSION, .version = 3 };
	} else if (request->kind == SFTP_OPEN && span_copy(path, sizeof(path), request->path)) {
		fd = open(path, (request->flags & SFTP_OPEN_WRITE ? O_WRONLY : O_RDONLY) | (request->flags & SFTP_OPEN_CREAT ? O_CREAT | O_EXCL : 0) | O_CLOEXEC, 0644);
		number = (uint8_t)fd;
		reply = (struct sftp_packet){ .kind = SFTP_HANDLE, .id = request->id, .handle = span_of(&number, 1) };
	} else if (request->kind == SFTP_READ && (n = pread(fd, server.payload, request->count, (off_t)request->offset)) > 0) {
		reply = (struct sftp_packet){ .kind = SFTP_DATA, .id = request->id, .count = (uint32_t)n };
	} else if (request->kind == SFTP_WRITE) {
		struct span some = span_take(&server.left, request->count);
		memcpy(server.payload, some.p, some.n);
		if (fd_read_all(server.in, server.payload + some.n, request->count - some.n) < 0 ||
		    pwrite(fd, server.payload, request->count, (off_t)request->offset) != (ssize_t)request->count)
			_exit(1);
	} else if (request->kind == SFTP_CLOSE) {
		close(fd);
	}
	server_say(&reply, (size_t)n);
}

static void serve(int in, int out)
{
	struct sftp_packet request;
	server.in = in;
	server.out = out;
	sftp_init(&server.requests);
	for (;;) {
		enum sftp_kind kind = sftp_next_request(&server.requests, &server.left, &request);
		if (kind != SFTP_MORE) {
			server_do(&request);
			continue;
		}
		ssize_t n = read(in, server.bytes, sizeof(server.bytes));
		if (n <= 0)
			_exit(0);
		server.left = span_of(server.bytes, (size_t)n);
	}
}

/*
 * Both ways at once, and the client does not wait: what the server has to say must be taken from it while it does not take what is for it, or all three wait for each
 * other for ever. A second process writes, so that this one can read.
 */
enum { TURNS = 12, READS = 8, WRITES = 100, LITTLE = 30000 /* goes by way of the queue */ };

static size_t turn_offset(unsigned i, size_t n)
{
	return i * n % LARGE > LARGE - n ? 0 : i * n % LARGE;
}

static void both_ways_ask(const struct handle *in, const struct handle *out)
{
	for (unsigned turn = 0; turn < TURNS; turn++) {
		for (unsigned i = 0; i < READS; i++)
			ask_read(in, turn_offset(turn * READS + i, MOST), MOST);
		for (unsigned i = 0; i < WRITES; i++)
			ask_write(out, (uint64_t)i * LITTLE, content + (size_t)i * LITTLE, LITTLE);
	}
}

static void both_ways_hear(void)
{
	static uint8_t got[MOST];
	for (unsigned turn = 0; turn < TURNS; turn++) {
		for (unsigned i = 0; i < READS; i++) {
			struct sftp_packet data = answer(got);
			cr_assert(data.kind == SFTP_DATA && data.count == MOST && memcmp(got, content + turn_offset(turn * READS + i, MOST), MOST) == 0, "%u, %u", turn, i);
		}
		for (unsigned i = 0; i < WRITES; i++)
			cr_assert_eq(status(), SFTP_OK);
	}
}

Test(relay_sftp, both_ways_at_once)
{
	for (int round = 0; round < 4; round++) {
		struct stage stage = { .sftp = true, .sha256 = round % 2, .policy = &everything, .child = round / 2 ? serve : NULL, .idle = 30 };
		struct handle in, out;
		make("root/f", content, LARGE);
		begin(&stage);
		cr_assert_eq(open_file(&in, "f", SFTP_OPEN_READ), SFTP_OK);
		cr_assert_eq(open_file(&out, "g", SFTP_OPEN_WRITE | SFTP_OPEN_CREAT), SFTP_OK);
		pid_t writer = fork();
		if (writer == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			both_ways_ask(&in, &out);
			_exit(0);
		}
		both_ways_hear();
		cr_expect_eq(waitpid(writer, NULL, 0), writer);
		next_id += TURNS * (READS + WRITES);
		cr_expect_eq(close_file(&in), SFTP_OK);
		cr_expect_eq(close_file(&out), SFTP_OK);
		cr_expect(stored("root/g", content, WRITES * LITTLE));
		cr_expect_eq(hashed(content, WRITES * LITTLE), round % 2, "%s", audited());
		(void)unlink(at("root/g"));
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 0, "%s", audited());
	}
}

/* More than the spool takes: the file is refused with the reason, what stood there stays, and the session goes on. */
Test(relay_sftp, what_cannot_be_held_is_refused)
{
	struct stage stage = { .sftp = true, .sha256 = true, .policy = &scanned, .limit = 300000 };
	struct handle one, two;
	make("root/f", content, 1000);
	begin(&stage);
	cr_assert_eq(open_file(&one, "f", SFTP_OPEN_WRITE | SFTP_OPEN_TRUNC), SFTP_OK);
	cr_assert_eq(open_file(&two, "g", SFTP_OPEN_WRITE | SFTP_OPEN_CREAT), SFTP_OK);
	cr_expect_eq(write_at(&one, 0, content, 200000), SFTP_OK);
	cr_expect_eq(write_at(&two, 0, content, 200000), SFTP_PERMISSION_DENIED, "together they are too large");
	cr_expect_eq(close_file(&two), SFTP_OK, "it was told already");
	cr_expect(strstr(audited(), "leave no room in the spool") != NULL, "%s", audited());
	cr_expect_eq(close_file(&one), SFTP_OK);
	cr_expect(stored("root/f", content, 200000) && files_there() == 1);
	fd_close(&to_shim);
	cr_expect_eq(stage_end(), 1);
}

/* An end in the middle: nothing unjudged stays, under whatever name. */
Test(relay_sftp, what_is_not_whole_does_not_stay)
{
	for (unsigned round = 0; round < 3 * POLICIES; round++) {
		struct stage stage = { .sftp = true, .sha256 = true, .policy = policies[round / 3], .stops = round % 3 == 0 };
		struct handle handle;
		make("root/f", "old", 3);
		begin(&stage);
		cr_assert_eq(open_file(&handle, "f", SFTP_OPEN_WRITE | (policies[round / 3] == &everything ? 0 : SFTP_OPEN_TRUNC)), SFTP_OK);
		cr_expect_eq(write_at(&handle, 1, "EVIL<?php", 9), SFTP_OK);
		if (round % 3 == 0)
			kill(shim, SIGTERM);
		else if (round % 3 == 1)
			fd_close(&to_shim);
		else
			stage_kill(); /* not even the end could be judged: all it held is gone with it */
		if (round % 3 != 2)
			(void)stage_end();
		cr_expect_eq(files_there(), 1, "%u", round);
		bool kept = stored("root/f", "old", 3), whole = stored("root/f", "oEVIL<?php", 10);
		cr_expect(policies[round / 3] == &everything ? kept || whole : kept, "%u: %s", round, audited());
	}
}
