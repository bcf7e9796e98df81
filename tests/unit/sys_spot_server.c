/* sys/spot, sys/landlock and sys/spawn together: a real sftp-server does its work below root and nowhere else, and what it has open can be seen. */
#include "sys_places_world.h"

#include "sys/landlock.h"

TestSuite(sys_spot_server, .init = set_up, .fini = tear_down, .timeout = 60);

static struct spot look(const char *path)
{
	struct spot spot;
	(void)places_locate(&places, path, true, &spot);
	return spot;
}

static off_t size_of(const char *name)
{
	struct stat status;
	return lstat(name, &status) < 0 ? -1 : status.st_size;
}

enum { INIT = 1, OPEN = 3, CLOSE = 4, SETSTAT = 9, OPENDIR = 11, REMOVE = 13, MKDIR = 14, RMDIR = 15, STAT = 17, RENAME = 18, SYMLINK = 20, EXTENDED = 200 };
enum { STATUS = 101, HANDLE = 102, WRITES = 2, CREATES = 8, EXCLUSIVE = 32 };

static struct {
	pid_t pid;
	int to, from;
	uint8_t packet[16384], handle[64];
	size_t n, handle_n;
} server;

static void put_word(uint32_t word)
{
	const uint8_t bytes[4] = { (uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word };
	memcpy(server.packet + server.n, bytes, 4);
	server.n += 4;
}

static void put_bytes(const void *bytes, size_t n)
{
	put_word((uint32_t)n);
	memcpy(server.packet + server.n, bytes, n);
	server.n += n;
}

static void put_begin(uint8_t type)
{
	server.n = 4;
	server.packet[server.n++] = type;
	put_word(7);
}

static uint32_t word_at(size_t at)
{
	const uint8_t *p = server.packet + at;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The type of the reply; it lies in server.packet without its length. -1: there is none. */
static int exchange(void)
{
	size_t n = server.n;
	server.n = 0;
	put_word((uint32_t)(n - 4));
	if (fd_write_all(server.to, server.packet, n) < 0 || fd_read_all(server.from, server.packet, 4) < 0)
		return -1;
	n = word_at(0);
	if (n < 5 || n > sizeof(server.packet) || fd_read_all(server.from, server.packet, n) < 0)
		return -1;
	return server.packet[0];
}

/* The status' code for a request with one path or two; -1 for any other reply. */
static int ask(uint8_t type, const char *extension, const char *path, const char *other)
{
	put_begin(type);
	if (extension != NULL)
		put_bytes(extension, strlen(extension));
	put_bytes(path, strlen(path));
	if (other != NULL)
		put_bytes(other, strlen(other));
	if (type == MKDIR || type == SETSTAT)
		put_word(0);
	return exchange() == STATUS ? (int)word_at(5) : -1;
}

static bool ask_open(const char *path, uint32_t flags)
{
	put_begin(flags ? OPEN : OPENDIR);
	put_bytes(path, strlen(path));
	if (flags) {
		put_word(flags);
		put_word(0);
	}
	if (exchange() != HANDLE || word_at(5) > sizeof(server.handle))
		return false;
	server.handle_n = word_at(5);
	memcpy(server.handle, server.packet + 9, server.handle_n);
	return true;
}

static bool ask_close(void)
{
	put_begin(CLOSE);
	put_bytes(server.handle, server.handle_n);
	return exchange() == STATUS && word_at(5) == 0;
}

static bool server_start(bool visible)
{
	static char word[] = "sftp-server";
	char *argv[] = { word, NULL }, *envp[] = { NULL };
	static const char *const needed[] = { "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/passwd", "/etc/nsswitch.conf" };
	struct landlock jail;
	int to[2], from[2];
	bool made = landlock_init(&jail) == 0 && landlock_permit(&jail, places.root, LANDLOCK_RIGHT_READ | LANDLOCK_RIGHT_MANAGE) == 0;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && made; i++)
		made = landlock_permit_path(&jail, needed[i], LANDLOCK_RIGHT_READ | (i < 4 ? LANDLOCK_RIGHT_EXECUTE : 0)) == 0;
	made = made && landlock_permit_path(&jail, "/dev/null", LANDLOCK_RIGHT_READ | LANDLOCK_RIGHT_WRITE) == 0;
	if (!made || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		return false;
	struct spawn spawn = { .program = "/usr/lib/openssh/sftp-server", .argv = argv, .envp = envp, .in = to[0], .out = from[1], .err = 2,
				.extra = -1, .cwd = places.start, .ruleset = jail.fd, .visible = visible };
	server.pid = spawn_run(&spawn);
	close(to[0]);
	close(from[1]);
	server.to = to[1];
	server.from = from[0];
	landlock_finish(&jail);
	places_child(&places, server.pid);
	server.n = 4;
	server.packet[server.n++] = INIT;
	put_word(3);
	return server.pid > 0 && exchange() == 2;
}

static bool server_stop(void)
{
	close(server.to);
	close(server.from);
	places_child(&places, 0);
	return spawn_reap(server.pid, 5000) == 0;
}

/* Path and other: "%" stands for the base. */
struct request {
	uint8_t type;
	const char *extension, *path, *other;
	int code;
};

static const struct request requests[] = {
	{ MKDIR, NULL, "%/root/made", NULL, 0 },
	{ RENAME, NULL, "%/root/dir/file", "%/root/made/file", 0 },
	{ EXTENDED, "posix-rename@openssh.com", "%/root/made/file", "%/root/file", 0 },
	{ EXTENDED, "hardlink@openssh.com", "%/root/file", "%/root/made/twin", 0 },
	{ SYMLINK, NULL, "../file", "%/root/made/link", 0 },
	{ RENAME, NULL, "%/root/made", "%/root/dir/made", 0 },
	{ SETSTAT, NULL, "%/root/dir/made/twin", NULL, 0 },
	{ REMOVE, NULL, "%/root/dir/made/twin", NULL, 0 },
	{ REMOVE, NULL, "%/root/dir/made/link", NULL, 0 },
	{ RMDIR, NULL, "%/root/dir/made", NULL, 0 },
	{ MKDIR, NULL, "%/outside/made", NULL, 3 },
	{ MKDIR, NULL, "%/root/link-out/made", NULL, 3 },
	{ MKDIR, NULL, "%/root/../outside/made", NULL, 3 },
	{ RENAME, NULL, "%/root/file", "%/outside/moved", 3 },
	{ EXTENDED, "posix-rename@openssh.com", "%/root/file", "%/outside/file", 3 },
	{ EXTENDED, "posix-rename@openssh.com", "%/outside/file", "%/root/stolen", 3 },
	{ RENAME, NULL, "%/outside/file", "%/root/stolen", 3 },
	{ EXTENDED, "hardlink@openssh.com", "%/outside/file", "%/root/stolen", 4 },
	{ EXTENDED, "hardlink@openssh.com", "%/root/file", "%/outside/twin", 3 },
	{ SYMLINK, NULL, "x", "%/outside/link", 3 },
	{ REMOVE, NULL, "%/outside/file", NULL, 3 },
	{ RMDIR, NULL, "%/outside", NULL, 3 },
};

static const char *filled(const char *path)
{
	return path == NULL || path[0] != '%' ? path : in_base(path + 2);
}

static int server_works_in_its_jail(void)
{
	begin(NULL);
	NEED(server_start(true));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request *r = &requests[i];
		int code = ask(r->type, r->extension, filled(r->path), filled(r->other));
		if (code != r->code) {
			fprintf(stderr, "%s %s: %d, not %d\n", r->path, r->other ? r->other : "", code, r->code);
			return 1;
		}
	}
	NEED(!ask_open(in_base("outside/file"), WRITES) && !ask_open(in_base("root/link-out-file"), WRITES) && !ask_open(in_base("outside"), 0));
	NEED(server_stop());
	return 0;
}

static void give_root(void)
{
	char command[2 * PATH_BYTES_MAX + 64];
	snprintf(command, sizeof(command), "chown -hR %d:%d %s/root %s/outside", STRANGER, STRANGER, base, base);
	cr_assert_eq(system(command), 0);
}

Test(sys_spot_server, the_real_sftp_server_works_below_root_and_nowhere_else)
{
	give_root();
	as_stranger(server_works_in_its_jail);
	cr_expect(size_of("outside/file") == 3 && size_of("root/file") == 6 && size_of("root/dir/made") == -1 && size_of("root/stolen") == -1);
}

/* It asks the kernel not to be looked at; the one that was started to stay visible is. As a user, for root may look at anything. */
static int server_is_seen(void)
{
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as the shim */
	begin(NULL);
	NEED(server_start(true));
	struct spot fresh = look("dir/new"), file = look("link-file"), folder = look("dir"), other = look("dir/file");
	NEED(ask_open(in_base("root/dir/new"), WRITES | CREATES | EXCLUSIVE));
	NEED(places_pin_spot(&places, &fresh, in_base("root/dir/new"), false));
	NEED(ask_close());
	places_unpin(&places, &fresh);
	NEED(ask_open(in_base("root/file"), WRITES));
	NEED(places_pin_spot(&places, &file, in_base("root/file"), false));
	NEED(ask_open(in_base("root/dir"), 0));
	NEED(places_pin_spot(&places, &folder, in_base("root/dir"), true));
	NEED(rename(in_base("root/dir/new"), in_base("root/dir/file")) == 0);
	NEED(ask_open(in_base("root/dir/file"), WRITES));
	NEED(!places_pin_spot(&places, &other, in_base("root/dir/file"), false));
	NEED(server_stop());
	NEED(server_start(false));
	file = look("file");
	NEED(ask_open(in_base("root/file"), WRITES));
	NEED(!places_pin_spot(&places, &file, in_base("root/file"), false));
	NEED(server_stop());
	return 0;
}

Test(sys_spot_server, what_the_real_sftp_server_has_open_is_seen)
{
	give_root();
	as_stranger(server_is_seen);
}
