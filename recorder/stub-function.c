/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where functions begin, by .eh_frame_hdr's table (Linux Standard Base, 10.6.2), and whether
 * others branch into them. It is read out of the process, which may have written anything: no
 * more than fixed sizes are read, and each number is looked at before it is used.
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
	PIECE = 64 << 10,
	BEFORE = 3, DISTANCE = 4,	/* bytes of a branch: before its distance, and that */
	MAX_CODE = 512 << 20,
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

/* Might the bytes before @distance be a branch that has such a one? */
static bool is_long_branch(const uint8_t *distance)
{
	return distance[-1] == 0xe8 || distance[-1] == 0xe9 ||			/* call, jmp */
	       (distance[-2] == 0x0f && (distance[-1] & 0xf0) == 0x80) ||	/* jcc */
	       (distance[-2] == 0xc7 && distance[-1] == 0xf8);			/* xbegin */
}

static bool is_short_branch(const uint8_t *distance)
{
	return (distance[-1] & 0xf0) == 0x70 || distance[-1] == 0xeb || (distance[-1] & 0xfc) == 0xe0;
}

int stub_is_branched_to(int mem, uint64_t start, uint64_t end, uint64_t from, uint64_t to)
{
	uint8_t bytes[BEFORE + PIECE + DISTANCE];

	if (end - start > MAX_CODE)
		return -EFBIG;
	for (uint64_t at = start + BEFORE; at + DISTANCE <= end; at += PIECE) {
		size_t n = end - at < PIECE + DISTANCE ? end - at : PIECE + DISTANCE;

		if (!read_all(mem, at - BEFORE, bytes, BEFORE + n))
			return -EFAULT;
		for (size_t i = 0; i + DISTANCE <= n && i < PIECE; i++) {
			const uint8_t *distance = bytes + BEFORE + i;
			int32_t far;

			memcpy(&far, distance, sizeof(far));
			if (at + i + DISTANCE + (uint64_t)(int64_t)far - from < to - from && is_long_branch(distance))
				return 1;
			if (at + i + 1 + (uint64_t)(int64_t)(int8_t)*distance - from < to - from &&
			    is_short_branch(distance))
				return 1;
		}
	}
	return 0;
}
