/* The written forms of the shared words. Configuration, audit and messages have no other table. */
#include "base/words.h"

const char *direction_word(enum direction direction)
{
	switch (direction) {
	case UPLOAD:
		return "upload";
	case DOWNLOAD:
		return "download";
	}
	return "?";
}

static const char *const reason_words[REASONS] = {
	[REASON_NONE] = "none",
	[REASON_RULE] = "rule",
	[REASON_NOT_ALLOWED] = "not-allowed",
	[REASON_NOT_PERMITTED] = "not-permitted",
	[REASON_NO_POLICY] = "no-policy",
	[REASON_UNSCANNABLE] = "unscannable",
	[REASON_OUTSIDE_ROOT] = "outside-root",
	[REASON_LOGIN_FILE] = "login-file",
	[REASON_NOT_A_FILE] = "not-a-file",
	[REASON_MOVED] = "moved",
	[REASON_BAD_NAME] = "bad-name",
	[REASON_TOO_DEEP] = "nested-too-deep",
	[REASON_COMMAND] = "command",
	[REASON_PROTOCOL] = "protocol",
	[REASON_SPOOL] = "spool",
	[REASON_AUDIT] = "audit",
	[REASON_CHILD] = "child",
	[REASON_CLIENT] = "client",
	[REASON_CLIENT_GONE] = "client-gone",
	[REASON_TIMEOUT] = "timeout",
	[REASON_STOPPED] = "stopped",
	[REASON_RESERVED] = "reserved",
	[REASON_INTERNAL] = "internal",
	[REASON_OPERATION] = "operation",
};

const char *reason_word(enum reason reason)
{
	return (unsigned)reason < REASONS ? reason_words[reason] : "internal";
}

static const char *const action_words[ACTIONS] = {
	[ACTION_REMOVE] = "remove",
	[ACTION_REMOVE_FOLDER] = "folder-remove",
	[ACTION_RENAME] = "rename",
	[ACTION_HARD_LINK] = "hard-link",
	[ACTION_SYMBOLIC_LINK] = "symbolic-link",
	[ACTION_ATTRIBUTES] = "attributes",
};

const char *action_word(enum action action)
{
	return (unsigned)action < ACTIONS ? action_words[action] : "remove";
}

static const char *const operation_words[OPERATION_WORDS] = {
	"list", "stat", "mkdir", "rename", "remove", "attributes", "link", "replace",
};

const char *operation_word(unsigned index)
{
	return index < OPERATION_WORDS ? operation_words[index] : NULL;
}

unsigned operation_bit(struct span word)
{
	for (unsigned i = 0; i < OPERATION_WORDS; i++)
		if (span_is(word, operation_words[i]))
			return 1u << i;
	return 0;
}

static const char *const unscannable_words[UNSCANNABLE_WORDS] = {
	"encrypted", "too-large", "too-deep", "timeout", "damaged", "scanner-down", "scanner-blind",
};

const char *unscannable_word(unsigned index)
{
	return index < UNSCANNABLE_WORDS ? unscannable_words[index] : NULL;
}

unsigned unscannable_bit(struct span word)
{
	for (unsigned i = 0; i < UNSCANNABLE_WORDS; i++)
		if (span_is(word, unscannable_words[i]))
			return 1u << i;
	return 0;
}
