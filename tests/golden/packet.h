/* SFTP packets as words in a script: `OPEN id=3 path="a.txt" flags=w|c|t mode=0644`, several of them joined by ` & `. */
#ifndef XFERWARDEN_GOLDEN_PACKET_H
#define XFERWARDEN_GOLDEN_PACKET_H

#include "proto/sftp.h"

enum { PACKET_HANDLES = 512, PACKET_ASKED = 4096 };

/* What the words lean on: handles that the client was given, called h1, h2, … in that order (any other is one that nobody gave), and the ids that are next. */
struct packet_names {
	struct {
		uint8_t bytes[SFTP_HANDLE_MAX];
		size_t n;
	} handle[PACKET_HANDLES];
	size_t handles;
	uint32_t client_id;             /* the last one; where a script says none it is the next */
	uint32_t asked[PACKET_ASKED];   /* ids that the child has not answered; where a script says none it is the oldest */
	size_t asked_n;
};

/* The bytes that the words stand for; the caller frees. reply: the child says them. */
uint8_t *packet_bytes(struct packet_names *, const char *words, bool reply, size_t *n);

/* The words for a packet; the caller frees. A HANDLE's handle gets its name by that. */
char *packet_words(struct packet_names *, const struct sftp_packet *);

#endif
