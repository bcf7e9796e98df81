/* Every target gets every record; one that fails does not keep it from the others. */
#include <errno.h>
#include <stdint.h>

#include "audit/target.h"
#include "sys/fd.h"

enum { PATIENCE_MS = 2000 };

void audit_init(struct audit *audit, const struct record_session *session)
{
	audit->count = 0;
	audit->session = session;
}

static const char *target_place(enum audit_kind kind)
{
	switch (kind) {
	case AUDIT_TO_SYSLOG:
		return AUDIT_SYSLOG_SOCKET;
	case AUDIT_TO_JOURNALD:
		return AUDIT_JOURNALD_SOCKET;
	case AUDIT_TO_FILE:
		break;
	}
	return NULL;
}

static int target_open(struct audit_target *target)
{
	switch (target->kind) {
	case AUDIT_TO_SYSLOG:
		/* The header wants local time; what that is shall be read now and not at the first record. */
		tzset();
		return audit_socket_open(target);
	case AUDIT_TO_JOURNALD:
		return audit_socket_open(target);
	case AUDIT_TO_FILE:
		return audit_file_open(target);
	}
	return -EINVAL;
}

int audit_open(struct audit *audit, enum audit_kind kind, const char *path)
{
	if (audit->count == AUDIT_TARGETS)
		return -ENOSPC;
	if (!path)
		path = target_place(kind);
	if (!path || path[0] != '/')
		return -EINVAL;
	struct audit_target *target = &audit->target[audit->count++];
	*target = (struct audit_target){ .kind = kind, .fd = -1, .path = path };
	return target_open(target);
}

static int target_write(struct audit_target *target, const struct audit_job *job)
{
	switch (target->kind) {
	case AUDIT_TO_SYSLOG:
		return audit_syslog_write(target, job);
	case AUDIT_TO_JOURNALD:
		return audit_journald_write(target, job);
	case AUDIT_TO_FILE:
		return audit_file_write(target, job);
	}
	return -EINVAL;
}

int audit_write(struct audit *audit, const struct record *record)
{
	struct audit_job job = { .session = audit->session, .record = record, .line = audit->line };
	struct timespec up;
	clock_gettime(CLOCK_REALTIME, &job.now);
	clock_gettime(CLOCK_MONOTONIC, &up);
	job.deadline = (int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000 + PATIENCE_MS;
	int result = audit->count > 0 ? 0 : -ENOTCONN;
	for (size_t i = 0; i < audit->count; i++) {
		int error = target_write(&audit->target[i], &job);
		if (error && !result)
			result = error;
	}
	return result;
}

void audit_finish(struct audit *audit)
{
	for (size_t i = 0; i < audit->count; i++)
		fd_close(&audit->target[i].fd);
	audit->count = 0;
}

unsigned audit_severity(const struct record *record)
{
	enum { ERROR = 3, WARNING = 4, INFO = 6 };
	if (record->event == RECORD_SESSION_START)
		return INFO;
	switch (record->outcome) {
	case OUTCOME_FAILED:
		return ERROR;
	case OUTCOME_BLOCKED:
		return WARNING;
	case OUTCOME_ALLOWED:
		break;
	}
	return INFO;
}
