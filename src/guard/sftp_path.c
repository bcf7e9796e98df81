/*
 * Requests about names: which operation each is, which names it touches, and by which rules they are judged. What a name holds is judged again wherever it gets another
 * one; what gets two names at once has to be the same to every rule under both.
 */
#include <stdio.h>

#include "base/path.h"
#include "guard/login.h"
#include "guard/talk.h"
#include "guard/verdict.h"

struct path_kind {
	bool here, follow, changes;
	unsigned operation; /* OPERATION_* bit, 0: none is needed */
	enum action action;
};

static const struct path_kind path_kinds[SFTP_KINDS] = {
	[SFTP_OPEN] = { .here = true, .follow = true },
	[SFTP_OPENDIR] = { .here = true, .follow = true, .operation = OPERATION_LIST },
	[SFTP_STAT] = { .here = true, .follow = true, .operation = OPERATION_STAT },
	[SFTP_LSTAT] = { .here = true, .operation = OPERATION_STAT },
	[SFTP_READLINK] = { .here = true, .operation = OPERATION_STAT },
	[SFTP_STATVFS] = { .here = true, .follow = true, .operation = OPERATION_STAT },
	[SFTP_REALPATH] = { .here = true, .follow = true },
	[SFTP_EXPAND_PATH] = { .here = true, .follow = true },
	[SFTP_SETSTAT] = { .here = true, .follow = true, .changes = true, .operation = OPERATION_ATTRIBUTES, .action = ACTION_ATTRIBUTES },
	[SFTP_LSETSTAT] = { .here = true, .changes = true, .operation = OPERATION_ATTRIBUTES, .action = ACTION_ATTRIBUTES },
	[SFTP_MKDIR] = { .here = true, .changes = true, .operation = OPERATION_MKDIR },
	[SFTP_RMDIR] = { .here = true, .changes = true, .operation = OPERATION_REMOVE, .action = ACTION_REMOVE_FOLDER },
	[SFTP_REMOVE] = { .here = true, .changes = true, .operation = OPERATION_REMOVE, .action = ACTION_REMOVE },
	[SFTP_RENAME] = { .here = true, .changes = true, .operation = OPERATION_RENAME, .action = ACTION_RENAME },
	[SFTP_POSIX_RENAME] = { .here = true, .changes = true, .operation = OPERATION_RENAME, .action = ACTION_RENAME },
	[SFTP_HARDLINK] = { .here = true, .changes = true, .operation = OPERATION_LINK, .action = ACTION_HARD_LINK },
	[SFTP_SYMLINK] = { .here = true, .changes = true, .operation = OPERATION_LINK, .action = ACTION_SYMBOLIC_LINK },
};

bool path_is_request(enum sftp_kind kind)
{
	return path_kinds[kind].here;
}

bool path_follows(enum sftp_kind kind)
{
	return path_kinds[kind].follow;
}

bool path_changes(enum sftp_kind kind)
{
	return path_kinds[kind].changes;
}

static struct step path_forward(struct guard *guard)
{
	call_stage(guard, STAGE_FORWARD);
	return step_again();
}

static struct step path_deny(struct guard *guard, enum reason reason)
{
	call_deny(guard, reason, NULL);
	return step_again();
}

static struct step path_status(struct guard *guard, uint32_t code)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	call->code = code;
	call_stage(guard, call->slot < GUARD_SLOTS ? STAGE_DROP : STAGE_ANSWER);
	return step_again();
}

/* --- before the first look --- */

/* "~" is the user's home; nobody else's is told. */
static bool path_expand(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	char whole[PATH_BYTES_MAX];
	struct span home = guard->setup.home.n > 0 ? guard->setup.home : guard->setup.start;
	const char *rest = call->path + 1;
	if (call->path[0] != '~')
		return true;
	if (*rest != '\0' && *rest != '/')
		return false;
	while (*rest == '/')
		rest++;
	if (!path_join(whole, sizeof(whole), home, span_str(rest)))
		return false;
	memcpy(call->path, whole, sizeof(whole));
	call->request.path = span_str(call->path);
	return true;
}

