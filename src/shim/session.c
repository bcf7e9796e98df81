/* From a request to an exit status: configuration, policy, places, child, relay, and the records at both ends. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "guard/login.h"
#include "guard/message.h"
#include "guard/sftp.h"
#include "relay/relay.h"
#include "shim/shim.h"
#include "sys/diag.h"
#include "sys/fd.h"
#include "sys/spawn.h"

static struct relay relay;
static struct spool_store spool;
static struct guard guard;
static struct sftp sftp; /* large, and zero: what is not used of it costs nothing */

static int session_id(struct session *session)
{
	uint8_t raw[4];
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return -EIO;
	(void)snprintf(session->id, sizeof(session->id), "%02x%02x%02x%02x", raw[0], raw[1], raw[2], raw[3]);
	return 0;
}

/* The client learns that it is our fault, the log learns why. */
static int session_configuration(struct session *session, struct conf_aside *aside)
{
	static struct conf_complaints complaints;
	int error = conf_aside_end(aside, &session->conf, &complaints);
	if (error == 0)
		return 0;
	for (size_t i = 0; i < complaints.count && i < 5; i++) {
		const struct conf_complaint *complaint = &complaints.list[i];
		if (complaint->line == 0)
			diag_log("%s: %s", session->invocation->conf_path, complaint->text);
		else
			diag_log("%s:%u: %s", session->invocation->conf_path, complaint->line, complaint->text);
	}
	diag("the server's configuration is not usable; please tell the administrator");
	return error;
}

static int session_audit(struct session *session)
{
	int worst = 0;
	audit_init(&session->audit, &session->record_session);
	for (size_t i = 0; i < session->conf.audit.count; i++) {
		const struct conf_audit_target *to = &session->conf.audit.to[i];
		static const enum audit_kind kinds[] = { [AUDIT_SYSLOG] = AUDIT_TO_SYSLOG, [AUDIT_JOURNALD] = AUDIT_TO_JOURNALD, [AUDIT_FILE] = AUDIT_TO_FILE };
		int error = audit_open(&session->audit, kinds[to->kind], to->path);
		if (error < 0) {
			diag_log("audit to %s: %s", to->path ? to->path : to->kind == AUDIT_SYSLOG ? "syslog" : "journald", strerror(-error));
			worst = error;
		}
	}
	return worst;
}

static bool session_asks_groups(const struct session *session)
{
	for (size_t i = 0; i < session->conf.policy_count; i++)
		if (session->conf.policies[i].groups.count > 0)
			return true;
	return false;
}

/* An SFTP session goes both ways: what it asks for is judged one by one. */
static bool session_permitted(struct session *session)
{
	const struct policy *policy = session->policy;
	bool up = policy->rules[UPLOAD].permitted, down = policy->rules[DOWNLOAD].permitted;
	if (session->protocol == PROTOCOL_SFTP) {
		session->changes = up || (policy->operations & ~(unsigned)(OPERATION_LIST | OPERATION_STAT)) != 0;
		return up || down;
	}
	session->changes = session->direction == UPLOAD;
	return session->changes ? up : down;
}

static enum reason session_policy(struct session *session)
{
	if (session_asks_groups(session) && identity_groups(&session->who) < 0) {
		diag("your groups could not be told");
		return REASON_INTERNAL; /* the policy for one that is missing may have been the stricter one */
	}
	session->policy = policy_select(session->conf.policies, session->conf.policy_count, &session->who.identity, session->protocol);
	if (session->policy == NULL)
		return REASON_NO_POLICY;
	session->record_session.policy = session->policy->name;
	return session_permitted(session) ? REASON_NONE : REASON_NOT_PERMITTED;
}

/* What no transfer may touch, whatever the way to it. */
static bool session_reserve(struct session *session)
{
	bool kept = true;
	for (size_t i = 0; i < session->audit.count && kept; i++)
		if (session->audit.target[i].kind == AUDIT_TO_FILE && session->audit.target[i].fd >= 0)
			kept = places_reserve(&session->places, session->audit.target[i].fd);
	const char *name;
	for (size_t i = 0; session->changes && kept && (name = login_name(i)) != NULL; i++)
		if (!login_lifted(span_str(name), &session->policy->login_files))
			kept = places_reserve_login(&session->places, name);
	return kept;
}

