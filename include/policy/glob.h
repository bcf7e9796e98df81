/*
 * Patterns over bytes: `*` any run of bytes, `?` one byte, `[a-z]` one byte of a class (`[!…]` and `[^…]`: not of it), `\x` the byte x
 * itself. A leading dot is nothing special. There are no braces and no classes by name.
 *
 * GLOB_PATH: pattern and text are paths without a leading slash, compared component by component; none of the above crosses a slash. A
 * component `**` stands for any number of components, none too; as the last one it stands for at least one: "a/ **" (without the blank)
 * matches what is below a, not a.
 *
 * Time is bounded by the product of the two lengths, whatever they hold.
 */
#ifndef XFERWARDEN_POLICY_GLOB_H
#define XFERWARDEN_POLICY_GLOB_H

#include "base/span.h"

/* What the pattern is about; bits. */
enum glob_flag {
	GLOB_TEXT = 0,             /* a slash is a byte like any other: MIME types, keys, signature names */
	GLOB_NAME = 1 << 0,        /* as GLOB_TEXT; but glob_check refuses slashes, which no name has */
	GLOB_PATH = 1 << 1,
	GLOB_IGNORE_CASE = 1 << 2, /* of ASCII letters */
	GLOB_FOLDER = 1 << 3,      /* with GLOB_PATH: the text is a folder, which a final `**` below it matches as well */
};

/* A pattern that glob_check refuses may match anything; it is safe to try. */
bool glob_match(const char *pattern, struct span text, unsigned flags);

/* NULL, or why the pattern is refused: a phrase that can follow the pattern and a colon. */
const char *glob_check(const char *pattern, unsigned flags);

#endif