/* A link's words lead from the folder that it will be in. They are looked at once that is known. */
static void path_swap(struct sftp_call *call)
{
	memcpy(call->words, call->path, sizeof(call->words));
	memcpy(call->path, call->other, sizeof(call->path));
	call->request.path = span_str(call->path);
	call->request.other = span_of(NULL, 0);
}

static bool path_asks_content(const struct guard *guard, const struct sftp_call *call)
{
	bool content = policy_facts(guard->setup.policy, UPLOAD) != 0;
	switch ((unsigned)call->request.kind) {
	case SFTP_RENAME:
	case SFTP_POSIX_RENAME:
	case SFTP_HARDLINK:
		return content;
	case SFTP_SETSTAT:
		return call->request.attrs.flags & SFTP_ATTR_SIZE;
	}
	return false;
}

void path_begin(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	enum sftp_kind kind = call->request.kind;
	bool room = true;
	if (kind == SFTP_OPEN)
		room = open_begin(guard);
	else if (kind == SFTP_OPENDIR)
		room = file_new(guard, USE_FOLDER, &call->slot) != NULL;
	else if (path_asks_content(guard, call))
		room = file_new(guard, USE_FILE, &call->slot) != NULL;
	if (kind == SFTP_SYMLINK)
		path_swap(call);
	if (!room)
		call_status(guard, SFTP_FAILURE);
	else if (kind == SFTP_EXPAND_PATH && !path_expand(guard))
		call_status(guard, SFTP_PERMISSION_DENIED);
	else
		call_stage(guard, STAGE_LOOK);
}

/* --- what only looks --- */

static struct step path_look(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct place *place = &call->place;
	enum sftp_kind kind = call->request.kind;
	unsigned slot;
	if (place->kind == PLACE_LOST)
		return path_deny(guard, REASON_INTERNAL);
	if (place->outside && !place->above)
		return path_deny(guard, REASON_OUTSIDE_ROOT);
	if (place->kind == PLACE_RESERVED)
		return path_deny(guard, REASON_RESERVED);
	if (kind == SFTP_EXPAND_PATH) {
		handle_name(guard, place->real);
		return step_again();
	}
	if ((path_kinds[kind].operation & ~guard->setup.policy->operations) && place->kind != PLACE_DIRECTORY)
		return path_status(guard, SFTP_NO_SUCH_FILE); /* whether a folder is there may be asked, no more */
	if ((kind == SFTP_STAT || kind == SFTP_LSTAT) && file_at(guard, place->real, &slot) != NULL) {
		handle_attrs(guard, slot);
		return step_again();
	}
	return path_forward(guard);
}

/* --- judging --- */

static struct facts path_facts(const struct place *place, enum entry_kind kind, enum direction direction)
{
	return (struct facts){ .kind = kind, .direction = direction, .path = place->path, .name = path_name(place->path), .mode = place->mode,
			       .size = kind == ENTRY_FILE ? place->size : 0 };
}

/* False: refused, and it is said. Facts that are missing do not stand in the way here. */
static bool path_allowed(struct guard *guard, const struct facts *facts, struct span asked)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct verdict verdict = verdict_entry(guard, facts, asked);
	call->facts.direction = facts->direction;
	if (verdict.decision == DENY)
		call_deny(guard, verdict.reason, &verdict);
	return verdict.decision != DENY;
}

/* What holds for every change: may it be made at all, and there? A link or device as such may be removed or renamed, not written. */
static bool path_may_change(struct guard *guard, const struct place *place, const char *path, bool itself)
{
	const struct sftp_call *call = &sftp_of(guard)->call;
	const struct policy *policy = guard->setup.policy;
	struct place plain = *place;
	if (itself && plain.kind == PLACE_OTHER)
		plain.kind = PLACE_FILE;
	enum reason reason = verdict_place(guard, &plain, path_name(span_str(path)), true);
	if (reason == REASON_NONE && !policy->rules[UPLOAD].permitted)
		reason = REASON_NOT_PERMITTED;
	if (reason == REASON_NONE && (path_kinds[call->request.kind].operation & ~policy->operations))
		reason = REASON_OPERATION;
	if (reason == REASON_NONE && place->path.n == 0)
		reason = REASON_OUTSIDE_ROOT; /* root itself is the administrator's */
	if (reason != REASON_NONE)
		call_deny(guard, reason, NULL);
	return reason == REASON_NONE;
}

