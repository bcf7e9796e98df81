/*
 * How a client spells a transfer: the words of a POSIX shell's simple command (XCU 2.2, quoting) and scp's server flags as getopt reads them. No other file
 * removes quotes.
 */
#include "proto/command.h"
#include "proto/command_words.h"

enum byte_class { BYTE_BARE = 0, BYTE_BLANK, BYTE_QUOTE, BYTE_DOUBLE, BYTE_ESCAPE, BYTE_EXPANSION, BYTE_OPERATOR, BYTE_CONTROL };

static const uint8_t byte_classes[256] = {
	['\t'] = BYTE_BLANK,
	[' '] = BYTE_BLANK,
	['\n'] = BYTE_OPERATOR,
	['\r'] = BYTE_OPERATOR,
	['\''] = BYTE_QUOTE,
	['"'] = BYTE_DOUBLE,
	['\\'] = BYTE_ESCAPE,
	['$'] = BYTE_EXPANSION,
	['`'] = BYTE_EXPANSION,
	[';'] = BYTE_OPERATOR,
	['&'] = BYTE_OPERATOR,
	['|'] = BYTE_OPERATOR,
	['<'] = BYTE_OPERATOR,
	['>'] = BYTE_OPERATOR,
	['('] = BYTE_OPERATOR,
	[')'] = BYTE_OPERATOR,
	[0x7f] = BYTE_CONTROL,
};

static enum byte_class byte_class(uint8_t byte)
{
	enum byte_class class = (enum byte_class)byte_classes[byte];
	return class == BYTE_BARE && byte < ' ' ? BYTE_CONTROL : class;
}

static const char why_long[] = "the command is longer than can be read safely; send fewer or shorter paths";
static const char why_unterminated[] = "the command ends inside quotes or behind a backslash";
static const char why_expansion[] = "the command has a $ or backquote that is not in single quotes; no shell runs here";
static const char why_operator[] = "the command has shell syntax (; & | < > ( ) or a line end) outside quotes; no shell runs here";
static const char why_control[] = "the command has a control character outside quotes";
static const char why_comment[] = "a word begins with #, which a shell takes for a comment; quote it";
static const char why_user[] = "paths that begin with ~user are not served; give the path itself";

/* Reads words out of a command; what it has read lies in out->store. */
struct lexer {
	struct span in;
	struct command *out;
	size_t text;    /* first free byte of the dequoted words */
	size_t end;     /* of the room for those: no longer than the command. The patterns begin here */
	size_t pattern; /* first free byte of the patterns */
	bool magic;     /* the word at hand has an unquoted metacharacter of glob(3) */
	const char *why;
};

enum lexed { LEXED_BAD = 0, LEXED_WORD, LEXED_END };

static bool lexer_fail(struct lexer *lex, const char *why)
{
	lex->why = why;
	return false;
}

static bool lexer_put(struct lexer *lex, uint8_t byte, bool quoted)
{
	static const char special[] = "*?[]\\!^-";
	bool is_special = byte != '\0' && strchr(special, byte) != NULL;
	/* Both areas are large enough for any command of COMMAND_MAX bytes; the check is for our own mistakes. */
	if (lex->text >= lex->end || lex->pattern + 2 > sizeof(lex->out->store))
		return lexer_fail(lex, why_long);
	if (!quoted && (byte == '*' || byte == '?' || byte == '['))
		lex->magic = true;
	lex->out->store[lex->text++] = (char)byte;
	if (quoted && is_special)
		lex->out->store[lex->pattern++] = '\\';
	lex->out->store[lex->pattern++] = (char)byte;
	return true;
}

/* After an opening ': all up to the next one. */
static bool lexer_single(struct lexer *lex)
{
	while (lex->in.n > 0) {
		uint8_t byte = span_take(&lex->in, 1).p[0];
		if (byte == '\'')
			return true;
		if (!lexer_put(lex, byte, true))
			return false;
	}
	return lexer_fail(lex, why_unterminated);
}

/* After a backslash within double quotes: it is kept unless what follows would be special there. */
static bool lexer_double_escape(struct lexer *lex)
{
	if (lex->in.n == 0)
		return lexer_fail(lex, why_unterminated);
	uint8_t byte = span_take(&lex->in, 1).p[0];
	if (byte == '\n')
		return true;
	if (byte == '"' || byte == '\\' || byte == '$' || byte == '`')
		return lexer_put(lex, byte, true);
	return lexer_put(lex, '\\', true) && lexer_put(lex, byte, true);
}

