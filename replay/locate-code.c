/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The code around a place: what leads where, and what of it can run elsewhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "common/autoclean.h"
#include "replay/locate-internal.h"

enum {
	FAR_WINDOW = 256 << 10,	/* a branch within a function comes from no farther, nearly always */
	NEAR = 256,		/* what may be displaced is this near to the place */
	TABLE_WINDOW = 64 << 10,	/* the jumps of a switch come from nearer */
	TABLE_REACH = 64 << 20,	/* what a table's entry leads to, from here or from the table */
	TABLE_CHUNK = 512, TABLE_MAX = 64 << 10,
};

/* -- looking at the code ----------------------------------------------------------------------- */

/*
 * Decodes from @start on. Returns how many instructions there are, and whether one of
 * them is at @through.
 */
static size_t sweep(const uint8_t *bytes, uint64_t base, uint64_t start, uint64_t end,
		    uint64_t through, struct instruction *code, bool *ret_hit)
{
	ZydisDecoder decoder;
	uint64_t at = start;
	size_t n = 0;

	(void) ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	*ret_hit = false;
	while (at < end && n < MAX_INSTRUCTIONS) {
		struct instruction *in = &code[n];

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes + (at - base), end - at, &in->decoded,
							 in->operands)))
			break;
		in->address = at;
		in->is_target = false;
		memcpy(in->bytes, bytes + (at - base), in->decoded.length);
		*ret_hit |= at == through;
		at += in->decoded.length;
		n++;
	}
	return n;
}

static struct instruction *at_address(struct search *f, uint64_t address)
{
	for (size_t i = 0; i < f->n_code; i++)
		if (f->code[i].address == address)
			return &f->code[i];
	return NULL;
}

bool is_call(const struct instruction *in)
{
	return in->decoded.meta.category == ZYDIS_CATEGORY_CALL;
}

static bool is_branch(const struct instruction *in)
{
	ZydisInstructionCategory c = in->decoded.meta.category;

	return c == ZYDIS_CATEGORY_COND_BR || c == ZYDIS_CATEGORY_UNCOND_BR || c == ZYDIS_CATEGORY_RET ||
	       c == ZYDIS_CATEGORY_CALL;
}

uint64_t branch_target(const struct instruction *in)
{
	ZyanU64 target;

	if (!is_branch(in) || in->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    !in->operands[0].imm.is_relative ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&in->decoded, &in->operands[0], in->address, &target)))
		return 0;
	return target;
}

/* A function, or a loop, begins behind it. */
static bool is_padding(const struct instruction *in)
{
	return in->decoded.mnemonic == ZYDIS_MNEMONIC_NOP || in->decoded.mnemonic == ZYDIS_MNEMONIC_INT3;
}

/*
 * Marks what branches of the neighbourhood lead to. What follows a call is come to by
 * returning; what follows an unconditional branch, from elsewhere if at all.
 */
static void mark_targets(struct search *f)
{
	for (size_t i = 0; i < f->n_code; i++) {
		uint64_t target = branch_target(&f->code[i]);
		struct instruction *in = target ? at_address(f, target) : NULL;
		ZydisInstructionCategory c = f->code[i].decoded.meta.category;

		if (in)
			in->is_target = true;
		if (i + 1 < f->n_code && (c == ZYDIS_CATEGORY_CALL || c == ZYDIS_CATEGORY_UNCOND_BR ||
					  c == ZYDIS_CATEGORY_RET || is_padding(&f->code[i])))
			f->code[i + 1].is_target = true;
	}
}

/* A call, a jump or a conditional one, with 32 bits of distance at @at. */
static bool is_behind_branch(const uint8_t *at)
{
	return at[-1] == 0xe8 || at[-1] == 0xe9 || (at[-2] == 0x0f && (at[-1] & 0xf0) == 0x80);
}

static void mark_near(struct search *f, uint64_t x, uint64_t target)
{
	struct instruction *in = target - (x - NEAR) < 2 * NEAR ? at_address(f, target) : NULL;

	if (in)
		in->is_target = true;
}