static enum reason session_places(struct session *session, struct refusal *refusal)
{
	static char detail[PATH_BYTES_MAX + 128];
	char root[PATH_BYTES_MAX];
	const char *what = session->policy->root;
	int error = policy_root(session->policy, &session->who.identity, root, sizeof(root));
	if (error == 0)
		error = places_open(&session->places, root, session->who.identity.home, &what);
	if (error == 0 && fchdir(session->places.start) < 0)
		error = -errno;
	if (error == 0)
		return session_reserve(session) ? REASON_NONE : REASON_INTERNAL;
	(void)snprintf(detail, sizeof(detail), "policy %s: root %s: %s", session->policy->name, what, strerror(-error));
	refusal->detail = detail;
	refusal->text = "the folder open to you is missing on the server; tell the administrator";
	return REASON_INTERNAL;
}

static bool session_within(void *ctx, const char *folder)
{
	struct session *session = ctx;
	struct place place = places_find(&session->places, folder);
	return (session->policy->operations & OPERATION_LIST) && place.kind == PLACE_DIRECTORY && !place.outside;
}

static enum reason session_expand(struct session *session)
{
	int error = expand_init(&session->paths);
	for (size_t i = 0; i < session->command.count && error == 0; i++) {
		const struct command_operand *operand = &session->command.operand[i];
		struct expand_operand from = { .path = operand->path, .pattern = operand->pattern, .tilde = operand->tilde };
		error = expand_add(&session->paths, &from, session->direction == UPLOAD ? EXPAND_ONE : EXPAND_ALL, session->who.identity.home,
				   session_within, session);
	}
	return error == 0 ? REASON_NONE : REASON_COMMAND;
}

static enum reason session_place_reason(const struct place *place)
{
	if (place->kind == PLACE_LOST)
		return REASON_INTERNAL;
	if (place->outside)
		return REASON_OUTSIDE_ROOT;
	if (place->kind == PLACE_RESERVED)
		return REASON_RESERVED;
	return place->kind == PLACE_OTHER ? REASON_NOT_A_FILE : REASON_NONE;
}

static void session_record_operand(struct session *session, const char *path, const struct place *place, enum reason reason, unsigned number)
{
	struct record record = {
		.event = RECORD_FILE, .outcome = OUTCOME_BLOCKED, .reason = reason, .direction = session->direction, .kind = ENTRY_FILE,
		.path = place->real.n > 0 ? place->real : span_str(path), .name = path_name(span_str(path)),
	};
	(void)snprintf(record.ref, sizeof(record.ref), "%s-%u", session->id, number);
	(void)audit_write(&session->audit, &record);
	guard.blocked++;
}

static void session_operand_message(const struct session *session, const char *path, enum reason reason, unsigned number, char line[static SCP_MESSAGE_MAX])
{
	char ref[24];
	struct message_facts facts = { .reason = reason, .name = span_str(path), .ref = ref };
	(void)snprintf(ref, sizeof(ref), "%s-%u", session->id, number);
	message_refusal(line, SCP_MESSAGE_MAX - 2, &facts);
}

/* Upload: the target as a whole, before the child is started. */
static enum reason session_target(struct session *session, char line[static SCP_MESSAGE_MAX])
{
	static char unique[PATH_BYTES_MAX];
	char tag[24];
	const char *path = session->paths.path[0];
	struct place place = places_find(&session->places, path);
	(void)snprintf(tag, sizeof(tag), "%s-1", session->id);
	if (session->policy->unique && place.kind == PLACE_FILE && path_unique(unique, sizeof(unique), span_str(path), tag))
		session->paths.path[0] = path = unique;
	place = places_target(&session->places, path);
	enum reason reason = session_place_reason(&place);
	if (reason == REASON_NONE)
		return reason;
	session_operand_message(session, path, reason, 1, line);
	session_record_operand(session, path, &place, reason, 1);
	return reason;
}

