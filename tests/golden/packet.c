/* Which word stands for which field of an SFTP packet. */
#include "packet.h"

#include <stdio.h>
#include <stdlib.h>

#include "play.h"

enum { PACKET_JOINED = 256, PACKET_FLAGS = 6, PACKET_CODES = 9 };

static const char *const packet_kinds[SFTP_KINDS] = {
	[SFTP_INIT] = "INIT", [SFTP_OPEN] = "OPEN", [SFTP_CLOSE] = "CLOSE", [SFTP_READ] = "READ", [SFTP_WRITE] = "WRITE", [SFTP_LSTAT] = "LSTAT",
	[SFTP_FSTAT] = "FSTAT", [SFTP_SETSTAT] = "SETSTAT", [SFTP_FSETSTAT] = "FSETSTAT", [SFTP_OPENDIR] = "OPENDIR", [SFTP_READDIR] = "READDIR",
	[SFTP_REMOVE] = "REMOVE", [SFTP_MKDIR] = "MKDIR", [SFTP_RMDIR] = "RMDIR", [SFTP_REALPATH] = "REALPATH", [SFTP_STAT] = "STAT",
	[SFTP_RENAME] = "RENAME", [SFTP_READLINK] = "READLINK", [SFTP_SYMLINK] = "SYMLINK", [SFTP_POSIX_RENAME] = "POSIX-RENAME",
	[SFTP_HARDLINK] = "HARDLINK", [SFTP_STATVFS] = "STATVFS", [SFTP_FSTATVFS] = "FSTATVFS", [SFTP_FSYNC] = "FSYNC", [SFTP_LSETSTAT] = "LSETSTAT",
	[SFTP_LIMITS] = "LIMITS", [SFTP_EXPAND_PATH] = "EXPAND-PATH", [SFTP_COPY_DATA] = "COPY-DATA", [SFTP_HOME_DIRECTORY] = "HOME-DIRECTORY",
	[SFTP_USERS_GROUPS] = "USERS-GROUPS", [SFTP_VERSION] = "VERSION", [SFTP_STATUS] = "STATUS", [SFTP_HANDLE] = "HANDLE", [SFTP_DATA] = "DATA",
	[SFTP_NAME] = "NAME", [SFTP_ATTRS] = "ATTRS", [SFTP_EXTENDED_REPLY] = "EXTENDED-REPLY", [SFTP_ENTRY] = "ENTRY",
};
static const char packet_flags[PACKET_FLAGS + 1] = "rwactx";
static const char *const packet_codes[PACKET_CODES] = { "ok", "eof", "missing", "denied", "failure", "bad-message", "no-connection", "lost", "unsupported" };

static const uint8_t packet_no_handle[] = { 0, 0, 0, 0, 'n', 'o', 'n', 'e' };

/* One packet with what it borrows. */
struct packet_draft {
	struct sftp_packet packet;
	uint8_t *owned[8];
	size_t owned_n;
	struct span data;
	bool has_id, has_count, has_length;
};

/* --- from words --- */

static struct span packet_quoted(struct packet_draft *draft, const char **at)
{
	size_t n;
	uint8_t *bytes = play_unquote(at, &n);
	draft->owned[draft->owned_n++] = bytes;
	return span_of(bytes, n);
}

static struct span packet_handle(const struct packet_names *names, struct packet_draft *draft, const char **at)
{
	if (**at != 'h')
		return packet_quoted(draft, at);
	char *end;
	size_t number = strtoul(*at + 1, &end, 10);
	*at = end;
	if (number == 0 || number > names->handles)
		return span_of(packet_no_handle, sizeof(packet_no_handle));
	return span_of(names->handle[number - 1].bytes, names->handle[number - 1].n);
}

static uint64_t packet_number(const char **at, int base)
{
	char *end;
	uint64_t value = strtoull(*at, &end, base);
	if (end == *at)
		play_die("not a number: %s", *at);
	*at = end;
	return value;
}

static uint32_t packet_open_flags(const char **at)
{
	uint32_t flags = 0;
	for (; **at != '\0' && **at != ' '; (*at)++) {
		const char *found = strchr(packet_flags, **at);
		if (found == NULL && **at != '|' && **at != '0')
			play_die("no such flag: %s", *at);
		if (found != NULL)
			flags |= 1u << (found - packet_flags);
	}
	return flags;
}