/* After an opening ". */
static bool lexer_double(struct lexer *lex)
{
	while (lex->in.n > 0) {
		uint8_t byte = span_take(&lex->in, 1).p[0];
		if (byte == '"')
			return true;
		if (byte == '$' || byte == '`')
			return lexer_fail(lex, why_expansion);
		if (byte == '\\' ? !lexer_double_escape(lex) : !lexer_put(lex, byte, true))
			return false;
	}
	return lexer_fail(lex, why_unterminated);
}

/* After a backslash outside quotes. */
static bool lexer_escape(struct lexer *lex)
{
	if (lex->in.n == 0)
		return lexer_fail(lex, why_unterminated);
	uint8_t byte = span_take(&lex->in, 1).p[0];
	if (byte == '\n')
		return lexer_fail(lex, why_operator);
	return lexer_put(lex, byte, true);
}

/* One piece of a word: an unquoted byte or a quoted run. */
static bool lexer_piece(struct lexer *lex)
{
	uint8_t byte = span_take(&lex->in, 1).p[0];
	switch (byte_class(byte)) {
	case BYTE_BARE:
		return lexer_put(lex, byte, false);
	case BYTE_QUOTE:
		return lexer_single(lex);
	case BYTE_DOUBLE:
		return lexer_double(lex);
	case BYTE_ESCAPE:
		return lexer_escape(lex);
	case BYTE_EXPANSION:
		return lexer_fail(lex, why_expansion);
	case BYTE_OPERATOR:
		return lexer_fail(lex, why_operator);
	case BYTE_BLANK:
	case BYTE_CONTROL:
		break;
	}
	return lexer_fail(lex, why_control);
}

static bool lexer_at_blank(const struct lexer *lex)
{
	return lex->in.n > 0 && byte_class(lex->in.p[0]) == BYTE_BLANK;
}

/* What a shell would make of the word's first bytes, before any quote is removed. False if it is refused. */
static bool lexer_opening(struct lexer *lex, bool *tilde)
{
	struct span in = lex->in;
	*tilde = false;
	if (in.p[0] == '#')
		return lexer_fail(lex, why_comment);
	if (in.p[0] != '~')
		return true;
	if (in.n == 1 || in.p[1] == '/' || byte_class(in.p[1]) == BYTE_BLANK) {
		*tilde = true;
		return true;
	}
	/* A quote within the prefix takes the tilde's meaning away; what else is refused here is refused by lexer_piece with its own words. */
	return byte_class(in.p[1]) != BYTE_BARE || lexer_fail(lex, why_user);
}

static enum lexed lexer_word(struct lexer *lex, struct command_operand *word)
{
	while (lexer_at_blank(lex))
		span_take(&lex->in, 1);
	if (lex->in.n == 0)
		return LEXED_END;
	size_t text = lex->text;
	size_t pattern = lex->pattern;
	lex->magic = false;
	if (!lexer_opening(lex, &word->tilde))
		return LEXED_BAD;
	while (lex->in.n > 0 && !lexer_at_blank(lex))
		if (!lexer_piece(lex))
			return LEXED_BAD;
	word->path = lex->out->store + text;
	word->length = lex->text - text;
	word->pattern = lex->magic ? lex->out->store + pattern : NULL;
	return lexer_put(lex, '\0', true) ? LEXED_WORD : LEXED_BAD;
}

/* The flags of one scp command line. */
struct flags {
	struct command *out;
	bool sink, source;
	bool rate;          /* the next word is -l's number */
	const char *why;
};

/* -l's number, for a throttle that is the client's own affair here. */
static bool flags_rate(struct flags *flags, struct span number)
{
	if (number.n == 0 || number.n > 10)
		return false;
	for (size_t i = 0; i < number.n; i++)
		if (number.p[i] < '0' || number.p[i] > '9')
			return false;
	flags->rate = false;
	return true;
}

/* Puts why together in the store: nothing else of it is needed any more. */
static const char *flags_refuse(struct flags *flags, char letter)
{
	static const char before[] = "scp's flag -";
	static const char after[] = " is not for a server and is refused";
	if ((uint8_t)letter <= ' ' || (uint8_t)letter >= 0x7f)
		return "scp was given a flag that is not known";
	char *why = flags->out->store;
	size_t at = sizeof(before) - 1;
	memcpy(why, before, at);
	why[at++] = letter;
	memcpy(why + at, after, sizeof(after));
	return why;
}

static bool flags_letter(struct flags *flags, char letter)
{
	switch (letter) {
	case 't':
		return flags->sink = true;
	case 'f':
		return flags->source = true;
	case 'r':
		return flags->out->recursive = true;
	case 'p':
		return flags->out->preserve = true;
	case 'd':
		return flags->out->directory = true;
	case 'v':
		return flags->out->verbose = true;
	}
	/* Of no meaning to the serving side; some clients send them all the same. */
	if (letter != '\0' && strchr("qTCBOs46A3R2", letter))
		return true;
	flags->why = flags_refuse(flags, letter);
	return false;
}

