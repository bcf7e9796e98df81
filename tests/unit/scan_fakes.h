/* Inspectors and clamds for tests/unit/scan_scan.c that do what they are told, right or wrong. */
#ifndef XFERWARDEN_UNIT_SCAN_FAKES_H
#define XFERWARDEN_UNIT_SCAN_FAKES_H

#include <arpa/inet.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/inspector.h"
#include "sys/fd.h"

static void fake_hello(uint32_t version, size_t n)
{
	uint8_t message[64] = { 0 };
	struct inspector_hello hello = { version, sizeof(struct inspector_question), sizeof(struct inspector_answer) };
	memcpy(message, &hello, sizeof(hello));
	(void)fd_send(INSPECTOR_FD, message, n, -1);
}

static struct inspector_question fake_question(void)
{
	struct inspector_question question;
	int fd;
	ssize_t n = fd_receive(INSPECTOR_FD, &question, sizeof(question), &fd);
	if (n == 0)
		_exit(0);
	if (n != sizeof(question) || fd < 0)
		_exit(70);
	fd_close(&fd);
	return question;
}

static struct inspector_answer fake_answer(const struct inspector_question *question, const char *name)
{
	struct inspector_answer answer = { .number = question->number, .finding = { .known = question->need } };
	if (question->need & FACT_TYPE)
		snprintf(answer.finding.type, sizeof(answer.finding.type), "fake/type%s", strstr(name, "-clamav") != NULL ? "-clamav" : "");
	if (question->need & FACT_SCAN)
		snprintf(answer.finding.virus, sizeof(answer.finding.virus), "Fake.Virus");
	return answer;
}

static void fake_two_descriptors(const void *message, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	int fds[2] = { INSPECTOR_FD, INSPECTOR_FD };
	struct iovec part = { .iov_base = (void *)(uintptr_t)message, .iov_len = n };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	(void)sendmsg(INSPECTOR_FD, &header, MSG_NOSIGNAL);
}

/* What goes wrong before a question is read. */
static void fake_before(const char *name)
{
	if (strncmp(name, "exits-asked", 11) != 0 && strncmp(name, "exits", 5) == 0)
		_exit(9);
	if (strncmp(name, "confined-not", 12) == 0)
		_exit(INSPECTOR_EXIT_CONFINE);
	while (strncmp(name, "silent", 6) == 0)
		pause();
	if (strncmp(name, "garbage", 7) == 0)
		(void)fd_send(INSPECTOR_FD, "garbage", 7, -1);
	else if (strncmp(name, "stale", 5) == 0)
		fake_hello(INSPECTOR_VERSION + 1, sizeof(struct inspector_hello));
	else if (strncmp(name, "greets-long", 11) == 0)
		fake_hello(INSPECTOR_VERSION, sizeof(struct inspector_hello) + 1);
	else if (strncmp(name, "greets-not", 10) != 0)
		fake_hello(INSPECTOR_VERSION, sizeof(struct inspector_hello));
	if (strncmp(name, "greets-twice", 12) == 0)
		fake_hello(INSPECTOR_VERSION, sizeof(struct inspector_hello));
	while (strncmp(name, "mute", 4) == 0)
		pause();
	if (strncmp(name, "stopped", 7) == 0)
		(void)raise(SIGSTOP);
}

static void fake_reply(const char *name, const struct inspector_question *question)
{
	uint8_t large[4096] = { 0 };
	struct inspector_answer answer = fake_answer(question, name);
	size_t n = sizeof(answer);
	if (strncmp(name, "exits-asked", 11) == 0)
		_exit(9);
	if (strncmp(name, "killed", 6) == 0)
		(void)raise(SIGKILL);
	if (strncmp(name, "closes", 6) == 0) {
		(void)close(INSPECTOR_FD);
		for (;;)
			pause();
	}
	if (strncmp(name, "number", 6) == 0)
		answer.number++;
	if (strncmp(name, "other", 5) == 0)
		answer.finding.known ^= FACT_SCAN;
	if (strncmp(name, "unending", 8) == 0)
		memset(answer.finding.detail, 'x', sizeof(answer.finding.detail));
	memcpy(large, &answer, sizeof(answer));
	if (strncmp(name, "short", 5) == 0)
		n--;
	if (strncmp(name, "long", 4) == 0)
		n += 2;
	if (strncmp(name, "huge", 4) == 0)
		n = sizeof(large);
	if (strncmp(name, "descriptors", 11) == 0)
		fake_two_descriptors(large, n);
	else
		(void)fd_send(INSPECTOR_FD, large, n, strncmp(name, "descriptor", 10) == 0 ? INSPECTOR_FD : -1);
	if (strncmp(name, "twice", 5) == 0)
		(void)fd_send(INSPECTOR_FD, large, n, -1);
}

/* Fails when it is started for the first time, which a file next to it remembers. */
static void fake_flaky(const char *path)
{
	char copy[256], flag[300];
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(flag, sizeof(flag), "%s/flag", dirname(copy));
	if (access(flag, F_OK) == 0)
		return;
	FILE *made = fopen(flag, "w");
	if (made != NULL)
		(void)fclose(made);
	_exit(9);
}