static unsigned packet_extensions(const char **at)
{
	unsigned bits = 0;
	while (**at != '\0' && **at != ' ') {
		size_t n = strcspn(*at, "| ");
		for (enum sftp_kind kind = SFTP_FIRST_EXTENSION; kind <= SFTP_LAST_EXTENSION; kind++)
			if (strlen(packet_kinds[kind]) == n && strncmp(*at, packet_kinds[kind], n) == 0)
				bits |= sftp_extension(kind);
		if (n == 3 && strncmp(*at, "all", 3) == 0)
			bits = ~0u;
		*at += n + ((*at)[n] == '|');
	}
	return bits;
}

static uint32_t packet_code(const char **at)
{
	size_t n = strcspn(*at, " ");
	for (uint32_t i = 0; i < PACKET_CODES; i++) {
		if (strlen(packet_codes[i]) == n && strncmp(*at, packet_codes[i], n) == 0) {
			*at += n;
			return i;
		}
	}
	return (uint32_t)packet_number(at, 10);
}

static bool packet_attribute(struct sftp_attrs *attrs, const char *key, const char **at)
{
	if (strcmp(key, "size") == 0) {
		attrs->flags |= SFTP_ATTR_SIZE;
		attrs->size = packet_number(at, 10);
	} else if (strcmp(key, "mode") == 0) {
		attrs->flags |= SFTP_ATTR_MODE;
		attrs->mode = (uint32_t)packet_number(at, 8);
	} else if (strcmp(key, "owner") == 0 || strcmp(key, "times") == 0) {
		bool owner = key[0] == 'o';
		attrs->flags |= owner ? SFTP_ATTR_OWNER : SFTP_ATTR_TIMES;
		*(owner ? &attrs->uid : &attrs->atime) = (uint32_t)packet_number(at, 10);
		*at += **at == ':';
		*(owner ? &attrs->gid : &attrs->mtime) = (uint32_t)packet_number(at, 10);
	} else {
		return false;
	}
	return true;
}

static bool packet_span(const struct packet_names *names, struct packet_draft *draft, const char *key, const char **at)
{
	struct sftp_packet *packet = &draft->packet;
	const struct { const char *key; struct span *to; } spans[] = {
		{ "path", &packet->path }, { "other", &packet->other }, { "text", &packet->text }, { "name", &packet->name }, { "body", &packet->body },
		{ "users", &packet->ids }, { "groups", &packet->ids2 }, { "data", &draft->data },
	};
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (strcmp(key, spans[i].key) == 0) {
			*spans[i].to = packet_quoted(draft, at);
			return true;
		}
	}
	if (strcmp(key, "handle") == 0)
		packet->handle = packet_handle(names, draft, at);
	else if (strcmp(key, "handle2") == 0)
		packet->handle2 = packet_handle(names, draft, at);
	else
		return false;
	return true;
}

static void packet_field(const struct packet_names *names, struct packet_draft *draft, const char *key, const char **at)
{
	struct sftp_packet *packet = &draft->packet;
	if (packet_span(names, draft, key, at) || packet_attribute(&packet->attrs, key, at)) {
		return;
	} else if (strcmp(key, "id") == 0) {
		packet->id = (uint32_t)packet_number(at, 10);
		draft->has_id = true;
	} else if (strcmp(key, "flags") == 0) {
		packet->flags = packet_open_flags(at);
	} else if (strcmp(key, "at") == 0) {
		packet->offset = packet_number(at, 10);
	} else if (strcmp(key, "to") == 0) {
		packet->offset2 = packet_number(at, 10);
	} else if (strcmp(key, "length") == 0) {
		packet->length = packet_number(at, 10);
		draft->has_length = true;
	} else if (strcmp(key, "count") == 0) {
		packet->count = (uint32_t)packet_number(at, 10);
		draft->has_count = true;
	} else if (strcmp(key, "code") == 0) {
		packet->code = packet_code(at);
	} else if (strcmp(key, "version") == 0) {
		packet->version = (uint32_t)packet_number(at, 10);
	} else if (strcmp(key, "extensions") == 0) {
		packet->extensions = packet_extensions(at);
	} else {
		play_die("no such field: %s", key);
	}
}

