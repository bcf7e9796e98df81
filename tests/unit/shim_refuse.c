/* shim/refuse: a no before any transfer, heard by clients of either protocol. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "sys/fd.h"

TestSuite(shim_refuse, .timeout = 60);

static struct session session;
static struct invocation invocation;
static char said[65536];
static size_t said_n;
static const char sentence[] = "xferwarden: not for you (ref 0000abcd-0)";

/* Refuses what a client says in the pieces given, to the end of its bytes. Its exit status; what it said is in said, errors included if they are wanted. */
static int refuse(enum command_kind kind, const uint8_t *bytes, size_t n, size_t piece, bool errors)
{
	int to[2], from[2], status = 0;
	static const struct refusal why = { .reason = REASON_NO_POLICY, .text = "not for you" };
	cr_assert(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
	session = (struct session){ .invocation = &invocation, .id = "0000abcd", .command.kind = kind };
	session.who.identity.user = "tester";
	invocation.request = span_str("something");
	audit_init(&session.audit, &session.record_session);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)dup2(to[0], STDIN_FILENO);
		(void)dup2(errors ? null : from[1], STDOUT_FILENO);
		(void)dup2(errors ? from[1] : null, STDERR_FILENO);
		close_range(3, ~0u, 0);
		_exit(refuse_session(&session, &why));
	}
	close(to[0]);
	close(from[1]);
	(void)signal(SIGPIPE, SIG_IGN); /* it may have heard enough */
	for (size_t at = 0; at < n; at += piece)
		if (fd_write_all(to[1], bytes + at, piece < n - at ? piece : n - at) < 0)
			break;
	close(to[1]);
	said_n = 0;
	for (ssize_t got; (got = read(from[0], said + said_n, sizeof(said) - said_n)) > 0;)
		said_n += (size_t)got;
	close(from[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Packets are put together here as the protocol's text has them. */
static uint8_t packets[400000];
static size_t packets_n;

static void put_word(uint32_t word)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		packets[packets_n++] = (uint8_t)(word >> shift);
}

static void put(uint8_t type, uint32_t id, const void *body, size_t n)
{
	put_word((uint32_t)(5 + n));
	packets[packets_n++] = type;
	put_word(id);
	memcpy(packets + packets_n, body, n);
	packets_n += n;
}

static void put_init(void)
{
	packets_n = 0;
	put(1, 3, "", 0);
}

static void put_realpath(uint32_t id)
{
	put(16, id, "\0\0\0\1.", 5);
}

static void put_write(uint32_t id, uint32_t n)
{
	static uint8_t body[300000];
	uint8_t head[] = { 0, 0, 0, 1, 'h', 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	memcpy(body, head, sizeof(head));
	memset(body + sizeof(head), 16, n);
	put(6, id, body, sizeof(head) + n);
}

static char wanted[65536];
static size_t wanted_n;

static void want(const void *bytes, size_t n)
{
	memcpy(wanted + wanted_n, bytes, n);
	wanted_n += n;
}

static void want_version(void)
{
	wanted_n = 0;
	want("\0\0\0\5\2\0\0\0\3", 9);
}

static void want_status(uint32_t id)
{
	const char number[] = { (char)(id >> 24), (char)(id >> 16), (char)(id >> 8), (char)id };
	const char length = (char)(sizeof(sentence) - 1), all = (char)(1 + 4 + 4 + 4 + length + 4);
	want("\0\0\0", 3);
	want(&all, 1);
	want("\145", 1);
	want(number, 4);
	want("\0\0\0\3\0\0\0", 7);
	want(&length, 1);
	want(sentence, sizeof(sentence) - 1);
	want("\0\0\0\0", 4);
}

static void expect(const char *what)
{
	static const size_t pieces[] = { sizeof(packets), 1, 7 };
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		if (packets_n > 5000 && pieces[i] < sizeof(packets))
			continue;
		cr_expect_eq(refuse(COMMAND_SFTP, packets, packets_n, pieces[i], false), SHIM_REFUSED_STATUS, "%s", what);
		cr_expect(said_n == wanted_n && memcmp(said, wanted, wanted_n) == 0, "%s, in pieces of %zu: %zu bytes, not %zu", what, pieces[i], said_n, wanted_n);
	}
}

Test(shim_refuse, an_sftp_client_is_greeted_and_then_told)
{
	put_init();
	want_version();
	expect("nothing but the greeting");
	put_realpath(7);
	want_status(7);
	expect("one request");
	put(17, 8, "\0\0\0\2ab", 6);
	put(99, 9, "anything", 8);
	put(200, 0xfffefdfc, "\0\0\0\3x@y", 7);
	want_status(8);
	want_status(9);
	want_status(0xfffefdfc);
	expect("requests that are known and not");
}

Test(shim_refuse, payload_is_no_request)
{
	put_init();
	put_write(1, 3);
	put_write(2, 0);
	put_realpath(3);
	want_version();
	for (uint32_t id = 1; id <= 3; id++)
		want_status(id);
	expect("small writes");
	put_write(4, 261120);
	put_realpath(5);
	want_status(4);
	want_status(5);
	expect("a large one");
}

Test(shim_refuse, who_does_not_speak_sftp_is_not_answered)
{
	packets_n = wanted_n = 0;
	expect("nothing");
	put_realpath(1);
	expect("no greeting first");
	put_init();
	packets_n -= 2;
	expect("half a greeting");
	put_init();
	put_word(0);
	want_version();
	expect("an empty packet");
	put_init();
	put_realpath(1);
	put(1, 3, "", 0);
	want_status(1);
	expect("a second greeting");
}

Test(shim_refuse, enough_is_enough)
{
	put_init();
	want_version();
	for (uint32_t id = 1; id <= 40; id++) {
		put_realpath(id);
		if (id <= 16)
			want_status(id);
	}
	expect("forty requests");
}

/* An SFTP client's user may see that, or not: both are told. */
Test(shim_refuse, other_requests_are_told_by_stderr)
{
	char line[sizeof(sentence) + 1];
	int n = snprintf(line, sizeof(line), "%s\n", sentence);
	static const enum command_kind kinds[] = { COMMAND_REFUSED, COMMAND_SFTP };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		cr_expect_eq(refuse(kinds[i], NULL, 0, 1, true), SHIM_REFUSED_STATUS);
		cr_expect(said_n == (size_t)n && memcmp(said, line, said_n) == 0, "%.*s", (int)said_n, said);
	}
}

Test(shim_refuse, scp_is_told_in_its_own_way)
{
	char line[sizeof(sentence) + 2];
	int n = snprintf(line, sizeof(line), "\2%s\n", sentence);
	cr_expect_eq(refuse(COMMAND_SCP_SINK, (const uint8_t *)"C0644 1 x\n", 10, 10, false), SHIM_FAILED_STATUS);
	cr_expect(said_n == (size_t)n && memcmp(said, line, said_n) == 0, "%.*s", (int)said_n, said);
}