/* Runs before Criterion's main: when this program was started as an inspector it is one. */
__attribute__((constructor)) static void fake_inspector(int count, char **arguments)
{
	if (count < 2 || (strcmp(arguments[count - 1], "--type") != 0 && strcmp(arguments[1], "--scan") != 0))
		return;
	char copy[256];
	snprintf(copy, sizeof(copy), "%s", arguments[0]);
	const char *name = basename(copy);
	if (strncmp(name, "flaky", 5) == 0)
		fake_flaky(arguments[0]);
	fake_before(name);
	for (;;) {
		struct inspector_question question = fake_question();
		fake_reply(name, &question);
	}
}

/*
 * A clamd on a unix socket. Each connection takes the next line of the script, the last one for ever. A line is the reply, sent once the
 * question is whole; in front of it: "%" in pieces, "_" without its NUL, "=" the same and then closed, "#" before the question is whole.
 * Alone: "-" closes without a reply, "!" closes at once, "~" says nothing.
 */
struct fake_clamd {
	pid_t pid;
	int report;
	char log[8192]; /* after the stop: what it was asked, "INSTREAM content|FILDES content|"; long content as its length */
};

struct fake_content {
	size_t n;
	char bytes[512];
};

static bool fake_take(int fd, void *dst, size_t n)
{
	return fd_read_all(fd, dst, n) == 0;
}

static void fake_keep(struct fake_content *content, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (content->n + i < sizeof(content->bytes))
			content->bytes[content->n + i] = bytes[i] != '\0' ? bytes[i] : '0';
	content->n += n;
}

static bool fake_stream(int fd, struct fake_content *content)
{
	static char chunk[65536];
	for (;;) {
		uint32_t length;
		if (!fake_take(fd, &length, sizeof(length)))
			return false;
		length = ntohl(length);
		if (length == 0)
			return true;
		while (length > 0) {
			size_t now = length < sizeof(chunk) ? length : sizeof(chunk);
			if (!fake_take(fd, chunk, now))
				return false;
			fake_keep(content, chunk, now);
			length -= (uint32_t)now;
		}
	}
}

static bool fake_descriptor(int fd, struct fake_content *content)
{
	char byte, chunk[512];
	int passed;
	if (fd_receive(fd, &byte, 1, &passed) != 1 || passed < 0)
		return false;
	ssize_t n = pread(passed, chunk, sizeof(chunk), 0);
	fake_keep(content, chunk, n > 0 ? (size_t)n : 0);
	fd_close(&passed);
	return true;
}

static bool fake_asked(int fd, int report)
{
	char command[16], line[640];
	size_t n = 0;
	struct fake_content content = { 0 };
	do {
		if (n == sizeof(command) || !fake_take(fd, command + n, 1))
			return false;
	} while (command[n++] != '\0');
	if (strcmp(command, "zINSTREAM") == 0 ? !fake_stream(fd, &content) : strcmp(command, "zFILDES") != 0 || !fake_descriptor(fd, &content))
		return false;
	int length = content.n < sizeof(content.bytes) ? snprintf(line, sizeof(line), "%s %.*s|", command + 1, (int)content.n, content.bytes)
	                                               : snprintf(line, sizeof(line), "%s (%zu)|", command + 1, content.n);
	(void)fd_write_all(report, line, (size_t)length);
	return true;
}

static void fake_serve(int fd, int report, const char *line)
{
	char byte;
	if (line[0] == '!')
		return;
	if (line[0] == '#') {
		char start[5000];
		(void)fake_take(fd, start, sizeof(start));
		(void)fd_write_all(fd, line + 1, strlen(line));
		return;
	}
	if (!fake_asked(fd, report) || line[0] == '-')
		return;
	bool partly = line[0] == '_' || line[0] == '=';
	const char *reply = line + (partly || line[0] == '%');
	size_t n = strlen(reply) + !partly;
	if (line[0] == '%') {
		for (size_t i = 0; i < n; i++, usleep(1000))
			(void)fd_write_all(fd, reply + i, 1);
	} else if (line[0] != '~') {
		(void)fd_write_all(fd, reply, n);
	}
	if (line[0] == '~' || line[0] == '_')
		(void)fake_take(fd, &byte, 1);
}

static void fake_clamd_start(struct fake_clamd *server, const char *path, const char *const *script)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int ends[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(listener, 4) < 0 || pipe(ends) < 0)
		abort();
	server->pid = fork();
	server->report = ends[0];
	if (server->pid != 0) {
		close(ends[1]);
		close(listener);
		return;
	}
	(void)alarm(60);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			_exit(1);
		fake_serve(fd, ends[1], *script);
		close(fd);
		if (script[1] != NULL)
			script++;
	}
}

static void fake_clamd_stop(struct fake_clamd *server)
{
	if (server->pid <= 0)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	size_t n = 0;
	ssize_t got;
	while ((got = read(server->report, server->log + n, sizeof(server->log) - 1 - n)) > 0)
		n += (size_t)got;
	server->log[n] = '\0';
	close(server->report);
	server->pid = -1;
}

#endif
