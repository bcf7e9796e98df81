/* Which policy a session gets, and where its root is: every condition alone, together, and with the identity unknown. */
#include "policy/policy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#define PATTERNS(...) { .items = (const char *const[]){ __VA_ARGS__ }, .count = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) }
#define V4(a, b, c, d) { .family = ADDRESS_IPV4, .bytes = { a, b, c, d } }

static const struct identity bob = {
	.user = "bob", .home = "/home/bob", .groups = (const char *const[]){ "bob", "customers" }, .group_count = 2,
	.from = V4(192, 0, 2, 7), .from_text = "192.0.2.7", .key = "SHA256:AbC/d+e", .key_type = "ssh-ed25519",
};
static const struct identity unknown = { .user = "bob", .home = "/home/bob" };

static bool selects(const struct policy *policy, const struct identity *who)
{
	const struct policy *found = policy_select(policy, 1, who, PROTOCOL_SCP);
	cr_assert(found == NULL || found == policy);
	return found != NULL;
}

static bool from_matches(struct address network, unsigned bits, struct address from)
{
	struct cidr cidr = { .network = network, .bits = bits };
	struct policy policy = { .protocols = PROTOCOL_SCP, .from = &cidr, .from_count = 1 };
	struct identity who = { .user = "bob", .from = from };
	return selects(&policy, &who);
}

Test(policy_select, protocol)
{
	struct policy none = { .name = "none" }, scp = { .protocols = PROTOCOL_SCP }, sftp = { .protocols = PROTOCOL_SFTP };
	struct policy both[] = { sftp, { .protocols = PROTOCOL_SCP | PROTOCOL_SFTP } };
	cr_expect_not(selects(&none, &bob), "a zeroed policy is for nobody");
	cr_expect(selects(&scp, &bob));
	cr_expect_not(selects(&sftp, &bob));
	cr_expect_eq(policy_select(both, 2, &bob, PROTOCOL_SFTP), &both[0]);
	cr_expect_eq(policy_select(both, 2, &bob, PROTOCOL_SCP), &both[1]);
	cr_expect_null(policy_select(both, 0, &bob, PROTOCOL_SCP));
	cr_expect_null(policy_select(NULL, 0, &bob, PROTOCOL_SCP));
}

Test(policy_select, users)
{
	struct policy policy = { .protocols = PROTOCOL_SCP, .users = PATTERNS("web*", "bob") };
	struct policy any = { .protocols = PROTOCOL_SCP, .users = PATTERNS("*") };
	static const struct {
		const char *user;
		bool selected;
	} cases[] = { { "bob", true }, { "web1", true }, { "web", true }, { "bobby", false }, { "Bob", false }, { "aweb", false }, { "",
		false }, { NULL, false } };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct identity who = { .user = cases[i].user };
		cr_expect_eq(selects(&policy, &who), cases[i].selected, "user %s", cases[i].user);
		cr_expect_eq(selects(&any, &who), cases[i].user != NULL && cases[i].user[0] != '\0');
	}
}

Test(policy_select, groups)
{
	struct policy policy = { .protocols = PROTOCOL_SCP, .groups = PATTERNS("staff", "cust*") };
	struct policy staff = { .protocols = PROTOCOL_SCP, .groups = PATTERNS("staff") };
	cr_expect(selects(&policy, &bob), "not only the primary group counts");
	cr_expect_not(selects(&staff, &bob));
	cr_expect_not(selects(&policy, &unknown), "nobody is in no group");
}

Test(policy_select, keys)
{
	struct policy exact = { .protocols = PROTOCOL_SCP, .keys = PATTERNS("SHA256:xyz", "SHA256:AbC/d+e") };
	struct policy any = { .protocols = PROTOCOL_SCP, .keys = PATTERNS("*") };
	struct policy lower = { .protocols = PROTOCOL_SCP, .keys = PATTERNS("SHA256:abc/d+e") };
	cr_expect(selects(&exact, &bob));
	cr_expect(selects(&any, &bob));
	cr_expect_not(selects(&lower, &bob), "keys differ in case");
	cr_expect_not(selects(&exact, &unknown));
	cr_expect_not(selects(&any, &unknown), "no key is not any key");
}

