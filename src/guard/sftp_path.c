/*
 * Requests about names: which operation each is, which names it touches, and by which rules they are judged. What a name holds is judged again wherever it gets another
 * one; what gets two names at once has to be the same to every rule under both.
 */
#include "base/path.h"
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

bool path_is_two(enum sftp_kind kind)
{
	return kind == SFTP_RENAME || kind == SFTP_POSIX_RENAME || kind == SFTP_HARDLINK;
}

uint32_t path_hopeless(const struct place *place)
{
	if (place->kind != PLACE_ABSENT || !place->hopeless)
		return SFTP_OK;
	return path_name(place->real).n > PATH_NAME_MAX ? SFTP_BAD_MESSAGE : place->forbidden ? SFTP_PERMISSION_DENIED : SFTP_NO_SUCH_FILE;
}

struct step path_forward(struct guard *guard)
{
	const struct sftp_call *call = &sftp_of(guard)->call;
	uint32_t code = path_hopeless(&call->place);
	if (code == SFTP_OK && path_is_two(call->request.kind))
		code = path_hopeless(&call->second);
	if (code != SFTP_OK)
		return path_status(guard, code);
	/* a folder is compared when it is open, and a path alone can be told to anybody */
	bool named = path_kinds[call->request.kind].operation != 0 && call->request.kind != SFTP_OPENDIR;
	if (named && call->place.kind == PLACE_OTHER && call->place.hopeless)
		return path_status(guard, call->place.forbidden ? SFTP_PERMISSION_DENIED : SFTP_NO_SUCH_FILE); /* a link that leads nowhere, or round */
	call_stage(guard, named ? STAGE_STEADY : STAGE_FORWARD);
	return step_again();
}

struct step path_deny(struct guard *guard, enum reason reason)
{
	call_deny(guard, reason, NULL);
	return step_again();
}

struct step path_status(struct guard *guard, uint32_t code)
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

/* For a look into what stands there: the request is what is recorded of it, also when the session ends amid it. */
static bool path_slot(struct guard *guard)
{
	struct sftp_file *file = file_new(guard, USE_FILE, &sftp_of(guard)->call.slot);
	if (file != NULL)
		file->recorded = true;
	return file != NULL;
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
		room = path_slot(guard);
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

struct facts path_facts(const struct place *place, enum entry_kind kind, enum direction direction)
{
	return (struct facts){ .kind = kind, .direction = direction, .path = place->path, .name = path_name(place->path), .mode = place->mode,
			       .size = kind == ENTRY_FILE ? place->size : 0 };
}

/* False: refused, and it is said. Facts that are missing do not stand in the way here. */
bool path_allowed(struct guard *guard, const struct facts *facts, struct span asked)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct verdict verdict = verdict_entry(guard, facts, asked);
	call->facts.direction = facts->direction;
	if (verdict.decision == DENY)
		call_deny(guard, verdict.reason, &verdict);
	return verdict.decision != DENY;
}

/* What holds for every change: may it be made at all, and there? A link or device as such may be removed or renamed, not written. */
bool path_may_change(struct guard *guard, const struct place *place, const char *path, bool itself)
{
	const struct sftp_call *call = &sftp_of(guard)->call;
	const struct policy *policy = guard->setup.policy;
	struct place plain = *place;
	if (itself && plain.kind == PLACE_OTHER)
		plain.kind = PLACE_FILE;
	enum reason reason = verdict_place(guard, &plain, path_name(span_str(path)), true);
	if (reason == REASON_RESERVED && place->kind == PLACE_FILE && call->request.kind == SFTP_REMOVE)
		reason = REASON_NONE; /* of a session that did not come to its end */
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
		return path_status(guard, SFTP_NO_SUCH_FILE); /* as OpenSSH's server says of a file, too */
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
	file->recorded = false;
	file->size = call->request.attrs.size;
	file->base = place->size;
	file->low = file->size < place->size ? file->size : place->size;
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

static bool path_rules_by_mode(const struct ruleset *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].conditions & CONDITION_MODE)
			return true;
	return false;
}

