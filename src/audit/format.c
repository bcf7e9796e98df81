/* Which fact goes into which field of the Elastic Common Schema, and how much of a line each may take. */
#include <stdio.h>

#include "audit/audit.h"
#include "base/json.h"
#include "base/text.h"

enum { TRUNCATED_MEMBER = 32 }; /* ,"xferwarden.truncated":true */

/* A record on its way into JSON. */
struct form {
	struct json json;
	const struct record_session *session;
	const struct record *record;
	size_t cap;
	unsigned loss; /* JSON_* bits of all texts */
};

/* The largest fields may take a share of the line, so that all together fit whatever their lengths. */
static unsigned form_text(struct form *f, const char *name, struct span text, size_t share)
{
	if (text.n == 0)
		return 0;
	unsigned loss = json_text(&f->json, name, text, f->cap / share);
	f->loss |= loss;
	return loss;
}

static void form_string(struct form *f, const char *name, const char *text)
{
	if (text)
		form_text(f, name, span_str(text), 64);
}

static void form_list(struct form *f, const char *name, const char *only)
{
	if (!json_list_begin(&f->json, name))
		return;
	f->loss |= json_item(&f->json, span_str(only), f->cap / 64);
	json_list_end(&f->json);
}

static bool form_is_entry(const struct form *f)
{
	return f->record->event == RECORD_FILE || f->record->event == RECORD_DIRECTORY || f->record->event == RECORD_OPERATION;
}

const char *audit_action(const struct record *record)
{
	bool up = record->direction == UPLOAD;
	switch (record->event) {
	case RECORD_SESSION_START:
		return "session-start";
	case RECORD_SESSION_END:
		return "session-end";
	case RECORD_COMMAND_REFUSED:
		return "command-refused";
	case RECORD_FILE:
		return up ? "upload" : "download";
	case RECORD_DIRECTORY:
		return up ? "folder-upload" : "folder-download";
	case RECORD_OPERATION:
		return action_word(record->action);
	}
	return "unknown";
}

const char *audit_verdict(const struct record *record)
{
	switch (record->outcome) {
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_BLOCKED:
		return "blocked";
	case OUTCOME_ALLOWED:
		return "allowed";
	}
	return "failed";
}

static const char *form_category(enum record_event event)
{
	switch (event) {
	case RECORD_SESSION_START:
	case RECORD_SESSION_END:
		return "session";
	case RECORD_COMMAND_REFUSED:
		return "process";
	case RECORD_FILE:
	case RECORD_DIRECTORY:
	case RECORD_OPERATION:
		return "file";
	}
	return "file";
}

/* What an operation did to the file system, in the schema's words. */
static const char *const form_operation_types[ACTIONS] = {
	[ACTION_REMOVE] = "deletion",
	[ACTION_REMOVE_FOLDER] = "deletion",
	[ACTION_RENAME] = "change",
	[ACTION_HARD_LINK] = "creation",
	[ACTION_SYMBOLIC_LINK] = "creation",
	[ACTION_ATTRIBUTES] = "change",
};

static const char *form_type(const struct record *record)
{
	switch (record->event) {
	case RECORD_SESSION_START:
		return "start";
	case RECORD_SESSION_END:
		return "end";
	case RECORD_COMMAND_REFUSED:
		return "denied";
	case RECORD_FILE:
	case RECORD_DIRECTORY:
	case RECORD_OPERATION:
		break;
	}
	switch (record->outcome) {
	case OUTCOME_FAILED:
		return "error";
	case OUTCOME_BLOCKED:
		return "denied";
	case OUTCOME_ALLOWED:
		break;
	}
	if (record->event == RECORD_OPERATION)
		return (unsigned)record->action < ACTIONS ? form_operation_types[record->action] : "change";
	return record->direction == UPLOAD ? "creation" : "access";
}

static bool form_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* By hand, because gmtime(3) reads the time zone's file first, in each session. */
static void form_date(unsigned long days, unsigned *year, unsigned *month, unsigned *day)
{
	static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	for (*year = 1970; days >= 365u + form_leap(*year) && *year < 9999; ++*year)
		days -= 365u + form_leap(*year);
	for (*month = 1; *month < 12; ++*month) {
		unsigned long length = lengths[*month - 1] + (*month == 2 && form_leap(*year));
		if (days < length)
			break;
		days -= length;
	}
	*day = (unsigned)(days % 31) + 1;
}

