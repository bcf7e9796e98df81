/* How the inspector is started and what it may say; everything else it does is its end. */
#include "scan/helper.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/spawn.h"

enum { HELPER_LAST_WORDS = 200 /* milliseconds in which a process that closed its socket should have ended */ };

void helper_init(struct helper *helper, const struct scan_setup *setup)
{
	*helper = (struct helper){ .setup = setup, .pid = -1, .socket = -1, .scratch = { .fd = -1 } };
}

void helper_stop(struct helper *helper)
{
	fd_close(&helper->socket);
	if (helper->pid > 0)
		(void)spawn_reap(helper->pid, 0);
	helper->pid = -1;
	scratch_remove(&helper->scratch);
}

void helper_fail(struct helper *helper)
{
	helper_stop(helper);
	helper->failures++;
}

static pid_t helper_exec(struct helper *helper, bool scans, int socket)
{
	const struct scan_setup *setup = helper->setup;
	char program[PATH_MAX], memory[24], scratch[SCRATCH_PATH_MAX + 8];
	int n = snprintf(program, sizeof(program), "%s%s", setup->inspector, scans ? "-clamav" : "");
	if (n < 0 || (size_t)n >= sizeof(program))
		return -ENAMETOOLONG;
	snprintf(memory, sizeof(memory), "%" PRIu64, setup->max_memory);
	snprintf(scratch, sizeof(scratch), "TMPDIR=%s", helper->scratch.path);
	char mode_scan[] = "--scan", mode_type[] = "--type", unconfined_ok[] = "--unconfined-ok";
	char *const environment[] = { scans ? scratch : NULL, NULL };
	char *arguments[8] = { program };
	size_t count = 1;
	if (setup->unconfined_ok)
		arguments[count++] = unconfined_ok;
	arguments[count++] = scans ? mode_scan : mode_type;
	if (scans) {
		arguments[count++] = (char *)(uintptr_t)setup->database;
		arguments[count++] = helper->scratch.path;
		arguments[count++] = memory;
	}
	return spawn_run(&(struct spawn){
		.program = program, .argv = arguments, .envp = environment, .in = -1, .out = -1, .err = -1, .extra = socket, .cwd = -1, .ruleset = -1 });
}

static int helper_start(struct helper *helper, bool scans)
{
	int ends[2];
	int made = scans ? scratch_make(&helper->scratch, helper->setup->scratch != NULL ? helper->setup->scratch : "/tmp") : 0;
	if (made < 0)
		return made;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	FD_OWNED int ours = ends[0];
	FD_OWNED int theirs = ends[1];
	/* O_NONBLOCK belongs to one end of a socket pair, so the inspector still blocks on its own. */
	int error = fd_nonblock(ours, true);
	if (error < 0)
		return error;
	pid_t pid = helper_exec(helper, scans, theirs);
	if (pid < 0)
		return pid;
	helper->pid = pid;
	helper->socket = fd_steal(&ours);
	helper->scans = scans;
	helper->greeted = false;
	helper->question.number = 0;
	return 0;
}

bool helper_ask(struct helper *helper, int fd, uint64_t size, unsigned need, unsigned seconds, char why[FINDING_DETAIL_MAX])
{
	bool scans = (need & FACT_SCAN) != 0;
	if (helper->pid > 0 && scans && !helper->scans)
		helper_stop(helper);
	if (helper->pid < 0) {
		if (helper->failures >= HELPER_FAILURES_MAX) {
			snprintf(why, FINDING_DETAIL_MAX, "inspector: failed %u times, not started again", helper->failures);
			return false;
		}
		int started = helper_start(helper, scans);
		if (started < 0) {
			snprintf(why, FINDING_DETAIL_MAX, "inspector: cannot be started: %s", strerror(-started));
			helper_fail(helper);
			return false;
		}
	}
	helper->question = (struct inspector_question){
		.number = helper->question.number + 1, .need = need, .size = size, .timeout = seconds > INSPECTOR_TIMEOUT_MAX ? INSPECTOR_TIMEOUT_MAX : seconds };
	int sent = fd_send(helper->socket, &helper->question, sizeof(helper->question), fd);
	if (sent < 0 && sent != -EPIPE && sent != -ECONNRESET) {
		snprintf(why, FINDING_DETAIL_MAX, "inspector: cannot be asked: %s", strerror(-sent));
		helper_fail(helper);
		return false;
	}
	return true; /* one that has died is found out when its answer is read: then it can be said how */
}

