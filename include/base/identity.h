/* Who is at the other end, as far as the process and sshd say it. Filled once at start; strings belong to the caller. */
#ifndef XFERWARDEN_BASE_IDENTITY_H
#define XFERWARDEN_BASE_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

enum address_family { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6 };

/* Network byte order; IPv4 uses the first four bytes. An IPv4-mapped IPv6 address is stored as IPv4. */
struct address {
	enum address_family family;
	uint8_t bytes[16];
};

struct identity {
	const char *user;
	const char *home;          /* as the password database names it */
	const char *const *groups; /* names, the primary one first */
	size_t group_count;
	struct address from;       /* ADDRESS_NONE if sshd does not know */
	uint16_t port;             /* 0 if unknown */
	char from_text[48];        /* as sshd wrote it; empty if unknown */
	char key[64];              /* "SHA256:…" of the accepted key; of a certificate's key too; empty if unknown */
	char key_type[64];         /* "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com" */
};

#endif
