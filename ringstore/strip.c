/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file is foreign: each number is measured against its length. */
#include "ringstore/strip.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/autoclean.h"
#include "ringstore/tree.h"

enum { PAGE = 4096, MAX_NAMES = 1 << 20 };

struct elf {
	int fd;
	uint64_t len;
	Elf64_Ehdr head;
	Elf64_Phdr *segments;
	Elf64_Shdr *sections;
	char *names;		/* ends with a zero byte */
	uint64_t names_len;
};

static void elf_deinit(struct elf *elf)
{
	free(elf->segments);
	free(elf->sections);
	free(elf->names);
}

/* Bytes of the file, and a zero byte, the caller's to free. NULL: it hasn't so many, or no memory. */
static void *get(const struct elf *elf, uint64_t offset, uint64_t len)
{
	void *bytes = len <= elf->len && offset <= elf->len - len ? calloc(1, len + 1) : NULL;

	if (bytes && tree_pread(elf->fd, bytes, len, offset) != (ssize_t)len) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static bool is_ours(const Elf64_Ehdr *head)
{
	return memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_ident[EI_CLASS] == ELFCLASS64 &&
	       head->e_ident[EI_DATA] == ELFDATA2LSB && head->e_phentsize == sizeof(Elf64_Phdr) &&
	       head->e_shentsize == sizeof(Elf64_Shdr) && head->e_phnum != PN_XNUM &&
	       head->e_shstrndx < head->e_shnum;
}

/* False: nothing that we could strip. */
static bool read_elf(struct elf *elf)
{
	const Elf64_Shdr *names;

	if (tree_pread(elf->fd, &elf->head, sizeof(elf->head), 0) != (ssize_t)sizeof(elf->head) ||
	    !is_ours(&elf->head))
		return false;
	elf->segments = get(elf, elf->head.e_phoff, elf->head.e_phnum * sizeof(Elf64_Phdr));
	elf->sections = get(elf, elf->head.e_shoff, elf->head.e_shnum * sizeof(Elf64_Shdr));
	if (!elf->segments || !elf->sections)
		return false;
	names = &elf->sections[elf->head.e_shstrndx];
	elf->names_len = names->sh_size;
	elf->names = names->sh_size <= MAX_NAMES ? get(elf, names->sh_offset, names->sh_size) : NULL;
	return elf->names;
}

/* Does any page of the bytes from @begin to @end come into memory? */
static bool is_loaded(const struct elf *elf, uint64_t begin, uint64_t end)
{
	for (size_t i = 0; i < elf->head.e_phnum; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		uint64_t from = segment->p_offset / PAGE * PAGE, to = UINT64_MAX;

		if (segment->p_offset < elf->len && segment->p_filesz < elf->len)
			to = (segment->p_offset + segment->p_filesz + PAGE - 1) / PAGE * PAGE;
		if (segment->p_type == PT_LOAD && begin < to && end > from)
			return true;
	}
	return false;
}

static bool is_debug(const struct elf *elf, const Elf64_Shdr *section)
{
	const char *name = section->sh_name < elf->names_len ? elf->names + section->sh_name : "";

	return section->sh_type == SHT_PROGBITS && !(section->sh_flags & SHF_ALLOC) &&
	       section->sh_size > 0 && section->sh_size <= elf->len &&
	       section->sh_offset <= elf->len - section->sh_size &&
	       (strncmp(name, ".debug_", 7) == 0 || strncmp(name, ".zdebug_", 8) == 0);
}

/* All that can go of it goes: 1; 0: none can. */
static int erase(const struct elf *elf, const Elf64_Shdr *section)
{
	uint64_t begin = section->sh_offset, end = begin + section->sh_size;
	uint64_t table = elf->head.e_shoff, table_end = table + elf->head.e_shnum * sizeof(*section);

	if (is_loaded(elf, begin, begin + 1))	/* a part may be in the last page of a segment */
		begin = (begin / PAGE + 1) * PAGE;
	if (begin >= end || is_loaded(elf, begin, end) || (begin < table_end && end > table))
		return 0;
	if (fallocate(elf->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)begin,
		      (off_t)(end - begin)) < 0)
		return -errno;
	return 1;
}

/*
 * A debugger that finds zeroes there, or some sections without the others, would complain: the
 * table says that none has anything.
 */
static int hide(const struct elf *elf, size_t i)
{
	static const uint32_t nobits = SHT_NOBITS;

	return tree_pwrite(elf->fd, &nobits, sizeof(nobits),
			   elf->head.e_shoff + i * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_type));
}

static int strip_sections(const struct elf *elf, bool *ret_changed)
{
	bool changed = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < elf->head.e_shnum; i++) {
		r = is_debug(elf, &elf->sections[i]) ? erase(elf, &elf->sections[i]) : 0;
		changed |= r > 0;
	}
	for (size_t i = 0; r >= 0 && changed && i < elf->head.e_shnum; i++)
		r = is_debug(elf, &elf->sections[i]) ? hide(elf, i) : 0;
	if (r < 0)
		return r;
	*ret_changed = changed;
	return 0;
}

int strip_elf(int fd, bool *ret_changed)
{
	autoclean(elf_deinit) struct elf elf = { .fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	elf.len = (uint64_t)st.st_size;
	if (read_elf(&elf) && !is_loaded(&elf, elf.head.e_shoff, elf.head.e_shoff +
					 elf.head.e_shnum * sizeof(Elf64_Shdr)))
		return strip_sections(&elf, ret_changed);
	*ret_changed = false;
	return 0;
}
