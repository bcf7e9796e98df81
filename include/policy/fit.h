/*
 * Does the content's type keep what the name's extension promises? For the condition type_mismatch. The types are those that libmagic
 * 5.44 gives to real files of each kind, its common mistakes included: the table is to find a program called holiday.jpg, not to grade
 * documents.
 */
#ifndef XFERWARDEN_POLICY_FIT_H
#define XFERWARDEN_POLICY_FIT_H

#include "base/span.h"

/*
 * True if the extension is in the table and the type is none of those it may have. Never true without an extension, with one that is not
 * in the table, or for an empty file. The name's last extension counts, in any case of letters; a dot in front of a name begins none.
 * type may not be empty.
 */
bool fit_mismatch(struct span name, struct span type);

/* True if fit_mismatch says the same of both names, whatever the type: they have one extension, or two that promise the same, or none that promises anything. */
bool fit_alike(struct span name, struct span other);

#endif
