/*
 * SSH_ORIGINAL_COMMAND as a client may send it. What must hold of any bytes: a refusal has a printable sentence; an accepted command has operands within the
 * limits; written again with quotes of our own they are read as the same; and nothing behind the command plays a part.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : require_failed(#condition, __LINE__))

static void require_failed(const char *condition, int line)
{
	fprintf(stderr, "proto_command.c:%d: %s\n", line, condition);
	abort();
}

static struct command first, second;
static char text[COMMAND_MAX + 16];
static size_t length;

static void check_refusal(const struct command *c)
{
	REQUIRE(c->why && strlen(c->why) <= 100 && c->why[0] != '\0');
	for (const char *s = c->why; *s; s++)
		REQUIRE(*s >= ' ' && *s < 0x7f);
	REQUIRE(c->count == 0);
}

static void check_operands(const struct command *c)
{
	REQUIRE(c->count <= COMMAND_OPERANDS_MAX);
	REQUIRE(c->kind != COMMAND_SCP_SINK || c->count == 1);
	REQUIRE(c->kind != COMMAND_SCP_SOURCE || c->count >= 1);
	REQUIRE(c->kind != COMMAND_SFTP || c->count == 0);
	for (size_t i = 0; i < c->count; i++) {
		const struct command_operand *o = &c->operand[i];
		REQUIRE(o->length >= 1 && o->length <= COMMAND_PATH_MAX);
		REQUIRE(strlen(o->path) == o->length);
		REQUIRE(!o->tilde || (o->path[0] == '~' && (o->length == 1 || o->path[1] == '/')));
		REQUIRE(!o->pattern || (strlen(o->pattern) >= o->length && strpbrk(o->pattern, "*?[")));
	}
}

static void check_same(const struct command *a, const struct command *b)
{
	REQUIRE(a->kind == b->kind && a->count == b->count);
	REQUIRE(a->recursive == b->recursive && a->preserve == b->preserve && a->directory == b->directory && a->verbose == b->verbose);
	for (size_t i = 0; i < a->count; i++) {
		const struct command_operand *x = &a->operand[i];
		const struct command_operand *y = &b->operand[i];
		REQUIRE(x->tilde == y->tilde && strcmp(x->path, y->path) == 0);
		REQUIRE(!x->pattern == !y->pattern && (!x->pattern || strcmp(x->pattern, y->pattern) == 0));
	}
}

static void add(const char *bytes)
{
	for (; *bytes; bytes++)
		if (length < sizeof(text))
			text[length++] = *bytes;
}

static void add_quoted(char byte)
{
	char quoted[] = { '\'', byte, '\'', '\0' };
	add(byte == '\'' ? "\\'" : quoted);
}

/* A word that means the operand: from its pattern, if it has one, what is unquoted there stays so. */
static void add_operand(const struct command_operand *o)
{
	const char *s = o->pattern ? o->pattern : o->path;
	add(" ");
	if (o->tilde) {
		add(o->length > 1 ? "~/" : "~");
		s += o->length > 1 ? 2 : 1;
	}
	for (; *s; s++) {
		char bare[] = { *s, '\0' };
		if (!o->pattern)
			add_quoted(*s);
		else if (*s == '\\')
			add_quoted(*++s);
		else if (strchr("*?[]!^-", *s))
			add(bare);
		else
			add_quoted(*s);
	}
}

/* Canonical and read again, the command is the same. */
static void check_written_again(const struct command *c)
{
	length = 0;
	add("scp");
	add(c->recursive ? " -r" : "");
	add(c->preserve ? " -p" : "");
	add(c->directory ? " -d" : "");
	add(c->verbose ? " -v" : "");
	add(c->kind == COMMAND_SCP_SINK ? " -t --" : " -f --");
	for (size_t i = 0; i < c->count; i++)
		add_operand(&c->operand[i]);
	if (length > COMMAND_MAX)
		return;
	command_parse(&second, span_of(text, length));
	check_same(c, &second);
}

static void check_tail(const struct command *c, const uint8_t *data, size_t size)
{
	static const char tail[] = "' \"; x";
	if (size > COMMAND_MAX)
		return;
	if (size > 0)
		memcpy(text, data, size);
	memcpy(text + size, tail, sizeof(tail));
	command_parse(&second, span_of(text, size));
	check_same(c, &second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	REQUIRE(command_parse(&first, span_of(data, size)) == first.kind);
	if (first.kind == COMMAND_REFUSED) {
		check_refusal(&first);
	} else {
		REQUIRE(!first.why);
		check_operands(&first);
	}
	if (first.kind == COMMAND_SCP_SINK || first.kind == COMMAND_SCP_SOURCE)
		check_written_again(&first);
	check_tail(&first, data, size);
	return 0;
}
