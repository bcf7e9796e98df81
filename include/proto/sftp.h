/*
 * SFTP version 3 with OpenSSH's extensions: packets in, values out, and back. Pull: the caller asks for the next one; the packet that is not whole yet is kept in
 * the reader, payload of WRITE and DATA is never looked at. Grammar: draft-ietf-secsh-filexfer-02 and OpenSSH's PROTOCOL, with OpenSSH's order of SYMLINK's
 * arguments.
 */
#ifndef XFERWARDEN_PROTO_SFTP_H
#define XFERWARDEN_PROTO_SFTP_H

#include "base/span.h"

enum {
	SFTP_VERSION_SPOKEN = 3,
	SFTP_PACKET_MAX = 256 << 10,  /* bytes after the length field; as OpenSSH's server takes and sends */
	SFTP_PAYLOAD_MAX = 261120,    /* bytes of one READ or WRITE, as OpenSSH's server announces and caps */
	SFTP_BODY_MAX = 34000,        /* bytes after the length field of any packet but WRITE, DATA and NAME */
	SFTP_PATH_MAX = 4095,
	SFTP_HANDLE_MAX = 256,        /* the draft's limit */
	SFTP_LONG_NAME_MAX = SFTP_PATH_MAX + 256, /* READLINK and REALPATH are answered with the path in place of the line for people */
	SFTP_TEXT_MAX = 255,          /* of a STATUS that we send */
	SFTP_PUT_MAX = 2 * SFTP_PATH_MAX + 512, /* the longest packet, or piece of one, that is written: two paths; WRITE and DATA without payload */
	SFTP_IDS_MAX = 1024,          /* in one users-groups-by-id request */
};

enum sftp_kind {
	SFTP_MORE = 0, /* the bytes so far are no whole packet */
	SFTP_BAD,      /* not the protocol; reader.why says it. The reader says so from now on */
	SFTP_UNKNOWN,  /* a request that cannot be served, yet breaks nothing: id and code (how to answer it) are valid, the rest was passed over */
	/* requests */
	SFTP_INIT, SFTP_OPEN, SFTP_CLOSE, SFTP_READ, SFTP_WRITE, SFTP_LSTAT, SFTP_FSTAT, SFTP_SETSTAT, SFTP_FSETSTAT, SFTP_OPENDIR, SFTP_READDIR, SFTP_REMOVE,
	SFTP_MKDIR, SFTP_RMDIR, SFTP_REALPATH, SFTP_STAT, SFTP_RENAME, SFTP_READLINK, SFTP_SYMLINK,
	/* extended requests */
	SFTP_POSIX_RENAME, SFTP_HARDLINK, SFTP_STATVFS, SFTP_FSTATVFS, SFTP_FSYNC, SFTP_LSETSTAT, SFTP_LIMITS, SFTP_EXPAND_PATH, SFTP_COPY_DATA,
	SFTP_HOME_DIRECTORY, SFTP_USERS_GROUPS,
	/* replies */
	SFTP_VERSION, SFTP_STATUS, SFTP_HANDLE, SFTP_DATA, SFTP_NAME, SFTP_ATTRS, SFTP_EXTENDED_REPLY,
	SFTP_ENTRY,    /* one of a NAME's names: count of them follow it, one a call */
	SFTP_KINDS,
	SFTP_FIRST_EXTENSION = SFTP_POSIX_RENAME,
	SFTP_LAST_EXTENSION = SFTP_USERS_GROUPS,
};

/* Extensions as bits, for VERSION. */
static inline unsigned sftp_extension(enum sftp_kind kind)
{
	return 1u << (kind - SFTP_FIRST_EXTENSION);
}

enum sftp_open { SFTP_OPEN_READ = 1, SFTP_OPEN_WRITE = 2, SFTP_OPEN_APPEND = 4, SFTP_OPEN_CREAT = 8, SFTP_OPEN_TRUNC = 16, SFTP_OPEN_EXCL = 32, SFTP_OPEN_ALL = 63 };

enum sftp_status {
	SFTP_OK, SFTP_EOF, SFTP_NO_SUCH_FILE, SFTP_PERMISSION_DENIED, SFTP_FAILURE, SFTP_BAD_MESSAGE, SFTP_NO_CONNECTION, SFTP_CONNECTION_LOST,
	SFTP_OP_UNSUPPORTED,
};

enum sftp_attribute { SFTP_ATTR_SIZE = 1, SFTP_ATTR_OWNER = 2, SFTP_ATTR_MODE = 4, SFTP_ATTR_TIMES = 8, SFTP_ATTR_ALL = 15 };

/* Extended attributes are passed over when read (a packet whose flags hold anything else is BAD) and never written. */
struct sftp_attrs {
	unsigned flags; /* SFTP_ATTR_* bits: which of the rest are there */
	uint64_t size;
	uint32_t uid, gid, mode /* with file type bits as sent */, atime, mtime;
};

