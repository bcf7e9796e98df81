/* relay/relay: sessions over real pipes, with ends that come early, late or never. */
#include "relay_stage.h"

enum { LARGE = 8 << 20 };

static uint8_t *content;

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
		content[i] = (uint8_t)(state >> 24);
	}
}

static void tear_down(void)
{
	char command[96];
	snprintf(command, sizeof(command), "rm -rf %s", base);
	cr_expect_eq(system(command), 0);
	free(content);
}

TestSuite(relay_relay, .init = set_up, .fini = tear_down, .timeout = 110);

static bool stored(const char *name, const void *bytes, size_t n)
{
	uint8_t *got = malloc(n + 1);
	int fd = open(at(name), O_RDONLY | O_CLOEXEC);
	bool same = fd >= 0 && fd_read_all(fd, got, n) == 0 && memcmp(got, bytes, n) == 0 && read(fd, got, 1) == 0;
	fd_close(&fd);
	free(got);
	return same;
}

static bool exists(const char *name)
{
	struct stat status;
	return lstat(at(name), &status) == 0;
}

static void make(const char *name, const void *bytes, size_t n)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert(fd >= 0 && fd_write_all(fd, bytes, n) == 0);
	close(fd);
}

static const char *sum_of(const void *bytes, size_t n)
{
	static char text[2 * DIGEST_BYTES + 1];
	struct digest digest;
	uint8_t sum[DIGEST_BYTES];
	digest_init(&digest);
	digest_update(&digest, span_of(bytes, n));
	digest_finish(&digest, sum);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return text;
}

static void say_header(const char *name, size_t n)
{
	char line[128];
	int length = snprintf(line, sizeof(line), "C0644 %zu %s\n", n, name);
	say(line, (size_t)length);
}

static void upload(const char *name, const void *bytes, size_t n)
{
	say_header(name, n);
	expect_ok();
	say(bytes, n);
	say("", 1);
}

static const struct stage up = { .direction = UPLOAD, .path = "." };
static const struct stage down = { .direction = DOWNLOAD, .path = "file" };

/* --- content --- */

static const size_t sizes[] = { 0, 1, 1000, 32767, 32768, 65535, 65536, 65537, 200000, 1 << 20, LARGE };

Test(relay_relay, uploads_of_every_size_with_and_without_a_hash)
{
	for (int hash = 0; hash < 2; hash++) {
		struct stage stage = up;
		stage.sha256 = hash;
		stage_begin(&stage);
		expect_ok();
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char name[32], path[64];
			snprintf(name, sizeof(name), "file-%d-%zu", hash, sizes[i]);
			upload(name, content + i, sizes[i]);
			expect_ok();
			snprintf(path, sizeof(path), "root/%s", name);
			cr_expect(stored(path, content + i, sizes[i]), "%s", name);
			cr_expect_eq(audited_lines(), i + 1);
			cr_expect_eq(strstr(audited(), sum_of(content + i, sizes[i])) != NULL, hash, "%s", name);
		}
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 0);
	}
}

Test(relay_relay, downloads_of_every_size_with_and_without_a_hash)
{
	uint8_t *got = malloc(LARGE + 1);
	for (int hash = 0; hash < 2; hash++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct stage stage = down;
			char wanted[64];
			make("root/file", content + i, sizes[i]);
			stage.sha256 = hash;
			stage_begin(&stage);
			say("", 1);
			cr_expect_eq(hear_line()[0], 'T'); /* -p */
			say("", 1);
			snprintf(wanted, sizeof(wanted), "C0644 %zu file", sizes[i]);
			cr_expect_str_eq(hear_line(), wanted);
			say("", 1);
			cr_assert(hear(got, sizes[i] + 1));
			cr_expect(memcmp(got, content + i, sizes[i]) == 0 && got[sizes[i]] == 0, "%zu", sizes[i]);
			say("", 1);
			cr_expect(!hear(got, 1));
			cr_expect_eq(stage_end(), 0);
			cr_expect_eq(strstr(audited(), sum_of(content + i, sizes[i])) != NULL, hash, "%zu", sizes[i]);
		}
	}
	free(got);
}

