/*
 * An inspector that is started in place of the real one and finds what is written in the content: EVIL is a virus, "<?php" a type, SLOW takes it a good second, DEAD
 * kills it. Not a test by itself.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/inspector.h"
#include "sys/fd.h"

enum { LOOK = 4096 };

static int answer(const struct inspector_question *question, const char *text)
{
	struct inspector_answer answer = { .number = question->number, .finding = { .known = question->need } };
	if (question->need & FACT_TYPE)
		snprintf(answer.finding.type, sizeof(answer.finding.type), "%s", strstr(text, "<?php") ? "text/x-php" : "text/plain");
	if ((question->need & FACT_SCAN) && strstr(text, "EVIL"))
		snprintf(answer.finding.virus, sizeof(answer.finding.virus), "Test.Evil");
	if (strstr(text, "SLOW"))
		usleep(1400000);
	return strstr(text, "DEAD") ? -1 : fd_send(INSPECTOR_FD, &answer, sizeof(answer), -1);
}

int main(void)
{
	struct inspector_hello hello = { INSPECTOR_VERSION, sizeof(struct inspector_question), sizeof(struct inspector_answer) };
	struct inspector_question question;
	int fd;
	if (fd_send(INSPECTOR_FD, &hello, sizeof(hello), -1) < 0)
		return INSPECTOR_EXIT_USAGE;
	while (fd_receive(INSPECTOR_FD, &question, sizeof(question), &fd) == (ssize_t)sizeof(question) && fd >= 0) {
		char text[LOOK + 1];
		ssize_t n = pread(fd, text, LOOK, 0);
		text[n > 0 ? n : 0] = '\0';
		for (ssize_t i = 0; i < n; i++)
			text[i] = text[i] ? text[i] : ' ';
		fd_close(&fd);
		if (answer(&question, text) < 0)
			return INSPECTOR_EXIT_PROTOCOL;
	}
	return INSPECTOR_EXIT_OK;
}
