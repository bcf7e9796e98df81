/*
 * The words of a configuration file with their lines. It knows the part of libconfuse's lexical rules that means the same to a reader and
 * to libconfuse; all else comes back as a token with a fault: environment references, escapes, strings over several lines, unquoted
 * patterns.
 */
#ifndef XFERWARDEN_CONF_LEXER_H
#define XFERWARDEN_CONF_LEXER_H

#include "base/span.h"

enum { LEXER_STRING_MAX = 4095 }; /* bytes between the quotes */

enum token_kind {
	TOKEN_END = 0,
	TOKEN_WORD,   /* unquoted */
	TOKEN_STRING, /* raw is what stands between the quotes */
	TOKEN_OPEN,   /* {; with a fault [ */
	TOKEN_CLOSE,  /* }; with a fault ] */
	TOKEN_EQUALS,
	TOKEN_APPEND, /* += */
	TOKEN_COMMA,
	TOKEN_BAD,    /* no token of this language; with a fault it is best passed over */
};

struct token {
	enum token_kind kind;
	unsigned line;     /* where it begins */
	char quote;        /* TOKEN_STRING: ' or " */
	struct span raw;   /* of the text */
	const char *fault; /* why it can't be used: of a WORD or STRING a phrase that can follow it and a colon, else a sentence. NULL: it can */
};

struct lexer {
	struct span rest;
	unsigned line;
};

struct lexer lexer_of(struct span text);

/* Comments and blanks are passed over. After the end it is TOKEN_END for ever. */
struct token lexer_next(struct lexer *);

#endif
