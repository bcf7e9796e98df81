/* How an SFTP packet is written: as the draft has it, one way only, and nothing that our own reader would not take. */
#include "base/text.h"
#include "proto/sftp_layout.h"

/* Where writing stands, in SFTP_PUT_MAX bytes. */
struct output {
	uint8_t *p;
	size_t n;
	bool wrong; /* something did not fit, or is not to be written */
};

static void output_bytes(struct output *out, const void *p, size_t n)
{
	if (out->wrong || n > SFTP_PUT_MAX - out->n) {
		out->wrong = true;
		return;
	}
	if (n > 0)
		memcpy(out->p + out->n, p, n);
	out->n += n;
}

static void output_number(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

static void output_word(struct output *out, uint32_t value)
{
	uint8_t bytes[4];
	output_number(bytes, value);
	output_bytes(out, bytes, sizeof(bytes));
}

static void output_long(struct output *out, uint64_t value)
{
	output_word(out, (uint32_t)(value >> 32));
	output_word(out, (uint32_t)value);
}

static void output_string(struct output *out, struct span s)
{
	if (s.n > SFTP_PUT_MAX) {
		out->wrong = true;
		return;
	}
	output_word(out, (uint32_t)s.n);
	output_bytes(out, s.p, s.n);
}

static void output_text(struct output *out, struct span s, size_t max)
{
	out->wrong |= s.n > max || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL);
	output_string(out, s);
}

static void output_attrs(struct output *out, const struct sftp_attrs *attrs)
{
	out->wrong |= (attrs->flags & ~(unsigned)SFTP_ATTR_ALL) != 0;
	output_word(out, attrs->flags);
	if (attrs->flags & SFTP_ATTR_SIZE)
		output_long(out, attrs->size);
	if (attrs->flags & SFTP_ATTR_OWNER) {
		output_word(out, attrs->uid);
		output_word(out, attrs->gid);
	}
	if (attrs->flags & SFTP_ATTR_MODE)
		output_word(out, attrs->mode);
	if (attrs->flags & SFTP_ATTR_TIMES) {
		output_word(out, attrs->atime);
		output_word(out, attrs->mtime);
	}
}

static void output_offer(struct output *out, unsigned extensions)
{
	for (enum sftp_kind kind = SFTP_FIRST_EXTENSION; kind <= SFTP_LAST_EXTENSION; kind++) {
		if (!(extensions & sftp_extension(kind)))
			continue;
		output_string(out, span_str(sftp_layout(kind)->extension));
		output_string(out, span_str(sftp_layout(kind)->revision));
	}
}

static void output_message(struct output *out, struct span text)
{
	char clean[SFTP_TEXT_MAX + 1];
	output_string(out, span_of(clean, text_clean(clean, sizeof(clean), text)));
	output_word(out, 0);
}

static void output_field(struct output *out, enum sftp_shape shape, const void *from)
{
	const struct span *s = from;
	const uint32_t *word = from;
	switch (shape) {
	case SFTP_SHAPE_OPEN:
		out->wrong |= (*word & ~(uint32_t)SFTP_OPEN_ALL) != 0;
		output_word(out, *word);
		break;
	case SFTP_SHAPE_WORD:
		output_word(out, *word);
		break;
	case SFTP_SHAPE_LONG:
		output_long(out, *(const uint64_t *)from);
		break;
	case SFTP_SHAPE_PATH:
		output_text(out, *s, SFTP_PATH_MAX);
		break;
	case SFTP_SHAPE_LONG_NAME:
		output_text(out, *s, SFTP_LONG_NAME_MAX);
		break;
	case SFTP_SHAPE_HANDLE:
		out->wrong |= s->n == 0 || s->n > SFTP_HANDLE_MAX;
		output_string(out, *s);
		break;
	case SFTP_SHAPE_IDS:
		out->wrong |= s->n % 4 != 0;
		output_string(out, *s);
		break;
	case SFTP_SHAPE_ATTRS:
	case SFTP_SHAPE_PLAIN:
		output_attrs(out, from);
		break;
	case SFTP_SHAPE_OFFER:
		output_offer(out, *(const unsigned *)from);
		break;
	case SFTP_SHAPE_MESSAGE:
		output_message(out, *s);
		break;
	case SFTP_SHAPE_REST:
		output_bytes(out, s->p, s->n);
		break;
	case SFTP_SHAPE_PASSED:
	case SFTP_SHAPE_NONE:
		break;
	}
}

/* What the length field has to say; 0 if that cannot be. */
static uint64_t output_length(const struct output *out, const struct sftp_packet *packet)
{
	uint64_t length = out->n - 4;
	if (packet->kind == SFTP_WRITE || packet->kind == SFTP_DATA)
		length += packet->count;
	if (packet->kind == SFTP_NAME) {
		uint64_t least = length + (uint64_t)packet->count * SFTP_ENTRY_MIN;
		if (packet->count == 0 ? packet->length != least : packet->length < least)
			return 0;
		length = packet->length;
	}
	return length <= SFTP_PACKET_MAX ? length : 0;
}

size_t sftp_put(uint8_t *dst, const struct sftp_packet *packet)
{
	const struct sftp_layout *layout = sftp_layout(packet->kind);
	struct output out = { .p = dst };
	if (layout == NULL || packet->ids.n + packet->ids2.n > 4 * SFTP_IDS_MAX)
		return 0;
	if (packet->kind != SFTP_ENTRY) {
		output_word(&out, 0); /* the length, written at the end */
		output_bytes(&out, &layout->type, 1);
		if (!layout->bare)
			output_word(&out, packet->id);
		if (layout->extension != NULL)
			output_string(&out, span_str(layout->extension));
	}
	for (size_t i = 0; i < SFTP_FIELDS_MAX; i++)
		output_field(&out, (enum sftp_shape)layout->fields[i].shape, (const char *)packet + layout->fields[i].at);
	if (out.wrong || packet->kind == SFTP_ENTRY)
		return out.wrong ? 0 : out.n;
	if (packet->kind == SFTP_VERSION)
		output_number(dst + 5, SFTP_VERSION_SPOKEN);
	uint64_t length = output_length(&out, packet);
	output_number(dst, (uint32_t)length);
	return length > 0 ? out.n : 0;
}
