/* How a refusal reaches a client that expects a protocol: the sink's greeting, or the source's answer to the first go-ahead; for all else, stderr. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "guard/message.h"
#include "shim/shim.h"
#include "sys/diag.h"
#include "sys/fd.h"

enum { REFUSE_SILENCE_MILLISECONDS = 5000, REFUSE_DRAIN_MILLISECONDS = 30000 };

/* Milliseconds until the drain is over. */
static int refuse_left(const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t left = REFUSE_DRAIN_MILLISECONDS - ((int64_t)(now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
	return left > 0 ? (int)left : 0;
}

/*
 * Reads what the client still sends, to its end, until it is silent for a while, or until it has taken too long: who closes early leaves some clients
 * hanging. False at the end.
 */
static bool refuse_read(bool once)
{
	uint8_t scrap[4096];
	struct timespec start;
	struct pollfd slot = { .fd = STDIN_FILENO, .events = POLLIN };
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int left; (left = refuse_left(&start)) > 0;) {
		int ready = poll(&slot, 1, left < REFUSE_SILENCE_MILLISECONDS ? left : REFUSE_SILENCE_MILLISECONDS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return true;
		ssize_t got = read(STDIN_FILENO, scrap, sizeof(scrap));
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		if (once && got > 0)
			return true;
	}
	return true;
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
	dprintf(STDERR_FILENO, "%s\n", line);
	return session->invocation->request.p == NULL ? SHIM_FAILED_STATUS : SHIM_REFUSED_STATUS;
}