/* A new mode for content that was let in with another: refused where a rule is about both. What is refused with its old mode as well is not the mode's affair. */
static bool path_mode_fits(struct guard *guard, const struct facts *given)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts facts = *given, old;
	facts.growing = false;
	facts.size = call->place.size;
	facts.finding = call->facts.finding;
	old = facts;
	old.mode = call->place.mode;
	struct verdict verdict = verdict_entry(guard, &facts, call->place.asked);
	switch (verdict.decision) {
	case ALLOW:
		return true;
	case NEED:
		if (verdict.need & facts.finding.known)
			break;
		if (call->slot == GUARD_NO_SLOT && !path_slot(guard)) {
			call_status(guard, SFTP_FAILURE);
		} else if (!call->content) {
			call->content = true; /* with the slot it is looked at once more */
			call_stage(guard, STAGE_LOOK);
		} else {
			call->need = verdict.need;
			call->end = verdict.need == FACT_TYPE && facts.size > GUARD_HEAD ? GUARD_HEAD : facts.size;
			call_stage(guard, STAGE_INSPECT);
		}
		return false;
	case DENY:
		if (verdict_entry(guard, &old, call->place.asked).decision == DENY)
			return true;
		call_deny(guard, verdict.reason, &verdict);
		return false;
	}
	call_deny(guard, REASON_INTERNAL, NULL);
	return false;
}

static struct step path_set(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_attrs *attrs = &call->request.attrs;
	bool folder = call->place.kind == PLACE_DIRECTORY;
	struct facts facts = path_facts(&call->place, folder ? ENTRY_DIRECTORY : ENTRY_FILE, UPLOAD);
	unsigned slot;
	if (call->request.kind == SFTP_LSETSTAT && (attrs->flags & SFTP_ATTR_SIZE))
		return path_status(guard, SFTP_BAD_MESSAGE);
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
	bool by_mode = (attrs->flags & SFTP_ATTR_MODE) && !sized && call->place.kind == PLACE_FILE && path_rules_by_mode(&guard->setup.policy->rules[UPLOAD]);
	if (by_mode && !path_mode_fits(guard, &facts))
		return step_again();
	if (attrs->flags == 0)
		return path_forward(guard); /* nothing is asked for */
	bool owned = (attrs->flags & SFTP_ATTR_OWNER) && attrs->uid == call->place.uid && attrs->gid == call->place.gid;
	attrs->flags &= SFTP_ATTR_SIZE | SFTP_ATTR_MODE | SFTP_ATTR_TIMES;
	attrs->mode &= 0777;
	if (attrs->flags == 0 && owned)
		return path_status(guard, SFTP_OK); /* it is theirs already */
	if (attrs->flags == 0)
		return path_deny(guard, REASON_OPERATION); /* an owner, and nothing else */
	if (!sized)
		return path_forward(guard);
	if (call->place.kind == PLACE_FILE && !(guard->setup.policy->operations & OPERATION_REPLACE))
		return path_deny(guard, REASON_OPERATION);
	if (file_at(guard, call->place.real, &slot) != NULL)
		return path_status(guard, SFTP_FAILURE);
	if (call->place.kind != PLACE_FILE) /* the server would cut what comes there meanwhile, and nobody would have judged it */
		return path_status(guard, call->place.kind == PLACE_ABSENT ? SFTP_NO_SUCH_FILE : SFTP_FAILURE);
	return path_resize(guard);
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
		return rename_judge(guard);
	case SFTP_HARDLINK:
		return rename_hard_link(guard);
	case SFTP_SYMLINK:
		return rename_symbolic_link(guard);
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
		.has_announced = (kind == SFTP_MKDIR || kind == SFTP_SETSTAT || kind == SFTP_LSETSTAT) && (call->request.attrs.flags & SFTP_ATTR_MODE),
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
