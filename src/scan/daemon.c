/* The order in which a clamd is tried, tested and asked, and which of its failures lead to the next address. */
#include "scan/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/clamav.h"
#include "scan/clock.h"
#include "sys/fd.h"

enum { CONNECT_SHARE = 5000 /* milliseconds, at most, for one address to accept and pass its tests */, CONNECT_RETRY = 20, CHUNK_MAX = 4 << 20,
	REPLY_READ = 2048, MOVES_MAX = 32 /* in one step: a fast clamd must not keep the relay from its other work */,
	ADDRESS_LEAST = 20, ADDRESS_MOST = 100 /* bytes of an address in a detail */ };

void daemon_init(struct daemon *daemon, const struct scan_setup *setup)
{
	memset(daemon, 0, offsetof(struct daemon, store)); /* a page that is never touched costs no memory */
	daemon->setup = setup;
	daemon->socket = daemon->content = -1;
}

void daemon_stop(struct daemon *daemon)
{
	fd_close(&daemon->socket);
	daemon->stage = DAEMON_IDLE;
	daemon->content = -1;
}

/* Starts a non-blocking connection to the current address. 0 or negative errno; -EINPROGRESS is 0 too. */
static int daemon_connect(struct daemon *daemon)
{
	const struct scan_address *to = &daemon->setup->address[daemon->current];
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} name = { 0 };
	socklen_t length = 0;
	if (to->path != NULL) {
		name.local.sun_family = AF_UNIX;
		length = sizeof(name.local);
		if (!span_copy(name.local.sun_path, sizeof(name.local.sun_path), span_str(to->path)))
			return -ENAMETOOLONG;
	} else if (to->host != NULL && inet_pton(AF_INET, to->host, &name.four.sin_addr) == 1) {
		name.four.sin_family = AF_INET;
		name.four.sin_port = htons(to->port);
		length = sizeof(name.four);
	} else if (to->host != NULL && inet_pton(AF_INET6, to->host, &name.six.sin6_addr) == 1) {
		name.six.sin6_family = AF_INET6;
		name.six.sin6_port = htons(to->port);
		length = sizeof(name.six);
	} else {
		return -EAFNOSUPPORT;
	}
	FD_OWNED int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	daemon->stage = DAEMON_CONNECT;
	int error = connect(fd, &name.any, length) < 0 ? errno : 0;
	if (error == EAGAIN) { /* a unix socket with too many others in line */
		daemon->retry = clock_now() + CONNECT_RETRY;
		return 0;
	}
	if (error != 0 && error != EINPROGRESS)
		return -error;
	daemon->socket = fd_steal(&fd);
	return 0;
}

/* The next test that the address has to pass, or PROBE_NONE when the question itself is due. */
static enum probe_kind daemon_next_probe(const struct daemon *daemon)
{
	if (daemon->address[daemon->current].trust != DAEMON_UNTESTED)
		return PROBE_NONE;
	return daemon->probe + 1 < PROBES ? (enum probe_kind)(daemon->probe + 1) : PROBE_NONE;
}

static bool daemon_by_descriptor(const struct daemon *daemon)
{
	return daemon->probe == PROBE_NONE && daemon->whole && daemon->setup->address[daemon->current].path != NULL &&
	       !daemon->address[daemon->current].no_descriptors;
}

/* Opens a connection for what is due: a test or the question. */
static int daemon_open(struct daemon *daemon)
{
	fd_close(&daemon->socket);
	bool passing = daemon_by_descriptor(daemon);
	enum clamd_command command = passing ? CLAMD_FILDES : CLAMD_INSTREAM;
	clamd_reader_init(&daemon->reader, command);
	daemon->control = clamd_request(command);
	daemon->passing = passing;
	daemon->streaming = !passing;
	daemon->offset = 0;
	daemon->chunk = 0;
	daemon->last = false;
	if (daemon->probe != PROBE_NONE)
		(void)probe_make(&daemon->store, daemon->probe);
	return daemon_connect(daemon);
}

