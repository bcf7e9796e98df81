/*
 * Where an ELF file of either class and byte order says that it is a program. libmagic follows the dynamic section by descriptor only,
 * and calls every such program a shared library otherwise. Source: elf(5).
 */
#include "inspector/elf.h"

#include <elf.h>
#include <unistd.h>

enum { DYNAMIC_MAX = 16384, DYNAMIC_FLAGS_1_PIE = 0x08000000 };

struct elf {
	struct span head;
	bool wide, big;
};

/* A number at a place that is known to lie within s. */
static uint64_t elf_number(const struct elf *elf, const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | p[elf->big ? i : bytes - 1 - i];
	return value;
}

static bool elf_dynamic(const struct elf *elf, int fd, uint64_t size, uint64_t at, uint64_t length)
{
	uint8_t bytes[DYNAMIC_MAX];
	unsigned word = elf->wide ? 8 : 4;
	if (at > size)
		return false;
	length = length > size - at ? size - at : length;
	ssize_t n = pread(fd, bytes, length < sizeof(bytes) ? (size_t)length : sizeof(bytes), (off_t)at);
	for (ssize_t i = 0; i + 2 * (ssize_t)word <= n; i += 2 * (ssize_t)word)
		if (elf_number(elf, bytes + i, word) == DT_FLAGS_1)
			return (elf_number(elf, bytes + i + word, word) & DYNAMIC_FLAGS_1_PIE) != 0;
	return false;
}

bool elf_is_program(struct span head, int fd, uint64_t size)
{
	if (head.n < sizeof(Elf64_Ehdr) || memcmp(head.p, ELFMAG, SELFMAG) != 0)
		return false;
	struct elf elf = { .head = head, .wide = head.p[EI_CLASS] == ELFCLASS64, .big = head.p[EI_DATA] == ELFDATA2MSB };
	uint64_t at = elf.wide ? elf_number(&elf, head.p + 32, 8) : elf_number(&elf, head.p + 28, 4);
	uint64_t entry = elf_number(&elf, head.p + (elf.wide ? 54 : 42), 2), count = elf_number(&elf, head.p + (elf.wide ? 56 : 44), 2);
	uint64_t least = elf.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (entry < least)
		return false;
	for (; count > 0 && at <= head.n && head.n - at >= least; count--, at += entry) {
		const uint8_t *program = head.p + at;
		uint64_t kind = elf_number(&elf, program, 4);
		uint64_t where = elf.wide ? elf_number(&elf, program + 8, 8) : elf_number(&elf, program + 4, 4);
		uint64_t length = elf.wide ? elf_number(&elf, program + 32, 8) : elf_number(&elf, program + 16, 4);
		if (kind == PT_INTERP || (kind == PT_DYNAMIC && elf_dynamic(&elf, fd, size, where, length)))
			return true;
	}
	return false;
}
