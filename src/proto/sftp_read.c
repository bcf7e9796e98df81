/*
 * What a field of an SFTP packet may hold, stricter than any server asks: strings fit what is left, handles and paths have limits, flags have no bits that we do
 * not know.
 */
#include "proto/sftp_layout.h"

static const char why_short[] = "a packet is shorter than its fields";

/* Where reading stands. */
struct input {
	struct span left;
	const char *why;
	bool long_path; /* well formed, yet more than is served */
};

static bool input_bad(struct input *in, const char *why)
{
	in->why = why;
	return false;
}

bool sftp_take_word(struct span *s, uint32_t *out)
{
	if (s->n < 4)
		return false;
	*out = sftp_number(span_take(s, 4).p);
	return true;
}

bool sftp_take_string(struct span *s, struct span *out)
{
	if (s->n < 4 || s->n - 4 < sftp_number(s->p))
		return false;
	*out = span_take(s, sftp_number(span_take(s, 4).p));
	return true;
}

static bool input_word(struct input *in, uint32_t *out)
{
	return sftp_take_word(&in->left, out) || input_bad(in, why_short);
}

static bool input_long(struct input *in, uint64_t *out)
{
	uint32_t high, low;
	if (!input_word(in, &high) || !input_word(in, &low))
		return false;
	*out = (uint64_t)high << 32 | low;
	return true;
}

static bool input_string(struct input *in, struct span *out)
{
	return sftp_take_string(&in->left, out) || input_bad(in, why_short);
}

static bool input_text(struct input *in, struct span *out, const char *why_nul)
{
	if (!input_string(in, out))
		return false;
	if (out->n > 0 && memchr(out->p, '\0', out->n) != NULL)
		return input_bad(in, why_nul);
	return true;
}

static bool input_path(struct input *in, struct span *out)
{
	if (!input_text(in, out, "a path has a NUL in it"))
		return false;
	in->long_path |= out->n > SFTP_PATH_MAX;
	return true;
}

static bool input_handle(struct input *in, struct span *out)
{
	if (!input_string(in, out))
		return false;
	return (out->n > 0 && out->n <= SFTP_HANDLE_MAX) || input_bad(in, "a handle is empty or too long");
}

static bool input_open(struct input *in, uint32_t *out)
{
	return input_word(in, out) && ((*out & ~(uint32_t)SFTP_OPEN_ALL) == 0 || input_bad(in, "OPEN has unknown flags"));
}

static bool input_ids(struct input *in, struct span *out)
{
	if (!input_string(in, out))
		return false;
	return out->n % 4 == 0 || input_bad(in, "a list of ids does not hold whole numbers");
}

/* Pairs of strings; the number of them where it is said, else up to the end. */
static bool input_pairs(struct input *in, const uint32_t *count)
{
	struct span skipped;
	for (uint32_t i = 0; count ? i < *count : in->left.n > 0; i++)
		if (!input_string(in, &skipped) || !input_string(in, &skipped))
			return false;
	return true;
}

static bool input_attrs(struct input *in, struct sftp_attrs *out, bool plain)
{
	uint32_t flags, count;
	if (!input_word(in, &flags))
		return false;
	if (flags & ~(SFTP_ATTR_ALL | (plain ? 0 : SFTP_ATTR_EXTENDED)))
		return input_bad(in, "attributes have unknown flags");
	out->flags = flags & SFTP_ATTR_ALL;
	if ((flags & SFTP_ATTR_SIZE) && !input_long(in, &out->size))
		return false;
	if ((flags & SFTP_ATTR_OWNER) && (!input_word(in, &out->uid) || !input_word(in, &out->gid)))
		return false;
	if ((flags & SFTP_ATTR_MODE) && !input_word(in, &out->mode))
		return false;
	if ((flags & SFTP_ATTR_TIMES) && (!input_word(in, &out->atime) || !input_word(in, &out->mtime)))
		return false;
	return !(flags & SFTP_ATTR_EXTENDED) || (input_word(in, &count) && input_pairs(in, &count));
}

static bool input_offer(struct input *in, unsigned *out)
{
	while (in->left.n > 0) {
		struct span name, revision;
		if (!input_string(in, &name) || !input_string(in, &revision))
			return false;
		enum sftp_kind kind = sftp_layout_extension(name);
		if (kind != SFTP_UNKNOWN && span_is(revision, sftp_layout(kind)->revision))
			*out |= sftp_extension(kind);
	}
	return true;
}

static bool input_message(struct input *in, struct span *out)
{
	struct span language;
	return in->left.n == 0 || (input_string(in, out) && input_string(in, &language));
}

static bool input_field(struct input *in, enum sftp_shape shape, void *to)
{
	switch (shape) {
	case SFTP_SHAPE_WORD:
		return input_word(in, to);
	case SFTP_SHAPE_LONG:
		return input_long(in, to);
	case SFTP_SHAPE_OPEN:
		return input_open(in, to);
	case SFTP_SHAPE_PATH:
		return input_path(in, to);
	case SFTP_SHAPE_LONG_NAME:
		return input_text(in, to, "a long name has a NUL in it");
	case SFTP_SHAPE_HANDLE:
		return input_handle(in, to);
	case SFTP_SHAPE_IDS:
		return input_ids(in, to);
	case SFTP_SHAPE_ATTRS:
		return input_attrs(in, to, false);
	case SFTP_SHAPE_PLAIN:
		return input_attrs(in, to, true);
	case SFTP_SHAPE_PASSED:
		return input_pairs(in, NULL);
	case SFTP_SHAPE_OFFER:
		return input_offer(in, to);
	case SFTP_SHAPE_MESSAGE:
		return input_message(in, to);
	case SFTP_SHAPE_REST:
		*(struct span *)to = span_take(&in->left, in->left.n);
		return true;
	case SFTP_SHAPE_NONE:
		break;
	}
	return true;
}

enum sftp_kind sftp_read_fields(enum sftp_kind kind, struct span body, struct sftp_packet *out, const char **why)
{
	const struct sftp_layout *layout = sftp_layout(kind);
	struct input in = { .left = body };
	for (size_t i = 0; i < SFTP_FIELDS_MAX && layout->fields[i].shape != SFTP_SHAPE_NONE; i++) {
		const struct sftp_field *field = &layout->fields[i];
		if (!input_field(&in, (enum sftp_shape)field->shape, (char *)out + field->at)) {
			*why = in.why;
			return SFTP_BAD;
		}
	}
	if (in.left.n > 0) {
		*why = "a packet is longer than its fields";
		return SFTP_BAD;
	}
	return in.long_path || out->ids.n + out->ids2.n > 4 * SFTP_IDS_MAX ? SFTP_UNKNOWN : kind;
}