/* Each address gets an equal share of the time that is left, so that one that swallows packets does not use it up. */
static int daemon_begin(struct daemon *daemon)
{
	int64_t now = clock_now();
	int64_t left = daemon->deadline > now ? daemon->deadline - now : 0;
	int64_t share = left / (int64_t)(daemon->setup->address_count - daemon->tried + 1);
	daemon->stage_deadline = now + (share < CONNECT_SHARE ? share : CONNECT_SHARE);
	if (daemon->address[daemon->current].trust == DAEMON_UNTESTED)
		daemon->address[daemon->current].faults = 0;
	daemon->probe = PROBE_NONE;
	daemon->probe = daemon_next_probe(daemon);
	return daemon_open(daemon);
}

static enum daemon_result daemon_say(struct daemon *daemon, struct finding *out, const char *what)
{
	const char *text = daemon->setup->address_count > 0 ? daemon->setup->address[daemon->current].text : NULL;
	char line[2 * FINDING_DETAIL_MAX];
	/* what is wrong has to fit, where it is may be cut */
	size_t taken = sizeof("clamd at : ") + strlen(what);
	int room = taken + ADDRESS_LEAST < FINDING_DETAIL_MAX ? (int)(FINDING_DETAIL_MAX - taken) : ADDRESS_LEAST;
	snprintf(line, sizeof(line), "clamd at %.*s: %s", room < ADDRESS_MOST ? room : ADDRESS_MOST, text != NULL ? text : "no address", what);
	clamav_print(out->detail, sizeof(out->detail), span_str(line));
	return DAEMON_WAITING;
}

static enum daemon_result daemon_give_up(struct daemon *daemon, struct finding *out, const char *what)
{
	*out = (struct finding){ .known = FACT_SCAN, .unscannable = UNSCANNABLE_SCANNER_DOWN };
	(void)daemon_say(daemon, out, what);
	daemon_stop(daemon);
	return DAEMON_FAILED;
}

/* This address did not take the question: on to the next, until all had their turn. */
static enum daemon_result daemon_next_address(struct daemon *daemon, struct finding *out, const char *what)
{
	fd_close(&daemon->socket);
	daemon->address[daemon->current].trust = DAEMON_UNTESTED;
	char reason[64];
	snprintf(reason, sizeof(reason), "%s", what);
	while (daemon->tried < daemon->setup->address_count) {
		daemon->current = (daemon->current + 1) % daemon->setup->address_count;
		daemon->tried++;
		int begun = daemon_begin(daemon);
		if (begun == 0)
			return DAEMON_WAITING;
		snprintf(reason, sizeof(reason), "%s", strerror(-begun));
	}
	return daemon_give_up(daemon, out, reason);
}

void daemon_ask(struct daemon *daemon, int fd, uint64_t size, int64_t deadline)
{
	daemon_stop(daemon);
	struct stat found;
	daemon->content = fd;
	daemon->size = size;
	daemon->whole = fstat(fd, &found) == 0 && (uint64_t)found.st_size == size;
	daemon->deadline = daemon->stage_deadline = deadline;
	daemon->tried = 0;
	daemon->probe = PROBE_NONE;
}

struct pollfd daemon_poll(const struct daemon *daemon)
{
	struct pollfd slot = { .fd = daemon->socket };
	if (daemon->stage == DAEMON_CONNECT || daemon->stage == DAEMON_SEND)
		slot.events = POLLOUT;
	if (daemon->stage == DAEMON_SEND || daemon->stage == DAEMON_REPLY)
		slot.events |= POLLIN;
	return slot;
}

/* Whether content has been put to this address, so that no other is asked any more. */
static bool daemon_committed(const struct daemon *daemon)
{
	return daemon->probe == PROBE_NONE && (daemon->stage == DAEMON_SEND || daemon->stage == DAEMON_REPLY) && daemon->control.n == 0;
}

int64_t daemon_due(const struct daemon *daemon)
{
	if (daemon->stage == DAEMON_IDLE)
		return 0;
	int64_t due = daemon_committed(daemon) || daemon->deadline < daemon->stage_deadline ? daemon->deadline : daemon->stage_deadline;
	return daemon->socket < 0 && daemon->retry < due ? daemon->retry : due;
}

/* The next chunk's header, or the empty chunk at the end. */
static void daemon_chunk(struct daemon *daemon)
{
	uint64_t total = daemon->probe != PROBE_NONE ? daemon->store.n : daemon->size;
	uint64_t left = total - (uint64_t)daemon->offset;
	daemon->chunk = left < CHUNK_MAX ? (uint32_t)left : CHUNK_MAX;
	daemon->last = daemon->chunk == 0;
	clamd_chunk(daemon->header, daemon->chunk);
	daemon->control = span_of(daemon->header, sizeof(daemon->header));
}

