/*
 * The inspector's life: limits, libraries, confinement, greeting, then one question after the other until the shim is gone or says
 * something out of place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "inspector/confine.h"
#include "inspector/engine.h"
#include "inspector/type.h"
#include "proto/inspector.h"
#include "sys/fd.h"

enum { MAIN_MARGIN = 10 /* the part of its time that a scan leaves for the answer, as 1/n */ };

#define MAIN_MEMORY (UINT64_C(1) << 30)

struct inspector {
	struct confine confine;
	bool scans;
	uint64_t memory;
	uint32_t answered;
	uint64_t spent; /* milliseconds that the first question waited for the database */
};

static uint64_t main_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* [--unconfined-ok] --type | --scan DATABASE SCRATCH MEMORY */
static bool main_arguments(struct inspector *inspector, int count, char **arguments)
{
	int at = 1;
	inspector->confine = (struct confine){ .statm = -1 };
	if (at < count && strcmp(arguments[at], "--unconfined-ok") == 0) {
		inspector->confine.unconfined_ok = true;
		at++;
	}
	if (count - at == 1 && strcmp(arguments[at], "--type") == 0)
		return true;
	if (count - at != 4 || strcmp(arguments[at], "--scan") != 0)
		return false;
	inspector->scans = true;
	inspector->confine.database = arguments[at + 1];
	inspector->confine.scratch = arguments[at + 2];
	return text_number(span_str(arguments[at + 3]), UINT64_MAX / 4, &inspector->memory) && inspector->confine.database[0] == '/' &&
	       inspector->confine.scratch[0] == '/';
}

/* Nothing may run at exit that frees a gigabyte of signatures one by one. */
static _Noreturn void main_end(enum inspector_exit status)
{
	_exit(status);
}

static void main_hello(void)
{
	struct inspector_hello hello = {
		.version = INSPECTOR_VERSION, .size_of_question = sizeof(struct inspector_question), .size_of_answer = sizeof(struct inspector_answer) };
	if (fd_send(INSPECTOR_FD, &hello, sizeof(hello), -1) < 0)
		main_end(INSPECTOR_EXIT_PROTOCOL);
}

static void main_look(struct inspector *inspector, const struct inspector_question *question, int fd, struct finding *out)
{
	uint64_t budget = (uint64_t)question->timeout * 1000 * (MAIN_MARGIN - 1) / MAIN_MARGIN;
	budget = budget > inspector->spent ? budget - inspector->spent : 1;
	inspector->spent = 0;
	uint64_t memory = (inspector->memory > 0 ? inspector->memory : MAIN_MEMORY) + question->size;
	if (confine_question(&inspector->confine, memory, question->timeout) < 0)
		main_end(INSPECTOR_EXIT_CONFINE);
	if (question->need & FACT_TYPE)
		type_tell(out, fd, question->size);
	if (question->need & FACT_SCAN)
		engine_scan(out, fd, question->size, budget);
}

static void main_answer(struct inspector *inspector)
{
	uint8_t message[sizeof(struct inspector_question) + 1];
	struct inspector_question question;
	FD_OWNED int fd = -1;
	ssize_t got = fd_receive(INSPECTOR_FD, message, sizeof(message), &fd);
	if (got == 0 || got == -ECONNRESET)
		main_end(INSPECTOR_EXIT_OK);
	if (got < 0 || fd < 0 || !inspector_question_read(&question, span_of(message, (size_t)got)) || question.number != inspector->answered + 1)
		main_end(INSPECTOR_EXIT_PROTOCOL);
	struct inspector_answer answer = { .number = question.number };
	main_look(inspector, &question, fd, &answer.finding);
	inspector->answered = question.number;
	if (fd_send(INSPECTOR_FD, &answer, sizeof(answer), -1) < 0)
		main_end(INSPECTOR_EXIT_OK);
}

int main(int count, char **arguments)
{
	struct inspector inspector = { 0 };
	uint64_t begin = main_now();
	if (!main_arguments(&inspector, count, arguments))
		main_end(INSPECTOR_EXIT_USAGE);
	if (confine_early(&inspector.confine) < 0)
		main_end(INSPECTOR_EXIT_CONFINE);
	if (type_start() != NULL)
		main_end(INSPECTOR_EXIT_MAGIC);
	if (inspector.scans && engine_start() != NULL)
		main_end(INSPECTOR_EXIT_CLAMAV);
	if (confine_close(&inspector.confine) < 0)
		main_end(INSPECTOR_EXIT_CONFINE);
	main_hello();
	if (inspector.scans) {
		engine_load(inspector.confine.database, inspector.confine.scratch);
		inspector.spent = main_now() - begin;
	}
	for (;;)
		main_answer(&inspector);
}