static struct step path_list(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	const struct place *place = &call->place;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	struct facts facts = path_facts(place, ENTRY_DIRECTORY, DOWNLOAD);
	if (place->kind == PLACE_LOST || place->outside || place->kind == PLACE_RESERVED)
		return path_deny(guard, place->kind == PLACE_LOST ? REASON_INTERNAL : place->outside ? REASON_OUTSIDE_ROOT : REASON_RESERVED);
	if (!(guard->setup.policy->operations & OPERATION_LIST))
		return path_deny(guard, REASON_OPERATION);
	if (place->kind != PLACE_DIRECTORY)
		return path_status(guard, place->kind == PLACE_ABSENT ? SFTP_NO_SUCH_FILE : SFTP_FAILURE);
	struct verdict verdict = verdict_entry(guard, &facts, place->asked);
	call->facts.direction = DOWNLOAD;
	if (verdict.decision == DENY && verdict.reason == REASON_RULE) { /* what is merely not allowed has to be passed through all the same */
		call_deny(guard, verdict.reason, &verdict);
		return step_again();
	}
	(void)span_copy(file->real, sizeof(file->real), place->real);
	return path_forward(guard);
}

static struct step path_make(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts facts = path_facts(&call->place, ENTRY_DIRECTORY, UPLOAD);
	if (!path_may_change(guard, &call->place, call->path, true))
		return step_again();
	facts.mode = call->request.attrs.flags & SFTP_ATTR_MODE ? call->request.attrs.mode & 07777 : 0777;
	call->facts.mode = facts.mode;
	call->quiet = call->place.kind != PLACE_ABSENT; /* clients ask for folders that are there: nothing is changed by that */
	if (!call->quiet && !path_allowed(guard, &facts, call->place.asked))
		return step_again();
	call->request.attrs.flags &= SFTP_ATTR_MODE;
	call->request.attrs.mode &= 0777;
	return path_forward(guard);
}

static struct step path_remove(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts facts = path_facts(&call->place, ENTRY_NAME, UPLOAD);
	unsigned slot;
	if (call->request.kind == SFTP_REMOVE && call->place.kind == PLACE_ABSENT && file_at(guard, call->place.real, &slot) != NULL) {
		sftp_of(guard)->file[slot].removed = true;
		return path_status(guard, SFTP_OK);
	}
	if (!path_may_change(guard, &call->place, call->path, true) || !path_allowed(guard, &facts, call->place.asked))
		return step_again();
	call->quiet = call->place.kind == PLACE_ABSENT;
	return path_forward(guard);
}

/* --- attributes --- */

/* A new size is new content: the file is opened by us, held, judged and stored as if it had been written. */
static struct step path_resize(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	const struct place *place = &call->place;
	(void)span_copy(file->real, sizeof(file->real), place->real);
	(void)span_copy(file->asked, sizeof(file->asked), place->asked);
	file->writes = file->held = file->sized = true;
	file->size = call->request.attrs.size;
	file->facts = path_facts(place, ENTRY_FILE, UPLOAD);
	file->facts.path = span_str(file->real);
	(void)path_below(span_str(file->real), guard->setup.root, &file->facts.path);
	file->facts.name = path_name(file->facts.path);
	file->wanted = call->request.attrs;
	file->wanted.flags &= SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	file->wanted.mode &= 0777;
	if (file->wanted.flags & SFTP_ATTR_MODE)
		file->facts.mode = call->request.attrs.mode & 07777;
	call->resizing = true;
	if (file->size > guard->setup.hold_limit && policy_facts(guard->setup.policy, UPLOAD) != 0)
		return path_status(guard, SFTP_FAILURE);
	return (struct step){ .kind = STEP_SIZE, .slot = call->slot, .count = file->size };
}

