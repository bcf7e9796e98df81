/*
 * systemd's native journal protocol, as its documentation has it: fields as lines NAME=value, or NAME, line end, length in 64 bits little endian, bytes and line end
 * where the value may hold anything; all in one datagram, or in a sealed memfd where that is too large.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "audit/target.h"
#include "base/text.h"
#include "sys/fd.h"

enum { FACILITY_AUTHPRIV = 10, FIELD_MAX = 256, FIELDS_MAX = 2560 };

/* The short fields of one entry. */
struct fields {
	char bytes[FIELDS_MAX];
	size_t n;
};

/* A field whose value is short; a value that is NULL or empty leaves it out. Names are ours and short, and there are fewer of them than would fill the bytes. */
static void fields_add(struct fields *fields, const char *name, struct span value)
{
	char text[FIELD_MAX];
	size_t length = text_clean(text, sizeof(text), value);
	size_t name_length = strlen(name);
	if (length == 0 || name_length + length + 2 > sizeof(fields->bytes) - fields->n)
		return;
	memcpy(fields->bytes + fields->n, name, name_length);
	fields->n += name_length;
	fields->bytes[fields->n++] = '=';
	memcpy(fields->bytes + fields->n, text, length);
	fields->n += length;
	fields->bytes[fields->n++] = '\n';
}

static void fields_fill(struct fields *fields, const struct audit_job *job)
{
	const struct record_session *session = job->session;
	const struct record *record = job->record;
	char sentence[512], number[16];
	fields->n = 0;
	audit_sentence(sentence, sizeof(sentence), session, record);
	fields_add(fields, "MESSAGE", span_str(sentence));
	snprintf(number, sizeof(number), "%u", audit_severity(record));
	fields_add(fields, "PRIORITY", span_str(number));
	snprintf(number, sizeof(number), "%u", (unsigned)FACILITY_AUTHPRIV);
	fields_add(fields, "SYSLOG_FACILITY", span_str(number));
	fields_add(fields, "SYSLOG_IDENTIFIER", span_str("xferwarden"));
	fields_add(fields, "XFERWARDEN_ACTION", span_str(audit_action(record)));
	fields_add(fields, "XFERWARDEN_VERDICT", span_str(audit_verdict(record)));
	if (record->reason != REASON_NONE)
		fields_add(fields, "XFERWARDEN_REASON", span_str(reason_word(record->reason)));
	fields_add(fields, "XFERWARDEN_REF", span_of(record->ref, strnlen(record->ref, sizeof(record->ref))));
	fields_add(fields, "XFERWARDEN_RULE", span_str(record->rule));
	fields_add(fields, "XFERWARDEN_POLICY", span_str(session->policy));
	fields_add(fields, "XFERWARDEN_SESSION", span_str(session->id));
	fields_add(fields, "XFERWARDEN_USER", span_str(session->who ? session->who->user : NULL));
}

static void length_bytes(uint8_t dst[static 8], uint64_t n)
{
	for (unsigned i = 0; i < 8; i++)
		dst[i] = (uint8_t)(n >> 8 * i);
}

/* The same bytes by way of a file that can't change any more; the datagram itself is empty. */
static int journald_send_file(struct audit_target *target, const struct iovec *pieces, size_t count, int64_t deadline)
{
	FD_OWNED int fd = memfd_create("xferwarden-audit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < count; i++) {
		int error = fd_write_all(fd, pieces[i].iov_base, pieces[i].iov_len);
		if (error)
			return error;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	return audit_socket_send(target, NULL, 0, fd, deadline);
}

/* A field whose value may hold any byte: four pieces, or none where it is empty. name ends with a line end. */
static size_t journald_bytes(struct iovec pieces[static 4], char *name, uint8_t length[static 8], struct span value)
{
	static char line_end[] = "\n";
	if (value.n == 0)
		return 0;
	length_bytes(length, value.n);
	pieces[0] = (struct iovec){ name, strlen(name) };
	pieces[1] = (struct iovec){ length, 8 };
	pieces[2] = (struct iovec){ (uint8_t *)(uintptr_t)value.p, value.n };
	pieces[3] = (struct iovec){ line_end, 1 };
	return 4;
}

int audit_journald_write(struct audit_target *target, const struct audit_job *job)
{
	static char path_name[] = "XFERWARDEN_PATH\n", new_name[] = "XFERWARDEN_NEW_PATH\n", target_name[] = "XFERWARDEN_TARGET_PATH\n";
	static char json_name[] = "XFERWARDEN_JSON=";
	static char line_end[] = "\n";
	struct fields fields;
	uint8_t path_length[8], other_length[8];
	const struct record *record = job->record;
	fields_fill(&fields, job);
	size_t n = audit_format(job->line, AUDIT_LINE_MAX, job->session, job->record, &job->now);
	struct iovec pieces[12] = {
		{ fields.bytes, fields.n },
		{ json_name, sizeof(json_name) - 1 },
		{ job->line, n },
		{ line_end, 1 },
	};
	size_t count = 4;
	count += journald_bytes(pieces + count, path_name, path_length, record->path);
	if (record->event == RECORD_OPERATION)
		count += journald_bytes(pieces + count, record->action == ACTION_SYMBOLIC_LINK ? target_name : new_name, other_length, record->other);
	int error = audit_socket_send(target, pieces, count, -1, job->deadline);
	return error == -EMSGSIZE ? journald_send_file(target, pieces, count, job->deadline) : error;
}
