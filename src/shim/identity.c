/* Who asks: the process's user and groups, and sshd's SSH_CONNECTION. */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/text.h"
#include "shim/shim.h"

static struct span identity_word(struct span *rest)
{
	size_t n = 0;
	while (n < rest->n && rest->p[n] != ' ')
		n++;
	struct span word = span_take(rest, n);
	span_take(rest, 1);
	return word;
}

static void identity_address(struct address *address, struct span text)
{
	struct in6_addr six;
	char plain[48];
	const uint8_t *scope = text.n > 0 ? memchr(text.p, '%', text.n) : NULL; /* of a link-local address: the interface */
	struct span bare = span_of(text.p, scope ? (size_t)(scope - text.p) : text.n);
	if (!span_copy(plain, sizeof(plain), bare))
		return;
	if (scope == NULL && inet_pton(AF_INET, plain, address->bytes) == 1) {
		address->family = ADDRESS_IPV4;
	} else if (inet_pton(AF_INET6, plain, &six) == 1) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&six);
		address->family = mapped ? ADDRESS_IPV4 : ADDRESS_IPV6;
		memcpy(address->bytes, six.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
	}
}

/* "192.0.2.7 50022 198.51.100.1 22", or "UNKNOWN 65535 …" where there is no socket. */
static void identity_connection(struct identity *identity, const char *connection)
{
	struct span rest = span_str(connection);
	struct span address = identity_word(&rest), port = identity_word(&rest);
	uint64_t number;
	if (!span_copy(identity->from_text, sizeof(identity->from_text), address))
		return;
	identity_address(&identity->from, address);
	if (identity->from.family == ADDRESS_NONE)
		identity->from_text[0] = '\0';
	else if (text_number(port, 65535, &number))
		identity->port = (uint16_t)number;
}

int identity_read(struct identity_store *store, const struct invocation *invocation)
{
	struct identity *identity = &store->identity;
	const struct passwd *entry = getpwuid(getuid());
	if (entry == NULL)
		return errno ? -errno : -ENOENT;
	if (!span_copy(store->user, sizeof(store->user), span_str(entry->pw_name)) ||
	    !span_copy(store->home, sizeof(store->home), span_str(entry->pw_dir)))
		return -ENAMETOOLONG;
	identity->user = store->user;
	identity->home = store->home;
	identity->groups = store->groups;
	if (invocation->connection != NULL)
		identity_connection(identity, invocation->connection);
	if (invocation->user_auth != NULL)
		identity_key(identity, invocation->user_auth);
	return 0;
}

static int identity_add_group(struct identity_store *store, gid_t gid, size_t *used)
{
	const struct group *entry = getgrgid(gid);
	size_t room = sizeof(store->group_names) - *used;
	if (entry == NULL)
		return 0;
	char *name = store->group_names + *used;
	if (store->identity.group_count >= SHIM_GROUPS || room == 0 || !span_copy(name, room, span_str(entry->gr_name)))
		return -E2BIG;
	store->groups[store->identity.group_count++] = name;
	*used += strlen(name) + 1;
	return 0;
}

int identity_groups(struct identity_store *store)
{
	gid_t list[SHIM_GROUPS];
	size_t used = 0;
	gid_t primary = getgid();
	int count = getgroups(SHIM_GROUPS, list);
	int error = count < 0 ? -errno : identity_add_group(store, primary, &used);
	for (int i = 0; i < count && error == 0; i++)
		if (list[i] != primary)
			error = identity_add_group(store, list[i], &used);
	return error;
}