static struct step path_set(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_attrs *attrs = &call->request.attrs;
	bool folder = call->place.kind == PLACE_DIRECTORY;
	struct facts facts = path_facts(&call->place, folder ? ENTRY_DIRECTORY : ENTRY_FILE, UPLOAD);
	unsigned slot;
	bool sized = attrs->flags & SFTP_ATTR_SIZE, itself = call->request.kind == SFTP_LSETSTAT;
	if (!path_may_change(guard, &call->place, call->path, itself))
		return step_again();
	if (call->slot == GUARD_NO_SLOT && !sized && file_at(guard, call->place.real, &slot) != NULL) {
		call->request.kind = SFTP_FSETSTAT; /* of what is still on its way there */
		call->slot = slot;
		call_stage(guard, STAGE_SET);
		return step_again();
	}
	facts.growing = true; /* its size was judged when it came */
	facts.size = 0;
	facts.mode = attrs->flags & SFTP_ATTR_MODE ? attrs->mode & 07777 : facts.mode;
	call->facts.mode = facts.mode;
	if (!path_allowed(guard, &facts, call->place.asked))
		return step_again();
	attrs->flags &= SFTP_ATTR_SIZE | SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	attrs->mode &= 0777;
	if (attrs->flags == 0)
		return path_deny(guard, REASON_OPERATION); /* an owner, and nothing else */
	if (!sized || call->place.kind != PLACE_FILE)
		return path_forward(guard);
	return file_at(guard, call->place.real, &slot) != NULL ? path_status(guard, SFTP_FAILURE) : path_resize(guard);
}

/* --- two names --- */

/* A rule that is about paths may see what is in a folder with other eyes when the folder has another name. */
static bool path_rules_by_path(const struct policy *policy)
{
	for (int direction = 0; direction < DIRECTIONS; direction++)
		for (size_t i = 0; i < policy->rules[direction].count; i++)
			if (policy->rules[direction].rules[i].conditions & CONDITION_PATH)
				return true;
	return false;
}

/* What could not be fetched under the old name may not become fetchable by another. */
static bool path_still_hidden(struct guard *guard, const struct facts *before, const struct facts *after)
{
	struct facts old = *before, new = *after;
	old.direction = new.direction = DOWNLOAD;
	if (!guard->setup.policy->rules[DOWNLOAD].permitted)
		return true;
	struct verdict was = policy_judge(guard->setup.policy, &old), is = policy_judge(guard->setup.policy, &new);
	if (was.decision != DENY || is.decision == DENY)
		return true;
	sftp_of(guard)->call.facts.direction = DOWNLOAD;
	call_deny(guard, was.reason, &was);
	return false;
}

static bool path_same(const struct guard *guard, const struct facts *before, const struct facts *after)
{
	struct facts old = *before, new = *after;
	bool same = policy_same(guard->setup.policy, &old, &new);
	old.direction = new.direction = DOWNLOAD;
	return same && (!guard->setup.policy->rules[DOWNLOAD].permitted || policy_same(guard->setup.policy, &old, &new));
}

bool sftp_met(struct guard *guard, struct span below, const struct place *place)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	char old[PATH_BYTES_MAX], new[PATH_BYTES_MAX], real[PATH_BYTES_MAX];
	if (call->stage != STAGE_TREE)
		return false;
	call->tree_reason = REASON_NOT_ALLOWED;
	if (!path_join(old, sizeof(old), call->place.path, below) || !path_join(new, sizeof(new), call->second.path, below) ||
	    !path_join(real, sizeof(real), call->second.real, below))
		return false;
	if (place->login || place->kind == PLACE_RESERVED || login_file(span_str(real), guard->setup.home, &guard->setup.policy->login_files)) {
		call->tree_reason = place->kind == PLACE_RESERVED ? REASON_RESERVED : REASON_LOGIN_FILE;
		return false;
	}
	struct facts before = path_facts(place, place->kind == PLACE_DIRECTORY ? ENTRY_DIRECTORY : ENTRY_FILE, UPLOAD), after = before;
	before.path = span_str(old);
	after.path = span_str(new);
	before.name = after.name = path_name(before.path);
	return path_same(guard, &before, &after);
}