/* Sends a piece of whatever is due. 1: goes on; 0: all is sent; negative errno. */
static int daemon_push(struct daemon *daemon)
{
	ssize_t n;
	if (daemon->control.n > 0) {
		n = send(daemon->socket, daemon->control.p, daemon->control.n, MSG_NOSIGNAL | (daemon->streaming && !daemon->last ? MSG_MORE : 0));
		if (n > 0)
			(void)span_take(&daemon->control, (size_t)n);
		return n < 0 ? -errno : 1;
	}
	if (daemon->passing) {
		int sent = fd_send(daemon->socket, "", 1, daemon->content);
		daemon->passing = sent != 0;
		return sent < 0 ? sent : 0;
	}
	if (!daemon->streaming || daemon->last)
		return 0;
	if (daemon->chunk == 0) {
		daemon_chunk(daemon);
		return 1;
	}
	if (daemon->probe != PROBE_NONE) {
		n = send(daemon->socket, daemon->store.bytes + daemon->offset, daemon->chunk, MSG_NOSIGNAL);
		daemon->offset += n > 0 ? n : 0;
	} else {
		n = sendfile(daemon->socket, daemon->content, &daemon->offset, daemon->chunk);
	}
	if (n <= 0)
		return n < 0 ? -errno : -ENODATA;
	daemon->chunk -= (uint32_t)n;
	return 1;
}

/* An answer to a test. */
static enum daemon_result daemon_tested(struct daemon *daemon, struct finding *out, enum clamd_reply reply)
{
	struct daemon_address *address = &daemon->address[daemon->current];
	if (reply != CLAMD_OK && reply != CLAMD_FOUND)
		return daemon_next_address(daemon, out, "does not answer a test");
	address->faults |= probe_faults(daemon->probe, reply == CLAMD_FOUND ? daemon->reader.text : span_of(NULL, 0));
	daemon->probe = daemon_next_probe(daemon);
	if (daemon->probe == PROBE_NONE)
		address->trust = address->faults == 0 ? DAEMON_SEES : DAEMON_BLIND;
	int opened = daemon_open(daemon);
	return opened < 0 ? daemon_next_address(daemon, out, strerror(-opened)) : DAEMON_WAITING;
}

static enum daemon_result daemon_answered(struct daemon *daemon, struct finding *out, enum clamd_reply reply)
{
	const struct daemon_address *address = &daemon->address[daemon->current];
	*out = (struct finding){ .known = FACT_SCAN };
	if (reply == CLAMD_FOUND) {
		clamav_alert(out, daemon->reader.text);
	} else if (reply == CLAMD_LIMIT) {
		out->unscannable = UNSCANNABLE_TOO_LARGE;
		(void)daemon_say(daemon, out, "stream longer than its StreamMaxLength");
	} else if (address->trust == DAEMON_BLIND) {
		char why[FINDING_DETAIL_MAX];
		probe_explain(address->faults, why, sizeof(why));
		out->unscannable = UNSCANNABLE_SCANNER_BLIND;
		(void)daemon_say(daemon, out, why);
	}
	daemon_stop(daemon);
	return DAEMON_ANSWERED;
}

static enum daemon_result daemon_reply(struct daemon *daemon, struct finding *out, enum clamd_reply reply)
{
	bool refused = reply == CLAMD_ERROR && daemon->reader.command == CLAMD_FILDES;
	if (daemon->probe != PROBE_NONE)
		return daemon_tested(daemon, out, reply);
	if (reply == CLAMD_OK || reply == CLAMD_FOUND || reply == CLAMD_LIMIT)
		return daemon_answered(daemon, out, reply);
	if (refused) { /* a clamd that may not read what we pass: then it gets the bytes */
		daemon->address[daemon->current].no_descriptors = true;
		int opened = daemon_open(daemon);
		return opened < 0 ? daemon_give_up(daemon, out, strerror(-opened)) : DAEMON_WAITING;
	}
	if (reply != CLAMD_ERROR)
		return daemon_give_up(daemon, out, "a reply that makes no sense");
	char words[FINDING_DETAIL_MAX];
	clamav_print(words, sizeof(words), daemon->reader.text);
	return daemon_give_up(daemon, out, words);
}

