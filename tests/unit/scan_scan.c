/*
 * scan/scan against inspectors and clamds that misbehave. A fake inspector is this very program, started under a name that says what it
 * does wrong; a fake clamd is a process that follows a script of replies, one a connection, and reports what it was sent.
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

#include "scan_fakes.h"
#include "scan/clock.h"
#include "scan/scan.h"
#include "sys/fd.h"

enum { TYPE = FACT_TYPE, SCAN = FACT_SCAN, BOTH = FACT_TYPE | FACT_SCAN, QUICK = 250 /* milliseconds that no single call may take */ };

static char folder[] = "/tmp/xferwarden-unit-XXXXXX";
static char inspector[128];
static struct scan_setup setup;
static struct scan *scan;
static int content;
static const char text[] = "What the client sent.\n";

/* name: a fake's; the links are what makes this program one. */
static void begin(const char *name, unsigned timeout)
{
	char link[160];
	cr_assert_not_null(mkdtemp(folder));
	snprintf(inspector, sizeof(inspector), "%s/%s", folder, name);
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	cr_assert(n > 0);
	self[n] = '\0';
	cr_assert(symlink(self, inspector) == 0);
	snprintf(link, sizeof(link), "%s-clamav", inspector);
	cr_assert(symlink(self, link) == 0);
	setup = (struct scan_setup){ .inspector = inspector, .database = "/nonexistent", .timeout = timeout, .scratch = folder };
	content = memfd_create("content", MFD_CLOEXEC);
	cr_assert(content >= 0 && fd_write_all(content, text, sizeof(text) - 1) == 0);
	cr_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	scan = scan_create(&setup);
	cr_assert_not_null(scan);
}

/* Nothing may be left: no child, no folder, no descriptor of ours. */
static void end(void)
{
	char link[160];
	scan_destroy(scan);
	close(content);
	unlink(inspector);
	snprintf(link, sizeof(link), "%s-clamav", inspector);
	unlink(link);
	snprintf(link, sizeof(link), "%s/flag", folder);
	unlink(link);
	snprintf(link, sizeof(link), "%s/clamd", folder);
	unlink(link);
	cr_assert(rmdir(folder) == 0, "something was left in %s: %s", folder, strerror(errno));
	cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child was left");
}

static struct finding ask_about(int fd, uint64_t size, unsigned need)
{
	struct finding finding = { .known = 99 };
	int64_t start = clock_now(), call = start;
	scan_submit(scan, fd, size, need);
	for (;;) {
		cr_assert_lt(clock_now() - call, QUICK, "a call blocked");
		struct pollfd slot = scan_poll(scan);
		int wait = scan_wait(scan);
		cr_assert(wait >= 0);
		(void)poll(&slot, 1, wait);
		call = clock_now();
		if (scan_collect(scan, &finding))
			break;
		cr_assert_lt(clock_now() - start, (int64_t)setup.timeout * 1000 + 1000, "beyond its time");
	}
	cr_assert_eq(finding.known, need);
	cr_assert_not(scan_collect(scan, &finding), "collected once");
	cr_assert_eq(scan_poll(scan).fd, -1);
	return finding;
}

static struct finding ask(unsigned need)
{
	return ask_about(content, sizeof(text) - 1, need);
}

static void expect_down(struct finding finding, unsigned bits, const char *why)
{
	cr_assert_eq(finding.unscannable, bits, "%u: %s", finding.unscannable, finding.detail);
	cr_assert_str_empty(finding.virus);
	cr_assert(strstr(finding.detail, why) != NULL, "%s instead of: %s", finding.detail, why);
}

enum { DOWN = UNSCANNABLE_SCANNER_DOWN, LATE = UNSCANNABLE_SCANNER_DOWN | UNSCANNABLE_TIMEOUT };

