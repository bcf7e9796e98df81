/* shim/identity: the process's user, sshd's connection, and keys whose fingerprints ssh-keygen knows. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/shim.h"
#include "sys/fd.h"

static char folder[] = "/tmp/identity-XXXXXX", auth[64];
static struct identity_store store;
static const struct invocation nothing;

static void set_up(void)
{
	cr_assert(mkdtemp(folder));
	snprintf(auth, sizeof(auth), "/tmp/sshauth.%s", folder + sizeof(folder) - 7);
}

static void tear_down(void)
{
	char command[64];
	unlink(auth);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
}

TestSuite(shim_identity, .init = set_up, .fini = tear_down, .timeout = 60);

/* The file that sshd writes. */
static void write_auth(const char *text, size_t n)
{
	unlink(auth);
	int fd = open(auth, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && fd_write_all(fd, text, n) == 0);
	close(fd);
}

static const struct identity *read_key(void)
{
	static struct identity identity;
	identity = (struct identity){ 0 };
	identity_key(&identity, auth);
	return &identity;
}

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

static void make_key(const char *type, const char *bits, const char *name)
{
	char command[256];
	snprintf(command, sizeof(command), "ssh-keygen -q -t %s -b %s -N '' -f %s/%s", type, bits, folder, name);
	run(command);
}

/* Makes NAME-cert.pub of NAME.pub. */
static void certify(const char *name)
{
	char command[256];
	snprintf(command, sizeof(command), "ssh-keygen -q -s %s/ca -I id -n someone %s/%s.pub", folder, folder, name);
	run(command);
}

/* One word of what the command says, or two. */
static void words(const char *command_line, unsigned from, unsigned to, char *dst, size_t cap)
{
	char command[1024];
	snprintf(command, sizeof(command), "set -- $(%s); shift %u; printf %%s \"$1%s\"", command_line, from, to > from ? " $2" : "");
	FILE *out = popen(command, "r");
	cr_assert_not_null(out);
	size_t n = fread(dst, 1, cap - 1, out);
	dst[n] = '\0';
	cr_assert_eq(pclose(out), 0);
	cr_assert_gt(n, 0);
}

static void expect_like_keygen(const char *name)
{
	char key[8192], fingerprint[128], line[8300], type[128], command[256];
	snprintf(command, sizeof(command), "cat %s/%s", folder, name);
	words(command, 0, 1, key, sizeof(key));
	words(command, 0, 0, type, sizeof(type));
	snprintf(command, sizeof(command), "ssh-keygen -l -E sha256 -f %s/%s", folder, name);
	words(command, 1, 1, fingerprint, sizeof(fingerprint));
	int n = snprintf(line, sizeof(line), "publickey %s\n", key);
	write_auth(line, (size_t)n);
	const struct identity *identity = read_key();
	cr_expect_str_eq(identity->key, fingerprint, "%s: %s, not %s", name, identity->key, fingerprint);
	cr_expect_str_eq(identity->key_type, type, "%s", name);
}

Test(shim_identity, keys_and_certificates_have_the_fingerprints_of_ssh_keygen)
{
	static const char *const kinds[][2] = { { "ed25519", "256" }, { "rsa", "2048" }, { "rsa", "4096" },
		{ "ecdsa", "256" }, { "ecdsa", "384" }, { "ecdsa", "521" } };
	make_key("ed25519", "256", "ca");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char name[32], file[48];
		snprintf(name, sizeof(name), "%s-%s", kinds[i][0], kinds[i][1]);
		make_key(kinds[i][0], kinds[i][1], name);
		certify(name);
		snprintf(file, sizeof(file), "%s.pub", name);
		expect_like_keygen(file);
		snprintf(file, sizeof(file), "%s-cert.pub", name);
		expect_like_keygen(file);
	}
}

/* A key that lives in a token: only its public half is needed, and made here. */
static void write_token_key(const char *name, const char *type, const char *const *fields, const size_t *sizes, size_t count)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t blob[512];
	char path[128], text[1024];
	size_t n = 0, at = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t size = (uint32_t)sizes[i];
		uint8_t head[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size };
		memcpy(blob + n, head, 4);
		memcpy(blob + n + 4, fields[i], size);
		n += 4 + size;
	}
	memset(blob + n, 0, 3);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t three = (uint32_t)blob[i] << 16 | (uint32_t)blob[i + 1] << 8 | blob[i + 2];
		for (size_t k = 0; k < 4; k++)
			text[at++] = i + k > n ? '=' : alphabet[three >> (18 - 6 * k) & 63];
	}
	text[at] = '\0';
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *out = fopen(path, "we");
	cr_assert_not_null(out);
	fprintf(out, "%s %s comment\n", type, text);
	fclose(out);
}