/* A folder gets another name: all that is in it does. */
static struct step path_move_folder(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts before = path_facts(&call->place, ENTRY_NAME, UPLOAD), after = path_facts(&call->second, ENTRY_DIRECTORY, UPLOAD);
	struct span below;
	bool hidden = path_below(call->second.real, guard->setup.home, &below) && below.n > 0 && below.p[0] == '.';
	if (!path_allowed(guard, &before, call->place.asked) || !path_allowed(guard, &after, call->second.asked))
		return step_again();
	before.kind = ENTRY_DIRECTORY;
	if (!path_still_hidden(guard, &before, &after))
		return step_again();
	if (!call->tree_seen && (hidden || path_rules_by_path(guard->setup.policy))) {
		call_stage(guard, STAGE_TREE);
		return step_again();
	}
	if (call->tree_seen && !call->tree_whole)
		return path_deny(guard, call->tree_reason != REASON_NONE ? call->tree_reason : REASON_TOO_DEEP);
	return path_forward(guard);
}

/* The content under its new name, by all that is known of it; NEED is answered by a look at it. NONE: go on. */
static bool path_judge_content(struct guard *guard, struct facts *facts, struct span asked)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	facts->finding = call->facts.finding;
	struct verdict verdict = verdict_entry(guard, facts, asked);
	call->facts.direction = UPLOAD;
	switch (verdict.decision) {
	case ALLOW:
		call->verdict = verdict;
		return true;
	case NEED:
		if ((verdict.need & facts->finding.known) || call->slot == GUARD_NO_SLOT)
			break;
		call->need = verdict.need;
		call->content = true;
		call->end = verdict.need == FACT_TYPE && facts->size > GUARD_HEAD ? GUARD_HEAD : facts->size;
		call_stage(guard, STAGE_INSPECT);
		return false;
	case DENY:
		call_deny(guard, verdict.reason, &verdict);
		return false;
	}
	call_deny(guard, REASON_INTERNAL, NULL);
	return false;
}

static struct step path_move_file(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts before = path_facts(&call->place, ENTRY_NAME, UPLOAD), after = path_facts(&call->place, ENTRY_FILE, UPLOAD);
	after.path = call->second.path;
	after.name = path_name(after.path);
	if (!path_allowed(guard, &before, call->place.asked) || !path_judge_content(guard, &after, call->second.asked))
		return step_again();
	before.kind = ENTRY_FILE;
	before.size = after.size;
	before.finding = after.finding;
	if (!path_still_hidden(guard, &before, &after))
		return step_again();
	return path_forward(guard);
}

static struct step path_rename(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	bool replaces = call->request.kind == SFTP_POSIX_RENAME && call->second.kind != PLACE_ABSENT;
	unsigned slot;
	if (!path_may_change(guard, &call->place, call->path, true) || !path_may_change(guard, &call->second, call->other, true))
		return step_again();
	if (replaces && !(guard->setup.policy->operations & OPERATION_REPLACE))
		return path_deny(guard, REASON_OPERATION);
	if (file_at(guard, call->place.real, &slot) != NULL)
		return path_status(guard, SFTP_FAILURE); /* it is still on its way there */
	if (call->place.kind == PLACE_ABSENT) {
		call->quiet = true;
		return path_forward(guard);
	}
	return call->place.kind == PLACE_DIRECTORY ? path_move_folder(guard) : path_move_file(guard);
}

static struct step path_hard_link(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts before = path_facts(&call->place, ENTRY_FILE, UPLOAD), after = before;
	after.path = call->second.path;
	after.name = path_name(after.path);
	if (!path_may_change(guard, &call->place, call->path, false) || !path_may_change(guard, &call->second, call->other, true))
		return step_again();
	if (call->place.kind == PLACE_DIRECTORY)
		return path_deny(guard, REASON_NOT_A_FILE);
	if (call->place.kind == PLACE_ABSENT) {
		call->quiet = true;
		return path_forward(guard);
	}
	if (!path_same(guard, &before, &after)) /* what is written under one name later would be there under the other */
		return path_deny(guard, REASON_NOT_ALLOWED);
	if (!path_judge_content(guard, &after, call->second.asked))
		return step_again();
	return path_forward(guard);
}

/* As the kernel would read it there: nothing is taken out of it. */
static bool path_words(char target[static PATH_BYTES_MAX], struct span folder, const char *words)
{
	int n = words[0] == '/' ? snprintf(target, PATH_BYTES_MAX, "%s", words) : snprintf(target, PATH_BYTES_MAX, "%.*s/%s", (int)folder.n, (const char *)folder.p, words);
	return words[0] != '\0' && n > 0 && n < PATH_BYTES_MAX;
}

