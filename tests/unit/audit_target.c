/* audit: records arrive whole at files and daemons of our own making, or the caller hears of it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "audit/audit.h"

static struct audit audit;
static const struct identity bob = { .user = "bob", .home = "/home/bob" };
static const struct record_session session = { .id = "5e", .who = &bob, .policy = "p", .protocol = PROTOCOL_SCP };
static char folder[] = "/tmp/audit-XXXXXX";
static char place[64];

static void set_up(void)
{
	cr_assert(mkdtemp(folder));
	snprintf(place, sizeof(place), "%s/target", folder);
	audit_init(&audit, &session);
}

static void tear_down(void)
{
	audit_finish(&audit);
	DIR *dir = opendir(folder);
	for (struct dirent *entry; (entry = readdir(dir));)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(folder);
}

TestSuite(audit_target, .init = set_up, .fini = tear_down, .timeout = 30);

static struct record blocked(void)
{
	return (struct record){
		.event = RECORD_FILE,
		.outcome = OUTCOME_BLOCKED,
		.reason = REASON_RULE,
		.rule = "scripts",
		.path = span_str("/srv/a\nb.php"),
		.name = span_str("a\nb.php"),
		.ref = "5e-1",
	};
}

/* A record that takes nearly all the room a line has. */
static struct record longest(void)
{
	static uint8_t path[4095];
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? 0x01 : 0xff;
	struct record r = blocked();
	r.path = span_of(path, sizeof(path));
	return r;
}

static void expect_json(const char *text, const char *ref)
{
	char error[256];
	yajl_val root = yajl_tree_parse(text, error, sizeof(error));
	cr_assert(root, "%s in %s", error, text);
	yajl_val value = yajl_tree_get(root, (const char *[]){ "xferwarden.ref", NULL }, yajl_t_string);
	const char *found = YAJL_GET_STRING(value);
	cr_expect(found && strcmp(found, ref) == 0);
	yajl_tree_free(root);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static char datagram[AUDIT_LINE_MAX * 2];

/* The next datagram as a C string; its length, or -1 if there is none. */
static ssize_t receive(int fd)
{
	ssize_t n = recv(fd, datagram, sizeof(datagram) - 1, 0);
	datagram[n > 0 ? n : 0] = '\0';
	return n;
}

static char content[1 << 18];

static size_t read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	ssize_t n = read(fd, content, sizeof(content) - 1);
	cr_assert_geq(n, 0);
	close(fd);
	content[n] = '\0';
	return (size_t)n;
}

Test(audit_target, file_has_one_line_per_record)
{
	struct record r = blocked();
	struct record l = longest();
	umask(0);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_FILE, place), 0);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(audit_write(&audit, i == 3 ? &l : &r), 0);
	struct stat st;
	cr_assert_eq(stat(place, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0640);
	read_file(place);
	int lines = 0;
	char *rest = content;
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++)
		expect_json(line, "5e-1");
	cr_expect_eq(lines, 5);
	cr_expect_null(rest);
}

Test(audit_target, file_must_be_a_regular_file)
{
	struct record r = blocked();
	char other[64];
	snprintf(other, sizeof(other), "%s/other", folder);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, "relative"), -EINVAL);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, NULL), -EINVAL);
	cr_expect_eq(audit.count, 0);
	cr_assert_eq(symlink(other, place), 0);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, place), -ELOOP);
	cr_expect_neq(access(other, F_OK), 0, "a file was made through the link");
	cr_expect_eq(audit_write(&audit, &r), -ELOOP);
	cr_assert_eq(unlink(place), 0);
	cr_assert_eq(mkfifo(place, 0600), 0);
	cr_expect_eq(audit_write(&audit, &r), -ENXIO);
	int reader = open(place, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_expect_eq(audit_write(&audit, &r), -EINVAL);
	close(reader);
	cr_assert_eq(unlink(place), 0);
	cr_expect_eq(audit_write(&audit, &r), 0, "kept, and tried again");
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, "/dev/null"), -EINVAL);
}

