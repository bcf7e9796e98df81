/* The datagram that syslog(3) would send (RFC 3164 as local daemons read it), without its locks and its silence when it fails. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "audit/target.h"

enum {
	FACILITY_AUTHPRIV = 10,
	/* rsyslog cuts a longer message by default, and half a JSON object is none. */
	SYSLOG_MAX = 8096,
};

/* "<86>Nov 20 08:01:02 xferwarden[123]: " */
static size_t syslog_header(char *dst, size_t cap, const struct audit_job *job)
{
	/* Not strftime's %b: the daemons want English, whatever the locale. */
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm = { 0 };
	localtime_r(&job->now.tv_sec, &tm);
	int n = snprintf(dst, cap, "<%u>%s %2d %02d:%02d:%02d xferwarden[%ld]: ", FACILITY_AUTHPRIV * 8 + audit_severity(job->record),
	                 months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (long)getpid());
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

int audit_syslog_write(struct audit_target *target, const struct audit_job *job)
{
	char header[96];
	size_t header_size = syslog_header(header, sizeof(header), job);
	size_t cap = SYSLOG_MAX - header_size;
	for (;;) {
		size_t n = audit_format(job->line, cap, job->session, job->record, &job->now);
		struct iovec pieces[] = { { header, header_size }, { job->line, n } };
		int error = audit_socket_send(target, pieces, 2, -1, job->deadline);
		/* Rather a record with less in it than none. */
		if (error != -EMSGSIZE || n < AUDIT_CAP_MIN)
			return error;
		cap = n / 2 > AUDIT_CAP_MIN ? n / 2 : AUDIT_CAP_MIN;
	}
}