/* One packet, up to ` & ` or the end; *at goes behind it. */
static void packet_read(const struct packet_names *names, struct packet_draft *draft, const char **at)
{
	size_t word = strcspn(*at, " ");
	for (int kind = 0; kind < SFTP_KINDS; kind++)
		if (packet_kinds[kind] != NULL && strlen(packet_kinds[kind]) == word && strncmp(*at, packet_kinds[kind], word) == 0)
			draft->packet.kind = (enum sftp_kind)kind;
	if (draft->packet.kind == SFTP_MORE)
		play_die("no such packet: %s", *at);
	*at += word;
	while (**at == ' ' && strncmp(*at, " & ", 3) != 0) {
		char key[24];
		size_t n = strcspn(++*at, "= ");
		if (n >= sizeof(key) || (*at)[n] != '=')
			play_die("a field is KEY=VALUE: %s", *at);
		memcpy(key, *at, n);
		key[n] = '\0';
		*at += n + 1;
		packet_field(names, draft, key, at);
	}
	if (strncmp(*at, " & ", 3) == 0)
		*at += 3;
	else if (**at != '\0')
		play_die("not understood: %s", *at);
}

static void packet_take_id(struct packet_names *names, struct packet_draft *draft, bool reply)
{
	enum sftp_kind kind = draft->packet.kind;
	if (kind == SFTP_INIT || kind == SFTP_VERSION || kind == SFTP_ENTRY)
		return;
	if (!draft->has_id)
		draft->packet.id = !reply ? names->client_id + 1 : names->asked_n > 0 ? names->asked[0] : UINT32_MAX; /* nothing was asked of it */
	if (!reply)
		names->client_id = draft->packet.id;
	else if (names->asked_n > 0)
		memmove(names->asked, names->asked + 1, --names->asked_n * sizeof(names->asked[0]));
}

/* A NAME says how many entries follow and how long all of it is: from those that do, where the script does not say it. */
static void packet_complete(struct packet_draft *drafts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct packet_draft *draft = &drafts[i];
		uint32_t entries = 0;
		uint64_t length = 9;
		for (size_t k = i + 1; k < n && drafts[k].packet.kind == SFTP_ENTRY; k++, entries++)
			length += sftp_name_length(drafts[k].packet.name, drafts[k].packet.text, &drafts[k].packet.attrs) - 9;
		if (draft->packet.kind == SFTP_NAME && !draft->has_count)
			draft->packet.count = entries;
		if (draft->packet.kind == SFTP_NAME && !draft->has_length)
			draft->packet.length = length;
		if ((draft->packet.kind == SFTP_WRITE || draft->packet.kind == SFTP_DATA) && !draft->has_count)
			draft->packet.count = (uint32_t)draft->data.n;
	}
}

uint8_t *packet_bytes(struct packet_names *names, const char *words, bool reply, size_t *n)
{
	struct packet_draft *drafts = calloc(PACKET_JOINED, sizeof(*drafts));
	size_t count = 0, room = 1;
	for (const char *at = words; drafts != NULL && *at != '\0'; count++) {
		if (count == PACKET_JOINED)
			play_die("too many packets in a line");
		packet_read(names, &drafts[count], &at);
		packet_take_id(names, &drafts[count], reply);
		room += SFTP_PUT_MAX + drafts[count].data.n;
	}
	uint8_t *bytes = malloc(room);
	if (drafts == NULL || bytes == NULL)
		abort();
	packet_complete(drafts, count);
	*n = 0;
	for (size_t i = 0; i < count; i++) {
		size_t put = sftp_put(bytes + *n, &drafts[i].packet);
		if (put == 0)
			play_die("packet %zu cannot be written: %s", i + 1, words);
		*n += put;
		if (drafts[i].data.n > 0)
			memcpy(bytes + *n, drafts[i].data.p, drafts[i].data.n);
		*n += drafts[i].data.n;
		for (size_t k = 0; k < drafts[i].owned_n; k++)
			free(drafts[i].owned[k]);
	}
	free(drafts);
	return bytes;
}

/* --- to words --- */

static void words_add(char **text, char *more)
{
	char *joined = play_text("%s%s", *text, more);
	free(*text);
	free(more);
	*text = joined;
}

static void words_quoted(char **text, const char *key, struct span s)
{
	char *quoted = play_quote(s);
	words_add(text, play_text(" %s=%s", key, quoted));
	free(quoted);
}

static void words_handle(struct packet_names *names, char **text, const char *key, struct span handle)
{
	for (size_t i = names->handles; i-- > 0;) {
		if (span_equal(handle, span_of(names->handle[i].bytes, names->handle[i].n))) {
			words_add(text, play_text(" %s=h%zu", key, i + 1));
			return;
		}
	}
	words_quoted(text, key, handle);
}

