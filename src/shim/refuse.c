/*
 * How a refusal reaches a client that expects a protocol: the sink's greeting, the source's answer to the first go-ahead, the answer to each SFTP request; for all else,
 * stderr.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "guard/message.h"
#include "proto/sftp.h"
#include "shim/shim.h"
#include "sys/diag.h"
#include "sys/fd.h"

enum { REFUSE_SILENCE_MILLISECONDS = 5000, REFUSE_DRAIN_MILLISECONDS = 30000, REFUSE_REQUESTS = 16 };

/* Milliseconds until the drain is over. */
static int refuse_left(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t left = REFUSE_DRAIN_MILLISECONDS - ((int64_t)(now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
	return left > 0 ? (int)left : 0;
}

enum refuse_read { REFUSE_END, REFUSE_SILENT, REFUSE_BYTES };

/* What the client sends next, into *in, until it is silent for a while, or until all has taken too long. */
static enum refuse_read refuse_hear(const struct timespec *start, uint8_t *buffer, size_t cap, struct span *in)
{
	struct pollfd slot = { .fd = STDIN_FILENO, .events = POLLIN };
	for (int left; (left = refuse_left(start)) > 0;) {
		int ready = poll(&slot, 1, left < REFUSE_SILENCE_MILLISECONDS ? left : REFUSE_SILENCE_MILLISECONDS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return REFUSE_SILENT;
		ssize_t got = read(STDIN_FILENO, buffer, cap);
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return REFUSE_END;
		if (got > 0) {
			*in = span_of(buffer, (size_t)got);
			return REFUSE_BYTES;
		}
	}
	return REFUSE_SILENT;
}

/* Reads what the client still sends: who closes early leaves some clients hanging. False at the end. */
static bool refuse_read(bool once)
{
	uint8_t scrap[4096];
	struct timespec start;
	struct span in;
	enum refuse_read heard;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		heard = refuse_hear(&start, scrap, sizeof(scrap), &in);
	while (heard == REFUSE_BYTES && !once);
	return heard != REFUSE_END;
}

static void refuse_by_scp(const struct session *session, const char *text)
{
	uint8_t line[SCP_PUT_MAX];
	struct scp_record record = { .text = span_str(text) };
	size_t n = scp_put(line, SCP_FATAL, &record);
	if (session->direction == DOWNLOAD && !refuse_read(true))
		return;
	if (fd_write_all(STDOUT_FILENO, line, n) == 0)
		(void)refuse_read(false);
}

/* The answer to one packet; false if it is none to answer. */
static bool refuse_packet(const struct sftp_packet *asked, const char *text)
{
	uint8_t bytes[SFTP_PUT_MAX];
	struct sftp_packet answer = { .kind = SFTP_STATUS, .id = asked->id, .code = SFTP_PERMISSION_DENIED, .text = span_str(text) };
	if (asked->kind == SFTP_INIT)
		answer = (struct sftp_packet){ .kind = SFTP_VERSION, .version = SFTP_VERSION_SPOKEN };
	size_t n = sftp_put(bytes, &answer);
	return n > 0 && fd_write_all(STDOUT_FILENO, bytes, n) == 0;
}

/* The greeting tells nothing yet; the first requests do. Whoever goes on for long after them has been told. */
static void refuse_by_sftp(const char *text)
{
	static struct sftp_reader reader;
	uint8_t buffer[4096];
	struct timespec start;
	struct span in = span_of(NULL, 0);
	sftp_init(&reader);
	clock_gettime(CLOCK_MONOTONIC, &start);
	uint32_t skip = 0; /* payload */
	for (unsigned requests = 0; requests <= REFUSE_REQUESTS;) {
		struct sftp_packet asked;
		skip -= (uint32_t)span_take(&in, skip < in.n ? skip : in.n).n;
		enum sftp_kind kind = skip == 0 ? sftp_next_request(&reader, &in, &asked) : SFTP_MORE;
		if (kind == SFTP_MORE && refuse_hear(&start, buffer, sizeof(buffer), &in) != REFUSE_BYTES)
			return;
		if (kind == SFTP_MORE)
			continue;
		if (kind == SFTP_BAD || !refuse_packet(&asked, text))
			return;
		skip = kind == SFTP_WRITE ? asked.count : 0;
		requests++;
	}
}

static void refuse_record(struct session *session, const struct refusal *refusal)
{
	const char *detail = refusal->detail ? refusal->detail : refusal->text ? refusal->text : message_reason(refusal->reason);
	struct record record = {
		.event = RECORD_COMMAND_REFUSED,
		.outcome = OUTCOME_BLOCKED,
		.reason = refusal->reason,
		.command = session->invocation->request,
		.detail = span_str(detail),
	};
	(void)snprintf(record.ref, sizeof(record.ref), "%s-0", session->id);
	if (refusal->detail != NULL)
		diag_log("%s: %s (ref %s)", session->who.identity.user, refusal->detail, record.ref);
	if (audit_write(&session->audit, &record) < 0)
		diag_log("%s: refused (%s), and that could not be recorded (ref %s)", session->who.identity.user, reason_word(refusal->reason), record.ref);
}

int refuse_line(struct session *session, const char *line)
{
	refuse_by_scp(session, line);
	return SHIM_FAILED_STATUS;
}

/* cap: bytes for the whole line; a long sentence is cut, the ref never. */
static void refuse_sentence(const struct session *session, const struct refusal *refusal, char *dst, size_t cap)
{
	static const char head[] = "xferwarden: ";
	char ref[32], text[320];
	(void)snprintf(ref, sizeof(ref), " (ref %s-0)", session->id);
	size_t room = cap - strlen(ref) - (sizeof(head) - 1);
	text_clean(text, room < sizeof(text) ? room : sizeof(text), span_str(refusal->text ? refusal->text : message_reason(refusal->reason)));
	(void)snprintf(dst, cap, "%s%s%s", head, text, ref);
}

int refuse_session(struct session *session, const struct refusal *refusal)
{
	char line[400];
	bool scp = session->command.kind == COMMAND_SCP_SINK || session->command.kind == COMMAND_SCP_SOURCE;
	refuse_record(session, refusal);
	refuse_sentence(session, refusal, line, scp ? SCP_MESSAGE_MAX - 1 : sizeof(line));
	if (scp)
		return refuse_line(session, line);
	dprintf(STDERR_FILENO, "%s\n", line); /* also for SFTP: where sshd hands it on, users see it, whatever their client makes of a status */
	if (session->command.kind == COMMAND_SFTP)
		refuse_by_sftp(line);
	return session->invocation->request.p == NULL ? SHIM_FAILED_STATUS : SHIM_REFUSED_STATUS;
}