static const struct {
	const char *fake;
	unsigned bits;
	const char *why;
} misdeeds[] = {
	{ "silent", DOWN, "no answer in time" },
	{ "mute", LATE, "no answer in time" },
	{ "stopped", LATE, "no answer in time" },
	{ "exits", DOWN, "ended with status 9 before it was ready" },
	{ "confined-not", DOWN, "its sandbox cannot be closed" },
	{ "exits-asked", DOWN, "ended with status 9 while it was asked" },
	{ "killed", DOWN, "ended by signal 9 while it was asked" },
	{ "closes", DOWN, "ended by signal 9 while it was asked" },
	{ "garbage", DOWN, "a greeting that makes no sense" },
	{ "stale", DOWN, "a greeting that makes no sense" },
	{ "greets-long", DOWN, "a greeting that makes no sense" },
	{ "greets-not", DOWN, "a greeting that makes no sense" },
	{ "greets-twice", DOWN, "an answer that makes no sense" },
	{ "short", DOWN, "an answer that makes no sense" },
	{ "long", DOWN, "a message that cannot be" },
	{ "huge", DOWN, "a message that cannot be" },
	{ "number", DOWN, "an answer that makes no sense" },
	{ "other", DOWN, "an answer that makes no sense" },
	{ "unending", DOWN, "an answer that makes no sense" },
	{ "descriptor", DOWN, "a message that cannot be" },
	{ "descriptors", DOWN, "a message that cannot be" },
};

Test(scan_scan, a_misbehaving_inspector_is_down)
{
	for (size_t i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++) {
		strcpy(folder + strlen(folder) - 6, "XXXXXX");
		begin(misdeeds[i].fake, 1);
		struct finding finding = ask(i % 2 ? TYPE : BOTH);
		expect_down(finding, misdeeds[i].bits, misdeeds[i].why);
		cr_assert_str_empty(finding.type);
		cr_assert_eq(scan_pid(scan), -1, "%s still runs", misdeeds[i].fake);
		end();
	}
}

Test(scan_scan, an_inspector_that_cannot_be_started)
{
	begin("right", 1);
	setup.inspector = "/nonexistent/inspector";
	expect_down(ask(TYPE), DOWN, "cannot be started: No such file");
	setup.inspector = folder;
	expect_down(ask(TYPE), DOWN, "cannot be started: Permission denied");
	setup.scratch = "/nonexistent";
	expect_down(ask(SCAN), DOWN, "cannot be started: No such file");
	end();
}

Test(scan_scan, a_right_inspector)
{
	begin("right", 5);
	cr_assert_eq(scan_pid(scan), -1, "nothing is started before its need");
	for (int i = 0; i < 20; i++) {
		struct finding finding = ask(TYPE);
		cr_assert_eq(finding.unscannable, 0, "%s", finding.detail);
		cr_assert_str_eq(finding.type, "fake/type");
	}
	pid_t first = scan_pid(scan);
	cr_assert_gt(first, 0);
	struct finding finding = ask(SCAN);
	cr_assert_str_eq(finding.virus, "Fake.Virus");
	pid_t second = scan_pid(scan);
	cr_assert_neq(first, second, "one for types, another that scans");
	finding = ask(BOTH);
	cr_assert(strcmp(finding.type, "fake/type-clamav") == 0 && strcmp(finding.virus, "Fake.Virus") == 0);
	finding = ask(TYPE);
	cr_assert_str_eq(finding.type, "fake/type-clamav");
	cr_assert_eq(scan_pid(scan), second, "it is kept");
	end();
}

Test(scan_scan, an_inspector_is_started_again_but_not_for_ever)
{
	begin("flaky", 5);
	expect_down(ask(TYPE), DOWN, "ended with status 9");
	struct finding finding = ask(TYPE);
	cr_assert_str_eq(finding.type, "fake/type");
	end();
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	begin("exits", 5);
	for (int i = 0; i < 4; i++)
		expect_down(ask(TYPE), DOWN, "ended with status 9");
	for (int i = 0; i < 3; i++)
		expect_down(ask(TYPE), DOWN, "failed 4 times, not started again");
	end();
}

Test(scan_scan, an_answer_that_nobody_asked_for)
{
	begin("twice", 5);
	cr_assert_str_eq(ask(TYPE).type, "fake/type");
	expect_down(ask(TYPE), DOWN, "an answer that makes no sense");
	end();
}

