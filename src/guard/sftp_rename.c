/*
 * What gets another name, or a second one. Content is judged under the new name by all that is known of it; a folder's, rule by rule, by whether the name makes a
 * difference; and what has two names has to be the same to every rule under both.
 */
#include <stdio.h>

#include "base/path.h"
#include "guard/login.h"
#include "guard/talk.h"
#include "guard/verdict.h"

/* A rule that is about paths may see what is in a folder with other eyes when the folder has another name. */
static bool rename_rules_by_path(const struct policy *policy)
{
	for (int direction = 0; direction < DIRECTIONS; direction++)
		for (size_t i = 0; i < policy->rules[direction].count; i++)
			if (policy->rules[direction].rules[i].conditions & CONDITION_PATH)
				return true;
	return false;
}

/* What could not be fetched under the old name may not become fetchable by another. */
static bool rename_still_hidden(struct guard *guard, const struct facts *before, const struct facts *after)
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

static bool rename_same(const struct guard *guard, const struct facts *before, const struct facts *after)
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
	return rename_same(guard, &before, &after);
}

/* A folder gets another name: all that is in it does. */
static struct step rename_folder(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts before = path_facts(&call->place, ENTRY_NAME, UPLOAD), after = path_facts(&call->second, ENTRY_DIRECTORY, UPLOAD);
	struct span below;
	bool hidden = path_below(call->second.real, guard->setup.home, &below) && below.n > 0 && below.p[0] == '.';
	if (!path_allowed(guard, &before, call->place.asked) || !path_allowed(guard, &after, call->second.asked))
		return step_again();
	before.kind = ENTRY_DIRECTORY;
	if (!rename_still_hidden(guard, &before, &after))
		return step_again();
	if (!call->tree_seen && (hidden || rename_rules_by_path(guard->setup.policy))) {
		call_stage(guard, STAGE_TREE);
		return step_again();
	}
	if (call->tree_seen && !call->tree_whole)
		return path_deny(guard, call->tree_reason != REASON_NONE ? call->tree_reason : REASON_TOO_DEEP);
	return path_forward(guard);
}

/* The content under its new name, by all that is known of it; NEED is answered by a look at it. NONE: go on. */
static bool rename_content(struct guard *guard, struct facts *facts, struct span asked)
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
		call_stage(guard, call->locked ? STAGE_INSPECT : STAGE_LOCK);
		return false;
	case DENY:
		call_deny(guard, verdict.reason, &verdict);
		return false;
	}
	call_deny(guard, REASON_INTERNAL, NULL);
	return false;
}

/* Who is still writing it could put anything there once it was looked at. */
void rename_locked(struct guard *guard, bool yes)
{
	sftp_of(guard)->call.locked = yes;
	if (yes)
		call_stage(guard, STAGE_INSPECT);
	else
		call_deny(guard, REASON_MOVED, NULL);
}

/* The child did it by names. What has the new one has to be what was looked at; anything else goes. */
void rename_stands(struct guard *guard, bool yes)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (yes) {
		call_stage(guard, STAGE_RECORD);
		return;
	}
	struct sftp_packet remove = { .kind = SFTP_REMOVE, .path = call->second.real };
	call->undone = true;
	call->missing = 1;
	sftp_request(guard, FLIGHT_STORE, call->slot, &remove);
	call_stage(guard, STAGE_FINISHING);
}

static struct step rename_file(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct facts before = path_facts(&call->place, ENTRY_NAME, UPLOAD), after = path_facts(&call->place, ENTRY_FILE, UPLOAD);
	after.path = call->second.path;
	after.name = path_name(after.path);
	if (!path_allowed(guard, &before, call->place.asked) || !rename_content(guard, &after, call->second.asked))
		return step_again();
	before.kind = ENTRY_FILE;
	before.size = after.size;
	before.finding = after.finding;
	if (!rename_still_hidden(guard, &before, &after))
		return step_again();
	return path_forward(guard);
}

/* No name for a folder, nor for a link, which may lead to one: what is in it would be read at login. */
static bool rename_is_above_login(const struct guard *guard, const struct place *place)
{
	return login_above(place->real, guard->setup.home, &guard->setup.policy->login_files);
}

struct step rename_judge(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	bool replaces = call->request.kind == SFTP_POSIX_RENAME && call->second.kind != PLACE_ABSENT;
	unsigned slot;
	if (!path_may_change(guard, &call->place, call->path, true) || !path_may_change(guard, &call->second, call->other, true))
		return step_again();
	if ((call->place.kind == PLACE_DIRECTORY || call->place.kind == PLACE_OTHER) && rename_is_above_login(guard, &call->second))
		return path_deny(guard, REASON_LOGIN_FILE);
	if (replaces && !(guard->setup.policy->operations & OPERATION_REPLACE))
		return path_deny(guard, REASON_OPERATION);
	if (file_at(guard, call->place.real, &slot) != NULL)
		return path_status(guard, SFTP_FAILURE); /* it is still on its way there */
	if (call->place.kind == PLACE_ABSENT) {
		call->quiet = true;
		return path_forward(guard);
	}
	if (call->place.kind == PLACE_DIRECTORY && file_written_below(guard, call->place.real))
		return path_status(guard, SFTP_FAILURE); /* what is to be done there at CLOSE is done by that name */
	return call->place.kind == PLACE_DIRECTORY ? rename_folder(guard) : rename_file(guard);
}

struct step rename_hard_link(struct guard *guard)
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
	if (!rename_same(guard, &before, &after)) /* what is written under one name later would be there under the other */
		return path_deny(guard, REASON_NOT_ALLOWED);
	if (!rename_content(guard, &after, call->second.asked))
		return step_again();
	return path_forward(guard);
}

/* As the kernel would read it there: nothing is taken out of it. */
static bool rename_words(char target[static PATH_BYTES_MAX], struct span folder, const char *words)
{
	int n = words[0] == '/' ? snprintf(target, PATH_BYTES_MAX, "%s", words)
				: snprintf(target, PATH_BYTES_MAX, "%.*s/%s", (int)folder.n, (const char *)folder.p, words);
	return words[0] != '\0' && n > 0 && n < PATH_BYTES_MAX;
}

/* The link is placed (path); where its words lead from there is looked at next (other). */
struct step rename_symbolic_link(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	if (!call->placed) {
		char target[PATH_BYTES_MAX];
		if (!path_may_change(guard, &call->place, call->path, true))
			return step_again();
		if (rename_is_above_login(guard, &call->place))
			return path_deny(guard, REASON_LOGIN_FILE);
		struct facts facts = path_facts(&call->place, ENTRY_FILE, UPLOAD);
		if (!path_allowed(guard, &facts, call->place.asked))
			return step_again();
		if (path_hopeless(&call->place) != SFTP_OK)
			return path_status(guard, path_hopeless(&call->place));
		if (!rename_words(target, path_parent(call->place.real), call->words))
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
		if (reason == REASON_NONE && call->second.hopeless)
			reason = REASON_NOT_ALLOWED; /* where it will lead once the way is there cannot be told */
		if (reason == REASON_NONE && (!rename_same(guard, &link, &target) || (folder && rename_rules_by_path(guard->setup.policy))))
			reason = REASON_NOT_ALLOWED;
		if (reason != REASON_NONE)
			return path_deny(guard, reason);
	}
	call->request.path = span_str(call->words);
	call->request.other = call->place.real;
	call->linking = true;
	return path_forward(guard);
}