Test(audit_target, file_that_was_rotated)
{
	struct record r = blocked();
	char old[64];
	snprintf(old, sizeof(old), "%s/target.1", folder);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_FILE, place), 0);
	cr_assert_eq(audit_write(&audit, &r), 0);
	cr_assert_eq(rename(place, old), 0);
	audit.target[0].followed = 0; /* a second goes by */
	cr_assert_eq(audit_write(&audit, &r), 0);
	cr_expect_eq(read_file(place), read_file(old));
	expect_json(strtok(content, "\n"), "5e-1");
	cr_assert_eq(unlink(place), 0);
	audit.target[0].followed = 0;
	cr_assert_eq(audit_write(&audit, &r), 0);
	cr_expect_gt(read_file(place), 0);
}

/* A disk without room, played by a limit on file sizes that is reached within a record. */
Test(audit_target, torn_line)
{
	struct record r = blocked();
	struct rlimit limit, small;
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_FILE, place), 0);
	cr_assert_eq(audit_write(&audit, &r), 0);
	size_t one = read_file(place);
	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = one + 10;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	cr_expect_eq(audit_write(&audit, &r), -EIO);
	cr_expect_eq(audit_write(&audit, &r), -EIO, "still no room for the line's end");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_expect_eq(audit_write(&audit, &r), 0);
	cr_expect_eq(read_file(place), 2 * one + 11);
	expect_json(strrchr(content, '{'), "5e-1");
	cr_expect_eq(content[one + 10], '\n');
}

/* "<84>Nov  4 08:01:02 xferwarden[123]: {…}" */
static void expect_syslog(const char *priority)
{
	char month[4];
	int day, hour, minute, second, at = -1;
	long pid;
	cr_assert(strncmp(datagram, priority, strlen(priority)) == 0, "%s", datagram);
	cr_assert_eq(sscanf(datagram + strlen(priority), "%3s %d %d:%d:%d xferwarden[%ld]: %n", month, &day, &hour, &minute, &second, &pid, &at), 6, "%s", datagram);
	cr_assert_gt(at, 0);
	cr_expect_eq(pid, getpid());
	cr_expect_eq(datagram[strlen(priority) + 6], ' ');
	expect_json(datagram + strlen(priority) + at, "5e-1");
}

Test(audit_target, syslog_datagrams)
{
	struct record r = blocked();
	struct record l = longest();
	int log = listen_at(place);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_SYSLOG, place), 0);
	cr_assert_eq(audit_write(&audit, &r), 0);
	cr_assert_gt(receive(log), 0);
	expect_syslog("<84>");
	r.outcome = OUTCOME_ALLOWED;
	cr_assert_eq(audit_write(&audit, &r), 0);
	cr_assert_gt(receive(log), 0);
	expect_syslog("<86>");
	l.outcome = OUTCOME_FAILED;
	cr_assert_eq(audit_write(&audit, &l), 0);
	ssize_t n = receive(log);
	cr_expect(n > 4096 && n <= 8096, "%zd", n);
	expect_syslog("<83>");
	cr_expect(strstr(datagram, "\"xferwarden.truncated\":true"));
	close(log);
}