Test(shim_identity, token_keys_and_their_certificates)
{
	char point[65], raw[32], command[256];
	make_key("ed25519", "256", "ca");
	make_key("ecdsa", "256", "plain");
	memset(raw, 7, sizeof(raw));
	static const char *const names[] = { "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com" };
	const char *ed[] = { names[0], raw, "ssh:" };
	const size_t ed_sizes[] = { strlen(names[0]), 32, 4 };
	write_token_key("sk-ed.pub", names[0], ed, ed_sizes, 3);
	expect_like_keygen("sk-ed.pub");
	certify("sk-ed");
	expect_like_keygen("sk-ed-cert.pub");
	/* a point of the curve, out of a real key */
	snprintf(command, sizeof(command), "ssh-keygen -e -m PKCS8 -f %s/plain.pub | openssl pkey -pubin -outform DER | tail -c 65", folder);
	FILE *out = popen(command, "r");
	cr_assert(out && fread(point, 1, sizeof(point), out) == sizeof(point));
	cr_assert_eq(pclose(out), 0);
	const char *ec[] = { names[1], "nistp256", point, "ssh:" };
	const size_t ec_sizes[] = { strlen(names[1]), 8, 65, 4 };
	write_token_key("sk-ec.pub", names[1], ec, ec_sizes, 4);
	expect_like_keygen("sk-ec.pub");
	certify("sk-ec");
	expect_like_keygen("sk-ec-cert.pub");
}

static const char good[] = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n";

static bool known(void)
{
	return read_key()->key[0] != '\0';
}

Test(shim_identity, what_is_in_the_file)
{
	static const struct {
		const char *text;
		bool known;
	} rows[] = {
		{ good, true },
		{ "password\npublickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n", true },
		{ "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH", true },
		{ "", false },
		{ "\n\n\n", false },
		{ "password\nkeyboard-interactive/pam\n", false },
		{ "publickey\n", false },
		{ "publickey ssh-ed25519\n", false },
		{ "publickey ssh-ed25519 \n", false },
		{ "publickey ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n", false }, /* the types differ */
		{ "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHB!cHBwcH\n", false },
		{ "publickey ssh-ed25519 AAAA//8=\n", false },
		{ "publickey ssh-ed25519 A\n", false },
		{ "publickey ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAABAEBAQE=\n", false }, /* ends after the nonce */
		{ "hostbased ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_auth(rows[i].text, strlen(rows[i].text));
		cr_expect_eq(known(), rows[i].known, "row %zu", i);
	}
	char *large = malloc(100000);
	memset(large, 'A', 100000);
	memcpy(large, "publickey ssh-ed25519 ", 22);
	write_auth(large, 100000);
	cr_expect(!known());
	memset(large, '\n', 100000);
	write_auth(large, 100000);
	cr_expect(!known());
	memset(large, 0, 100000);
	write_auth(large, 1000);
	cr_expect(!known());
	free(large);
}

/* Any part of the file: no overread, and no fingerprint that is not the key's. */
Test(shim_identity, a_file_cut_anywhere)
{
	write_auth(good, sizeof(good) - 1);
	struct identity whole = *read_key();
	for (size_t n = 0; n < sizeof(good) - 2; n++) {
		write_auth(good, n);
		const struct identity *identity = read_key();
		cr_expect(identity->key[0] == '\0' || n >= 22, "%zu", n);
		cr_expect_eq(strcmp(identity->key, whole.key) == 0, false, "%zu", n);
	}
}

Test(shim_identity, only_the_kind_of_file_that_sshd_makes)
{
	char other[160];
	struct identity identity = { 0 };
	write_auth(good, sizeof(good) - 1);
	cr_expect(known());
	cr_assert_eq(chmod(auth, 0640), 0);
	cr_expect(!known(), "others may read it");
	cr_assert(chmod(auth, 0600) == 0 && chown(auth, 54321, 0) == 0);
	cr_expect(!known(), "somebody else's");
	cr_assert_eq(chown(auth, getuid(), 0), 0);
	snprintf(other, sizeof(other), "%s/link", folder);
	cr_assert_eq(link(auth, other), 0);
	cr_expect(!known(), "two names");
	cr_assert_eq(unlink(auth), 0);
	cr_assert_eq(symlink(other, auth), 0);
	cr_expect(!known(), "a link");
	identity_key(&identity, other);
	cr_expect_eq(identity.key[0], '\0', "in another place");
	cr_assert(unlink(auth) == 0 && mkfifo(auth, 0600) == 0);
	cr_expect(!known(), "a FIFO: and nobody waits for it");
	cr_assert(unlink(auth) == 0 && mkdir(auth, 0700) == 0);
	cr_expect(!known(), "a folder");
	snprintf(other, sizeof(other), "%s/../%s", auth, auth + 5);
	identity_key(&identity, other);
	cr_expect_eq(identity.key[0], '\0');
	cr_assert_eq(rmdir(auth), 0);
	cr_expect(!known(), "nothing");
	identity_key(&identity, "");
	identity_key(&identity, "/tmp/sshauth.");
	cr_expect_eq(identity.key[0], '\0');
}

Test(shim_identity, where_the_client_comes_from)
{
	static const struct {
		const char *connection;
		enum address_family family;
		const char *text;
		unsigned port;
		uint8_t first, last;
	} rows[] = {
		{ "192.0.2.7 50022 198.51.100.1 22", ADDRESS_IPV4, "192.0.2.7", 50022, 192, 7 },
		{ "2001:db8::7 1 2001:db8::1 22", ADDRESS_IPV6, "2001:db8::7", 1, 0x20, 7 },
		{ "::ffff:192.0.2.7 50022 ::1 22", ADDRESS_IPV4, "::ffff:192.0.2.7", 50022, 192, 7 },
		{ "fe80::7%eth0 50022 fe80::1%eth0 22", ADDRESS_IPV6, "fe80::7%eth0", 50022, 0xfe, 7 },
		{ "UNKNOWN 65535 UNKNOWN 65535", ADDRESS_NONE, "", 0, 0, 0 },
		{ "192.0.2.7", ADDRESS_IPV4, "192.0.2.7", 0, 192, 7 },
		{ "192.0.2.7 65536 x", ADDRESS_IPV4, "192.0.2.7", 0, 192, 7 },
		{ "192.0.2.7 -1 x", ADDRESS_IPV4, "192.0.2.7", 0, 192, 7 },
		{ "192.0.2.256 1 x", ADDRESS_NONE, "", 0, 0, 0 },
		{ "192.0.2.7/8 1 x", ADDRESS_NONE, "", 0, 0, 0 },
		{ " 192.0.2.7 1", ADDRESS_NONE, "", 0, 0, 0 },
		{ "", ADDRESS_NONE, "", 0, 0, 0 },
		{ "11111111111111111111111111111111111111111111111111111111111 1", ADDRESS_NONE, "", 0, 0, 0 },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct invocation invocation = { .connection = rows[i].connection };
		const struct identity *identity = &store.identity;
		memset(&store, 0, sizeof(store));
		cr_assert_eq(identity_read(&store, &invocation), 0);
		cr_expect_eq(identity->from.family, rows[i].family, "row %zu", i);
		cr_expect_str_eq(identity->from_text, rows[i].text, "row %zu", i);
		cr_expect_eq(identity->port, rows[i].port, "row %zu", i);
		if (rows[i].family != ADDRESS_NONE)
			cr_expect(identity->from.bytes[0] == rows[i].first &&
				  identity->from.bytes[rows[i].family == ADDRESS_IPV4 ? 3 : 15] == rows[i].last, "row %zu", i);
	}
}

Test(shim_identity, the_user_is_the_processs_own)
{
	const struct passwd *entry = getpwuid(getuid());
	cr_assert_not_null(entry);
	setenv("USER", "somebody", 1);
	setenv("HOME", "/else", 1);
	cr_expect_eq(identity_read(&store, &nothing), 0);
	cr_expect_str_eq(store.identity.user, entry->pw_name);
	cr_expect_str_eq(store.identity.home, entry->pw_dir);
	cr_expect_eq(store.identity.group_count, 0);
	cr_expect(store.identity.key[0] == '\0' && store.identity.from.family == ADDRESS_NONE);
	pid_t pid = fork();
	if (pid == 0)
		_exit(setresuid(987654, 987654, 987654) == 0 && identity_read(&store, &nothing) < 0 ? 0 : 1);
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "a number without a name");
}

