/*
 * Where an SFTP packet ends, and how much of it has to be there before more can be said: all of it, or the header in front of payload and of names. A packet is
 * looked at at the same few places however it arrives, so any cut gives the same answers.
 */
#include "proto/sftp_layout.h"

void sftp_init(struct sftp_reader *reader)
{
	memset(reader, 0, offsetof(struct sftp_reader, bytes));
}

static size_t sftp_bad(struct sftp_reader *reader, const char *why)
{
	reader->why = why;
	return 0;
}

static uint32_t sftp_length(const struct sftp_reader *reader)
{
	return sftp_number(reader->bytes);
}

/* Moves bytes from *in until want of the packet are there. */
static bool sftp_fill(struct sftp_reader *reader, struct span *in, size_t want)
{
	struct span piece = span_take(in, want - reader->n);
	if (piece.n > 0)
		memcpy(reader->bytes + reader->n, piece.p, piece.n);
	reader->n += piece.n;
	return reader->n == want;
}

static bool sftp_has_payload(enum sftp_kind kind)
{
	return kind == SFTP_WRITE || kind == SFTP_DATA || kind == SFTP_NAME;
}

/* Known by its type and length alone: not to be served, so none of it is kept. */
static bool sftp_is_passed(const struct sftp_reader *reader)
{
	return reader->kind == SFTP_UNKNOWN || (sftp_length(reader) > SFTP_BODY_MAX && !sftp_has_payload(reader->kind));
}

/* The type is there: may such a packet come now? */
static const char *sftp_unexpected(struct sftp_reader *reader, bool reply)
{
	enum sftp_kind first = reply ? SFTP_VERSION : SFTP_INIT;
	reader->kind = sftp_layout_kind(reader->bytes[4], reply);
	if (!reader->begun && reader->kind != first)
		return reply ? "the server did not begin with VERSION" : "the client did not begin with INIT";
	if (reader->begun && reader->kind == first)
		return reply ? "a second VERSION" : "a second INIT";
	if (reply && reader->kind == SFTP_UNKNOWN)
		return "a reply of a type that is not known";
	if (sftp_is_passed(reader) && (reply || reader->kind == first))
		return "a packet of this type is too long";
	return NULL;
}

/* The size of WRITE's header, which has a handle in it. */
static size_t sftp_wanted_write(struct sftp_reader *reader)
{
	if (reader->n < SFTP_HEAD + 4)
		return SFTP_HEAD + 4;
	uint32_t handle = sftp_number(reader->bytes + SFTP_HEAD);
	if (handle == 0 || handle > SFTP_HANDLE_MAX)
		return sftp_bad(reader, "a handle is empty or too long");
	return SFTP_HEAD + 4 + handle + 8 + 4;
}

/* How many bytes of the packet at hand have to be there before more can be said of it: no more than are there when it can be read. 0: it is bad. */
static size_t sftp_wanted_packet(struct sftp_reader *reader, bool reply)
{
	if (reader->n < 4)
		return 4;
	uint32_t length = sftp_length(reader);
	if (length == 0 || length > SFTP_PACKET_MAX)
		return sftp_bad(reader, length == 0 ? "a packet of length 0" : "a packet longer than 256 KiB");
	if (reader->n < 5)
		return 5;
	const char *why = sftp_unexpected(reader, reply);
	if (why != NULL)
		return sftp_bad(reader, why);
	size_t want = 4 + (size_t)length;
	if (want < SFTP_HEAD)
		return sftp_bad(reader, "a packet is shorter than its fields");
	if (reader->n < SFTP_HEAD || sftp_is_passed(reader))
		return SFTP_HEAD;
	if (!sftp_has_payload(reader->kind))
		return want;
	size_t header = reader->kind == SFTP_WRITE ? sftp_wanted_write(reader) : SFTP_HEAD + 4;
	return header <= want ? header : sftp_bad(reader, "a packet is shorter than its fields");
}

static size_t sftp_wanted_entry(struct sftp_reader *reader)
{
	const uint8_t *p = reader->bytes;
	size_t want = 4;
	if (reader->n >= want) {
		uint32_t name = sftp_number(p);
		if (name > SFTP_PATH_MAX)
			return sftp_bad(reader, "a name is too long");
		want += name + 4;
	}
	if (want > 4 && reader->n >= want) {
		uint32_t text = sftp_number(p + want - 4);
		if (text > SFTP_LONG_NAME_MAX)
			return sftp_bad(reader, "a long name is too long");
		want += text + 4;
		if (reader->n >= want)
			want += sftp_attrs_size(sftp_number(p + want - 4)) - 4;
	}
	return want <= reader->left ? want : sftp_bad(reader, "the names do not fit their packet");
}

static enum sftp_kind sftp_refused(struct sftp_packet *out, uint32_t id, uint32_t code)
{
	*out = (struct sftp_packet){ .kind = SFTP_UNKNOWN, .id = id, .code = code };
	return SFTP_UNKNOWN;
}