Test(scan_scan, killed_between_questions)
{
	begin("right", 5);
	cr_assert_str_eq(ask(TYPE).type, "fake/type");
	cr_assert_eq(kill(scan_pid(scan), SIGKILL), 0);
	usleep(50000);
	expect_down(ask(TYPE), DOWN, "ended by signal 9");
	cr_assert_str_eq(ask(TYPE).type, "fake/type");
	end();
}

Test(scan_scan, destroyed_in_the_middle)
{
	begin("mute", 60);
	int64_t start = clock_now();
	scan_submit(scan, content, sizeof(text) - 1, BOTH);
	struct finding finding;
	cr_assert_not(scan_collect(scan, &finding));
	end();
	cr_assert_lt(clock_now() - start, 2000);
	scan_destroy(NULL);
}

Test(scan_scan, content_that_is_not_what_it_should_be)
{
	begin("right", 5);
	int pipe_ends[2];
	cr_assert(pipe(pipe_ends) == 0);
	expect_down(ask_about(pipe_ends[0], 1, TYPE), DOWN, "not a file of its announced size");
	expect_down(ask_about(-1, 1, SCAN), DOWN, "not a file of its announced size");
	expect_down(ask_about(content, sizeof(text), BOTH), DOWN, "not a file of its announced size");
	close(pipe_ends[0]);
	close(pipe_ends[1]);
	struct finding finding = ask_about(content, 0, SCAN);
	cr_assert(finding.unscannable == 0 && finding.virus[0] == '\0', "there is nothing in an empty file");
	cr_assert_eq(scan_pid(scan), -1);
	cr_assert(ftruncate(content, 2147483646) == 0);
	finding = ask_about(content, 2147483646, SCAN);
	cr_assert_eq(finding.unscannable, UNSCANNABLE_TOO_LARGE);
	cr_assert_eq(scan_pid(scan), -1, "nobody has to be asked");
	finding = ask_about(content, 2147483646, BOTH);
	cr_assert_eq(finding.unscannable, UNSCANNABLE_TOO_LARGE);
	cr_assert_str_eq(finding.type, "fake/type", "its type can be told all the same");
	finding = ask_about(content, 2147483645, SCAN);
	cr_assert_str_eq(finding.virus, "Fake.Virus");
	end();
}

/* A flaw of the container and a virus: both are reported. */
Test(scan_scan, a_damaged_zip)
{
	begin("right", 5);
	cr_assert(pwrite(content, "PK\3\4", 4, 0) == 4);
	struct finding finding = ask(BOTH);
	cr_assert_eq(finding.unscannable, UNSCANNABLE_DAMAGED);
	cr_assert_str_eq(finding.virus, "Fake.Virus");
	cr_assert_str_eq(finding.detail, "zip: it has no end record");
	finding = ask(TYPE);
	cr_assert_eq(finding.unscannable, 0, "no matter for the type");
	end();
}

/* clamd. */

#define ENCRYPTED "stream: Heuristics.Encrypted.Zip FOUND"
#define DEEP "stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND"
#define OK "stream: OK"
#define SIGHT ENCRYPTED, DEEP, OK

static struct fake_clamd server;

static void begin_clamd(unsigned timeout, const char *const *script)
{
	static char path[160], named[200];
	begin("right", timeout);
	snprintf(path, sizeof(path), "%s/clamd", folder);
	snprintf(named, sizeof(named), "unix:%s", path);
	fake_clamd_start(&server, path, script);
	setup.clamd = true;
	setup.address[0] = (struct scan_address){ .path = path, .text = named };
	setup.address_count = 1;
}

static void end_clamd(void)
{
	fake_clamd_stop(&server);
	end();
}