/* A socket that takes only small datagrams gets a smaller record. */
Test(audit_target, syslog_too_large_for_the_socket)
{
	struct record l = longest();
	int log = listen_at(place);
	int size = 4608;
	cr_assert_eq(audit_open(&audit, AUDIT_TO_SYSLOG, place), 0);
	cr_assert_eq(setsockopt(audit.target[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	socklen_t length = sizeof(size);
	getsockopt(audit.target[0].fd, SOL_SOCKET, SO_SNDBUF, &size, &length);
	cr_assert_lt(size, 10000);
	static char big[8096];
	cr_assert_eq(audit_write(&audit, &l), 0);
	cr_assert_gt(receive(log), 500);
	expect_syslog("<84>");
	/* The limit was one for this size indeed. */
	size = 2304;
	setsockopt(audit.target[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	cr_assert_lt(send(audit.target[0].fd, big, sizeof(big), MSG_DONTWAIT), 0);
	cr_assert_eq(errno, EMSGSIZE);
	cr_assert_eq(audit_write(&audit, &l), 0);
	cr_assert_gt(receive(log), 500);
	expect_syslog("<84>");
	close(log);
}

Test(audit_target, daemon_restarted_and_gone)
{
	struct record r = blocked();
	cr_expect_eq(audit_open(&audit, AUDIT_TO_SYSLOG, place), -ENOENT);
	cr_expect_eq(audit_write(&audit, &r), -ENOENT);
	int log = listen_at(place);
	cr_expect_eq(audit_write(&audit, &r), 0, "it came up");
	cr_expect_gt(receive(log), 0);
	close(log);
	unlink(place);
	log = listen_at(place);
	cr_expect_eq(audit_write(&audit, &r), 0, "it was restarted");
	cr_expect_gt(receive(log), 0);
	close(log);
	cr_expect_eq(audit_write(&audit, &r), -ECONNREFUSED);
	unlink(place);
	cr_expect_eq(audit_write(&audit, &r), -ENOENT);
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A daemon that has stopped reading, twice over: two seconds for both. */
Test(audit_target, daemon_that_does_not_read)
{
	struct record r = blocked();
	int log = listen_at(place);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_SYSLOG, place), 0);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_JOURNALD, place), 0);
	int sent = 0;
	while (send(audit.target[0].fd, "x", 1, MSG_DONTWAIT) == 1)
		cr_assert_lt(sent++, 100000);
	double start = seconds();
	cr_expect_eq(audit_write(&audit, &r), -ETIMEDOUT);
	double took = seconds() - start;
	cr_expect(took > 1.5 && took < 2.5, "%f", took);
	while (receive(log) > 0)
		;
	cr_expect_eq(audit_write(&audit, &r), 0);
	close(log);
}

struct field {
	char name[64];
	const char *value;
	size_t n;
};

/* Cuts the next field off a native journal entry, by the protocol's two forms. */
static bool field_take(struct span *in, struct field *out)
{
	size_t n = 0;
	while (n < in->n && in->p[n] != '=' && in->p[n] != '\n')
		n++;
	cr_assert_lt(n, in->n);
	cr_assert(span_copy(out->name, sizeof(out->name), span_take(in, n)));
	bool text = span_take(in, 1).p[0] == '=';
	if (text) {
		const uint8_t *end = memchr(in->p, '\n', in->n);
		cr_assert(end);
		n = (size_t)(end - in->p);
	} else {
		cr_assert_geq(in->n, 8);
		struct span length = span_take(in, 8);
		n = 0;
		for (size_t i = 8; i-- > 0;)
			n = n << 8 | length.p[i];
	}
	cr_assert_gt(in->n, n);
	out->value = (const char *)span_take(in, n).p;
	out->n = n;
	cr_assert_eq(span_take(in, 1).p[0], '\n');
	return in->n > 0;
}

static void expect_journal(const char *bytes, size_t n, const struct record *r)
{
	static const struct { const char *name, *value; } wanted[] = {
		{ "PRIORITY", "4" }, { "SYSLOG_IDENTIFIER", "xferwarden" }, { "SYSLOG_FACILITY", "10" }, { "XFERWARDEN_ACTION", "upload" },
		{ "XFERWARDEN_VERDICT", "blocked" }, { "XFERWARDEN_REASON", "rule" }, { "XFERWARDEN_RULE", "scripts" }, { "XFERWARDEN_REF", "5e-1" },
		{ "XFERWARDEN_USER", "bob" }, { "XFERWARDEN_SESSION", "5e" }, { "XFERWARDEN_POLICY", "p" },
		{ "MESSAGE", "upload of \"a?b.php\" by bob blocked by rule \"scripts\"" },
	};
	struct span in = span_of(bytes, n);
	size_t found = 0;
	bool path = false, json = false;
	for (bool more = true; more;) {
		struct field field;
		more = field_take(&in, &field);
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
			found += strcmp(field.name, wanted[i].name) == 0 && span_equal(span_of(field.value, field.n), span_str(wanted[i].value));
		if (strcmp(field.name, "XFERWARDEN_PATH") == 0)
			path = span_equal(span_of(field.value, field.n), r->path);
		if (strcmp(field.name, "XFERWARDEN_JSON") == 0) {
			char *text = strndup(field.value, field.n);
			expect_json(text, "5e-1");
			free(text);
			json = true;
		}
	}
	cr_expect_eq(found, sizeof(wanted) / sizeof(wanted[0]), "%zu", found);
	cr_expect(path && json);
}

Test(audit_target, journald_datagram)
{
	struct record r = blocked();
	int journal = listen_at(place);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_JOURNALD, place), 0);
	cr_assert_eq(audit_write(&audit, &r), 0);
	ssize_t n = receive(journal);
	cr_assert_gt(n, 0);
	expect_journal(datagram, (size_t)n, &r);
	close(journal);
}

