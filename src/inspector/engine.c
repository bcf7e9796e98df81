/* How libclamav has to be set so that it says when it did not look, and what its return values mean. */
#include "inspector/engine.h"

#include <clamav.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/clamav.h"

static struct cl_engine *engine;
static char engine_fault[FINDING_DETAIL_MAX];
static struct finding *engine_finding; /* of the scan under way, for the callback */

enum { ENGINE_SCANSIZE = 64 /* GiB: work is bounded by time */ };

static void engine_say(char *dst, const char *what, const char *why)
{
	char line[FINDING_DETAIL_MAX];
	snprintf(line, sizeof(line), "libclamav: %.80s%s%s", what, why != NULL ? ": " : "", why != NULL ? why : "");
	clamav_print(dst, FINDING_DETAIL_MAX, span_str(line));
}

/* Every alert, also those that a later and weightier one pushes aside. */
static void engine_alert(int fd, const char *name, void *context)
{
	(void)fd;
	(void)context;
	clamav_alert(engine_finding, span_str(name));
}

/*
 * What libraries load when they first need it, while that is still possible: the character sets in which web pages and documents hide
 * text from a scanner. The converters are never used; that they are open keeps their modules loaded. A set that this system does not have
 * is one that libclamav could not read either.
 */
static void engine_touch(void)
{
	static const char *const charsets[] = {
		"UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE", "UTF-7", "UCS-4", "ISO-8859-2", "ISO-8859-5", "ISO-8859-7", "ISO-8859-9", "ISO-8859-15",
		"CP437", "CP850", "CP866", "CP874", "CP932", "CP949", "CP1250", "CP1251", "CP1252", "CP1253", "CP1254", "CP1255", "CP1256", "CP1257", "CP1258",
		"KOI8-R", "KOI8-U", "SHIFT_JIS", "EUC-JP", "ISO-2022-JP", "EUC-KR", "ISO-2022-KR", "GBK", "GB18030", "BIG5", "EUC-TW", "MACINTOSH", "IBM037",
	};
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++)
		(void)iconv_open("UTF-8", charsets[i]);
	tzset();
}

const char *engine_start(void)
{
	engine_touch();
	cl_error_t error = cl_init(CL_INIT_DEFAULT);
	if (error != CL_SUCCESS)
		return cl_strerror(error);
	engine = cl_engine_new();
	return engine != NULL ? NULL : "out of memory";
}

static cl_error_t engine_settings(const char *scratch)
{
	static const struct {
		enum cl_engine_field field;
		long long value;
	} numbers[] = {
		{ CL_ENGINE_MAX_FILESIZE, (long long)CLAMAV_SIZE_MAX },
		{ CL_ENGINE_MAX_SCANSIZE, (long long)ENGINE_SCANSIZE << 30 },
		{ CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER }, /* executable memory is denied */
	};
	cl_error_t error = cl_engine_set_str(engine, CL_ENGINE_TMPDIR, scratch);
	for (size_t i = 0; error == CL_SUCCESS && i < sizeof(numbers) / sizeof(numbers[0]); i++)
		error = cl_engine_set_num(engine, numbers[i].field, numbers[i].value);
	cl_engine_set_clcb_virus_found(engine, engine_alert);
	return error;
}

/* libclamav does not say which file it is that it cannot open, and says the same of a folder without any. */
static const char *engine_missing(const char *database)
{
	struct stat found;
	struct cl_stat folder = { 0 };
	if (stat(database, &found) < 0)
		return strerror(errno);
	if (!S_ISDIR(found.st_mode) || cl_statinidir(database, &folder) != CL_SUCCESS)
		return "it cannot be read";
	bool empty = folder.entries == 0;
	(void)cl_statfree(&folder);
	return empty ? "no signatures there (run freshclam)" : "a file in it cannot be read";
}

void engine_load(const char *database, const char *scratch)
{
	unsigned signatures = 0;
	cl_error_t error = engine_settings(scratch);
	if (error == CL_SUCCESS)
		error = cl_load(database, engine, &signatures, CL_DB_STDOPT);
	if (error == CL_SUCCESS)
		error = cl_engine_compile(engine);
	if (error == CL_EOPEN || error == CL_ESTAT)
		engine_say(engine_fault, database, engine_missing(database));
	else if (error != CL_SUCCESS)
		engine_say(engine_fault, database, cl_strerror(error));
	else if (signatures == 0)
		engine_say(engine_fault, database, "no signatures there (run freshclam)");
}

static int engine_failure(cl_error_t error)
{
	if (error == CL_ETIMEOUT)
		return UNSCANNABLE_TIMEOUT;
	if (error == CL_EMAXREC || error == CL_EMAXFILES)
		return UNSCANNABLE_TOO_DEEP;
	if (error == CL_EMAXSIZE || error == CL_EMEM || error == CL_EMAP || error == CL_EWRITE)
		return UNSCANNABLE_TOO_LARGE;
	return UNSCANNABLE_SCANNER_DOWN;
}

static off_t engine_read(void *handle, void *buffer, size_t count, off_t offset)
{
	return pread(*(int *)handle, buffer, count, offset);
}

/* A file may be longer than what is asked about: then libclamav is shown its front only. */
static cl_error_t engine_run(int fd, uint64_t size, const char **name, unsigned long *scanned)
{
	struct cl_scan_options options = {
		.general = CL_SCAN_GENERAL_HEURISTICS,
		.parse = ~0u,
		.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC,
	};
	struct stat found;
	if (fstat(fd, &found) == 0 && (uint64_t)found.st_size == size)
		return cl_scandesc(fd, NULL, name, scanned, engine, &options);
	cl_fmap_t *map = cl_fmap_open_handle(&fd, 0, size, engine_read, 1);
	if (map == NULL)
		return CL_EMAP;
	cl_error_t result = cl_scanmap_callback(map, NULL, name, scanned, engine, &options, NULL);
	cl_fmap_close(map);
	return result;
}

static uint64_t engine_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void engine_scan(struct finding *out, int fd, uint64_t size, uint64_t milliseconds)
{
	const char *name = NULL;
	unsigned long scanned = 0;
	out->known |= FACT_SCAN;
	if (engine_fault[0] != '\0') {
		out->unscannable |= UNSCANNABLE_SCANNER_DOWN;
		memcpy(out->detail, engine_fault, sizeof(out->detail));
		return;
	}
	cl_error_t result = cl_engine_set_num(engine, CL_ENGINE_MAX_SCANTIME, (long long)milliseconds);
	uint64_t begin = engine_now();
	engine_finding = out;
	if (result == CL_SUCCESS)
		result = engine_run(fd, size, &name, &scanned);
	if (result == CL_VIRUS) {
		clamav_alert(out, span_str(name));
	} else if (result != CL_CLEAN) {
		out->unscannable |= (unsigned)engine_failure(result);
		engine_say(out->detail, cl_strerror(result), NULL);
	} else if (engine_now() - begin >= milliseconds) {
		out->unscannable |= UNSCANNABLE_TIMEOUT;
	}
}