#define SCRIPT(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct {
	const char *what;
	const char *script[8];
	unsigned bits;
	const char *virus, *why;
} replies[] = {
	{ "clean", { SIGHT, "fd[10]: OK" }, 0, "", "" },
	{ "clean, in pieces", { SIGHT, "%fd[10]: OK" }, 0, "", "" },
	{ "found", { SIGHT, "fd[10]: Eicar FOUND" }, 0, "Eicar", "" },
	{ "found, in pieces", { SIGHT, "%fd[10]: Eicar FOUND" }, 0, "Eicar", "" },
	{ "encrypted", { SIGHT, "fd[10]: Heuristics.Encrypted.Zip FOUND" }, UNSCANNABLE_ENCRYPTED, "", "Heuristics.Encrypted.Zip" },
	{ "no descriptors", { SIGHT, "No file descriptor received. ERROR", OK }, 0, "", "" },
	{ "no descriptors, found", { SIGHT, "fd[10]: lstat() failed. ERROR", "stream: Eicar FOUND" }, 0, "Eicar", "" },
	{ "too long for it", { SIGHT, "x ERROR", "INSTREAM size limit exceeded. ERROR" }, UNSCANNABLE_TOO_LARGE, "", "StreamMaxLength" },
	{ "an error", { SIGHT, "x ERROR", "Can't allocate memory ERROR" }, DOWN, "", "Can't allocate memory" },
	{ "nonsense", { SIGHT, "fd[10]: PERHAPS" }, DOWN, "", "makes no sense" },
	{ "the other's reply", { SIGHT, OK }, DOWN, "", "makes no sense" },
	{ "closes", { SIGHT, "-" }, DOWN, "", "closed the connection" },
	{ "silence", { SIGHT, "~" }, LATE, "", "no verdict in time" },
	{ "half a reply", { SIGHT, "_fd[10]: O" }, LATE, "", "no verdict in time" },
	{ "half a reply and away", { SIGHT, "=fd[10]: O" }, DOWN, "", "closed the connection" },
	{ "blind to encryption", { OK, DEEP, OK, "fd[10]: OK" }, UNSCANNABLE_SCANNER_BLIND, "", "clamd.conf: AlertEncrypted is off" },
	{ "blind to depth", { ENCRYPTED, OK, OK, "fd[10]: OK" }, UNSCANNABLE_SCANNER_BLIND, "", "clamd.conf: AlertExceedsMax is off" },
	{ "blind to both, and to size", { OK, OK, OK, "fd[10]: OK" }, UNSCANNABLE_SCANNER_BLIND, "",
	  ": clamd.conf: AlertEncrypted is off, AlertExceedsMax is off; needed, too: MaxFileSize 2000M, MaxScanSize 4000M" },
	{ "blind to size", { ENCRYPTED, DEEP, "stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND", "fd[10]: OK" }, UNSCANNABLE_SCANNER_BLIND, "", "MaxFileSize is below" },
	{ "blind to the sum of sizes", { ENCRYPTED, DEEP, "stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND", "fd[10]: OK" }, UNSCANNABLE_SCANNER_BLIND, "",
	  "clamd.conf: MaxScanSize is not above 2000M" },
	{ "blind, and finds it", { OK, OK, OK, "fd[10]: Eicar FOUND" }, 0, "Eicar", "" },
	{ "blind, and finds it is encrypted", { OK, OK, OK, "fd[10]: Heuristics.Encrypted.Zip FOUND" }, UNSCANNABLE_ENCRYPTED, "", "" },
	{ "closes on the test", { "-" }, DOWN, "", "closed the connection" },
	{ "nonsense on the test", { "HTTP/1.0 400 Bad" }, DOWN, "", "does not answer a test" },
	{ "an error on the test", { "stream: x ERROR" }, DOWN, "", "does not answer a test" },
	{ "silence on the test", { "~" }, DOWN, "", "no answer" },
	{ "does not listen", { "!" }, DOWN, "", "clamd at unix:" },
	{ "closes on the third test", { ENCRYPTED, DEEP, "-" }, DOWN, "", "closed the connection" },
};

Test(scan_scan, what_clamd_may_answer, .timeout = 40)
{
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		strcpy(folder + strlen(folder) - 6, "XXXXXX");
		begin_clamd(1, replies[i].script);
		struct finding finding = ask(i % 2 ? SCAN : BOTH);
		cr_assert_eq(finding.unscannable, replies[i].bits, "%s: %u %s", replies[i].what, finding.unscannable, finding.detail);
		cr_assert_str_eq(finding.virus, replies[i].virus, "%s: %s", replies[i].what, finding.virus);
		cr_assert(strstr(finding.detail, replies[i].why) != NULL, "%s: %s", replies[i].what, finding.detail);
		cr_assert_str_eq(finding.type, i % 2 ? "" : "fake/type", "the type comes from the inspector all the same");
		end_clamd();
	}
}