static void form_time(struct form *f, const struct timespec *now)
{
	char text[64];
	unsigned year, month, day;
	unsigned long seconds = now->tv_sec > 0 ? (unsigned long)now->tv_sec : 0;
	form_date(seconds / 86400, &year, &month, &day);
	snprintf(text, sizeof(text), "%04u-%02u-%02luT%02lu:%02lu:%02lu.%06ldZ", year, month, (unsigned long)day, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60,
		 now->tv_nsec / 1000 % 1000000);
	form_string(f, "@timestamp", text);
}

static void form_event(struct form *f)
{
	const struct record *r = f->record;
	form_string(f, "ecs.version", "8.11.0");
	form_string(f, "event.kind", "event");
	form_list(f, "event.category", form_category(r->event));
	form_list(f, "event.type", form_type(r));
	form_string(f, "event.action", audit_action(r));
	form_string(f, "event.outcome", r->outcome == OUTCOME_ALLOWED ? "success" : "failure");
	if (r->reason != REASON_NONE)
		form_string(f, "event.reason", reason_word(r->reason));
	if (r->duration_ns > 0)
		json_number(&f->json, "event.duration", r->duration_ns);
	form_string(f, "xferwarden.verdict", audit_verdict(r));
	form_text(f, "xferwarden.ref", span_of(r->ref, strnlen(r->ref, sizeof(r->ref))), 64);
	form_string(f, "rule.name", r->rule);
}

static void form_who(struct form *f)
{
	const struct record_session *s = f->session;
	const struct identity *who = s->who;
	form_string(f, "session.id", s->id);
	switch (s->protocol) {
	case PROTOCOL_SCP:
		form_string(f, "network.protocol", "scp");
		break;
	case PROTOCOL_SFTP:
		form_string(f, "network.protocol", "sftp");
		break;
	}
	form_string(f, "xferwarden.policy", s->policy);
	if (!who)
		return;
	form_string(f, "user.name", who->user);
	/* Collectors take source.ip for an address and refuse the record if it is none; sshd may have written UNKNOWN. */
	if (who->from.family != ADDRESS_NONE)
		form_string(f, "source.ip", who->from_text);
	if (who->port > 0)
		json_number(&f->json, "source.port", who->port);
	form_text(f, "xferwarden.key", span_str(who->key), 64);
	form_text(f, "xferwarden.key_type", span_str(who->key_type), 64);
}

static struct span form_extension(struct span name)
{
	for (size_t i = name.n; i-- > 1;)
		if (name.p[i] == '.')
			return span_of(name.p + i + 1, name.n - i - 1);
	return span_of(NULL, 0);
}

/* NULL: nobody looked at what stands under that name. */
static const char *form_file_type(const struct record *r)
{
	if (r->event == RECORD_OPERATION && r->action == ACTION_SYMBOLIC_LINK)
		return "symlink";
	switch (r->kind) {
	case ENTRY_FILE:
		return "file";
	case ENTRY_DIRECTORY:
		return "dir";
	case ENTRY_NAME:
		break;
	}
	return r->event == RECORD_OPERATION && r->action == ACTION_REMOVE_FOLDER ? "dir" : NULL;
}

static void form_file(struct form *f)
{
	const struct record *r = f->record;
	form_text(f, "file.name", r->name, 16);
	form_string(f, "file.type", form_file_type(r));
	if (r->kind == ENTRY_FILE)
		form_text(f, "file.extension", form_extension(r->name), 128);
	if (r->has_announced) {
		char mode[16];
		snprintf(mode, sizeof(mode), "%04o", r->mode & 07777);
		form_string(f, "file.mode", mode);
	}
	if (r->has_announced && r->event == RECORD_FILE && r->kind == ENTRY_FILE) {
		json_number(&f->json, "file.size", r->size);
		json_number(&f->json, "xferwarden.announced", r->size);
	}
	if (r->event == RECORD_FILE)
		json_number(&f->json, "xferwarden.bytes", r->bytes);
	form_text(f, "file.mime_type", r->type, 64);
	if (r->sha256)
		f->loss |= json_hex(&f->json, "file.hash.sha256", span_of(r->sha256, RECORD_SHA256), 2 * RECORD_SHA256);
	if (r->event != RECORD_OPERATION)
		form_string(f, "xferwarden.direction", direction_word(r->direction));
	form_text(f, "xferwarden.virus", r->virus, 64);
}