/* The whole session of a client that does not wait for answers, from something that is no pipe. */
static int script_file(size_t n)
{
	char header[64];
	int fd = open(at("script"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int length = snprintf(header, sizeof(header), "C0644 %zu scripted\n", n);
	cr_assert(fd >= 0 && fd_write_all(fd, header, (size_t)length) == 0 && fd_write_all(fd, content, n) == 0 && fd_write_all(fd, "", 1) == 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

Test(relay_relay, a_file_as_input)
{
	for (int hash = 0; hash < 2; hash++) {
		struct stage stage = up;
		int fd = script_file(3000000);
		stage.sha256 = hash;
		stage.in = fd;
		stage_begin(&stage);
		expect_ok();
		expect_ok();
		expect_ok();
		cr_expect_eq(stage_end(), 0);
		cr_expect(stored("root/scripted", content, 3000000));
		cr_expect_eq(strstr(audited(), sum_of(content, 3000000)) != NULL, hash);
		close(fd);
	}
}

Test(relay_relay, a_socket_for_both_ways)
{
	for (int hash = 0; hash < 2; hash++) {
		struct stage stage = up;
		int pair[2];
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		stage.sha256 = hash;
		stage.in = stage.out = pair[1];
		stage_begin(&stage);
		close(pair[1]);
		close(to_shim);
		close(from_shim);
		to_shim = pair[0];
		from_shim = dup(pair[0]);
		expect_ok();
		expect_idle("a socket");
		upload("socketed", content, 3000000);
		expect_ok();
		shutdown(pair[0], SHUT_WR);
		cr_expect_eq(stage_end(), 0);
		cr_expect(stored("root/socketed", content, 3000000));
		cr_expect_eq(strstr(audited(), sum_of(content, 3000000)) != NULL, hash);
	}
}

/* splice(2) does not write to a file that is opened for appending: the bytes were seen already, and must go another way. */
Test(relay_relay, a_file_as_output)
{
	static const int flags[] = { 0, O_APPEND };
	for (int i = 0; i < 4; i++) {
		struct stage stage = { .direction = DOWNLOAD, .path = "file", .recursive = true, .sha256 = i & 1 };
		uint8_t *got = malloc(LARGE);
		make("root/file", content, 3000000);
		int out = open(at("output"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags[i >> 1], 0600);
		stage.out = out;
		stage_begin(&stage);
		say("\0\0\0\0", 4);
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 0);
		ssize_t n = pread(out, got, LARGE, 0);
		cr_expect_eq(n, 3000000 + 20, "%zd", n);
		cr_expect(memcmp(got, "C0644 3000000 file\n", 19) == 0 || n < 19 || got[0] == 0);
		const uint8_t *line = memchr(got, '\n', 64);
		cr_expect(line && memcmp(line + 1, content, 3000000) == 0, "row %d", i);
		cr_expect_eq(strstr(audited(), sum_of(content, 3000000)) != NULL, i & 1);
		close(out);
		free(got);
	}
}

/* --- hold, and what the inspector says --- */

static const char *const all[] = { "*" };
static const struct rule no_virus[] = { { .kind = RULE_BLOCK, .name = "malware", .conditions = CONDITION_VIRUS, .viruses = { all, 1 } } };
static const struct policy scanned = { .name = "scanned", .protocols = PROTOCOL_SCP, .operations = OPERATION_ALL, .on_block = ON_BLOCK_SKIP,
	.rules = { { .permitted = true, .rules = no_virus, .count = 1 }, { .permitted = true, .rules = no_virus, .count = 1 } } };
static const struct policy streamed = { .name = "streamed", .protocols = PROTOCOL_SCP, .operations = OPERATION_ALL, .on_block = ON_BLOCK_SKIP,
	.delivery = DELIVERY_STREAM, .rules = { { .permitted = true, .rules = no_virus, .count = 1 }, { .permitted = true, .rules = no_virus, .count = 1 } } };

Test(relay_relay, held_content_is_judged_then_stored)
{
	static const struct policy *const policies[] = { &scanned, &streamed };
	for (int i = 0; i < 4; i++) {
		struct stage stage = up;
		stage.policy = policies[i >> 1];
		stage.sha256 = i & 1;
		stage_begin(&stage);
		expect_ok();
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
			char path[64], name[32];
			snprintf(name, sizeof(name), "%d-%zu", i, sizes[k]);
			snprintf(path, sizeof(path), "root/%s", name);
			upload(name, content, sizes[k]);
			expect_ok();
			cr_expect(stored(path, content, sizes[k]), "%s", name);
			if (sizes[k] < 4)
				continue;
			uint8_t saved[4];
			memcpy(saved, content, 4);
			memcpy(content, "EVIL", 4);
			snprintf(name, sizeof(name), "%d-%zu-bad", i, sizes[k]);
			snprintf(path, sizeof(path), "root/%s", name);
			upload(name, content, sizes[k]);
			memcpy(content, saved, 4);
			const char *line = hear_line();
			cr_expect(line[0] == 1 && strstr(line, "malware"), "%s", line);
			cr_expect(!exists(path), "%s", path);
		}
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), 1);
	}
}

Test(relay_relay, nothing_is_stored_before_the_verdict)
{
	struct stage stage = up;
	stage.policy = &scanned;
	make("root/slow", "good", 4);
	stage_begin(&stage);
	expect_ok();
	upload("slow", "SLOW, SLOW", 10);
	expect_idle("inspecting");
	cr_expect(stored("root/slow", "good", 4));
	expect_ok();
	cr_expect(stored("root/slow", "SLOW, SLOW", 10));
	upload("dead", "DEAD", 4);
	cr_expect_eq(hear_line()[0], 1);
	cr_expect(!exists("root/dead"));
	cr_expect(strstr(audited(), "scanner-down") != NULL);
	upload("next", "next", 4); /* another inspector is started */
	expect_ok();
	fd_close(&to_shim);
	cr_expect_eq(stage_end(), 1);
}

/* The announced size is more than what the spool takes. */
Test(relay_relay, what_cannot_be_held_is_refused_and_the_session_goes_on)
{
	struct stage stage = up;
	stage.policy = &scanned;
	stage_begin(&stage);
	expect_ok();
	say_header("huge", (size_t)1 << 40);
	const char *line = hear_line();
	cr_expect_eq(line[0], 1, "%s", line);
	upload("next", "next", 4);
	expect_ok();
	fd_close(&to_shim);
	cr_expect_eq(stage_end(), 1);
	cr_expect(!exists("root/huge") && exists("root/next"));
	cr_expect(strstr(audited(), "larger than the spool's limit of 16M") != NULL, "%s", audited());
}

/* The client learns that, the record why. */
Test(relay_relay, a_spool_that_cannot_be_opened_is_named)
{
	struct stage stage = up;
	char folder[128], detail[192];
	stage.policy = &scanned;
	snprintf(folder, sizeof(folder), "%s/none", base);
	snprintf(detail, sizeof(detail), "spool %s: No such file or directory", folder);
	stage.spool = folder;
	stage_begin(&stage);
	expect_ok();
	say_header("large", 300 << 10);
	expect_ok();
	say(content, 300 << 10);
	say("", 1);
	const char *line = hear_line();
	cr_expect(line[0] == 1 && strstr(line, "it can't be held for checking") != NULL, "%s", line);
	upload("next", "next", 4);
	expect_ok();
	fd_close(&to_shim);
	cr_expect_eq(stage_end(), 1);
	cr_expect(!exists("root/large") && exists("root/next"));
	cr_expect(strstr(audited(), detail) != NULL, "%s", audited());
}

/* --- the client leaves --- */

enum leaving { HALF, WHOLE };

static void leave(enum leaving how)
{
	if (how == WHOLE)
		fd_close(&from_shim);
	fd_close(&to_shim);
}

/* At each point of an upload, by closing one way or both: it ends soon, and what was received whole is stored. */
Test(relay_relay, an_uploading_client_leaves)
{
	static const struct {
		const char *sent; /* after the greeting */
		size_t rest;      /* of the content, which is 100000 bytes */
		const char *end;
		bool stored;
		bool clean;       /* a status of 0 may be had */
	} rows[] = {
		{ "", 0, "", false, true },
		{ "C0644 1000", 0, "", false, false },
		{ "C0644 100000 f\n", 0, "", false, false },
		{ "C0644 100000 f\n", 50000, "", false, false },
		{ "C0644 100000 f\n", 100000, "", true, true },
		{ "C0644 100000 f\n", 100000, "0", true, true },
	};
	for (size_t i = 0; i < 2 * 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		size_t row = i / 4;
		struct stage stage = up;
		stage.policy = i & 2 ? &scanned : NULL;
		(void)unlink(at("root/f"));
		stage_begin(&stage);
		expect_ok();
		say(rows[row].sent, strlen(rows[row].sent));
		if (strchr(rows[row].sent, '\n'))
			expect_ok();
		say(content, rows[row].rest);
		if (rows[row].end[0])
			say("", 1);
		leave(i & 1 ? WHOLE : HALF);
		double begin = now();
		int status = stage_end();
		cr_expect_lt(now() - begin, 5, "row %zu", i);
		cr_expect(rows[row].clean ? status == 0 || (i & 1) : status != 0, "row %zu: status %d", i, status);
		if (rows[row].stored)
			cr_expect(stored("root/f", content, 100000), "row %zu: not stored", i);
		else
			cr_expect(!stored("root/f", content, 100000), "row %zu", i);
		if (!rows[row].stored && (i & 2))
			cr_expect(!exists("root/f"), "row %zu: a part of it was stored unjudged", i);
	}
}

Test(relay_relay, a_downloading_client_leaves)
{
	make("root/file", content, LARGE);
	for (int point = 0; point < 5; point++) {
		for (int how = HALF; how <= WHOLE; how++) {
			uint8_t scrap[1000];
			stage_begin(&(struct stage){ .direction = DOWNLOAD, .path = "file", .recursive = true });
			if (point > 0)
				say("", 1);
			if (point > 1)
				(void)hear_line();
			if (point > 2)
				say("", 1);
			if (point > 3)
				cr_assert(hear(scrap, sizeof(scrap)));
			leave((enum leaving)how);
			if (how == HALF && from_shim >= 0) /* it still reads */
				while (read(from_shim, content, LARGE) > 0)
					;
			double begin = now();
			int status = stage_end();
			cr_expect_lt(now() - begin, 5, "point %d", point);
			cr_expect(status != 0 || (point == 0 && how == HALF) || (how == HALF && point > 2), "point %d, %d: status %d", point, how, status);
		}
	}
}

/* --- the child leaves, or says nothing --- */

static int child_until;   /* the step before which it stops */
static bool child_hangs;  /* stops by doing nothing more; else by ending */
static const char *child_says;

static void child_step(int step)
{
	if (step != child_until)
		return;
	while (child_hangs)
		pause();
	_exit(3);
}

/* A sink of one file of 100000 bytes, as scp would do it. */
static void child_sink(int in, int out)
{
	char line[128], byte;
	static uint8_t bytes[100000];
	size_t n = 0;
	child_step(0);
	(void)!write(out, "", 1);
	child_step(1);
	while (n < sizeof(line) - 1 && fd_read_all(in, line + n, 1) == 0 && line[n] != '\n')
		n++;
	line[n] = '\0';
	child_step(2);
	const char *name = strrchr(line, ' ');
	int fd = open(name ? name + 1 : "none", O_WRONLY | O_CREAT, 0644);
	if (fd != 3)
		_exit(98);
	(void)!write(out, "", 1);
	child_step(3);
	(void)fd_read_all(in, bytes, sizeof(bytes) / 2);
	child_step(4);
	(void)fd_read_all(in, bytes + sizeof(bytes) / 2, sizeof(bytes) / 2);
	(void)fd_write_all(fd, bytes, sizeof(bytes));
	(void)fd_read_all(in, &byte, 1);
	child_step(5);
	close(fd);
	(void)!write(out, child_says ? child_says : "", child_says ? strlen(child_says) : 1);
	child_step(6);
	(void)fd_read_all(in, &byte, 1);
	child_step(7);
}

/* The client is told, may send what it has announced without being stuck, and everything ends. */
Test(relay_relay, the_child_dies_at_each_point_of_an_upload)
{
	for (child_until = 0; child_until < 7; child_until++) {
		struct stage stage = up;
		char byte;
		stage.child = child_sink;
		stage_begin(&stage);
		if (child_until > 0)
			expect_ok();
		const char *line = "";
		if (child_until > 0) {
			say_header("f", 100000);
			cr_assert(hear(&byte, 1));
			if (byte == 0) {
				(void)fd_write_all(to_shim, content, 100000);
				(void)fd_write_all(to_shim, "", 1);
				cr_assert(hear(&byte, 1));
			}
			cr_expect(byte == (child_until < 6 ? 2 : 0) || (child_until < 6 && byte == 1), "step %d: %d", child_until, byte);
		}
		if (child_until == 0 || child_until < 6)
			line = hear_line();
		cr_expect(child_until >= 6 || line[0] != '\0', "step %d: nothing is said", child_until);
		fd_close(&to_shim);
		double begin = now();
		cr_expect_neq(stage_end(), 0, "step %d", child_until);
		cr_expect_lt(now() - begin, 5, "step %d", child_until);
		cr_expect(child_until == 0 || child_until == 6 || strstr(audited(), "\"event.outcome\":\"failure\"") != NULL, "step %d: %s", child_until, audited());
		cr_expect(!stored("root/f", content, 100000) || child_until >= 5, "step %d", child_until);
		(void)unlink(at("root/f"));
	}
}

Test(relay_relay, a_child_that_ends_well_and_one_that_complains)
{
	struct stage stage = up;
	stage.child = child_sink;
	child_until = -1;
	for (int i = 0; i < 3; i++) {
		static const char *const words[] = { NULL, "\001scp: no room\n", "\002scp: gone\n" };
		child_says = words[i];
		stage_begin(&stage);
		expect_ok();
		upload("f", content, 100000);
		if (i == 0)
			expect_ok();
		else
			cr_expect_str_eq(hear_line(), i == 1 ? "\001scp: no room" : "\002scp: gone");
		fd_close(&to_shim);
		cr_expect_eq(stage_end() != 0, i != 0);
	}
}

/* A child that says nothing more: without a limit everything waits and costs nothing; with one it ends, and the client is told why. */
Test(relay_relay, a_child_that_never_answers)
{
	child_hangs = true;
	for (child_until = 0; child_until < 6; child_until++) {
		for (unsigned idle = 0; idle < 2; idle++) {
			struct stage stage = up;
			char phase[32], byte = 0;
			snprintf(phase, sizeof(phase), "step %d", child_until);
			stage.child = child_sink;
			stage.idle = idle;
			stage_begin(&stage);
			double begin = now();
			if (child_until > 0) {
				expect_ok();
				say_header("f", 100000);
				if (child_until > 2) {
					expect_ok();
					(void)fd_write_all(to_shim, content, 100000);
					(void)fd_write_all(to_shim, "", 1);
				}
			}
			if (idle == 0) {
				expect_idle(phase);
				stage_kill();
				continue;
			}
			cr_assert(hear(&byte, 1));
			cr_expect_eq(byte, 2, "%s: %d", phase, byte);
			cr_expect(strstr(hear_line(), "timed out") != NULL);
			cr_expect_neq(stage_end(), 0, "%s", phase);
			cr_expect(now() - begin > 0.9 && now() - begin < 6, "%s: %f", phase, now() - begin);
		}
		(void)unlink(at("root/f"));
	}
}

/* It will not end when it should: told, given a while, killed. */
Test(relay_relay, a_child_that_does_not_end)
{
	struct stage stage = up;
	child_hangs = true;
	child_until = 7;
	stage.child = child_sink;
	stage_begin(&stage);
	expect_ok();
	upload("f", content, 100000);
	expect_ok();
	fd_close(&to_shim);
	double begin = now();
	expect_idle("waiting for the child's end");
	cr_expect_neq(stage_end(), 0);
	cr_expect(now() - begin > RELAY_CHILD_SECONDS - 2 && now() - begin < RELAY_CHILD_SECONDS + 5, "%f", now() - begin);
}

/* --- slow clients --- */

Test(relay_relay, a_silent_client_costs_nothing)
{
	static const char *const phases[] = { "before the header", "in the header", "in the content", "before the status" };
	for (int i = 0; i < 8; i++) {
		struct stage stage = up;
		stage.policy = i & 1 ? &scanned : NULL;
		stage.sha256 = i & 1;
		stage_begin(&stage);
		expect_ok();
		if (i / 2 == 1)
			say("C0644 1", 7);
		if (i / 2 > 1) {
			say_header("f", 100000);
			expect_ok();
			say(content, i / 2 == 2 ? 40000 : 100000);
		}
		expect_idle(phases[i / 2]);
		stage_kill();
	}
	make("root/file", content, LARGE);
	for (int point = 0; point < 3; point++) {
		for (int hash = 0; hash < 2; hash++) {
			struct stage stage = { .direction = DOWNLOAD, .path = "file", .recursive = true, .sha256 = hash };
			stage_begin(&stage);
			if (point > 0)
				say("", 1);
			if (point > 1) {
				(void)hear_line();
				say("", 1); /* and never reads what comes */
			}
			expect_idle(point == 0 ? "before the go-ahead" : point == 1 ? "before the file" : "a client that does not read");
			if (point == 2) { /* it reads after all, and gets everything */
				uint8_t *got = malloc(LARGE + 1);
				cr_expect(hear(got, LARGE + 1) && memcmp(got, content, LARGE) == 0);
				say("", 1);
				cr_expect_eq(stage_end(), 0);
				free(got);
			} else {
				stage_kill();
			}
		}
	}
}

Test(relay_relay, a_header_that_trickles_in_is_no_progress)
{
	struct stage stage = up;
	stage.idle = 1;
	stage_begin(&stage);
	expect_ok();
	double begin = now();
	for (int i = 0; i < 30 && fd_write_all(to_shim, &"C0644 0000000000000000000000000000000000000000"[i], 1) == 0; i++) {
		struct pollfd slot = { .fd = from_shim, .events = POLLIN };
		if (poll(&slot, 1, 150) > 0)
			break;
	}
	cr_expect(strstr(hear_line(), "timed out") != NULL);
	cr_expect(now() - begin > 0.9 && now() - begin < 3, "%f", now() - begin);
	cr_expect_neq(stage_end(), 0);
}

/* Content that comes slowly is progress, also that of a file which was refused. */
Test(relay_relay, content_that_trickles_in_is_progress)
{
	static const char *const php[] = { "*.php" };
	static const struct rule no_php[] = { { .kind = RULE_BLOCK, .name = "scripts", .conditions = CONDITION_NAME, .names = { php, 1 } } };
	static const struct policy policy = { .name = "p", .protocols = PROTOCOL_SCP, .operations = OPERATION_ALL, .on_block = ON_BLOCK_SKIP,
		.rules = { { .permitted = true, .rules = no_php, .count = 1 } } };
	static const char *const names[] = { "f", "f.php" };
	for (int i = 0; i < 2; i++) {
		struct stage stage = up;
		char header[64];
		stage.idle = 1;
		stage.policy = &policy;
		stage_begin(&stage);
		expect_ok();
		/* pipelined: some content comes with the header, so that the refused file has to be read to its end */
		size_t n = (size_t)snprintf(header, sizeof(header), "C0644 100 %s\n0123456789", names[i]);
		say(header, n);
		for (int k = 0; k < 9; k++) {
			usleep(280000);
			say("0123456789", 10);
		}
		say("", 1);
		if (i == 0) {
			expect_ok();
			expect_ok();
		} else {
			char byte;
			cr_assert(hear(&byte, 1));
			if (byte == 0)
				cr_assert(hear(&byte, 1));
			cr_expect_eq(byte, 1);
			cr_expect(strstr(hear_line(), "scripts") != NULL);
		}
		fd_close(&to_shim);
		cr_expect_eq(stage_end(), i);
	}
}

/* A refused client may finish what it is sending, but not for ever, whether it sends a lot or a little. */
Test(relay_relay, the_drain_ends)
{
	static const struct rule none[] = { { .kind = RULE_BLOCK, .name = "none", .conditions = CONDITION_NAME, .names = { all, 1 } } };
	static const struct policy policy = { .name = "p", .protocols = PROTOCOL_SCP, .operations = OPERATION_ALL,
		.rules = { { .permitted = true, .rules = none, .count = 1 } } };
	for (int i = 0; i < 3; i++) {
		struct stage stage = up;
		stage.policy = &policy;
		stage.drain = 2;
		stage_begin(&stage);
		expect_ok();
		say_header("f", 5);
		cr_expect_eq(hear_line()[0], 2);
		double begin = now();
		if (i == 0)
			expect_idle("draining");
		while (i > 0 && now() - begin < 10 && write(to_shim, content, i == 1 ? 65536 : 1) > 0)
			if (i == 2)
				usleep(20000);
		cr_expect_neq(stage_end(), 0);
		cr_expect(now() - begin > 1 && now() - begin < 5, "row %d: %f", i, now() - begin);
	}
	struct stage stage = up; /* one that stops at once is let go at once */
	stage.policy = &policy;
	stage_begin(&stage);
	expect_ok();
	say_header("f", 5);
	cr_expect_eq(hear_line()[0], 2);
	double begin = now();
	fd_close(&to_shim);
	cr_expect_neq(stage_end(), 0);
	cr_expect_lt(now() - begin, 3);
}

/* Every answer that the client does not take stays in the queue; nothing is lost, nothing spins. */
Test(relay_relay, a_client_that_does_not_read_its_answers)
{
	static char many[400000];
	struct stage stage = up;
	size_t n = 0;
	stage.policy = &scanned;
	for (int i = 0; i < 3000; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, "C0644 4 %050d\nEVIL", i) + 1; /* with the NUL as status */
	stage_begin(&stage);
	fd_nonblock(to_shim, true);
	size_t at_n = 0;
	for (int quiet = 0; at_n < n && quiet < 20;) {
		ssize_t put = write(to_shim, many + at_n, n - at_n);
		quiet = put > 0 ? 0 : quiet + 1;
		at_n += put > 0 ? (size_t)put : 0;
		usleep(100000);
	}
	if (at_n < n)
		expect_idle("a client that does not read its answers");
	expect_ok();
	fd_nonblock(to_shim, false);
	pid_t writer = fork();
	if (writer == 0)
		_exit(fd_write_all(to_shim, many + at_n, n - at_n) < 0);
	fd_close(&to_shim);
	unsigned refused = 0;
	for (char byte; hear(&byte, 1);)
		if (byte == 1) {
			refused++;
			(void)hear_line();
		}
	cr_expect_eq(refused, 3000);
	cr_expect_eq(waitpid(writer, NULL, 0), writer);
	cr_expect_eq(stage_end(), 1);
	cr_expect_eq(audited_lines() > 0, true);
}

/* --- a signal --- */

static const struct policy *const stop_policies[] = { &everything, &scanned, &streamed };

static void expect_stopped(const char *which)
{
	const char *line = hear_line();
	while (line[0] == '\0' && line[1] != '\0') /* what was agreed to before */
		line++;
	cr_expect(line[0] == 2 && strstr(line, "ends this session") != NULL, "%s: %d %s", which, line[0], line + 1);
	cr_expect_str_eq(hear_line(), "", "%s", which);
	cr_expect_eq(stage_end(), 1, "%s", which);
}

/* Nothing of a file that was not judged to its end stays, and it is on record why. */
Test(relay_relay, an_upload_is_told_to_stop)
{
	static const char *const points[] = { "before a header", "in a header", "before content", "in content", "before the status" };
	for (size_t i = 0; i < 3 * sizeof(points) / sizeof(points[0]); i++) {
		struct stage stage = up;
		char which[64];
		size_t point = i / 3;
		stage.policy = stop_policies[i % 3];
		stage.stops = true;
		stage.sha256 = i & 1;
		snprintf(which, sizeof(which), "%s, policy %s", points[point], stage.policy->name);
		stage_begin(&stage);
		expect_ok();
		if (point == 1)
			say("C0644 5", 7);
		if (point > 1) {
			say_header("f", 1 << 20);
			expect_ok();
			say(content, point == 2 ? 0 : point == 3 ? 600000 : 1 << 20);
		}
		usleep(200000);
		cr_assert_eq(kill(shim, SIGTERM), 0);
		expect_stopped(which);
		bool judged = stage.policy == &everything; /* by its name: then what came of it stays, as without us */
		cr_expect_eq(exists("root/f"), judged && point > 1, "%s", which);
		cr_expect_eq(strstr(audited(), "\"stopped\"") != NULL, point > 1, "%s: %s", which, audited());
		cr_expect_eq(audited_lines(), point > 1, "%s", which);
		(void)unlink(at("root/f"));
	}
}

Test(relay_relay, a_download_is_told_to_stop)
{
	make("root/file", content, LARGE);
	for (int i = 0; i < 6; i++) {
		struct stage stage = down;
		stage.recursive = true; /* not -p, so that there are no times */
		stage.policy = stop_policies[i % 3];
		stage.stops = true;
		stage_begin(&stage);
		say("", 1);
		if (i >= 3 && stage.policy != &scanned) {
			char head[64];
			(void)hear_line();
			say("", 1);
			cr_assert(hear(head, sizeof(head))); /* and reads no further until it is over */
		}
		struct pollfd spoken = { .fd = from_shim, .events = POLLIN };
		cr_assert_eq(poll(&spoken, 1, 20000), 1, "row %d", i); /* then there is a file to be on record */
		cr_assert_eq(kill(shim, SIGTERM), 0);
		while (*hear_line() != '\0')
			continue;
		cr_expect_eq(stage_end(), 1, "row %d", i);
		cr_expect(strstr(audited(), "\"stopped\"") != NULL, "row %d: %s", i, audited());
	}
}

/* Signals come when they like: each ends the session once, also one that is on its way to its end. The file would be blocked. */
Test(relay_relay, signals_without_end)
{
	memcpy(content, "EVIL", 4);
	for (int delay = 0; delay < 24; delay++) {
		struct stage stage = up;
		stage.policy = stop_policies[1 + delay % 2];
		stage.stops = true;
		stage_begin(&stage);
		expect_ok();
		pid_t killer = fork();
		if (killer == 0) {
			usleep((unsigned)delay * 200);
			while (kill(shim, SIGTERM) == 0)
				usleep(50);
			_exit(0);
		}
		say_header("f", 100000);
		(void)fd_write_all(to_shim, content, 100000);
		(void)fd_write_all(to_shim, "", 1);
		cr_expect_eq(stage_end(), 1, "%d", delay);
		kill(killer, SIGKILL);
		(void)waitpid(killer, NULL, 0);
		cr_expect_leq(audited_lines(), 1);
		cr_expect(!exists("root/f"), "%d: %s", delay, audited());
		(void)unlink(at("root/f"));
	}
}
