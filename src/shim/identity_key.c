/*
 * The accepted key, from the file that sshd writes with `ExposeAuthInfo yes`: one line a method, "publickey ssh-ed25519 AAAA…". The fingerprint is that of
 * sshd's log and ssh-keygen -l: of a certificate, the one of the key it certifies. The file belongs to the user, so it is read once, at the start; and as a
 * variable can come from the client where AcceptEnv is generous, only the kind of file that sshd makes is looked at.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim/shim.h"
#include "sys/digest.h"
#include "sys/fd.h"

enum { KEY_FILE_MAX = 32768, KEY_BLOB_MAX = 16384 };

static int key_base64_value(uint8_t c)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

static size_t key_base64_decode(uint8_t *dst, size_t cap, struct span text)
{
	size_t n = 0;
	uint32_t bits = 0;
	unsigned held = 0;
	for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
		int value = key_base64_value(text.p[i]);
		if (value < 0 || n == cap)
			return 0;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			dst[n++] = (uint8_t)(bits >> held);
		}
	}
	return n;
}

/* Without padding, as fingerprints are written. */
static void key_base64_encode(char *dst, struct span bytes)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;
	for (size_t i = 0; i < bytes.n; i += 3) {
		uint32_t three = (uint32_t)bytes.p[i] << 16 | (i + 1 < bytes.n ? (uint32_t)bytes.p[i + 1] << 8 : 0) |
				 (i + 2 < bytes.n ? (uint32_t)bytes.p[i + 2] : 0);
		size_t letters = i + 2 < bytes.n ? 4 : i + 1 < bytes.n ? 3 : 2;
		for (size_t k = 0; k < letters; k++)
			dst[n++] = alphabet[three >> (18 - 6 * k) & 63];
	}
	dst[n] = '\0';
}

/* One SSH string off the front: a length of four bytes and as many bytes; *raw is it with its length. */
static bool key_string(struct span *blob, struct span *raw, struct span *value)
{
	if (blob->n < 4)
		return false;
	size_t n = (size_t)blob->p[0] << 24 | (size_t)blob->p[1] << 16 | (size_t)blob->p[2] << 8 | blob->p[3];
	if (n > blob->n - 4)
		return false;
	*raw = span_take(blob, 4 + n);
	*value = span_of(raw->p + 4, n);
	return true;
}

struct key_kind {
	const char *certificate, *plain;
	unsigned fields; /* of the key itself, behind the nonce */
};

static const struct key_kind key_kinds[] = {
	{ "ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1 },
	{ "sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2 },
	{ "ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2 },
	{ "ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2 },
	{ "ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2 },
	{ "ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2 },
	{ "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3 },
	{ "ssh-dss-cert-v01@openssh.com", "ssh-dss", 4 },
};

static const struct key_kind *key_certificate(struct span type)
{
	for (size_t i = 0; i < sizeof(key_kinds) / sizeof(key_kinds[0]); i++)
		if (span_is(type, key_kinds[i].certificate))
			return &key_kinds[i];
	return NULL;
}

/* The digest of the key's own blob; for a certificate that is put together from its fields. */
static bool key_digest(struct span blob, struct span type, uint8_t sum[DIGEST_BYTES])
{
	struct digest digest;
	const struct key_kind *kind = key_certificate(type);
	struct span whole = blob, raw, value;
	digest_init(&digest);
	if (!key_string(&blob, &raw, &value) || !span_equal(value, type))
		return false;
	if (kind == NULL) {
		digest_update(&digest, whole);
		digest_finish(&digest, sum);
		return true;
	}
	uint8_t length[4] = { 0, 0, 0, (uint8_t)strlen(kind->plain) };
	digest_update(&digest, span_of(length, sizeof(length)));
	digest_update(&digest, span_str(kind->plain));
	if (!key_string(&blob, &raw, &value)) /* the nonce */
		return false;
	for (unsigned i = 0; i < kind->fields; i++) {
		if (!key_string(&blob, &raw, &value))
			return false;
		digest_update(&digest, raw);
	}
	digest_finish(&digest, sum);
	return true;
}

static struct span key_word(struct span *line)
{
	size_t n = 0;
	while (n < line->n && line->p[n] != ' ')
		n++;
	struct span word = span_take(line, n);
	span_take(line, 1);
	return word;
}

static bool key_line(struct identity *identity, struct span line)
{
	static uint8_t blob[KEY_BLOB_MAX];
	uint8_t sum[DIGEST_BYTES];
	if (!span_is(key_word(&line), "publickey"))
		return false;
	struct span type = key_word(&line), text = key_word(&line);
	size_t n = key_base64_decode(blob, sizeof(blob), text);
	if (n == 0 || !key_digest(span_of(blob, n), type, sum) || !span_copy(identity->key_type, sizeof(identity->key_type), type))
		return false;
	memcpy(identity->key, "SHA256:", 7);
	key_base64_encode(identity->key + 7, span_of(sum, sizeof(sum)));
	return true;
}

void identity_key(struct identity *identity, const char *user_auth)
{
	static uint8_t text[KEY_FILE_MAX];
	if (strncmp(user_auth, "/tmp/sshauth.", 13) != 0 || strchr(user_auth + 13, '/') != NULL)
		return;
	FD_OWNED int fd = open(user_auth, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_uid != getuid() || (status.st_mode & 077) || status.st_nlink != 1)
		return;
	ssize_t got = read(fd, text, sizeof(text));
	struct span rest = span_of(text, got > 0 ? (size_t)got : 0);
	while (rest.n > 0) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);
		struct span line = span_take(&rest, end ? (size_t)(end - rest.p) : rest.n);
		span_take(&rest, 1);
		if (key_line(identity, line))
			return;
	}
}