/* What a table leads to, if it is one: of addresses, or of distances from its own beginning. */
static void mark_table(struct session *s, struct search *f, uint64_t x, uint64_t table, size_t entry)
{
	uint8_t bytes[TABLE_CHUNK];

	for (uint64_t at = 0; at < TABLE_MAX; at += sizeof(bytes)) {
		ssize_t n = session_read(s, table + at, bytes, sizeof(bytes));

		for (size_t i = 0; i < sizeof(bytes); i += entry) {
			uint64_t target = 0, from = entry == sizeof(target) ? x : table;
			int32_t distance;

			if (n < (ssize_t)(i + entry))
				return;
			memcpy(&target, bytes + i, entry);
			memcpy(&distance, bytes + i, sizeof(distance));
			if (entry == sizeof(distance))
				target = table + (uint64_t)(int64_t)distance;
			if (target - from + TABLE_REACH >= 2 * (uint64_t)TABLE_REACH)
				return;
			mark_near(f, x, target);
		}
	}
}

/*
 * The cases of a switch, and labels whose addresses are taken: a branch to them has no
 * distance of its own. Code with fixed addresses has the table's in the jump or the load,
 * other code loads it. @at has 32 bits, of the instruction that ends before @next.
 */
static void mark_table_at(struct session *s, struct search *f, uint64_t x, const uint8_t *at,
			  uint64_t next)
{
	int32_t number;

	memcpy(&number, at, sizeof(number));
	if ((at[-3] & 0xf8) == 0x48 && at[-2] == 0x8d && (at[-1] & 0xc7) == 0x05) {
		/* lea number(%rip), register */
		mark_table(s, f, x, next + (uint64_t)(int64_t)number, sizeof(int32_t));
		mark_table(s, f, x, next + (uint64_t)(int64_t)number, sizeof(uint64_t));
	} else if ((at[-3] == 0xff || at[-3] == 0x8b) && (at[-2] & 0xc7) == 0x04 &&
		   (at[-1] & 0xc7) == 0xc5) {
		/* jmp *number(,register,8), or mov */
		mark_table(s, f, x, (uint64_t)(int64_t)number, sizeof(uint64_t));
	}
}

/*
 * The same for branches from farther away, to the few instructions that may be changed. Where
 * an instruction begins isn't known there: what looks like a branch to here is taken for one.
 */
static void mark_far_targets(struct session *s, struct search *f, uint64_t x)
{
	uint64_t base = x > FAR_WINDOW ? x - FAR_WINDOW : 0;
	autoclean(freep) uint8_t *bytes = malloc(2 * FAR_WINDOW);
	size_t len = 2 * FAR_WINDOW;

	/* As much as is mapped around it. */
	for (size_t page = 0; bytes && page < len; page += IMAGE_PAGE)
		if (session_read(s, base + page, bytes + page, IMAGE_PAGE) != IMAGE_PAGE)
			memset(bytes + page, 0, IMAGE_PAGE);
	for (size_t i = 3; bytes && i + 4 <= len; i++) {
		uint64_t next = base + i + 4;
		int32_t distance;

		if (next - (x - TABLE_WINDOW) < 2 * (uint64_t)TABLE_WINDOW)
			mark_table_at(s, f, x, bytes + i, next);
		if (!is_behind_branch(bytes + i))
			continue;
		memcpy(&distance, bytes + i, sizeof(distance));
		mark_near(f, x, next + (uint64_t)(int64_t)distance);
	}
}

