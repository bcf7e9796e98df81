/*
 * The way of one question: what is known without asking, who is asked for the rest and in which order, and how the answers become one
 * finding.
 */
#include "scan/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "proto/clamav.h"
#include "scan/clock.h"
#include "scan/container.h"
#include "scan/daemon.h"
#include "scan/helper.h"

enum scan_state { SCAN_IDLE = 0, SCAN_INSPECTOR, SCAN_CLAMD, SCAN_DONE };

struct scan {
	const struct scan_setup *setup;
	enum scan_state state;
	int fd; /* borrowed */
	uint64_t size;
	unsigned left; /* FACT_* bits that nobody was asked for yet */
	int64_t deadline;
	struct finding finding;
	struct helper helper;
	struct daemon daemon;
};

struct scan *scan_create(const struct scan_setup *setup)
{
	struct scan *scan = malloc(sizeof(*scan));
	if (scan == NULL)
		return NULL;
	memset(scan, 0, offsetof(struct scan, helper));
	scan->setup = setup;
	scan->fd = -1;
	helper_init(&scan->helper, setup);
	daemon_init(&scan->daemon, setup);
	return scan;
}

void scan_destroy(struct scan *scan)
{
	if (scan == NULL)
		return;
	daemon_stop(&scan->daemon);
	helper_stop(&scan->helper);
	free(scan);
}

pid_t scan_pid(const struct scan *scan)
{
	return scan->helper.pid;
}

static void scan_detail(struct finding *into, const char *detail)
{
	if (detail[0] == '\0')
		return;
	char joined[2 * FINDING_DETAIL_MAX + 2];
	snprintf(joined, sizeof(joined), "%s%s%s", into->detail, into->detail[0] != '\0' ? "; " : "", detail);
	clamav_print(into->detail, sizeof(into->detail), span_str(joined));
}

static void scan_merge(struct finding *into, const struct finding *part)
{
	into->unscannable |= part->unscannable;
	if (into->type[0] == '\0')
		memcpy(into->type, part->type, sizeof(into->type));
	if (into->virus[0] == '\0')
		memcpy(into->virus, part->virus, sizeof(into->virus));
	scan_detail(into, part->detail);
}

static void scan_flaw(struct scan *scan, unsigned bits, const char *why)
{
	scan->finding.unscannable |= bits;
	scan_detail(&scan->finding, why);
}

/* Asks whoever is next. */
static void scan_next(struct scan *scan)
{
	unsigned mine = scan->setup->clamd ? FACT_TYPE : FACT_TYPE | FACT_SCAN;
	unsigned asked = scan->left & mine;
	scan->left &= ~asked;
	if (asked != 0) {
		int64_t now = clock_now();
		int64_t seconds = scan->deadline > now ? (scan->deadline - now + 999) / 1000 : 1;
		char why[FINDING_DETAIL_MAX];
		if (helper_ask(&scan->helper, scan->fd, scan->size, asked, (unsigned)seconds, why)) {
			scan->state = SCAN_INSPECTOR;
			return;
		}
		scan_flaw(scan, UNSCANNABLE_SCANNER_DOWN, why);
	}
	if (scan->left & FACT_SCAN) {
		scan->left = 0;
		scan->state = SCAN_CLAMD;
		daemon_ask(&scan->daemon, scan->fd, scan->size, scan->deadline);
		return;
	}
	scan->state = SCAN_DONE;
}

/* What can be said of a scan before ClamAV is asked, and whether it has to be. */
static void scan_look(struct scan *scan)
{
	char why[FINDING_DETAIL_MAX];
	if (scan->size == 0) {
		scan->left &= ~(unsigned)FACT_SCAN;
		return;
	}
	if (scan->size > CLAMAV_SIZE_MAX) {
		scan->left &= ~(unsigned)FACT_SCAN;
		scan_flaw(scan, UNSCANNABLE_TOO_LARGE, "larger than ClamAV can read");
	}
	unsigned bits = container_check(scan->fd, scan->size, why);
	if (bits != 0)
		scan_flaw(scan, bits, why);
}

void scan_submit(struct scan *scan, int fd, uint64_t size, unsigned need)
{
	struct stat found;
	scan->fd = fd;
	scan->size = size;
	scan->left = need & (FACT_TYPE | FACT_SCAN);
	scan->finding = (struct finding){ .known = scan->left };
	scan->deadline = clock_now() + (int64_t)scan->setup->timeout * 1000;
	if (fstat(fd, &found) < 0 || !S_ISREG(found.st_mode) || (uint64_t)found.st_size < size) {
		scan_flaw(scan, UNSCANNABLE_SCANNER_DOWN, "the content is not a file of its announced size");
		scan->state = SCAN_DONE;
		return;
	}
	if (scan->left & FACT_SCAN)
		scan_look(scan);
	scan_next(scan);
}

struct pollfd scan_poll(const struct scan *scan)
{
	switch (scan->state) {
	case SCAN_INSPECTOR:
		return (struct pollfd){ .fd = scan->helper.socket, .events = POLLIN };
	case SCAN_CLAMD:
		return daemon_poll(&scan->daemon);
	case SCAN_IDLE:
	case SCAN_DONE:
		break;
	}
	return (struct pollfd){ .fd = -1 };
}

int scan_wait(const struct scan *scan)
{
	int64_t due = 0;
	switch (scan->state) {
	case SCAN_IDLE:
		return -1;
	case SCAN_DONE:
		return 0;
	case SCAN_INSPECTOR:
		due = scan->deadline;
		break;
	case SCAN_CLAMD:
		due = daemon_due(&scan->daemon);
		break;
	}
	int64_t left = due - clock_now();
	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

static void scan_step_inspector(struct scan *scan)
{
	struct finding part = { 0 };
	char why[FINDING_DETAIL_MAX] = "";
	enum helper_result result = helper_step(&scan->helper, &part, why);
	if (result == HELPER_WAITING && clock_now() >= scan->deadline) {
		/* Greeted: it has the content and hangs over it, and that may be the content's doing. */
		bool greeted = scan->helper.greeted;
		helper_fail(&scan->helper);
		scan_flaw(scan, UNSCANNABLE_SCANNER_DOWN | (greeted ? UNSCANNABLE_TIMEOUT : 0), "inspector: no answer in time");
		scan_next(scan);
	} else if (result == HELPER_FAILED) {
		scan_flaw(scan, UNSCANNABLE_SCANNER_DOWN, why);
		scan_next(scan);
	} else if (result == HELPER_ANSWERED) {
		scan_merge(&scan->finding, &part);
		scan_next(scan);
	}
}

static void scan_step_clamd(struct scan *scan)
{
	struct finding part = { 0 };
	if (daemon_step(&scan->daemon, &part) == DAEMON_WAITING)
		return;
	scan_merge(&scan->finding, &part);
	scan->state = SCAN_DONE;
}

bool scan_collect(struct scan *scan, struct finding *out)
{
	if (scan->state == SCAN_INSPECTOR)
		scan_step_inspector(scan);
	if (scan->state == SCAN_CLAMD)
		scan_step_clamd(scan);
	if (scan->state != SCAN_DONE)
		return false;
	*out = scan->finding;
	scan->state = SCAN_IDLE;
	scan->fd = -1;
	return true;
}
