/*
 * OPEN: what it may touch, and whether it is held. The flags that go to the child are ours: what stands there is opened as it is, what does not is made anew and nothing
 * else, so that the wrong file is never made or cut.
 */
#include "base/path.h"
#include "guard/talk.h"
#include "guard/verdict.h"

bool open_begin(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	uint32_t flags = call->request.flags;
	struct sftp_file *file = file_new(guard, USE_FILE, &call->slot);
	if (file == NULL)
		return false;
	file->writable = flags & SFTP_OPEN_WRITE;
	file->writes = flags & (SFTP_OPEN_WRITE | SFTP_OPEN_CREAT | SFTP_OPEN_TRUNC); /* those two make and cut, whatever the handle is for */
	file->reads = (flags & SFTP_OPEN_READ) || !file->writable;
	file->append = file->writable && (flags & SFTP_OPEN_APPEND);
	return true;
}

static bool open_is_late(const struct ruleset *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].conditions & (CONDITION_SMALLER | CONDITION_LARGER | CONDITION_MODE))
			return true;
	return false;
}

/* What the place says of the file. */
static void open_facts(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	const struct place *place = &call->place;
	const struct sftp_attrs *given = &call->request.attrs;
	(void)span_copy(file->real, sizeof(file->real), place->real);
	(void)span_copy(file->asked, sizeof(file->asked), place->asked);
	file->fresh = place->kind == PLACE_ABSENT;
	file->created_mode = given->flags & SFTP_ATTR_MODE;
	file->mode = given->mode & 0777;
	struct span path = span_str(file->real), below = span_of(NULL, 0);
	(void)path_below(path, guard->setup.root, &below);
	unsigned asked = file->writes && file->created_mode ? given->mode & 07777 : 0;
	unsigned mode = !file->fresh ? asked | place->mode : file->created_mode ? asked : 0666; /* of what is there the mode stays as it is */
	bool cut = call->request.flags & SFTP_OPEN_TRUNC;
	file->size = file->fresh || (cut && file->writes) ? 0 : place->size;
	file->facts = (struct facts){ .kind = ENTRY_FILE, .direction = file->writes ? UPLOAD : DOWNLOAD, .path = below, .name = path_name(path), .mode = mode,
				      .size = file->size, .growing = file->writes };
	file->shown = (struct sftp_attrs){ .flags = SFTP_ATTR_ALL, .uid = place->uid, .gid = place->gid, .atime = place->atime, .mtime = place->mtime,
					   .mode = file->fresh ? (file->created_mode ? file->mode : 0644) : place->mode };
	file->late = file->writes && open_is_late(&guard->setup.policy->rules[UPLOAD]);
	file->base = file->fresh ? 0 : place->size;
	file->low = file->size;
	file->next_size = UINT64_MAX;
}

/* The answer is the child's own: it will refuse, and says why. */
static struct step open_doomed(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	uint32_t code = path_hopeless(&call->place);
	if (code != SFTP_OK)
		return path_status(guard, code);
	call->doomed = true;
	call_stage(guard, STAGE_OPEN);
	return step_again();
}

static struct step open_refused(struct guard *guard, enum reason reason)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	file_refuse(guard, call->slot, OUTCOME_BLOCKED, reason);
	call->code = SFTP_PERMISSION_DENIED;
	call_stage(guard, STAGE_RECORD);
	return step_again();
}

/* What the place alone decides. REASON_NONE: nothing. */
static enum reason open_place(struct guard *guard, const struct sftp_file *file)
{
	const struct sftp_call *call = &sftp_of(guard)->call;
	const struct policy *policy = guard->setup.policy;
	struct span asked = path_name(span_str(call->path));
	enum reason reason = verdict_place(guard, &call->place, asked, file->writes);
	if (reason != REASON_NONE)
		return reason;
	if (file->writes && !policy->rules[UPLOAD].permitted)
		return REASON_NOT_PERMITTED;
	if (file->reads && !policy->rules[DOWNLOAD].permitted && (!file->writes || !file->fresh))
		return REASON_NOT_PERMITTED;
	if (file->writes && call->place.kind == PLACE_FILE && !(policy->operations & OPERATION_REPLACE))
		return REASON_OPERATION;
	return REASON_NONE;
}

