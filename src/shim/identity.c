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

static void identity_address(struct address *address, const char *text)
{
	struct in6_addr six;
	if (inet_pton(AF_INET, text, address->bytes) == 1) {
		address->family = ADDRESS_IPV4;
	} else if (inet_pton(AF_INET6, text, &six) == 1) {
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
	identity_address(&identity->from, identity->from_text);
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

static void identity_add_group(struct identity_store *store, gid_t gid, size_t *used)
{
	const struct group *entry = getgrgid(gid);
	size_t room = sizeof(store->group_names) - *used;
	if (entry == NULL || store->identity.group_count >= SHIM_GROUPS)
		return;
	char *name = store->group_names + *used;
	if (!span_copy(name, room, span_str(entry->gr_name)))
		return;
	store->groups[store->identity.group_count++] = name;
	*used += strlen(name) + 1;
}

void identity_groups(struct identity_store *store)
{
	gid_t list[SHIM_GROUPS];
	size_t used = 0;
	gid_t primary = getgid();
	identity_add_group(store, primary, &used);
	int count = getgroups(SHIM_GROUPS, list);
	for (int i = 0; i < count && used + 1 < sizeof(store->group_names); i++)
		if (list[i] != primary)
			identity_add_group(store, list[i], &used);
}
