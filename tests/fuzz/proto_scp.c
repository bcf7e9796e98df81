/*
 * SCP records and replies. The first byte says where to cut. Any cut gives the same events; what is accepted can be written anew, and what was written
 * reads the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "proto/scp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct log {
	uint64_t hash;
	uint64_t payload; /* left of the file whose content is on its way */
	bool status;      /* its status byte is next */
	struct scp_reader reader;
};

static void log_add(struct log *log, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < n; i++)
		log->hash = (log->hash ^ p[i]) * 1099511628211u;
}

static void check_written(enum scp_kind kind, const struct scp_record *record)
{
	uint8_t line[SCP_PUT_MAX], again[SCP_PUT_MAX];
	struct scp_reader reader;
	struct scp_record read = { 0 };
	size_t n = scp_put(line, kind, record);
	struct span in = span_of(line, n);
	scp_init(&reader);
	bool message = kind == SCP_WARNING || kind == SCP_FATAL;
	if (n == 0 || (message && n > SCP_MESSAGE_MAX) || scp_next_record(&reader, &in, &read) != kind || in.n != 0)
		abort();
	if (kind != SCP_TIMES && !message && (read.mode > 0777 || !span_equal(read.name, record->name)))
		abort();
	if (scp_put(again, kind, &read) != n || memcmp(line, again, n) != 0)
		abort();
}

static void check_event(enum scp_kind kind, const struct scp_record *record)
{
	if (kind == SCP_TIMES || kind == SCP_FILE || kind == SCP_DIR || kind == SCP_LEAVE || kind == SCP_WARNING || kind == SCP_FATAL)
		check_written(kind, record);
	if ((kind == SCP_FILE || kind == SCP_DIR) && (record->name.n == 0 || memchr(record->name.p, '/', record->name.n) || record->size > INT64_MAX))
		abort();
}

static void feed(struct log *log, struct span in)
{
	while (log->reader.why == NULL) {
		struct scp_record record = { 0 };
		log->payload -= span_take(&in, log->payload < in.n ? (size_t)log->payload : in.n).n;
		if (log->payload > 0)
			return;
		enum scp_kind kind = log->status ? scp_next_reply(&log->reader, &in, &record) : scp_next_record(&log->reader, &in, &record);
		if (kind == SCP_MORE && in.n > 0)
			abort();
		if (kind == SCP_MORE)
			return;
		log_add(log, &kind, sizeof(kind));
		if (kind == SCP_BAD) {
			log_add(log, log->reader.why, strlen(log->reader.why));
			continue;
		}
		check_event(kind, &record);
		log_add(log, record.name.p, record.name.n);
		log_add(log, record.text.p, record.text.n);
		log_add(log, &record.mode, sizeof(record.mode));
		log_add(log, &record.size, sizeof(record.size));
		log_add(log, &record.times, sizeof(record.times));
		log->status = !log->status && kind == SCP_FILE;
		log->payload = log->status ? record.size : 0;
	}
}

static void feed_exactly(struct log *log, const uint8_t *p, size_t n)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	if (exact == NULL)
		abort();
	memcpy(exact, p, n);
	feed(log, span_of(exact, n));
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log whole, cut, bytes;
	if (size < 1)
		return 0;
	struct log *logs[] = { &whole, &cut, &bytes };
	for (size_t i = 0; i < 3; i++) {
		memset(logs[i], 0, sizeof(*logs[i]));
		scp_init(&logs[i]->reader);
	}
	size_t n = size - 1, at = data[0] < n ? data[0] : n;
	feed_exactly(&whole, data + 1, n);
	feed_exactly(&cut, data + 1, at);
	feed_exactly(&cut, data + 1 + at, n - at);
	for (size_t i = 0; i < n; i++)
		feed_exactly(&bytes, data + 1 + i, 1);
	if (whole.hash != cut.hash || whole.hash != bytes.hash || (whole.reader.why == NULL) != (bytes.reader.why == NULL))
		abort();
	return 0;
}
