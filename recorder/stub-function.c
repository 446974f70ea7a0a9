/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where functions begin, by .eh_frame_hdr's table (Linux Standard Base, 10.6.2). It is read out
 * of the process, which may have written anything: no more than fixed sizes are read, and each
 * number is looked at before it is used.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "recorder/stub-plan.h"

enum {
	MAX_HEADERS = 32,
	MAX_ENTRIES = 1 << 22,
	ENC_UDATA4 = 0x03, ENC_SDATA4 = 0x1b, ENC_TABLE = 0x3b,	/* DW_EH_PE_: pcrel, datarel */
};

struct header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
};

struct entry {
	int32_t function, description;	/* distances from the header */
};

static bool read_all(int mem, uint64_t at, void *to, size_t len)
{
	return pread(mem, to, len, (off_t)at) == (ssize_t)len;
}

/* The table's address in the process; @ret_end: of the code of the segment that has @address. */
static int find_table(int mem, uint64_t base, uint64_t address, uint64_t *ret_table, uint64_t *ret_end)
{
	Elf64_Ehdr ehdr;
	Elf64_Phdr program[MAX_HEADERS];
	uint64_t first = UINT64_MAX, table = 0;

	*ret_end = 0;
	if (!read_all(mem, base, &ehdr, sizeof(ehdr)) || memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr.e_phentsize != sizeof(program[0]) || ehdr.e_phnum > MAX_HEADERS ||
	    !read_all(mem, base + ehdr.e_phoff, program, ehdr.e_phnum * sizeof(program[0])))
		return -EBADMSG;
	for (unsigned i = 0; i < ehdr.e_phnum; i++)
		if (program[i].p_type == PT_LOAD && program[i].p_vaddr < first)
			first = program[i].p_vaddr;
	for (unsigned i = 0; i < ehdr.e_phnum; i++) {
		uint64_t at = base + program[i].p_vaddr - (first & ~UINT64_C(4095));

		if (program[i].p_type == PT_GNU_EH_FRAME)
			table = at;
		else if (program[i].p_type == PT_LOAD && address - at < program[i].p_filesz)
			*ret_end = at + program[i].p_filesz;
	}
	*ret_table = table;
	return table && *ret_end ? 0 : -ENOENT;
}

int stub_function(int mem, uint64_t base, uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
	struct header header;
	struct entry entry;
	uint64_t table, end, low = 0, high, start = 0;
	int r = find_table(mem, base, address, &table, &end);

	if (r < 0)
		return r;
	if (!read_all(mem, table, &header, sizeof(header)) || header.version != 1 ||
	    header.frame_encoding != ENC_SDATA4 || header.count_encoding != ENC_UDATA4 ||
	    header.table_encoding != ENC_TABLE || header.count > MAX_ENTRIES)
		return -EBADMSG;
	high = header.count;
	/* The last that begins at the address or before it. */
	while (low < high) {
		uint64_t middle = low + (high - low) / 2, at;

		if (!read_all(mem, table + sizeof(header) + middle * sizeof(entry), &entry, sizeof(entry)))
			return -EBADMSG;
		at = table + (uint64_t)(int64_t)entry.function;
		if (at <= address) {
			start = at;
			low = middle + 1;
		} else {
			end = at < end ? at : end;
			high = middle;
		}
	}
	if (!start)
		return -ENOENT;
	*ret_start = start;
	*ret_end = end;
	return 0;
}
