/* The client of a made-up session: what it was told, what it may rely on, and what has to hold of the world whatever it asked for. */
#include "sftp_model.h"

/* --- what has to hold of the world --- */

bool model_denied(const struct model *model, const struct policy *policy, enum direction direction, const struct world_node *node, const char *real)
{
	struct facts facts = { .kind = ENTRY_FILE, .direction = direction, .mode = node->mode, .size = node->n, .path = span_str("p/any"), .name = span_str("any") };
	facts.finding.known = FACT_TYPE | FACT_SCAN;
	(void)snprintf(facts.finding.type, sizeof(facts.finding.type), "%s", world_type(node->bytes, node->n));
	(void)snprintf(facts.finding.virus, sizeof(facts.finding.virus), "%s", world_virus(node->bytes, node->n) ? "Test" : "");
	if (real != NULL && path_below(span_str(real), span_str("/srv"), &facts.path))
		facts.name = path_name(facts.path);
	return model->policy.accept_unscannable == 0 && policy_judge(policy, &facts).decision == DENY;
}

void model_check_world(struct model *model, bool end)
{
	bool stream = model->policy.delivery == DELIVERY_STREAM;
	bool lost = model->odd || model->guard.lost != REASON_NONE || model->guard.failed > 0;
	for (int i = 0; i < WORLD_NAMES; i++) {
		const struct world_name *name = &model->world.name[i];
		const struct world_node *node = &model->world.node[name->node];
		if (name->path[0] == '\0')
			continue;
		bool temporary = span_starts(path_name(span_str(name->path)), span_str(".xferwarden-s-"));
		if (end && temporary && node->n > 0)
			fprintf(stderr, "%s is left, %zu bytes\n", name->path, node->n);
		if (end) /* the child was lost, or could not be believed, between the opening and its answer: nothing is in it */
			REQUIRE(!temporary || ((model->odd || model->guard.lost != REASON_NONE) && node->n == 0));
		if (strncmp(name->path, "/srv/", 5) != 0)
			REQUIRE(!name->ours && !node->ours);
		if (temporary || node->kind != PLACE_FILE || node->foreign || !(name->ours || node->ours) || (stream && !end))
			continue;
		const struct policy *policy = end && !lost && node->n > 0 ? &model->policy : &model->content;
		if (model_denied(model, policy, UPLOAD, node, name->path))
			fprintf(stderr, "%s holds %zu bytes, %s%s, mode %o\n", name->path, node->n, world_type(node->bytes, node->n), world_virus(node->bytes, node->n) ? ", virus" : "", node->mode);
		REQUIRE(!model_denied(model, policy, UPLOAD, node, name->path));
	}
}

/* --- the client --- */

static void client_given(struct model *model, const struct model_request *request, struct span bytes)
{
	bool writes = request->flags & (SFTP_OPEN_WRITE | SFTP_OPEN_APPEND | SFTP_OPEN_CREAT | SFTP_OPEN_TRUNC);
	REQUIRE(model->last_look >= 0 && bytes.n == sizeof(model->handle[0].bytes));
	for (size_t i = 0; i < model->handles; i++) {
		struct model_handle *each = &model->handle[i];
		REQUIRE(memcmp(each->bytes, bytes.p, bytes.n) != 0); /* never one twice */
		if (writes && !each->closed)
			each->disturbed = true;
	}
	if (model->handles == sizeof(model->handle) / sizeof(model->handle[0]))
		return;
	struct model_slot *slot = &model->slot[model->last_look];
	struct model_handle *handle = &model->handle[model->handles++];
	*handle = (struct model_handle){ .file = request->kind == SFTP_OPEN, .writes = writes, .append = request->flags & SFTP_OPEN_APPEND, .want = handle->want };
	memcpy(handle->bytes, bytes.p, bytes.n);
	memcpy(handle->real, model->last_real, sizeof(handle->real));
	handle->want.n = 0;
	slot->given = handle->file;
	if (slot->node >= 0 && !(writes && (request->flags & SFTP_OPEN_TRUNC)))
		bytes_put(&handle->want, span_of(model->world.node[slot->node].bytes, model->world.node[slot->node].n));
	for (size_t i = 0; i + 1 < model->handles; i++)
		handle->disturbed |= model->handle[i].writes && !model->handle[i].closed;
}

void client_payload(uint8_t *to, uint32_t n, uint8_t letter, uint8_t mark)
{
	memset(to, letter, n);
	if (n > 0 && (mark & 3) == 1)
		to[0] = 'p';
	if (n > 0 && (mark & 3) == 2)
		to[n - 1] = 'V';
}

