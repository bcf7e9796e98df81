/*
 * SFTP packets of one side. The first byte says which side, whether the opening packet comes before the data, and where to cut. Any cut gives the same packets; each
 * packet ends where its length field says; payload is left alone; what is accepted can be written anew, and what was written reads the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "proto/sftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __LINE__))

static void require_failed(const char *condition, int line)
{
	fprintf(stderr, "proto_sftp.c:%d: %s\n", line, condition);
	abort();
}

/* One reading of the input. */
struct reading {
	bool reply;
	uint64_t hash;
	uint64_t packets;
	uint64_t payload; /* still to come */
	uint64_t taken;   /* bytes so far */
	uint64_t end;     /* where the packet at hand ends, by its length field */
	uint8_t length[4];
	struct sftp_reader reader;
};

static void hash_bytes(uint64_t *hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ p[i]) * 1099511628211u;
}

static void hash_span(uint64_t *hash, struct span s)
{
	hash_bytes(hash, &s.n, sizeof(s.n));
	hash_bytes(hash, s.p, s.n);
}

static void hash_number(uint64_t *hash, uint64_t number)
{
	hash_bytes(hash, &number, sizeof(number));
}

static uint64_t hash_packet(const struct sftp_packet *p)
{
	uint64_t hash = 14695981039346656037u;
	const uint64_t numbers[] = { p->kind, p->id, p->version, p->extensions, p->flags, p->offset, p->offset2, p->length, p->count, p->code, p->attrs.flags, p->attrs.size,
		p->attrs.uid, p->attrs.gid, p->attrs.mode, p->attrs.atime, p->attrs.mtime };
	const struct span spans[] = { p->path, p->other, p->handle, p->handle2, p->text, p->name, p->ids, p->ids2, p->body };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		hash_number(&hash, numbers[i]);
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		hash_span(&hash, spans[i]);
	return hash;
}

static enum sftp_kind next(struct sftp_reader *reader, bool reply, struct span *in, struct sftp_packet *out)
{
	return reply ? sftp_next_reply(reader, in, out) : sftp_next_request(reader, in, out);
}

/* Writes what was read and lets another reader read it, packet by packet of the same stream. */
static void check_written(struct sftp_reader *other, bool reply, const struct sftp_packet *packet)
{
	static uint8_t first[SFTP_PUT_MAX], second[SFTP_PUT_MAX];
	char clean[SFTP_TEXT_MAX + 1];
	struct sftp_packet read, want = *packet;
	size_t n = sftp_put(first, packet);
	if (packet->kind == SFTP_UNKNOWN) {
		REQUIRE(n == 0);
		return;
	}
	if (packet->kind == SFTP_EXTENDED_REPLY && packet->body.n > SFTP_PUT_MAX - 9) {
		REQUIRE(n == 0);
		return;
	}
	REQUIRE(n > 0 && n <= SFTP_PUT_MAX);
	uint8_t *exact = malloc(n);
	memcpy(exact, first, n);
	struct span in = span_of(exact, n);
	if (packet->kind == SFTP_VERSION)
		want.version = SFTP_VERSION_SPOKEN;
	if (packet->kind == SFTP_STATUS)
		want.text = span_of(clean, text_clean(clean, sizeof(clean), packet->text));
	REQUIRE(next(other, reply, &in, &read) == packet->kind && in.n == 0);
	REQUIRE(hash_packet(&read) == hash_packet(&want));
	REQUIRE(sftp_put(second, &read) == n && memcmp(first, second, n) == 0);
	free(exact);
}