/* Reads what there is of a reply. True: *result is what it led to. */
static bool daemon_pull(struct daemon *daemon, struct finding *out, enum daemon_result *result)
{
	uint8_t bytes[REPLY_READ];
	ssize_t n = recv(daemon->socket, bytes, sizeof(bytes), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	enum clamd_reply reply = n > 0 ? clamd_next(&daemon->reader, span_of(bytes, (size_t)n)) : CLAMD_MORE;
	if (n > 0 && reply == CLAMD_MORE)
		return false;
	if (n > 0)
		*result = daemon_reply(daemon, out, reply);
	else if (daemon_committed(daemon))
		*result = daemon_give_up(daemon, out, n == 0 ? "closed the connection without an answer" : strerror(errno));
	else
		*result = daemon_next_address(daemon, out, n == 0 ? "closed the connection" : strerror(errno));
	return true;
}

static enum daemon_result daemon_late(struct daemon *daemon, struct finding *out)
{
	bool over = clock_now() >= daemon->deadline;
	if (!over && !daemon_committed(daemon))
		return daemon_next_address(daemon, out, "no answer");
	bool committed = daemon_committed(daemon);
	enum daemon_result result = daemon_give_up(daemon, out, committed ? "no verdict in time" : "no answer in time");
	if (committed)
		out->unscannable |= UNSCANNABLE_TIMEOUT;
	return result;
}

/* Waits for the connection, or makes it again where the first try found too many in line. */
static bool daemon_move_connect(struct daemon *daemon, struct finding *out, enum daemon_result *result)
{
	int error = 0;
	socklen_t length = sizeof(error);
	if (daemon->socket < 0) {
		int64_t now = clock_now();
		if (now < daemon->retry)
			return false;
		error = now < daemon->stage_deadline ? -daemon_connect(daemon) : EAGAIN;
		if (error == 0)
			return daemon->socket >= 0;
	} else {
		struct pollfd ready = { .fd = daemon->socket, .events = POLLOUT };
		if (poll(&ready, 1, 0) <= 0)
			return false;
		if (getsockopt(daemon->socket, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
			error = errno;
	}
	if (error != 0)
		*result = daemon_next_address(daemon, out, strerror(error));
	else
		daemon->stage = DAEMON_SEND;
	return true;
}

static bool daemon_move_send(struct daemon *daemon, struct finding *out, enum daemon_result *result)
{
	if (daemon_pull(daemon, out, result))
		return true;
	int sent = daemon_push(daemon);
	if (sent == -EAGAIN)
		return false;
	if (sent == -ENODATA || sent == -EIO)
		*result = daemon_give_up(daemon, out, "the content ends before its announced size");
	else if (sent <= 0) /* after an error, too: what clamd says of it, or that it is gone, shows in the reply */
		daemon->stage = DAEMON_REPLY;
	return true;
}

/* One move in the present stage. False: nothing can be done now. */
static bool daemon_move(struct daemon *daemon, struct finding *out, enum daemon_result *result)
{
	*result = DAEMON_WAITING;
	switch (daemon->stage) {
	case DAEMON_IDLE:
		break;
	case DAEMON_CONNECT:
		return daemon_move_connect(daemon, out, result);
	case DAEMON_SEND:
		return daemon_move_send(daemon, out, result);
	case DAEMON_REPLY:
		return daemon_pull(daemon, out, result);
	}
	return false;
}

enum daemon_result daemon_step(struct daemon *daemon, struct finding *out)
{
	enum daemon_result result = DAEMON_WAITING;
	if (daemon->stage == DAEMON_IDLE) {
		if (daemon->setup->address_count == 0)
			return daemon_give_up(daemon, out, "none is configured");
		daemon->tried = 1;
		int begun = daemon_begin(daemon);
		if (begun < 0)
			result = daemon_next_address(daemon, out, strerror(-begun));
	}
	for (int moves = 0; result == DAEMON_WAITING && moves < MOVES_MAX && daemon_move(daemon, out, &result); moves++)
		;
	if (result == DAEMON_WAITING && daemon->socket >= 0 && clock_now() >= daemon_due(daemon))
		result = daemon_late(daemon, out);
	return result;
}
