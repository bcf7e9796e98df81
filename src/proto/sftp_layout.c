/* SFTP in one table: numbers and names on the wire, the revisions of OpenSSH's extensions that are spoken here, and the order of every packet's fields. */
#include "proto/sftp_layout.h"

#define AT(kind_of_field, member) { SFTP_SHAPE_##kind_of_field, offsetof(struct sftp_packet, member) }
#define ONE_PATH AT(PATH, path)
#define TWO_PATHS AT(PATH, path), AT(PATH, other)
#define ONE_HANDLE AT(HANDLE, handle)
#define EXTENDED(its_name, its_revision) .type = SFTP_TYPE_EXTENDED, .extension = its_name, .revision = its_revision

static const struct sftp_layout layouts[SFTP_KINDS] = {
	[SFTP_INIT] = { .type = 1, .bare = true, .fields = { AT(WORD, version), { .shape = SFTP_SHAPE_PASSED } } },
	[SFTP_OPEN] = { .type = 3, .fields = { ONE_PATH, AT(OPEN, flags), AT(ATTRS, attrs) } },
	[SFTP_CLOSE] = { .type = 4, .fields = { ONE_HANDLE } },
	[SFTP_READ] = { .type = 5, .fields = { ONE_HANDLE, AT(LONG, offset), AT(WORD, count) } },
	[SFTP_WRITE] = { .type = 6, .fields = { ONE_HANDLE, AT(LONG, offset), AT(WORD, count) } },
	[SFTP_LSTAT] = { .type = 7, .fields = { ONE_PATH } },
	[SFTP_FSTAT] = { .type = 8, .fields = { ONE_HANDLE } },
	[SFTP_SETSTAT] = { .type = 9, .fields = { ONE_PATH, AT(ATTRS, attrs) } },
	[SFTP_FSETSTAT] = { .type = 10, .fields = { ONE_HANDLE, AT(ATTRS, attrs) } },
	[SFTP_OPENDIR] = { .type = 11, .fields = { ONE_PATH } },
	[SFTP_READDIR] = { .type = 12, .fields = { ONE_HANDLE } },
	[SFTP_REMOVE] = { .type = 13, .fields = { ONE_PATH } },
	[SFTP_MKDIR] = { .type = 14, .fields = { ONE_PATH, AT(ATTRS, attrs) } },
	[SFTP_RMDIR] = { .type = 15, .fields = { ONE_PATH } },
	[SFTP_REALPATH] = { .type = 16, .fields = { ONE_PATH } },
	[SFTP_STAT] = { .type = 17, .fields = { ONE_PATH } },
	[SFTP_RENAME] = { .type = 18, .fields = { TWO_PATHS } },
	[SFTP_READLINK] = { .type = 19, .fields = { ONE_PATH } },
	[SFTP_SYMLINK] = { .type = 20, .fields = { TWO_PATHS } },
	[SFTP_POSIX_RENAME] = { EXTENDED("posix-rename@openssh.com", "1"), .fields = { TWO_PATHS } },
	[SFTP_HARDLINK] = { EXTENDED("hardlink@openssh.com", "1"), .fields = { TWO_PATHS } },
	[SFTP_STATVFS] = { EXTENDED("statvfs@openssh.com", "2"), .fields = { ONE_PATH } },
	[SFTP_FSTATVFS] = { EXTENDED("fstatvfs@openssh.com", "2"), .fields = { ONE_HANDLE } },
	[SFTP_FSYNC] = { EXTENDED("fsync@openssh.com", "1"), .fields = { ONE_HANDLE } },
	[SFTP_LSETSTAT] = { EXTENDED("lsetstat@openssh.com", "1"), .fields = { ONE_PATH, AT(ATTRS, attrs) } },
	[SFTP_LIMITS] = { EXTENDED("limits@openssh.com", "1"), .fields = { { 0 } } },
	[SFTP_EXPAND_PATH] = { EXTENDED("expand-path@openssh.com", "1"), .fields = { ONE_PATH } },
	[SFTP_COPY_DATA] = { EXTENDED("copy-data", "1"),
		.fields = { ONE_HANDLE, AT(LONG, offset), AT(LONG, length), AT(HANDLE, handle2), AT(LONG, offset2) } },
	[SFTP_HOME_DIRECTORY] = { EXTENDED("home-directory", "1"), .fields = { ONE_PATH } },
	[SFTP_USERS_GROUPS] = { EXTENDED("users-groups-by-id@openssh.com", "1"), .fields = { AT(IDS, ids), AT(IDS, ids2) } },
	[SFTP_VERSION] = { .type = 2, .bare = true, .fields = { AT(WORD, version), AT(OFFER, extensions) } },
	[SFTP_STATUS] = { .type = 101, .fields = { AT(WORD, code), AT(MESSAGE, text) } },
	[SFTP_HANDLE] = { .type = 102, .fields = { ONE_HANDLE } },
	[SFTP_DATA] = { .type = 103, .fields = { AT(WORD, count) } },
	[SFTP_NAME] = { .type = 104, .fields = { AT(WORD, count) } },
	[SFTP_ATTRS] = { .type = 105, .fields = { AT(ATTRS, attrs) } },
	[SFTP_EXTENDED_REPLY] = { .type = 201, .fields = { AT(REST, body) } },
	[SFTP_ENTRY] = { .bare = true, .fields = { AT(PATH, name), AT(LONG_NAME, text), AT(PLAIN, attrs) } },
};

const struct sftp_layout *sftp_layout(enum sftp_kind kind)
{
	return kind >= SFTP_INIT && kind < SFTP_KINDS ? &layouts[kind] : NULL;
}

enum sftp_kind sftp_layout_kind(uint8_t type, bool reply)
{
	enum sftp_kind end = reply ? SFTP_ENTRY : SFTP_VERSION;
	for (enum sftp_kind kind = reply ? SFTP_VERSION : SFTP_INIT; kind < end; kind++)
		if (layouts[kind].type == type)
			return kind;
	return SFTP_UNKNOWN;
}

enum sftp_kind sftp_layout_extension(struct span name)
{
	for (enum sftp_kind kind = SFTP_FIRST_EXTENSION; kind <= SFTP_LAST_EXTENSION; kind++)
		if (span_is(name, layouts[kind].extension))
			return kind;
	return SFTP_UNKNOWN;
}

size_t sftp_attrs_size(unsigned flags)
{
	size_t n = 4;
	if (flags & SFTP_ATTR_SIZE)
		n += 8;
	if (flags & SFTP_ATTR_OWNER)
		n += 8;
	if (flags & SFTP_ATTR_MODE)
		n += 4;
	if (flags & SFTP_ATTR_TIMES)
		n += 8;
	return n;
}

size_t sftp_name_length(struct span name, struct span longname, const struct sftp_attrs *attrs)
{
	return SFTP_HEAD - 4 + 4 + 4 + name.n + 4 + longname.n + sftp_attrs_size(attrs->flags);
}
