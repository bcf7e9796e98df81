/* One line about ourselves, to stderr or to the system log, whatever state the program is in. */
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

static const char *diag_program = "xferwarden";

void diag_init(const char *program)
{
	diag_program = program;
}

static void diag_syslog(const char *line)
{
	static const struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	char message[DIAG_MAX + 64];
	int n = snprintf(message, sizeof(message), "<%d>%s[%d]: %s", DIAG_PRIORITY, diag_program, (int)getpid(), line);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	size_t length = n < 0 ? 0 : (size_t)n < sizeof(message) ? (size_t)n : sizeof(message) - 1;
	if (length > 0)
		(void)sendto(fd, message, length, MSG_NOSIGNAL, (const struct sockaddr *)&log, sizeof(log));
	(void)close(fd);
}

static void __attribute__((format(printf, 2, 0))) diag_format(char line[static DIAG_MAX], const char *format, va_list arguments)
{
	char raw[DIAG_MAX];
	(void)vsnprintf(raw, sizeof(raw), format, arguments);
	text_clean(line, DIAG_MAX, span_str(raw));
}

void diag(const char *format, ...)
{
	int saved = errno;
	char line[DIAG_MAX];
	va_list arguments;
	va_start(arguments, format);
	diag_format(line, format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "%s: %s\n", diag_program, line);
	errno = saved;
}

void diag_log(const char *format, ...)
{
	int saved = errno;
	char line[DIAG_MAX];
	va_list arguments;
	va_start(arguments, format);
	diag_format(line, format, arguments);
	va_end(arguments);
	diag_syslog(line);
	errno = saved;
}