static void form_unscannable(struct form *f)
{
	if (f->record->unscannable == 0 || !json_list_begin(&f->json, "xferwarden.unscannable"))
		return;
	for (unsigned i = 0; i < UNSCANNABLE_WORDS; i++)
		if (f->record->unscannable & 1u << i)
			f->loss |= json_item(&f->json, span_str(unscannable_word(i)), f->cap / 64);
	json_list_end(&f->json);
}

static void form_watched(struct form *f)
{
	const struct record *r = f->record;
	if (r->watched_count == 0 || !json_list_begin(&f->json, "xferwarden.watched"))
		return;
	for (size_t i = 0; i < r->watched_count && i < RECORD_WATCHED_MAX; i++)
		f->loss |= json_item(&f->json, span_str(r->watched[i]), f->cap / 256);
	json_list_end(&f->json);
}

static void form_end(struct form *f)
{
	const struct record *r = f->record;
	json_number(&f->json, "xferwarden.allowed", r->allowed);
	json_number(&f->json, "xferwarden.blocked", r->blocked);
	json_number(&f->json, "xferwarden.failed", r->failed);
	json_number(&f->json, "xferwarden.bytes", r->bytes);
	if (r->exit_status >= 0)
		json_number(&f->json, "process.exit_code", (uint64_t)r->exit_status);
}

/* A text of the client's, of at most so many eighths of the line, and its bytes where the text alone does not give them back. */
static void form_raw(struct form *f, const char *name, const char *hex_name, struct span bytes, size_t eighths)
{
	if (bytes.n == 0)
		return;
	unsigned loss = json_text(&f->json, name, bytes, f->cap / 8 * eighths);
	f->loss |= loss;
	if (loss != 0)
		f->loss |= json_hex(&f->json, hex_name, bytes, f->cap / 4);
}

/* Two paths share what one has otherwise: the texts are shorter then, their bytes still have room for the longest. */
static void form_paths(struct form *f)
{
	const struct record *r = f->record;
	bool both = r->event == RECORD_OPERATION && r->other.n > 0;
	form_raw(f, "file.path", "xferwarden.path_hex", r->path, both ? 1 : 3);
	if (!both)
		return;
	if (r->action == ACTION_SYMBOLIC_LINK)
		form_raw(f, "file.target_path", "xferwarden.target_path_hex", r->other, 1);
	else
		form_raw(f, "xferwarden.new_path", "xferwarden.new_path_hex", r->other, 1);
}

/* file.name is nearly always the end of file.path; where it is not, its bytes may have to be kept too. */
static void form_name_bytes(struct form *f)
{
	struct span path = f->record->path;
	struct span name = f->record->name;
	uint32_t code = 0;
	if (path.n >= name.n && span_equal(span_of(path.p + path.n - name.n, name.n), name))
		return;
	for (struct span rest = name; rest.n > 0;) {
		size_t n = text_utf8(rest, &code);
		if (n == 0) {
			f->loss |= json_hex(&f->json, "xferwarden.name_hex", name, f->cap / 16);
			return;
		}
		span_take(&rest, n);
	}
}

size_t audit_format(char *dst, size_t cap, const struct record_session *session, const struct record *record, const struct timespec *now)
{
	struct form f = { .session = session, .record = record, .cap = cap };
	char sentence[512];
	json_begin(&f.json, dst, cap);
	json_reserve(&f.json, TRUNCATED_MEMBER);
	form_time(&f, now);
	form_event(&f);
	size_t n = audit_sentence(sentence, sizeof(sentence), session, record);
	form_text(&f, "message", span_of(sentence, n), 32);
	form_who(&f);
	if (form_is_entry(&f))
		form_file(&f);
	form_unscannable(&f);
	form_watched(&f);
	form_text(&f, "xferwarden.detail", record->detail, 32);
	if (record->event == RECORD_SESSION_END)
		form_end(&f);
	if (form_is_entry(&f)) {
		form_paths(&f);
		form_name_bytes(&f);
	} else {
		form_raw(&f, "process.command_line", "xferwarden.command_hex", record->command, 3);
	}
	json_release(&f.json);
	if (f.json.dropped || (f.loss & (JSON_CUT | JSON_DROPPED)))
		json_bool(&f.json, "xferwarden.truncated", true);
	return json_end(&f.json);
}