/* Download: operands that lead elsewhere are dropped, with a word for each; in stop mode the first one ends it. */
static enum reason session_operands(struct session *session, char line[static SCP_MESSAGE_MAX])
{
	size_t kept = 0;
	for (size_t i = 0; i < session->paths.count; i++) {
		const char *path = session->paths.path[i];
		struct place place = places_find(&session->places, path);
		enum reason reason = session_place_reason(&place);
		if (reason == REASON_NONE) {
			session->paths.path[kept++] = path;
			continue;
		}
		unsigned number = (unsigned)++guard.entries;
		session_operand_message(session, path, reason, number, line);
		session_record_operand(session, path, &place, reason, number);
		if (session->policy->on_block == ON_BLOCK_STOP)
			return reason;
		guard_defer(&guard, span_str(line));
	}
	session->paths.count = kept;
	return REASON_NONE;
}

static int session_guard(struct session *session)
{
	uint64_t secret = 0;
	if (session->protocol == PROTOCOL_SFTP && getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return -EIO;
	struct guard_setup setup = {
		.policy = session->policy,
		.session = session->id,
		.home = span_str(session->places.home_real),
		.direction = session->direction,
		.sftp = session->protocol == PROTOCOL_SFTP ? &sftp : NULL,
		.root = span_str(session->places.root_real),
		.start = span_str(session->places.start_real),
		.secret = secret,
		.recursive = session->command.recursive,
		.preserve = session->command.preserve,
		.hold_limit = spool_capacity(&spool),
		.early_max = SPOOL_SMALL,
		.audit_refuse = session->conf.audit.refuse,
	};
	guard_init(&guard, &setup);
	return 0;
}

static void session_scan_setup(const struct session *session, struct scan_setup *setup)
{
	*setup = (struct scan_setup){
		.inspector = session->conf.inspector_program,
		.clamd = session->conf.scanner.engine == ENGINE_CLAMD,
		.database = session->conf.scanner.database,
		.address_count = session->conf.scanner.count,
		.timeout = session->conf.scanner.timeout,
		.max_memory = session->conf.scanner.max_memory,
		.unconfined_ok = !session->conf.confine,
	};
	for (size_t i = 0; i < session->conf.scanner.count && i < SCAN_ADDRESSES; i++) {
		const struct conf_clamd *from = &session->conf.scanner.address[i];
		setup->address[i] = (struct scan_address){ .path = from->path, .host = from->host, .port = from->port, .text = from->text };
	}
}

static void session_record_start(struct session *session)
{
	struct record record = { .event = RECORD_SESSION_START, .outcome = OUTCOME_ALLOWED, .direction = session->direction, .command = session->invocation->request };
	session->audited = audit_write(&session->audit, &record) == 0;
}

static void session_record_end(struct session *session, int status, const struct timespec *start)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct record record = {
		.event = RECORD_SESSION_END,
		.outcome = guard.lost != REASON_NONE || status < 0 ? OUTCOME_FAILED : guard.blocked ? OUTCOME_BLOCKED : status == 0 ? OUTCOME_ALLOWED : OUTCOME_FAILED,
		.reason = guard.lost,
		.direction = session->direction, .bytes = guard.bytes, .exit_status = status,
		.allowed = guard.allowed, .blocked = guard.blocked, .failed = guard.failed,
		.duration_ns = (uint64_t)(now.tv_sec - start->tv_sec) * 1000000000u + (uint64_t)(now.tv_nsec - start->tv_nsec),
	};
	(void)audit_write(&session->audit, &record);
}

static int session_relay(struct session *session)
{
	struct scan_setup setup;
	relay_init(&relay);
	relay.lane[CLIENT].in = STDIN_FILENO;
	relay.lane[CLIENT].out = STDOUT_FILENO;
	relay.guard = &guard;
	relay.places = &session->places;
	relay.store = &spool;
	relay.audit = &session->audit;
	relay.sha256 = session->conf.audit.sha256;
	relay.idle_timeout = session->policy->idle_timeout;
	relay.stop = session->stop;
	relay.wait_mask = &session->wait_mask;
	session_scan_setup(session, &setup);
	relay.scan = scan_create(&setup);
	if (relay.scan == NULL)
		return -ENOMEM;
	relay.child = child_start(session, &relay.lane[CHILD].in, &relay.lane[CHILD].out);
	places_child(&session->places, relay.child);
	int status = relay.child < 0 ? relay.child : relay_run(&relay);
	scan_destroy(relay.scan);
	return status;
}

