/* What libmagic does not see of an ELF file when it is given a buffer. */
#ifndef XFERWARDEN_INSPECTOR_ELF_H
#define XFERWARDEN_INSPECTOR_ELF_H

#include "base/span.h"

/* True for a shared object that is a program: one that names an interpreter, or carries the flag of a position-independent executable. */
bool elf_is_program(struct span head, int fd, uint64_t size);

#endif