/* x86 code read from a wrong byte on comes right soon: the farthest start that leads to @x is taken. */
int read_code(struct session *s, struct search *f, uint64_t x)
{
	uint8_t bytes[WINDOW_BEFORE + WINDOW_AFTER], as_it_is[sizeof(bytes)];
	uint64_t base = x - WINDOW_BEFORE, start = base;
	ssize_t n = session_read(s, base, bytes, sizeof(bytes));
	bool hit = false;

	if (n <= WINDOW_BEFORE) {	/* the mapping begins later */
		base = start = x & ~(uint64_t)(IMAGE_PAGE - 1);
		n = session_read(s, base, bytes, sizeof(bytes));
		if (n <= 0 || base + (uint64_t)n <= x)
			return -EFAULT;
	}
	memcpy(as_it_is, bytes, sizeof(bytes));
	session_hide_sites(s, base, bytes, (size_t)n);
	for (; start <= x && !hit; start++)
		f->n_code = sweep(bytes, base, start, base + (uint64_t)n, x, f->code, &hit);
	if (!hit)
		return -EILSEQ;
	for (size_t i = 0; i < f->n_code; i++) {
		struct instruction *in = &f->code[i];

		in->is_site = memcmp(in->bytes, as_it_is + (in->address - base), in->decoded.length) != 0;
	}
	mark_targets(f);
	mark_far_targets(s, f, x);
	f->target = (size_t)(at_address(f, x) - f->code);
	return 0;
}

bool is_repeated(const struct instruction *in)
{
	return in->decoded.attributes &
	       (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

/* -- what can be displaced ------------------------------------------------------------------------- */

/* FF /2, with no prefix but REX and the one that says that CET needn't track it. */
static bool is_near_indirect_call(const struct instruction *in)
{
	return in->decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && in->decoded.opcode == 0xff &&
	       in->decoded.raw.modrm.reg == 2 &&
	       !(in->decoded.attributes & (ZYDIS_ATTRIB_HAS_OPERANDSIZE | ZYDIS_ATTRIB_HAS_ADDRESSSIZE |
					   ZYDIS_ATTRIB_HAS_SEGMENT_FS | ZYDIS_ATTRIB_HAS_SEGMENT_GS));
}

bool is_displaceable(const struct instruction *in)
{
	switch (in->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL: case ZYDIS_MNEMONIC_INT3: case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_HLT: case ZYDIS_MNEMONIC_RDTSC: case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_XBEGIN:
		return false;
	default:
		if (in->is_site)
			return false;
		/* A far call would leave the copy's address on the stack. */
		return !is_call(in) || branch_target(in) || is_near_indirect_call(in);
	}
}

static bool breakpoint_in(const struct session *s, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < s->n_breakpoints; i++)
		if (s->breakpoints[i].address >= start && s->breakpoints[i].address < end)
			return true;
	return false;
}

/*
 * Can the jump stand at instruction @first? From there to the target it must be a
 * straight line; nothing may lead into the jump but to its beginning.
 */
static bool try_first(const struct session *s, struct search *f, size_t first)
{
	uint64_t begin = f->code[first].address, end = begin;
	size_t i;

	for (i = first; i < f->n_code && i - first < MAX_DISPLACED; i++) {
		const struct instruction *in = &f->code[i];

		if (i > f->target && end - begin >= JUMP_LEN)
			break;
		if (!is_displaceable(in) || (i > first && in->is_target && in->address < begin + JUMP_LEN) ||
		    (i > first && i <= f->target && in->is_target) || (i < f->target && is_branch(in)))
			return false;
		end = in->address + in->decoded.length;
		/* Behind an unconditional branch the line ends. */
		if (is_branch(in) && in->decoded.meta.category != ZYDIS_CATEGORY_COND_BR &&
		    end - begin < JUMP_LEN)
			return false;
	}
	if (i <= f->target || end - begin < JUMP_LEN || breakpoint_in(s, begin, end))
		return false;
	f->first = first;
	f->n_displaced = i - first;
	f->jumps = true;
	return true;
}

bool choose_place_for_jump(const struct session *s, struct search *f)
{
	for (size_t back = 0; back <= f->target && back < MAX_DISPLACED; back++) {
		size_t first = f->target - back;

		if (try_first(s, f, first))
			return true;
		if (f->code[first].is_target)
			break;
	}
	return false;
}
