/* How a refusal reaches a client that expects a protocol: the sink's greeting, or the source's answer to the first go-ahead; for all else, stderr. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "guard/message.h"
#include "shim/shim.h"
#include "sys/diag.h"
#include "sys/fd.h"

enum { REFUSE_MILLISECONDS = 5000 };

/* Reads what the client still sends, to its end or for a while: who closes early leaves some clients hanging. False at the end. */
static bool refuse_read(int milliseconds, bool once)
{
	uint8_t scrap[4096];
	struct pollfd slot = { .fd = STDIN_FILENO, .events = POLLIN };
	while (poll(&slot, 1, milliseconds) > 0) {
		ssize_t got = read(STDIN_FILENO, scrap, sizeof(scrap));
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return false;
		if (once)
			return true;
	}
	return true;
}

static void refuse_by_scp(const struct session *session, const char *text)
{
	uint8_t line[SCP_PUT_MAX];
	struct scp_record record = { .text = span_str(text) };
	size_t n = scp_put(line, SCP_FATAL, &record);
	if (session->direction == DOWNLOAD && !refuse_read(REFUSE_MILLISECONDS, true))
		return;
	if (fd_write_all(STDOUT_FILENO, line, n) == 0)
		(void)refuse_read(REFUSE_MILLISECONDS, false);
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