/* What scp is told to work on. False: that was refused, and line says why. */
static bool session_paths(struct session *session, char line[static SCP_MESSAGE_MAX])
{
	if (session->protocol == PROTOCOL_SFTP)
		return true;
	enum reason reason = session->direction == UPLOAD ? session_target(session, line) : session_operands(session, line);
	return reason == REASON_NONE && session->paths.count > 0; /* none: all were refused; the client hears of the last */
}

static int session_transfer(struct session *session)
{
	char line[SCP_MESSAGE_MAX] = "";
	spool_store_init(&spool, session->conf.spool.memory, session->conf.spool.limit, session->conf.spool.folder);
	int status = session_guard(session);
	if (status == 0 && !session_paths(session, line))
		return refuse_line(session, line);
	if (status == 0)
		status = session_relay(session);
	spool_store_finish(&spool);
	return status;
}

/* What is known before anything is started. REASON_NONE: go on; *text: a sentence in place of the reason's own. */
static enum reason session_prepare(struct session *session, struct refusal *refusal)
{
	struct command *command = &session->command;
	if (command->kind == COMMAND_REFUSED) {
		refusal->text = command->why;
		return REASON_COMMAND;
	}
	session->protocol = session->record_session.protocol = command->kind == COMMAND_SFTP ? PROTOCOL_SFTP : PROTOCOL_SCP;
	session->direction = command->kind == COMMAND_SCP_SINK ? UPLOAD : DOWNLOAD;
	if (isatty(STDIN_FILENO)) {
		refusal->text = "no terminal for file transfers; see PermitTTY in sshd_config(5)";
		return REASON_COMMAND;
	}
	enum reason reason = session_policy(session);
	if (reason == REASON_NONE)
		reason = session_places(session, refusal);
	if (reason == REASON_NONE && session->protocol == PROTOCOL_SCP && (reason = session_expand(session)) != REASON_NONE)
		refusal->text = "too many names, or names too long";
	return reason;
}

/* The child, or what it needs, could not be had: the log knows why. */
static void session_not_started(struct session *session, int error)
{
	char detail[PATH_BYTES_MAX + 128];
	struct refusal refusal = { .reason = REASON_CHILD, .text = "the server's program for file transfers cannot be started; tell the administrator",
				   .detail = detail };
	(void)snprintf(detail, sizeof(detail), "starting %s: %s", child_program(session), strerror(-error));
	(void)refuse_session(session, &refusal);
	guard.failed++;
}

static int session_serve(struct session *session)
{
	struct timespec start;
	struct refusal refusal = { 0 };
	clock_gettime(CLOCK_MONOTONIC, &start);
	int audit = session_audit(session);
	(void)command_parse(&session->command, session->invocation->request);
	refusal.reason = session_prepare(session, &refusal);
	if (refusal.reason == REASON_NONE && audit == 0)
		session_record_start(session);
	if (refusal.reason == REASON_NONE && !session->audited && session->conf.audit.refuse)
		refusal.reason = REASON_AUDIT;
	if (refusal.reason != REASON_NONE)
		return refuse_session(session, &refusal);
	int status = session_transfer(session);
	if (status < 0)
		session_not_started(session, status);
	session_record_end(session, status < 0 ? SHIM_FAILED_STATUS : status, &start);
	return status < 0 ? SHIM_FAILED_STATUS : status;
}

int session_run(struct session *session, const struct invocation *invocation)
{
	session->invocation = invocation;
	/* what needs no configuration is done while another process reads it */
	struct conf_aside *aside = conf_aside_begin(invocation->conf_path);
	int unknown = identity_read(&session->who, invocation);
	child_prepare(session);
	if (session_configuration(session, aside) < 0 || session_id(session) < 0)
		return SHIM_FAILED_STATUS;
	session->record_session.id = session->id;
	session->record_session.who = &session->who.identity;
	if (unknown < 0) {
		diag("no user has the number %u", (unsigned)getuid());
		return SHIM_FAILED_STATUS;
	}
	int status = session_serve(session);
	landlock_finish(&session->jail);
	places_finish(&session->places);
	expand_finish(&session->paths);
	audit_finish(&session->audit);
	return status;
}