static const char *helper_cause(int status)
{
	static const char *const causes[] = {
		[INSPECTOR_EXIT_USAGE - INSPECTOR_EXIT_USAGE] = "its arguments were refused",
		[INSPECTOR_EXIT_PROTOCOL - INSPECTOR_EXIT_USAGE] = "it refused the question",
		[INSPECTOR_EXIT_MAGIC - INSPECTOR_EXIT_USAGE] = "libmagic cannot be used",
		[INSPECTOR_EXIT_CLAMAV - INSPECTOR_EXIT_USAGE] = "libclamav cannot be used",
		[INSPECTOR_EXIT_CONFINE - INSPECTOR_EXIT_USAGE] = "its sandbox cannot be closed",
	};
	size_t index = (size_t)(status - INSPECTOR_EXIT_USAGE);
	return status >= INSPECTOR_EXIT_USAGE && index < sizeof(causes) / sizeof(causes[0]) ? causes[index] : NULL;
}

static void helper_obituary(struct helper *helper, char why[FINDING_DETAIL_MAX])
{
	int status = spawn_reap(helper->pid, HELPER_LAST_WORDS);
	helper->pid = -1;
	const char *when = helper->greeted ? "while it was asked" : "before it was ready";
	const char *cause = WIFEXITED(status) ? helper_cause(WEXITSTATUS(status)) : NULL;
	if (cause != NULL)
		snprintf(why, FINDING_DETAIL_MAX, "inspector: %s", cause);
	else if (WIFSIGNALED(status))
		snprintf(why, FINDING_DETAIL_MAX, "inspector: ended by signal %d %s", WTERMSIG(status), when);
	else
		snprintf(why, FINDING_DETAIL_MAX, "inspector: ended with status %d %s", WEXITSTATUS(status), when);
}

static enum helper_result helper_judge(struct helper *helper, struct span message, struct finding *out)
{
	struct inspector_answer answer;
	if (!helper->greeted) {
		struct inspector_hello hello;
		helper->greeted = inspector_hello_read(&hello, message);
		return helper->greeted ? HELPER_WAITING : HELPER_FAILED;
	}
	if (!inspector_answer_read(&answer, message, &helper->question))
		return HELPER_FAILED;
	*out = answer.finding;
	return HELPER_ANSWERED;
}

enum helper_result helper_step(struct helper *helper, struct finding *out, char why[FINDING_DETAIL_MAX])
{
	for (;;) {
		uint8_t message[sizeof(struct inspector_answer) + 1];
		int passed;
		ssize_t got = fd_receive(helper->socket, message, sizeof(message), &passed);
		if (got == -EAGAIN)
			return HELPER_WAITING;
		enum helper_result result = HELPER_FAILED;
		snprintf(why, FINDING_DETAIL_MAX, "inspector: %s that makes no sense", helper->greeted ? "an answer" : "a greeting");
		if (got == 0 || got == -ECONNRESET)
			helper_obituary(helper, why);
		else if (got < 0 || passed >= 0)
			snprintf(why, FINDING_DETAIL_MAX, "inspector: a message that cannot be");
		else
			result = helper_judge(helper, span_of(message, (size_t)got), out);
		fd_close(&passed);
		if (result == HELPER_FAILED)
			helper_fail(helper);
		if (result != HELPER_WAITING)
			return result;
	}
}