/* A file that is written and read is judged as a download, too: before that, as if it were one. */
static struct step open_judge_reading(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	struct facts facts = file->facts;
	facts.direction = DOWNLOAD;
	facts.growing = false;
	facts.size = call->place.size;
	facts.finding = call->facts.finding;
	struct verdict verdict = verdict_entry(guard, &facts, span_str(file->asked));
	switch (verdict.decision) {
	case ALLOW:
		if (!file->writes) {
			file->verdict = verdict;
			file->facts = facts;
		}
		call->read_judged = true;
		return step_again();
	case NEED:
		if (verdict.need & facts.finding.known)
			break;
		call->need = verdict.need;
		call->content = file->inspected = true;
		call->end = verdict.need == FACT_TYPE && facts.size > GUARD_HEAD ? GUARD_HEAD : facts.size;
		call_stage(guard, STAGE_INSPECT);
		return step_again();
	case DENY:
		break;
	}
	file->verdict = verdict;
	file->facts = facts;
	return open_refused(guard, verdict.decision == NEED ? REASON_INTERNAL : verdict.reason);
}

/* The name is taken, and a name is found that is not: the new one keeps the extension. */
static bool open_unique(struct guard *guard, struct sftp_file *file)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	char next[PATH_BYTES_MAX];
	const struct policy *policy = guard->setup.policy;
	if (!policy->unique || call->again || !file->writes || call->place.kind != PLACE_FILE)
		return false;
	const char *ref = sftp_ref(guard, &file->number);
	if (!path_unique(next, sizeof(next), span_str(file->real), ref))
		return false;
	call->again = true;
	memcpy(call->path, next, sizeof(next));
	call_stage(guard, STAGE_LOOK);
	return true;
}

static struct step open_upload(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	enum decision decision = file_judge(guard, call->slot, false);
	if (decision == DENY)
		return open_refused(guard, file->reason);
	bool plain = decision == ALLOW && !file->late;
	if (call->place.hopeless || call->place.unwritable)
		return open_doomed(guard);
	if (plain && (file->reads || file->append)) {
		call_stage(guard, STAGE_OPEN);
		return step_again();
	}
	file->held = true;
	if (file->low < file->base && !call->cut) {
		call->cut = true;
		return (struct step){ .kind = STEP_SIZE, .slot = call->slot, .count = 0 };
	}
	call_stage(guard, STAGE_ANSWER);
	return step_again();
}

struct step open_judge(struct guard *guard)
{
	struct sftp_call *call = &sftp_of(guard)->call;
	struct sftp_file *file = &sftp_of(guard)->file[call->slot];
	uint32_t flags = call->request.flags;
	enum place_kind kind = call->place.kind;
	if (call->cut)
		return open_upload(guard);
	if (!call->placed) {
		open_facts(guard);
		call->placed = true;
	}
	if (open_unique(guard, file)) {
		call->placed = false;
		return step_again();
	}
	if (!file->writes && kind == PLACE_OTHER && call->place.hopeless)
		return path_status(guard, SFTP_NO_SUCH_FILE); /* a link that leads nowhere */
	enum reason reason = open_place(guard, file);
	if (reason != REASON_NONE)
		return open_refused(guard, reason);
	bool taken = (flags & SFTP_OPEN_EXCL) && (flags & SFTP_OPEN_CREAT) && kind != PLACE_ABSENT;
	if (taken || kind == PLACE_DIRECTORY) {
		call->code = SFTP_FAILURE;
		call_stage(guard, STAGE_DROP);
		return step_again();
	}
	if (kind == PLACE_ABSENT && !(flags & SFTP_OPEN_CREAT)) {
		file->fresh = false; /* nothing is to be made */
		return open_doomed(guard);
	}
	if (file->reads && !file->fresh && !call->read_judged) {
		if (call->place.unreadable)
			return open_doomed(guard);
		return open_judge_reading(guard);
	}
	if (file->writes)
		return open_upload(guard);
	call_stage(guard, STAGE_OPEN);
	return step_again();
}