/* The link is placed (path); where its words lead from there is looked at next (other). */
static struct step path_symbolic_link(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (!call->placed) {
		char target[PATH_BYTES_MAX];
		if (!path_may_change(guard, &call->place, call->path, true))
			return step_again();
		if (!path_words(target, path_parent(call->place.real), call->words))
			return path_status(guard, SFTP_BAD_MESSAGE);
		memcpy(call->other, target, sizeof(target));
		call->request.other = span_str(call->other);
		call->placed = true;
		call_stage(guard, STAGE_LOOK_OTHER);
		return step_again();
	}
	bool folder = call->second.kind == PLACE_DIRECTORY;
	struct facts link = path_facts(&call->place, folder ? ENTRY_DIRECTORY : ENTRY_FILE, UPLOAD), target = path_facts(&call->second, link.kind, UPLOAD);
	link.mode = target.mode;
	link.size = target.size;
	if (call->place.kind != PLACE_ABSENT) {
		call->quiet = true; /* the child says that it is there */
	} else {
		enum reason reason = verdict_place(guard, &call->second, span_of(NULL, 0), true);
		if (reason == REASON_NONE && (!path_same(guard, &link, &target) || (folder && path_rules_by_path(guard->setup.policy))))
			reason = REASON_NOT_ALLOWED;
		if (reason != REASON_NONE)
			return path_deny(guard, reason);
		if (!path_allowed(guard, &link, call->place.asked))
			return step_again();
	}
	call->request.path = span_str(call->words);
	call->request.other = call->place.real;
	call->linking = true;
	return path_forward(guard);
}

struct step path_judge(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	switch ((unsigned)call->request.kind) {
	case SFTP_OPENDIR:
		return path_list(guard);
	case SFTP_MKDIR:
		return path_make(guard);
	case SFTP_RMDIR:
	case SFTP_REMOVE:
		return path_remove(guard);
	case SFTP_SETSTAT:
	case SFTP_LSETSTAT:
		return call->resizing ? store_judge(guard) : path_set(guard);
	case SFTP_RENAME:
	case SFTP_POSIX_RENAME:
		return path_rename(guard);
	case SFTP_HARDLINK:
		return path_hard_link(guard);
	case SFTP_SYMLINK:
		return path_symbolic_link(guard);
	}
	return path_look(guard);
}

void path_record(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	enum sftp_kind kind = call->request.kind;
	bool folder = kind == SFTP_MKDIR || kind == SFTP_OPENDIR, two = call->request.other.n > 0;
	bool ruled = call->verdict.rule && (call->outcome == OUTCOME_ALLOWED || call->reason == REASON_RULE || call->reason == REASON_UNSCANNABLE);
	guard->record = (struct record){
		.event = folder ? RECORD_DIRECTORY : RECORD_OPERATION,
		.outcome = call->outcome,
		.reason = call->reason,
		.direction = kind == SFTP_OPENDIR ? DOWNLOAD : UPLOAD,
		.kind = folder || call->place.kind == PLACE_DIRECTORY ? ENTRY_DIRECTORY : ENTRY_FILE,
		.action = path_kinds[kind].action,
		.path = call->place.real.n > 0 ? call->place.real : span_str(call->path),
		.other = kind == SFTP_SYMLINK ? span_str(call->words) : two ? (call->second.real.n > 0 ? call->second.real : span_str(call->other)) : span_of(NULL, 0),
		.name = path_name(span_str(call->path)),
		.has_announced = folder || kind == SFTP_SETSTAT || kind == SFTP_LSETSTAT,
		.mode = call->facts.mode,
		.type = span_str(call->facts.finding.type),
		.virus = span_str(call->facts.finding.virus),
		.unscannable = call->facts.finding.unscannable,
		.detail = span_str(call->facts.finding.detail),
		.rule = ruled ? call->verdict.rule->name : NULL,
	};
	guard->record.watched_count = policy_watched(&guard->setup.policy->rules[call->facts.direction], &call->verdict, guard->record.watched);
	(void)sftp_ref(guard, &call->number);
}