static int as_groups(const gid_t *list, size_t n, gid_t primary)
{
	if (setgroups(n, list) < 0 || setresgid(primary, primary, primary) < 0)
		return -1;
	memset(&store, 0, sizeof(store));
	return identity_read(&store, &nothing) == 0 ? identity_groups(&store) : -1;
}

Test(shim_identity, groups_by_name_the_primary_first)
{
	const struct group *group = getgrnam("daemon"), *other;
	cr_assert_not_null(group);
	gid_t daemon = group->gr_gid;
	cr_assert_not_null(other = getgrnam("mail"));
	const gid_t list[] = { daemon, 987654, other->gr_gid, daemon };
	cr_expect_eq(as_groups(list, 3, other->gr_gid), 0);
	cr_expect_eq(store.identity.group_count, 2, "%zu", store.identity.group_count);
	cr_expect_str_eq(store.identity.groups[0], "mail");
	cr_expect_str_eq(store.identity.groups[1], "daemon");
}

/* A group that is not known of is one that a stricter policy may have been for. */
Test(shim_identity, more_groups_than_can_be_kept_are_a_failure)
{
	gid_t list[SHIM_GROUPS + 1];
	for (size_t i = 0; i < SHIM_GROUPS + 1; i++)
		list[i] = (gid_t)(700000 + i);
	cr_expect_eq(as_groups(list, SHIM_GROUPS, 0), 0);
	cr_expect_lt(as_groups(list, SHIM_GROUPS + 1, 0), 0);
}
