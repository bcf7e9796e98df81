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

static void refuse_record(struct session *session, enum reason reason, const char *text)
{
	struct record record = {
		.event = RECORD_COMMAND_REFUSED,
		.outcome = OUTCOME_BLOCKED,
		.reason = reason,
		.command = session->invocation->request,
		.detail = span_str(text),
	};
	(void)snprintf(record.ref, sizeof(record.ref), "%s-0", session->id);
	if (audit_write(&session->audit, &record) < 0)
		diag("refused (%s), and that could not be recorded", reason_word(reason));
}

int refuse_line(struct session *session, const char *line)
{
	refuse_by_scp(session, line);
	return SHIM_FAILED_STATUS;
}

int refuse_session(struct session *session, enum reason reason, const char *text)
{
	char line[SCP_MESSAGE_MAX - 2];
	char ref[24];
	struct message_facts facts = { .reason = reason, .ref = ref };
	(void)snprintf(ref, sizeof(ref), "%s-0", session->id);
	if (text != NULL)
		(void)snprintf(line, sizeof(line), "xferwarden: %.80s (ref %s)", text, ref);
	else
		message_refusal(line, sizeof(line), &facts);
	refuse_record(session, reason, text ? text : message_reason(reason));
	bool scp = session->command.kind == COMMAND_SCP_SINK || session->command.kind == COMMAND_SCP_SOURCE;
	if (scp)
		return refuse_line(session, line);
	char clean[SCP_MESSAGE_MAX];
	text_clean(clean, sizeof(clean), span_str(line));
	dprintf(STDERR_FILENO, "%s\n", clean);
	return session->invocation->request.p == NULL ? SHIM_FAILED_STATUS : SHIM_REFUSED_STATUS;
}