/* Bytes of a request that is not served. */
static enum sftp_kind sftp_pass(struct sftp_reader *reader, struct span *in, struct sftp_packet *out)
{
	reader->left -= span_take(in, reader->left < in->n ? (size_t)reader->left : in->n).n;
	if (reader->left > 0)
		return SFTP_MORE;
	reader->skipping = false;
	return sftp_refused(out, reader->skip_id, reader->skip_code);
}

/* What stands behind a header that says count: payload bytes, or names. */
static enum sftp_kind sftp_announced(struct sftp_reader *reader, struct sftp_packet *out, size_t header)
{
	uint64_t left = 4 + (uint64_t)sftp_length(reader) - header;
	if (out->kind != SFTP_NAME) {
		reader->behind = out->kind == SFTP_WRITE && out->count < left ? (uint32_t)left - out->count : 0;
		if (out->count + (uint64_t)reader->behind == left)
			return out->kind;
		sftp_bad(reader, "the data does not fill its packet");
		return SFTP_BAD;
	}
	if (out->count == 0 ? left > 0 : (uint64_t)out->count * SFTP_ENTRY_MIN > left) {
		sftp_bad(reader, "the names do not fit their packet");
		return SFTP_BAD;
	}
	out->length = sftp_length(reader);
	reader->entries = out->count;
	reader->left = left;
	return SFTP_NAME;
}

static enum sftp_kind sftp_read_packet(struct sftp_reader *reader, struct sftp_packet *out)
{
	size_t n = reader->n;
	struct span body = span_of(reader->bytes + 5, n - 5);
	reader->n = 0;
	out->kind = reader->kind;
	if (!sftp_layout(out->kind)->bare)
		sftp_take_word(&body, &out->id);
	if (out->kind == SFTP_FIRST_EXTENSION) {
		struct span name;
		if (!sftp_take_string(&body, &name)) {
			sftp_bad(reader, "a packet is shorter than its fields");
			return SFTP_BAD;
		}
		out->kind = sftp_layout_extension(name);
		if (out->kind == SFTP_UNKNOWN)
			return sftp_refused(out, out->id, SFTP_OP_UNSUPPORTED);
	}
	out->kind = sftp_read_fields(out->kind, body, out, &reader->why);
	if (out->kind == SFTP_UNKNOWN)
		return sftp_refused(out, out->id, SFTP_BAD_MESSAGE);
	if (sftp_has_payload(out->kind))
		return sftp_announced(reader, out, n);
	reader->begun |= out->kind == SFTP_INIT || out->kind == SFTP_VERSION;
	return out->kind;
}

static enum sftp_kind sftp_read_entry(struct sftp_reader *reader, struct sftp_packet *out)
{
	enum sftp_kind kind = sftp_read_fields(SFTP_ENTRY, span_of(reader->bytes, reader->n), out, &reader->why);
	reader->left -= reader->n;
	reader->n = 0;
	reader->entries--;
	if (kind == SFTP_ENTRY && reader->entries == 0 && reader->left > 0) {
		sftp_bad(reader, "the names do not fill their packet");
		return SFTP_BAD;
	}
	return kind;
}

static enum sftp_kind sftp_next(struct sftp_reader *reader, struct span *in, struct sftp_packet *out, bool reply)
{
	if (reader->why != NULL)
		return SFTP_BAD;
	reader->behind -= (uint32_t)span_take(in, reader->behind < in->n ? reader->behind : in->n).n;
	if (reader->behind > 0)
		return SFTP_MORE;
	if (reader->skipping)
		return sftp_pass(reader, in, out);
	for (;;) {
		size_t want = reader->entries > 0 ? sftp_wanted_entry(reader) : sftp_wanted_packet(reader, reply);
		if (want == 0)
			return SFTP_BAD;
		if (want == reader->n)
			break;
		if (!sftp_fill(reader, in, want))
			return SFTP_MORE;
	}
	if (reader->entries > 0)
		return sftp_read_entry(reader, out);
	if (!sftp_is_passed(reader))
		return sftp_read_packet(reader, out);
	reader->skipping = true;
	reader->left = 4 + (uint64_t)sftp_length(reader) - SFTP_HEAD;
	reader->skip_id = sftp_number(reader->bytes + 5);
	reader->skip_code = reader->kind == SFTP_UNKNOWN ? SFTP_OP_UNSUPPORTED : SFTP_BAD_MESSAGE;
	reader->n = 0;
	return sftp_pass(reader, in, out);
}

enum sftp_kind sftp_next_request(struct sftp_reader *reader, struct span *in, struct sftp_packet *out)
{
	memset(out, 0, sizeof(*out));
	out->kind = sftp_next(reader, in, out, false);
	return out->kind;
}

enum sftp_kind sftp_next_reply(struct sftp_reader *reader, struct span *in, struct sftp_packet *out)
{
	memset(out, 0, sizeof(*out));
	out->kind = sftp_next(reader, in, out, true);
	return out->kind;
}