Test(policy_select, networks)
{
	struct address v4 = V4(192, 0, 2, 7), net = V4(192, 0, 2, 0), zero = V4(0, 0, 0, 0), none = { 0 };
	struct address six = { .family = ADDRESS_IPV6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } };
	struct address six_other = { .family = ADDRESS_IPV6, .bytes = { 0x20, 0x01, 0x0d, 0xb9, [15] = 1 } };
	struct address six_zero = { .family = ADDRESS_IPV6 };
	cr_expect(from_matches(net, 24, v4));
	cr_expect(from_matches(v4, 24, v4), "host bits of the network do not count");
	cr_expect(from_matches(v4, 32, v4));
	cr_expect(from_matches(zero, 0, v4));
	cr_expect(from_matches(net, 29, v4));
	cr_expect_not(from_matches(net, 30, v4));
	cr_expect_not(from_matches(net, 32, v4));
	cr_expect_not(from_matches(net, 33, v4), "more bits than an address has");
	cr_expect_not(from_matches(v4, 33, v4));
	cr_expect_not(from_matches((struct address)V4(192, 0, 3, 0), 24, v4));
	cr_expect(from_matches((struct address)V4(192, 0, 3, 0), 23, v4));
	cr_expect(from_matches(six_zero, 0, six));
	cr_expect(from_matches(six, 128, six));
	cr_expect(from_matches(six, 31, six_other));
	cr_expect_not(from_matches(six, 32, six_other));
	cr_expect_not(from_matches(six, 129, six));
	cr_expect_not(from_matches(six_zero, 0, v4), "::/0 is IPv6 only");
	cr_expect_not(from_matches(zero, 0, six), "0.0.0.0/0 is IPv4 only");
	cr_expect_not(from_matches(zero, 0, none));
	cr_expect_not(from_matches(six_zero, 0, none));
	cr_expect_not(from_matches(none, 0, none), "an unknown address is in no network");
	cr_expect_not(from_matches(none, 0, v4));
}

Test(policy_select, together)
{
	struct cidr cidrs[] = { { .network = V4(10, 0, 0, 0), .bits = 8 }, { .network = V4(192, 0, 2, 0), .bits = 24 } };
	struct policy list[] = {
		{ .name = "other user", .protocols = PROTOCOL_SCP, .users = PATTERNS("eve"), .groups = PATTERNS("*") },
		{ .name = "other network", .protocols = PROTOCOL_SCP, .users = PATTERNS("bob"), .from = cidrs, .from_count = 1 },
		{ .name = "all", .protocols = PROTOCOL_SCP, .users = PATTERNS("bob"), .groups = PATTERNS("customers"),
			.keys = PATTERNS("SHA256:*"), .from = cidrs, .from_count = 2 },
		{ .name = "any", .protocols = PROTOCOL_SCP },
	};
	cr_expect_str_eq(policy_select(list, 4, &bob, PROTOCOL_SCP)->name, "all");
	cr_expect_str_eq(policy_select(list, 4, &unknown, PROTOCOL_SCP)->name, "any");
	cr_expect_null(policy_select(list, 3, &unknown, PROTOCOL_SCP));
	cr_expect_null(policy_select(list, 4, &bob, PROTOCOL_SFTP));
}

struct root_case {
	const char *root, *user, *home;
	const char *result; /* NULL: -EINVAL */
};