static void client_wrote(struct model_handle *handle, const struct model_request *request)
{
	static uint8_t bytes[SFTP_PACKET_MAX];
	uint64_t at = handle->append ? handle->want.n : request->offset;
	client_payload(bytes, request->count, request->letter, request->mark);
	if (at > MODEL_STREAM / 2)
		handle->disturbed = true;
	else
		bytes_write(&handle->want, at, span_of(bytes, request->count));
}

/* It was told that all is well: so it has to be. */
static void client_closed(struct model *model, struct model_handle *handle)
{
	char real[WORLD_PATH];
	handle->closed = true;
	if (!handle->file || !handle->writes || handle->disturbed || model->mangled || model->wild || model->world.broken)
		return;
	struct world_spot spot = world_walk(&model->world, handle->real, false, real);
	if (model->last_outcome != OUTCOME_ALLOWED || model->policy.unique)
		return;
	REQUIRE(spot.node >= 0);
	const struct world_node *node = &model->world.node[spot.node];
	bool same = span_equal(span_of(node->bytes, node->n), span_of(handle->want.p, handle->want.n));
	if (!same)
		fprintf(stderr, "%s: %zu bytes stored, %zu written\n", handle->real, node->n, handle->want.n);
	REQUIRE(same);
}

static void client_done(struct model *model, const struct model_request *request)
{
	struct model_handle *handle = request->handle >= 0 ? &model->handle[request->handle] : NULL;
	bool elsewhere = false;
	switch ((unsigned)request->kind) {
	case SFTP_WRITE:
		if (handle != NULL)
			client_wrote(handle, request);
		break;
	case SFTP_FSETSTAT:
		if (handle != NULL && (request->flags & SFTP_ATTR_SIZE) && request->size <= MODEL_STREAM)
			bytes_resize(&handle->want, request->size);
		break;
	case SFTP_CLOSE:
		if (handle != NULL)
			client_closed(model, handle);
		break;
	case SFTP_SETSTAT:
	case SFTP_REMOVE:
	case SFTP_RENAME:
	case SFTP_POSIX_RENAME:
	case SFTP_HARDLINK:
	case SFTP_SYMLINK:
	case SFTP_COPY_DATA:
	case SFTP_RMDIR:
		elsewhere = true;
		break;
	}
	for (size_t i = 0; elsewhere && i < model->handles; i++)
		model->handle[i].disturbed = true;
}

static bool client_fits(enum sftp_kind request, enum sftp_kind reply)
{
	switch ((unsigned)reply) {
	case SFTP_STATUS:
		return true;
	case SFTP_HANDLE:
		return request == SFTP_OPEN || request == SFTP_OPENDIR;
	case SFTP_DATA:
		return request == SFTP_READ;
	case SFTP_NAME:
		return request == SFTP_READDIR || request == SFTP_REALPATH || request == SFTP_READLINK || request == SFTP_EXPAND_PATH || request == SFTP_HOME_DIRECTORY;
	case SFTP_ATTRS:
		return request == SFTP_STAT || request == SFTP_LSTAT || request == SFTP_FSTAT;
	case SFTP_EXTENDED_REPLY:
		return request == SFTP_LIMITS || request == SFTP_STATVFS || request == SFTP_FSTATVFS || request == SFTP_USERS_GROUPS;
	}
	return false;
}

void model_answered(struct model *model, const struct sftp_packet *reply)
{
	if (reply->kind == SFTP_VERSION || reply->kind == SFTP_ENTRY)
		return;
	REQUIRE(model->waiting_n > 0);
	struct model_request request = model->waiting[model->waiting_at];
	model->waiting_at = (model->waiting_at + 1) % MODEL_REQUESTS;
	model->waiting_n--;
	REQUIRE(request.id == reply->id && client_fits(request.kind, reply->kind));
	if (reply->kind == SFTP_HANDLE)
		client_given(model, &request, reply->handle);
	else if (reply->kind == SFTP_STATUS && reply->code == SFTP_OK)
		client_done(model, &request);
	else if (request.kind == SFTP_CLOSE && request.handle >= 0)
		model->handle[request.handle].closed = true;
	else if (request.kind == SFTP_SETSTAT || request.kind == SFTP_FSETSTAT || request.kind == SFTP_COPY_DATA)
		for (size_t i = 0; i < model->handles; i++)
			model->handle[i].disturbed = true; /* who knows how far it came */
}
