/*
 * Which policy a session gets, and where its root is. What is not known of an identity is no match for a condition that asks about it.
 */
#include <errno.h>

#include "policy/glob.h"
#include "policy/policy.h"

static bool select_any(const struct patterns *patterns, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return false;
	for (size_t i = 0; i < patterns->count; i++) {
		if (glob_match(patterns->items[i], span_str(text), GLOB_TEXT))
			return true;
	}
	return false;
}

static bool select_groups(const struct patterns *patterns, const struct identity *who)
{
	for (size_t i = 0; i < who->group_count; i++) {
		if (select_any(patterns, who->groups[i]))
			return true;
	}
	return false;
}

static unsigned select_address_bits(enum address_family family)
{
	switch (family) {
	case ADDRESS_NONE:
		return 0;
	case ADDRESS_IPV4:
		return 32;
	case ADDRESS_IPV6:
		return 128;
	}
	return 0;
}

static bool select_cidr(const struct cidr *cidr, const struct address *from)
{
	unsigned most = select_address_bits(from->family);
	if (most == 0 || cidr->network.family != from->family || cidr->bits > most)
		return false;
	unsigned whole = cidr->bits / 8, rest = cidr->bits % 8;
	if (memcmp(cidr->network.bytes, from->bytes, whole) != 0)
		return false;
	return rest == 0 || (cidr->network.bytes[whole] ^ from->bytes[whole]) >> (8 - rest) == 0;
}

static bool select_from(const struct policy *policy, const struct address *from)
{
	for (size_t i = 0; i < policy->from_count; i++) {
		if (select_cidr(&policy->from[i], from))
			return true;
	}
	return false;
}

static bool select_policy(const struct policy *policy, const struct identity *who, enum protocol protocol)
{
	if (!(policy->protocols & protocol))
		return false;
	if (policy->users.count > 0 && !select_any(&policy->users, who->user))
		return false;
	if (policy->groups.count > 0 && !select_groups(&policy->groups, who))
		return false;
	if (policy->keys.count > 0 && !select_any(&policy->keys, who->key))
		return false;
	return policy->from_count == 0 || select_from(policy, &who->from);
}

const struct policy *policy_select(const struct policy *policies, size_t count, const struct identity *who, enum protocol protocol)
{
	for (size_t i = 0; i < count; i++) {
		if (select_policy(&policies[i], who, protocol))
			return &policies[i];
	}
	return NULL;
}

struct root_text {
	char *dst;
	size_t cap, at;
};

static int root_put(struct root_text *out, struct span s)
{
	if (s.n >= out->cap - out->at)
		return -ENAMETOOLONG;
	memcpy(out->dst + out->at, s.p, s.n);
	out->at += s.n;
	out->dst[out->at] = '\0';
	return 0;
}

static int root_put_user(struct root_text *out, const char *user)
{
	struct span value = span_str(user);
	if (value.n == 0 || memchr(value.p, '/', value.n) != NULL || span_is(value, ".") || span_is(value, ".."))
		return -EINVAL;
	return root_put(out, value);
}

/* A home is a path of its own, so it can only be where the root begins. The home "/" would put everything within reach. */
static int root_put_home(struct root_text *out, const char *home, char next)
{
	struct span value = span_str(home);
	while (value.n > 0 && value.p[value.n - 1] == '/')
		value.n--;
	if (value.n == 0 || value.p[0] != '/' || out->at != 0 || (next != '\0' && next != '/'))
		return -EINVAL;
	return root_put(out, value);
}

static int root_expand(struct root_text *out, const char *root, const struct identity *who)
{
	int r = 0;
	for (const char *s = root; *s != '\0' && r == 0; s++) {
		if (*s != '%') {
			r = root_put(out, span_of(s, 1));
			continue;
		}
		s++;
		if (*s == 'u')
			r = root_put_user(out, who->user);
		else if (*s == 'h')
			r = root_put_home(out, who->home, s[1]);
		else if (*s == '%')
			r = root_put(out, span_of(s, 1));
		else
			return -EINVAL;
	}
	return r;
}

static bool root_is_clean(const char *path)
{
	const char *part = path + 1;
	if (path[0] != '/')
		return false;
	if (part[0] == '\0')
		return true;
	for (;;) {
		size_t n = strcspn(part, "/");
		if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		if (part[n] == '\0')
			return true;
		part += n + 1;
	}
}

int policy_root(const struct policy *policy, const struct identity *who, char *dst, size_t cap)
{
	struct root_text out = { .dst = dst, .cap = cap };
	if (cap == 0)
		return -ENAMETOOLONG;
	dst[0] = '\0';
	int r = policy->root != NULL ? root_expand(&out, policy->root, who) : -EINVAL;
	if (r == 0 && out.at > 2 && dst[out.at - 1] == '/')
		dst[out.at - 1] = '\0';
	if (r == 0 && !root_is_clean(dst))
		r = -EINVAL;
	if (r < 0)
		dst[0] = '\0';
	return r;
}
