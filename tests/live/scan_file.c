/*
 * The scan floor by hand: puts files to an engine, prints one finding a line. For tests/live/scan_engines.py and for looking.
 *
 *   scan_file INSPECTOR libclamav DATABASE TIMEOUT NEED FILE...
 *   scan_file INSPECTOR clamd ADDRESS[,ADDRESS...] TIMEOUT NEED FILE...
 *
 * ADDRESS is unix:PATH or tcp:HOST:PORT; NEED is type, scan or type+scan. FILE may be NAME:BYTES for its first bytes alone. A line: known
 * unscannable|- type|- virus|- detail.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "scan/scan.h"
#include "sys/fd.h"

static bool file_address(struct scan_address *out, char *text)
{
	out->text = text;
	if (strncmp(text, "unix:", 5) == 0) {
		out->path = text + 5;
		return true;
	}
	char *copy = strdup(text), *colon = copy != NULL ? strrchr(copy, ':') : NULL;
	if (colon == NULL || strncmp(copy, "tcp:", 4) != 0)
		return false;
	*colon = '\0';
	out->host = copy + 4;
	out->port = (uint16_t)atoi(colon + 1);
	return true;
}

static void file_print(const struct finding *finding)
{
	printf("%s%s ", finding->known & FACT_TYPE ? "T" : "", finding->known & FACT_SCAN ? "S" : "");
	const char *between = "";
	for (unsigned i = 0; i < UNSCANNABLE_WORDS; i++) {
		if (!(finding->unscannable & 1u << i))
			continue;
		printf("%s%s", between, unscannable_word(i));
		between = ",";
	}
	printf("%s %s %s %s\n", finding->unscannable == 0 ? "-" : "", finding->type[0] ? finding->type : "-", finding->virus[0] ? finding->virus : "-", finding->detail);
	fflush(stdout);
}

static bool file_scan(struct scan *scan, char *name, unsigned need)
{
	struct stat found;
	struct finding finding;
	uint64_t size = 0;
	char *colon = strrchr(name, ':');
	bool cut = colon != NULL && text_number(span_str(colon + 1), UINT64_MAX, &size);
	if (cut)
		*colon = '\0';
	FD_OWNED int fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &found) < 0) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return false;
	}
	scan_submit(scan, fd, cut ? size : (uint64_t)found.st_size, need);
	while (!scan_collect(scan, &finding)) {
		struct pollfd slot = scan_poll(scan);
		(void)poll(&slot, 1, scan_wait(scan));
	}
	file_print(&finding);
	return true;
}

int main(int count, char **arguments)
{
	if (count < 7)
		return 2;
	static struct scan_setup setup;
	setup = (struct scan_setup){ .inspector = arguments[1], .clamd = strcmp(arguments[2], "clamd") == 0, .database = arguments[3], .timeout = (unsigned)atoi(arguments[4]) };
	setup.scratch = getenv("SCAN_FILE_SCRATCH");
	if (getenv("SCAN_FILE_MEMORY") != NULL)
		setup.max_memory = strtoull(getenv("SCAN_FILE_MEMORY"), NULL, 10);
	for (char *save = NULL, *word = setup.clamd ? strtok_r(arguments[3], ",", &save) : NULL; word != NULL; word = strtok_r(NULL, ",", &save))
		if (setup.address_count == SCAN_ADDRESSES || !file_address(&setup.address[setup.address_count++], word))
			return 2;
	unsigned need = (strstr(arguments[5], "type") != NULL ? FACT_TYPE : 0) | (strstr(arguments[5], "scan") != NULL ? FACT_SCAN : 0);
	(void)signal(SIGPIPE, SIG_IGN);
	struct scan *scan = scan_create(&setup);
	if (scan == NULL)
		return 1;
	bool fine = true;
	for (int i = 6; i < count; i++)
		fine = file_scan(scan, arguments[i], need) && fine;
	scan_destroy(scan);
	return fine ? 0 : 1;
}
