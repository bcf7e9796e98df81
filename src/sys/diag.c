/* One line about ourselves, to stderr and to the system log, whatever state the program is in. */
#include "sys/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"

enum { DIAG_MAX = 512, DIAG_PRIORITY = 10 << 3 | 4 /* authpriv.warning */ };

static struct {
	const char *program;
	int to_stderr, to_syslog;
} diag_state = { .program = "xferwarden", .to_stderr = 1 };

void diag_init(const char *program, int to_stderr, int to_syslog)
{
	diag_state.program = program;
	diag_state.to_stderr = to_stderr;
	diag_state.to_syslog = to_syslog;
}

static void diag_syslog(const char *line)
{
	static const struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	char message[DIAG_MAX + 64];
	int n = snprintf(message, sizeof(message), "<%d>%s[%d]: %s", DIAG_PRIORITY, diag_state.program, (int)getpid(), line);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(message) ? (size_t)n : sizeof(message) - 1;
	if (length > 0)
		(void)sendto(fd, message, length, MSG_NOSIGNAL, (const struct sockaddr *)&log, sizeof(log));
	(void)close(fd);
}

void diag(const char *format, ...)
{
	int saved = errno;
	char raw[DIAG_MAX], line[DIAG_MAX];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	text_clean(line, sizeof(line), span_str(raw));
	if (diag_state.to_stderr)
		dprintf(STDERR_FILENO, "%s: %s\n", diag_state.program, line);
	if (diag_state.to_syslog)
		diag_syslog(line);
	errno = saved;
}