static bool flags_word(struct flags *flags, struct span word)
{
	for (size_t i = 1; i < word.n; i++) {
		if (word.p[i] != 'l') {
			if (!flags_letter(flags, (char)word.p[i]))
				return false;
			continue;
		}
		flags->rate = true;
		struct span number = span_of(word.p + i + 1, word.n - i - 1);
		if (number.n == 0 || flags_rate(flags, number))
			return true;
		flags->why = "scp's flag -l needs a number";
		return false;
	}
	return true;
}

static enum command_kind command_refuse(struct command *out, const char *why)
{
	out->kind = COMMAND_REFUSED;
	out->why = why;
	out->count = 0;
	return COMMAND_REFUSED;
}

static const char *command_operand(struct command *out, const struct command_operand *word)
{
	if (word->length == 0)
		return "scp was given an empty path";
	if (word->length > COMMAND_PATH_MAX)
		return "scp was given a path longer than 4095 bytes";
	if (out->count == COMMAND_OPERANDS_MAX)
		return "scp was given more paths than can be served at once";
	out->operand[out->count++] = *word;
	return NULL;
}

static const char *command_verdict(const struct command *out, const struct flags *flags)
{
	if (flags->rate)
		return "scp's flag -l needs a number";
	if (flags->sink && flags->source)
		return "scp was given both -t and -f";
	if (!flags->sink && !flags->source)
		return "scp without -t or -f would copy from here to elsewhere; only the client's own files are served";
	if (flags->sink && out->count == 0)
		return "scp -t was given no target";
	if (flags->sink && out->count > 1)
		return "scp -t was given more than one target; quote blanks in the path";
	if (flags->source && out->count == 0)
		return "scp -f was given no path";
	return NULL;
}

/* Everything behind the word "scp". */
static enum command_kind command_scp(struct command *out, struct lexer *lex)
{
	struct flags flags = { .out = out };
	bool operands = false;
	for (;;) {
		struct command_operand word;
		enum lexed lexed = lexer_word(lex, &word);
		if (lexed == LEXED_BAD)
			return command_refuse(out, lex->why);
		if (lexed == LEXED_END)
			break;
		struct span text = span_of(word.path, word.length);
		if (flags.rate) {
			if (!flags_rate(&flags, text))
				break;
		} else if (operands || text.n < 2 || text.p[0] != '-') {
			operands = true;
			const char *why = command_operand(out, &word);
			if (why)
				return command_refuse(out, why);
		} else if (span_is(text, "--")) {
			operands = true;
		} else if (!flags_word(&flags, text)) {
			return command_refuse(out, flags.why);
		}
	}
	const char *why = command_verdict(out, &flags);
	if (why)
		return command_refuse(out, why);
	out->kind = flags.sink ? COMMAND_SCP_SINK : COMMAND_SCP_SOURCE;
	return out->kind;
}

/* The server's arguments are the configuration's business; they only have to be words. */
static enum command_kind command_sftp(struct command *out, struct lexer *lex)
{
	for (;;) {
		struct command_operand word;
		switch (lexer_word(lex, &word)) {
		case LEXED_BAD:
			return command_refuse(out, lex->why);
		case LEXED_WORD:
			break;
		case LEXED_END:
			out->kind = COMMAND_SFTP;
			return out->kind;
		}
	}
}

enum command_kind command_parse(struct command *out, struct span original)
{
	out->kind = COMMAND_REFUSED;
	out->why = NULL;
	out->recursive = out->preserve = out->directory = out->verbose = false;
	out->count = 0;
	if (!original.p)
		return command_refuse(out, command_advice(span_str("sh")));
	if (original.n > COMMAND_MAX)
		return command_refuse(out, why_long);
	if (original.n > 0 && memchr(original.p, '\0', original.n))
		return command_refuse(out, "the command has a NUL in it");
	if (command_is_search(original)) {
		out->kind = COMMAND_SFTP;
		return out->kind;
	}
	struct lexer lex = { .in = original, .out = out, .end = original.n + 1, .pattern = original.n + 1 };
	struct command_operand word;
	switch (lexer_word(&lex, &word)) {
	case LEXED_BAD:
		return command_refuse(out, lex.why);
	case LEXED_END:
		return command_refuse(out, "the command is empty; file transfers only");
	case LEXED_WORD:
		break;
	}
	struct span verb = span_of(word.path, word.length);
	if (command_is_scp(verb))
		return command_scp(out, &lex);
	if (command_is_sftp(verb))
		return command_sftp(out, &lex);
	return command_refuse(out, command_advice(verb));
}