static void check_fields(const struct sftp_packet *p)
{
	const struct span texts[] = { p->path, p->other, p->name };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		REQUIRE(texts[i].n <= SFTP_PATH_MAX && (texts[i].n == 0 || memchr(texts[i].p, '\0', texts[i].n) == NULL));
	REQUIRE(p->handle.n <= SFTP_HANDLE_MAX && p->handle2.n <= SFTP_HANDLE_MAX);
	REQUIRE(p->ids.n % 4 == 0 && p->ids2.n % 4 == 0 && p->ids.n + p->ids2.n <= 4 * SFTP_IDS_MAX);
	REQUIRE((p->attrs.flags & ~(unsigned)SFTP_ATTR_ALL) == 0 && (p->flags & ~(unsigned)SFTP_OPEN_ALL) == 0);
}

/* Counts bytes of the stream, and keeps those of a length field. */
static void reading_took(struct reading *r, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++, r->taken++) {
		if (r->taken < r->end)
			continue;
		size_t at = (size_t)(r->taken - r->end);
		REQUIRE(at < 4);
		r->length[at] = p[i];
		if (at == 3)
			r->end = r->taken + 1 + ((uint32_t)r->length[0] << 24 | (uint32_t)r->length[1] << 16 | (uint32_t)r->length[2] << 8 | r->length[3]);
	}
}

static void reading_take(struct reading *r, struct span in, struct sftp_reader *other)
{
	while (r->reader.why == NULL) {
		struct sftp_packet packet;
		struct span payload = span_take(&in, r->payload < in.n ? (size_t)r->payload : in.n);
		r->payload -= payload.n;
		r->taken += payload.n;
		if (r->payload > 0)
			return;
		const uint8_t *from = in.p;
		enum sftp_kind kind = next(&r->reader, r->reply, &in, &packet);
		if (kind == SFTP_BAD)
			return;
		reading_took(r, from, (size_t)(in.p - from));
		if (kind == SFTP_MORE) {
			REQUIRE(in.n == 0);
			return;
		}
		r->packets++;
		check_fields(&packet);
		hash_number(&r->hash, hash_packet(&packet));
		r->payload = kind == SFTP_WRITE || kind == SFTP_DATA ? packet.count : 0;
		REQUIRE(r->taken + r->payload + r->reader.behind + (r->reader.entries ? r->reader.left : 0) == r->end);
		REQUIRE(sftp_between(&r->reader) == (r->taken + r->payload == r->end));
		if (other != NULL)
			check_written(other, r->reply, &packet);
	}
}

static void reading_exactly(struct reading *r, const uint8_t *p, size_t n, struct sftp_reader *other)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);
	memcpy(exact, p, n);
	reading_take(r, span_of(exact, n), other);
	free(exact);
}

static bool reading_same(const struct reading *a, const struct reading *b)
{
	return a->hash == b->hash && a->packets == b->packets && a->payload == b->payload && a->reader.why == b->reader.why;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading whole, cut, bytes;
	static struct sftp_reader other;
	static const uint8_t openings[2][9] = { { 0, 0, 0, 5, 1, 0, 0, 0, 3 }, { 0, 0, 0, 5, 2, 0, 0, 0, 3 } };
	if (size < 1)
		return 0;
	bool reply = data[0] & 1, opened = data[0] & 2;
	struct reading *readings[] = { &whole, &cut, &bytes };
	sftp_init(&other);
	for (size_t i = 0; i < 3; i++) {
		memset(readings[i], 0, offsetof(struct reading, reader));
		readings[i]->reply = reply;
		sftp_init(&readings[i]->reader);
		if (opened)
			reading_exactly(readings[i], openings[reply], 9, i == 0 ? &other : NULL);
	}
	size_t n = size - 1, at = (data[0] >> 2) < n ? data[0] >> 2 : n;
	reading_exactly(&whole, data + 1, n, &other);
	reading_exactly(&cut, data + 1, at, NULL);
	reading_exactly(&cut, data + 1 + at, n - at, NULL);
	for (size_t i = 0; i < n; i++)
		reading_exactly(&bytes, data + 1 + i, 1, NULL);
	REQUIRE(reading_same(&whole, &cut) && reading_same(&whole, &bytes));
	return 0;
}
