/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/strip.h"
#include "tests/unit/test-store-util.h"

enum {
	PAGE = 4096,
	LOADED = 2 * PAGE + 100,	/* bytes, of three pages */
	AT_FIRST = 2 * PAGE + 200,	/* .debug_a: in the last of them, and one more */
	AT_SECOND = 5 * PAGE,		/* .debug_b */
	AT_OTHER = 6 * PAGE,		/* .comment */
	AT_NAMES = 7 * PAGE,
	AT_TABLE = 7 * PAGE + 256,
	N_SECTIONS = 5,
	LEN = AT_TABLE + N_SECTIONS * sizeof(Elf64_Shdr),
};

static const char names[] = "\0.debug_a\0.debug_b\0.comment\0.shstrtab";

static void make_elf(uint8_t elf[static LEN])
{
	Elf64_Ehdr head = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_phoff = sizeof(head), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
		.e_shoff = AT_TABLE, .e_shentsize = sizeof(Elf64_Shdr), .e_shnum = N_SECTIONS,
		.e_shstrndx = 4,
	};
	const Elf64_Phdr segment = { .p_type = PT_LOAD, .p_offset = 0, .p_filesz = LOADED };
	const Elf64_Shdr sections[N_SECTIONS] = {
		{ 0 },
		{ .sh_name = 1, .sh_type = SHT_PROGBITS, .sh_offset = AT_FIRST, .sh_size = 2 * PAGE },
		{ .sh_name = 10, .sh_type = SHT_PROGBITS, .sh_offset = AT_SECOND, .sh_size = 100 },
		{ .sh_name = 19, .sh_type = SHT_PROGBITS, .sh_offset = AT_OTHER, .sh_size = 100 },
		{ .sh_name = 28, .sh_type = SHT_STRTAB, .sh_offset = AT_NAMES, .sh_size = sizeof(names) },
	};

	memset(elf, 0xaa, LEN);
	memcpy(elf, &head, sizeof(head));
	memcpy(elf + sizeof(head), &segment, sizeof(segment));
	memcpy(elf + AT_NAMES, names, sizeof(names));
	memcpy(elf + AT_TABLE, sections, sizeof(sections));
}

/* Strips @elf in place. */
static bool strip(uint8_t elf[static LEN])
{
	autoclean(closep) int fd = memfd_create("elf", MFD_CLOEXEC);
	bool changed;

	assert_int_equal(write(fd, elf, LEN), LEN);
	assert_int_equal(strip_elf(fd, &changed), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), LEN);
	assert_int_equal(pread(fd, elf, LEN, 0), LEN);
	return changed;
}

static void strips(void **state)
{
	uint8_t wanted[LEN], elf[LEN];
	Elf64_Shdr *table = (Elf64_Shdr *)(wanted + AT_TABLE);

	(void) state;
	make_elf(elf);
	memcpy(wanted, elf, LEN);
	memset(wanted + 3 * PAGE, 0, AT_FIRST + 2 * PAGE - 3 * PAGE);
	memset(wanted + AT_SECOND, 0, 100);
	table[1].sh_type = table[2].sh_type = SHT_NOBITS;
	assert_true(strip(elf));
	assert_memory_equal(elf, wanted, LEN);
	assert_false(strip(elf));	/* a second time there is nothing */
	assert_memory_equal(elf, wanted, LEN);
}

static void leaves_others(void **state)
{
	uint8_t elf[LEN], before[LEN];
	Elf64_Ehdr *head = (Elf64_Ehdr *)elf;
	Elf64_Phdr *segment = (Elf64_Phdr *)(head + 1);
	Elf64_Shdr *table = (Elf64_Shdr *)(elf + AT_TABLE);

	(void) state;
	for (unsigned i = 0; i < 7; i++) {
		make_elf(elf);
		switch (i) {
		case 0: head->e_ident[0] = 'M'; break;
		case 1: head->e_shoff = UINT64_MAX - 8; break;
		case 2: segment->p_filesz = LEN; break;		/* all of it is loaded */
		case 3: segment->p_filesz = UINT64_MAX; break;
		case 4: table[1].sh_flags = table[2].sh_flags = SHF_ALLOC; break;
		case 5: table[4].sh_size = UINT64_MAX; break;
		case 6: table[1].sh_size = UINT64_MAX, table[2].sh_offset = UINT64_MAX; break;
		}
		memcpy(before, elf, LEN);
		assert_false(strip(elf));
		assert_memory_equal(elf, before, LEN);
	}
}

/* Whatever bit is wrong: what is loaded, by what the file says then, stays. */
static void flipped_bits(void **state)
{
	uint8_t whole[LEN], elf[LEN], before[LEN];

	(void) state;
	make_elf(whole);
	for (size_t i = 0; i < LEN; i++) {
		if (i == sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))
			i = AT_NAMES;
		for (unsigned bit = 0; bit < 8; bit++) {
			const Elf64_Ehdr *head = (const Elf64_Ehdr *)before;
			const Elf64_Phdr *segment = (const Elf64_Phdr *)(head + 1);

			memcpy(elf, whole, LEN);
			elf[i] ^= (uint8_t)(1 << bit);
			memcpy(before, elf, LEN);
			(void) strip(elf);
			if (head->e_phoff == sizeof(*head) && head->e_phnum && segment->p_type == PT_LOAD &&
			    segment->p_offset == 0 && segment->p_filesz == LOADED)
				assert_memory_equal(elf, before, 3 * PAGE);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strips),
		cmocka_unit_test(leaves_others),
		cmocka_unit_test(flipped_bits),
	};

	return cmocka_run_group_tests_name("strip", tests, NULL, NULL);
}