Test(scan_scan, clamd_is_tested_once_and_gets_the_content)
{
	begin_clamd(5, SCRIPT(SIGHT, "fd[10]: OK", "fd[10]: OK", "x ERROR", OK, OK, OK));
	for (int i = 0; i < 4; i++)
		cr_assert_eq(ask(SCAN).unscannable, 0);
	struct finding finding = ask_about(content, 4, SCAN);
	cr_assert_eq(finding.unscannable, 0, "the front of a file is streamed: %s", finding.detail);
	char expected[256];
	snprintf(expected, sizeof(expected), "FILDES %s|FILDES %s|FILDES %s|INSTREAM %s|INSTREAM %s|INSTREAM What|", text, text, text, text, text);
	fake_clamd_stop(&server);
	cr_assert(strncmp(server.log, "INSTREAM PK\3\4", 13) == 0, "tests come first");
	const char *log = strstr(server.log, "|FILDES");
	cr_assert_not_null(log);
	cr_assert_str_eq(log + 1, expected);
	end();
}

Test(scan_scan, addresses_are_tried_in_order)
{
	static const struct scan_address dead = { .path = "/nonexistent/clamd", .text = "unix:/nonexistent/clamd" };
	static const struct scan_address deaf = { .host = "127.0.0.1", .port = 1, .text = "tcp:127.0.0.1:1" };
	begin_clamd(5, SCRIPT(SIGHT, "fd[10]: Eicar FOUND", "fd[10]: OK"));
	setup.address[2] = setup.address[0];
	setup.address[0] = dead;
	setup.address[1] = deaf;
	setup.address_count = 3;
	cr_assert_str_eq(ask(SCAN).virus, "Eicar");
	cr_assert_eq(ask(SCAN).unscannable, 0, "the one that answered is asked again, without tests");
	fake_clamd_stop(&server);
	expect_down(ask(SCAN), DOWN, "clamd at tcp:127.0.0.1:1: Connection refused");
	scan_destroy(scan);
	setup.address[0] = (struct scan_address){ .host = "not.an.address", .port = 1, .text = "tcp:not.an.address:1" };
	setup.address_count = 1;
	scan = scan_create(&setup);
	expect_down(ask(SCAN), DOWN, "Address family not supported");
	scan_destroy(scan);
	setup.address_count = 0;
	scan = scan_create(&setup);
	expect_down(ask(SCAN), DOWN, "none is configured");
	end();
}

/* The first swallows everything, the second answers: each has its share of the time. */
Test(scan_scan, a_silent_address_does_not_use_up_the_time)
{
	struct fake_clamd other;
	char path[160];
	begin_clamd(2, SCRIPT("~"));
	snprintf(path, sizeof(path), "%s/flag", folder);
	fake_clamd_start(&other, path, SCRIPT(SIGHT, "fd[10]: Eicar FOUND"));
	setup.address[1] = (struct scan_address){ .path = path, .text = "unix:other" };
	setup.address_count = 2;
	struct finding finding = ask(SCAN);
	cr_assert_str_eq(finding.virus, "Eicar", "%s", finding.detail);
	fake_clamd_stop(&other);
	end_clamd();
}

Test(scan_scan, a_long_stream_whole_and_cut_off)
{
	enum { LONG = 12 << 20 };
	begin_clamd(20, SCRIPT(SIGHT, "x ERROR", OK, "#INSTREAM size limit exceeded. ERROR"));
	cr_assert(ftruncate(content, LONG) == 0);
	struct finding finding = ask_about(content, LONG, SCAN);
	cr_assert_eq(finding.unscannable, 0, "%s", finding.detail);
	finding = ask_about(content, LONG, SCAN);
	cr_assert_eq(finding.unscannable, UNSCANNABLE_TOO_LARGE, "it answers and closes while we still send: %s", finding.detail);
	fake_clamd_stop(&server);
	char length[32];
	snprintf(length, sizeof(length), "(%d)|", LONG);
	cr_assert(strstr(server.log, length) != NULL, "%s", server.log);
	end();
}
