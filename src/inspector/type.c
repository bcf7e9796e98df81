/* How libmagic is asked: about a buffer, so that it neither unpacks nor reads on, and what of its answers is taken. */
#include "inspector/type.h"

#include <errno.h>
#include <magic.h>
#include <stdio.h>
#include <unistd.h>

#include "inspector/elf.h"
#include "proto/clamav.h"
#include "proto/inspector.h"

static magic_t type_magic;
static uint8_t type_head[INSPECTOR_HEAD_MAX];

const char *type_start(void)
{
	type_magic = magic_open(MAGIC_MIME_TYPE | MAGIC_ERROR | MAGIC_NO_CHECK_COMPRESS);
	if (type_magic == NULL)
		return "libmagic cannot be used";
	return magic_load(type_magic, NULL) == 0 ? NULL : magic_error(type_magic);
}

static bool type_read(int fd, size_t n)
{
	size_t at = 0;
	while (at < n) {
		ssize_t got = pread(fd, type_head + at, n - at, (off_t)at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

/* "type/subtype" in printable ASCII without blanks, and short enough to be kept whole. */
static bool type_is_mime(struct span text)
{
	if (text.n == 0 || text.n >= FINDING_TYPE_MAX || memchr(text.p, '/', text.n) == NULL)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

static void type_unknown(struct finding *out, const char *why)
{
	char line[FINDING_DETAIL_MAX];
	snprintf(line, sizeof(line), "libmagic: %s", why != NULL ? why : "no answer");
	out->unscannable |= UNSCANNABLE_SCANNER_DOWN;
	clamav_print(out->detail, sizeof(out->detail), span_str(line));
}

void type_tell(struct finding *out, int fd, uint64_t size)
{
	size_t n = size < sizeof(type_head) ? (size_t)size : sizeof(type_head);
	out->known |= FACT_TYPE;
	if (!type_read(fd, n)) {
		type_unknown(out, "the content cannot be read");
		return;
	}
	const char *text = n == 0 ? "inode/x-empty" : magic_buffer(type_magic, type_head, n);
	if (text != NULL && strcmp(text, "application/x-sharedlib") == 0 && elf_is_program(span_of(type_head, n), fd, size))
		text = "application/x-pie-executable";
	if (text == NULL || !type_is_mime(span_str(text)))
		type_unknown(out, text == NULL ? magic_error(type_magic) : "no MIME type");
	else
		clamav_print(out->type, sizeof(out->type), span_str(text));
}