/* Both names of an operation, byte for byte, under the name that says what the second one is. */
Test(audit_target, journald_operations)
{
	int journal = listen_at(place);
	cr_assert_eq(audit_open(&audit, AUDIT_TO_JOURNALD, place), 0);
	for (enum action action = 0; action < ACTIONS; action++) {
		struct record r = blocked();
		bool paths[3] = { false };
		r.event = RECORD_OPERATION;
		r.action = action;
		r.other = action == ACTION_REMOVE ? span_of(NULL, 0) : span_of("/x\ny", 4);
		cr_assert_eq(audit_write(&audit, &r), 0);
		ssize_t n = receive(journal);
		cr_assert_gt(n, 0);
		struct span in = span_of(datagram, (size_t)n);
		for (bool more = true; more;) {
			static const char *const names[] = { "XFERWARDEN_PATH", "XFERWARDEN_NEW_PATH", "XFERWARDEN_TARGET_PATH" };
			struct field field;
			more = field_take(&in, &field);
			for (size_t i = 0; i < 3; i++)
				if (strcmp(field.name, names[i]) == 0)
					paths[i] = span_equal(span_of(field.value, field.n), i == 0 ? r.path : r.other);
			if (strcmp(field.name, "XFERWARDEN_ACTION") == 0)
				cr_expect(span_is(span_of(field.value, field.n), action_word(action)));
		}
		cr_expect(paths[0], "%s", action_word(action));
		cr_expect_eq(paths[1], action != ACTION_SYMBOLIC_LINK && action != ACTION_REMOVE, "%s", action_word(action));
		cr_expect_eq(paths[2], action == ACTION_SYMBOLIC_LINK, "%s", action_word(action));
	}
	close(journal);
}

Test(audit_target, journald_memfd_for_what_is_too_large)
{
	struct record l = longest();
	int journal = listen_at(place);
	int size = 4608;
	cr_assert_eq(audit_open(&audit, AUDIT_TO_JOURNALD, place), 0);
	cr_assert_eq(setsockopt(audit.target[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	cr_assert_eq(audit_write(&audit, &l), 0);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec piece = { datagram, sizeof(datagram) };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	cr_assert_eq(recvmsg(journal, &message, MSG_CMSG_CLOEXEC), 0);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	cr_assert(header && header->cmsg_type == SCM_RIGHTS);
	int fd;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	cr_expect_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	ssize_t n = pread(fd, datagram, sizeof(datagram), 0);
	cr_assert_gt(n, 10000);
	expect_journal(datagram, (size_t)n, &l);
	close(fd);
	close(journal);
}

/* One target that fails is told, and does not keep the record from the others. */
Test(audit_target, others_still_get_it)
{
	struct record r = blocked();
	char file[64];
	snprintf(file, sizeof(file), "%s/file", folder);
	cr_expect_eq(audit_write(&audit, &r), -ENOTCONN, "no target at all is no record");
	cr_expect_eq(audit_open(&audit, AUDIT_TO_SYSLOG, place), -ENOENT);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, file), 0);
	cr_expect_eq(audit_write(&audit, &r), -ENOENT);
	cr_expect_gt(read_file(file), 0);
	unlink(file);
	cr_assert_eq(symlink(place, file), 0);
	cr_expect_eq(audit_write(&audit, &r), -ENOENT, "of two failures the first");
	unlink(file);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, file), 0);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, file), 0);
	cr_expect_eq(audit_open(&audit, AUDIT_TO_FILE, file), -ENOSPC);
}

/* Many sessions append to one file at once: every line is one record. */
Test(audit_target, many_writers)
{
	enum { WRITERS = 6, RECORDS = 100 };
	struct record r = blocked();
	pid_t pids[WRITERS];
	fflush(NULL);
	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			int failed = audit_open(&audit, AUDIT_TO_FILE, place) != 0;
			for (int k = 0; k < RECORDS; k++)
				failed |= audit_write(&audit, &r) != 0;
			_exit(failed);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status = -1;
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_expect_eq(status, 0);
	}
	struct stat st;
	cr_assert_eq(stat(place, &st), 0);
	char *all = malloc((size_t)st.st_size + 1);
	FILE *file = fopen(place, "r");
	all[fread(all, 1, (size_t)st.st_size, file)] = '\0';
	fclose(file);
	int lines = 0;
	char *rest = all;
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++)
		expect_json(line, "5e-1");
	cr_expect_eq(lines, WRITERS * RECORDS);
	free(all);
}