static void words_attrs(char **text, const struct sftp_attrs *attrs)
{
	if (attrs->flags & SFTP_ATTR_SIZE)
		words_add(text, play_text(" size=%llu", (unsigned long long)attrs->size));
	if (attrs->flags & SFTP_ATTR_OWNER)
		words_add(text, play_text(" owner=%u:%u", attrs->uid, attrs->gid));
	if (attrs->flags & SFTP_ATTR_MODE)
		words_add(text, play_text(" mode=%04o", attrs->mode));
	if (attrs->flags & SFTP_ATTR_TIMES)
		words_add(text, play_text(" times=%u:%u", attrs->atime, attrs->mtime));
}

static void words_flags(char **text, uint32_t flags)
{
	char letters[2 * PACKET_FLAGS + 1], *at = letters;
	for (unsigned i = 0; i < PACKET_FLAGS; i++) {
		if (flags & 1u << i) {
			if (at > letters)
				*at++ = '|';
			*at++ = packet_flags[i];
		}
	}
	*at = '\0';
	words_add(text, play_text(" flags=%s", letters[0] ? letters : "0"));
}

static void words_extensions(char **text, unsigned bits)
{
	bool first = true;
	for (enum sftp_kind kind = SFTP_FIRST_EXTENSION; kind <= SFTP_LAST_EXTENSION; kind++) {
		if (bits & sftp_extension(kind)) {
			words_add(text, play_text("%s%s", first ? " extensions=" : "|", packet_kinds[kind]));
			first = false;
		}
	}
}

static void words_numbers(char **text, const struct sftp_packet *packet)
{
	enum sftp_kind kind = packet->kind;
	bool payload = kind == SFTP_READ || kind == SFTP_WRITE;
	if (kind == SFTP_OPEN)
		words_flags(text, packet->flags);
	words_attrs(text, &packet->attrs);
	if (payload || kind == SFTP_COPY_DATA)
		words_add(text, play_text(" at=%llu", (unsigned long long)packet->offset));
	if (kind == SFTP_COPY_DATA)
		words_add(text, play_text(" to=%llu length=%llu", (unsigned long long)packet->offset2, (unsigned long long)packet->length));
	if (payload || kind == SFTP_DATA || kind == SFTP_NAME)
		words_add(text, play_text(" count=%u", packet->count));
	if (kind == SFTP_STATUS && packet->code < PACKET_CODES)
		words_add(text, play_text(" code=%s", packet_codes[packet->code]));
	else if (kind == SFTP_STATUS)
		words_add(text, play_text(" code=%u", packet->code));
	if (kind == SFTP_INIT || kind == SFTP_VERSION)
		words_add(text, play_text(" version=%u", packet->version));
	words_extensions(text, packet->extensions);
}

char *packet_words(struct packet_names *names, const struct sftp_packet *packet)
{
	enum sftp_kind kind = packet->kind;
	char *text = play_text("%s", packet_kinds[kind]);
	if (kind == SFTP_HANDLE) {
		if (names->handles == PACKET_HANDLES)
			play_die("too many handles");
		memcpy(names->handle[names->handles].bytes, packet->handle.p, packet->handle.n);
		names->handle[names->handles++].n = packet->handle.n;
	}
	if (kind != SFTP_INIT && kind != SFTP_VERSION && kind != SFTP_ENTRY)
		words_add(&text, play_text(" id=%u", packet->id));
	if (packet->path.p != NULL)
		words_quoted(&text, "path", packet->path);
	if (packet->other.p != NULL)
		words_quoted(&text, "other", packet->other);
	if (packet->handle.n > 0)
		words_handle(names, &text, "handle", packet->handle);
	if (packet->handle2.n > 0)
		words_handle(names, &text, "handle2", packet->handle2);
	if (packet->name.n > 0)
		words_quoted(&text, "name", packet->name);
	words_numbers(&text, packet);
	if (packet->text.n > 0)
		words_quoted(&text, "text", packet->text);
	if (packet->ids.n > 0)
		words_quoted(&text, "users", packet->ids);
	if (packet->ids2.n > 0)
		words_quoted(&text, "groups", packet->ids2);
	if (packet->body.n > 0)
		words_quoted(&text, "body", packet->body);
	return text;
}