/* One packet, of either direction. Spans point into the reader and live until its next call. */
struct sftp_packet {
	enum sftp_kind kind;
	uint32_t id;             /* all but INIT, VERSION, ENTRY */
	uint32_t version;        /* INIT, VERSION */
	unsigned extensions;     /* VERSION: sftp_extension bits of those known here, of the revision known here */
	struct span path;        /* the request's path; RENAME, POSIX_RENAME, HARDLINK: the old one; SYMLINK: what the link is to say; HOME_DIRECTORY: the user */
	struct span other;       /* RENAME, POSIX_RENAME, HARDLINK: the new path; SYMLINK: where the link is to be */
	struct span handle;      /* 1 to SFTP_HANDLE_MAX bytes; COPY_DATA: what is read */
	struct span handle2;     /* COPY_DATA: what is written */
	uint32_t flags;          /* OPEN: SFTP_OPEN_* bits, others are BAD */
	struct sftp_attrs attrs; /* OPEN, MKDIR, SETSTAT, FSETSTAT, LSETSTAT; ATTRS, ENTRY */
	uint64_t offset;         /* READ, WRITE; COPY_DATA: of the reading */
	uint64_t offset2;        /* COPY_DATA: of the writing */
	uint64_t length;         /* COPY_DATA: bytes, 0: all. NAME: bytes after the length field of the whole packet, names included */
	uint32_t count;          /* READ: bytes asked for; WRITE, DATA: payload bytes that follow; NAME: entries that follow */
	uint32_t code;           /* STATUS: any value. UNKNOWN: OP_UNSUPPORTED for a type or extension not in the list, BAD_MESSAGE for what is too long */
	struct span text;        /* STATUS: the message; ENTRY: the long name */
	struct span name;        /* ENTRY: the name, without NUL */
	struct span ids, ids2;   /* USERS_GROUPS: numbers of users and of groups as sent, 4 bytes each, at most SFTP_IDS_MAX */
	struct span body;        /* EXTENDED_REPLY: all after the id */
};

struct sftp_reader {
	const char *why;         /* SFTP_BAD: a sentence */
	bool begun;              /* requests: INIT was seen; replies: VERSION */
	uint32_t entries;        /* replies: of the current NAME, to come */
	uint64_t left;           /* of the current NAME or of what is passed over: bytes to come */
	uint32_t behind;         /* of the last WRITE: bytes behind its payload, to be passed over */
	/* and what else the reader needs; private */
	size_t n;                /* bytes kept of the packet or entry at hand */
	enum sftp_kind kind;     /* of the packet at hand, once its type is there */
	bool skipping;           /* left bytes are passed over; then UNKNOWN with skip_id and skip_code */
	uint32_t skip_id, skip_code;
	uint8_t bytes[SFTP_BODY_MAX + 4];
};

void sftp_init(struct sftp_reader *);

/* True between two packets: the stream may end here. The payload of WRITE and DATA is the caller's to count. */
static inline bool sftp_between(const struct sftp_reader *reader)
{
	return reader->n == 0 && reader->entries == 0 && !reader->skipping && reader->behind == 0;
}

/*
 * The next packet that a client may send; takes what it used from *in, never a byte of the next packet. The first has to be INIT and no other may be; its
 * extension pairs are passed over. WRITE: its header alone is taken, the payload is the caller's to take before the next call, exactly count bytes (any
 * that fit the packet, also more than SFTP_PAYLOAD_MAX); bytes of the packet behind that, which rclone's library sends, are passed over by the next call.
 * BAD are: length 0 or above SFTP_PACKET_MAX; fields that do not fit the length, or bytes behind the last field; a NUL in a path; an empty or too long
 * handle; unknown flags of OPEN or of attributes; ids that are not numbers of 4 bytes. UNKNOWN are: other types and extensions; a request above
 * SFTP_BODY_MAX; a path above SFTP_PATH_MAX; too many ids. Every path may be empty, and offsets, lengths and sizes are any number: that is for the caller
 * to judge.
 */
enum sftp_kind sftp_next_request(struct sftp_reader *, struct span *in, struct sftp_packet *out);

/*
 * The next packet that the server may send: as strict, and what is too long or of another type is BAD. DATA: as WRITE. NAME: its header alone, then count times
 * ENTRY; that the entries fill the packet exactly is checked at the last. An ENTRY with extended attributes is BAD: it could not be written anew in the same
 * length. Names and long names have no NUL; a name may hold slashes, as replies to REALPATH do. STATUS without message and language (to a version below 3) is
 * taken too. VERSION: extensions that are not known are passed over.
 */
enum sftp_kind sftp_next_reply(struct sftp_reader *, struct span *in, struct sftp_packet *out);

/*
 * Writes one packet, canonical, into dst[SFTP_PUT_MAX]. WRITE and DATA: without the payload, of packet->count bytes. NAME: the header alone, for packet->count
 * entries and packet->length bytes in all as read; ENTRY: one name, of exactly the length it was read with. EXTENDED_REPLY: a body of at most SFTP_PUT_MAX - 9.
 * VERSION: version 3 and the known extensions in packet->extensions, in the order of enum sftp_kind. INIT: without extensions. STATUS: the text is cleaned and
 * cut to SFTP_TEXT_MAX; language empty. Returns its length; 0 if it cannot be written within the limits above, or is no packet.
 */
size_t sftp_put(uint8_t *dst, const struct sftp_packet *);

/* The length that a NAME of one entry has, after the length field: for replies of our own. */
size_t sftp_name_length(struct span name, struct span longname, const struct sftp_attrs *);

#endif