static const struct root_case root_cases[] = {
	{ "/", "bob", "/home/bob", "/" },
	{ "/srv/www", "bob", "/home/bob", "/srv/www" },
	{ "/srv/www/", "bob", "/home/bob", "/srv/www" },
	{ "/srv/%u", "bob", "/home/bob", "/srv/bob" },
	{ "/srv/%u/%u-x/y", "bob", "/home/bob", "/srv/bob/bob-x/y" },
	{ "%h", "bob", "/home/bob", "/home/bob" },
	{ "%h", "bob", "/home/bob/", "/home/bob" },
	{ "%h/", "bob", "/home/bob", "/home/bob" },
	{ "%h/public_html", "bob", "/home/bob", "/home/bob/public_html" },
	{ "%h/%u", "bob", "/home/x", "/home/x/bob" },
	{ "/a%%b/%%", "bob", "/home/bob", "/a%b/%" },
	{ "/a%%u", "bob", "/home/bob", "/a%u" },
	{ "/srv/%u", "%h", "/home/bob", "/srv/%h" },
	{ "/srv/%u", "a b", "/home/bob", "/srv/a b" },
	{ "/srv/%u", "...", "/home/bob", "/srv/..." },
	{ "/srv", NULL, NULL, "/srv" },
	{ NULL, "bob", "/home/bob", NULL },
	{ "", "bob", "/home/bob", NULL },
	{ "srv", "bob", "/home/bob", NULL },
	{ "%u", "bob", "/home/bob", NULL },
	{ "%%", "bob", "/home/bob", NULL },
	{ "/srv//x", "bob", "/home/bob", NULL },
	{ "/srv//", "bob", "/home/bob", NULL },
	{ "//", "bob", "/home/bob", NULL },
	{ "//srv", "bob", "/home/bob", NULL },
	{ "/srv/../etc", "bob", "/home/bob", NULL },
	{ "/srv/.", "bob", "/home/bob", NULL },
	{ "/..", "bob", "/home/bob", NULL },
	{ "/srv/%", "bob", "/home/bob", NULL },
	{ "/srv/%x", "bob", "/home/bob", NULL },
	{ "/srv/%U", "bob", "/home/bob", NULL },
	{ "/srv/%u", "", "/home/bob", NULL },
	{ "/srv/%u", NULL, "/home/bob", NULL },
	{ "/srv/%u", ".", "/home/bob", NULL },
	{ "/srv/%u", "..", "/home/bob", NULL },
	{ "/srv/.%u", ".", "/home/bob", NULL },
	{ "/srv/%u%u", ".", "/home/bob", NULL },
	{ "/srv/%u.", ".", "/home/bob", NULL },
	{ "/srv/x%u", "..", "/home/bob", NULL },
	{ "/srv/%u", "a/b", "/home/bob", NULL },
	{ "/srv/%u", "/etc", "/home/bob", NULL },
	{ "/srv/%u", "../etc", "/home/bob", NULL },
	{ "%h", "bob", "", NULL },
	{ "%h", "bob", NULL, NULL },
	{ "%h", "bob", "/", NULL },
	{ "%h/x", "bob", "/", NULL },
	{ "%h", "bob", "//", NULL },
	{ "%h", "bob", "home/bob", NULL },
	{ "%h", "bob", "/home/../etc", NULL },
	{ "%h", "bob", "/home/./bob", NULL },
	{ "%h", "bob", "/home//bob", NULL },
	{ "%h", "bob", "/home/bob/..", NULL },
	{ "%hx", "bob", "/home/bob", NULL },
	{ "%h%u", "bob", "/home/bob", NULL },
	{ "/srv/%h", "bob", "/home/bob", NULL },
	{ "/srv%h", "bob", "/home/bob", NULL },
	{ "%h%h", "bob", "/home/bob", NULL },
};

Test(policy_select, root)
{
	for (size_t i = 0; i < sizeof(root_cases) / sizeof(root_cases[0]); i++) {
		const struct root_case *c = &root_cases[i];
		struct policy policy = { .root = c->root };
		struct identity who = { .user = c->user, .home = c->home };
		char dst[64] = "untouched";
		int r = policy_root(&policy, &who, dst, sizeof(dst));
		cr_expect_eq(r, c->result != NULL ? 0 : -EINVAL, "root %s user %s home %s: %d", c->root, c->user, c->home, r);
		cr_expect_str_eq(dst, c->result != NULL ? c->result : "", "root %s user %s home %s: %s", c->root, c->user, c->home, dst);
	}
}

/* Every size of the buffer, and none of it beyond its end. */
Test(policy_select, root_too_long)
{
	struct policy policy = { .root = "/srv/%u/x" };
	size_t length = strlen("/srv/bob/x");
	for (size_t cap = 0; cap <= length + 2; cap++) {
		char *dst = malloc(cap > 0 ? cap : 1);
		cr_assert(dst != NULL);
		int r = policy_root(&policy, &bob, dst, cap);
		cr_expect_eq(r, cap > length ? 0 : -ENAMETOOLONG, "cap %zu: %d", cap, r);
		if (cap > 0)
			cr_expect_str_eq(dst, cap > length ? "/srv/bob/x" : "");
		free(dst);
	}
}
