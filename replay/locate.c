/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/locate.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "replay/internal.h"
#include "replay/session-internal.h"

enum {
	JUMP_LEN = 5,
	WINDOW_BEFORE = 1024, WINDOW_AFTER = 512,	/* code that is looked at for branch targets */
	MAX_INSTRUCTIONS = WINDOW_BEFORE + WINDOW_AFTER,
	MAX_DISPLACED = 16,
	MAX_CONDITIONS = 6,
	PAD_LEN = 8192,
	PAD_SAVED_RAX = PAD_LEN - 16, PAD_SAVED_FLAGS = PAD_LEN - 8, PAD_CALL_TARGET = PAD_LEN - 24,
	PAD_CONSTANTS = PAD_LEN - 1024,
	FAR = 0x70000000,	/* a 32-bit displacement reaches it, with room to spare */
};

/* A compare before the trap. */
struct condition {
	int reg;		/* index in event_async.regs, or -1: memory */
	uint64_t address, value;
};

struct instruction {
	uint64_t address;
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];	/* the program's, before we changed any */
	bool is_target;		/* a branch leads here, or may */
	uint64_t twin;		/* where its displaced copy is */
};

struct search {
	struct event_async place;
	uint64_t pad;		/* address; 0: none mapped */
	uint64_t jump_back;	/* in the pad, behind the copies */
	uint64_t patched;	/* where the program's code was changed */
	uint8_t saved[JUMP_LEN];
	size_t saved_len;
	bool jumps;		/* a jump to the pad; else a trap in place */

	struct instruction code[MAX_INSTRUCTIONS];
	size_t n_code;
	size_t first, n_displaced, target;	/* indices in code */

	struct condition conditions[MAX_CONDITIONS];
	size_t n_conditions;
	uint8_t bytes[PAD_LEN];	/* the pad, as it is being written */
	size_t len;
};

void locate_free(struct session *s)
{
	free(s->search);
	s->search = NULL;
}

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

static bool is_call(const struct instruction *in)
{
	return in->decoded.meta.category == ZYDIS_CATEGORY_CALL;
}

static bool is_branch(const struct instruction *in)
{
	ZydisInstructionCategory c = in->decoded.meta.category;

	return c == ZYDIS_CATEGORY_COND_BR || c == ZYDIS_CATEGORY_UNCOND_BR || c == ZYDIS_CATEGORY_RET ||
	       c == ZYDIS_CATEGORY_CALL;
}

/* The target of a direct branch or call; 0 if it has none. */
static uint64_t branch_target(const struct instruction *in)
{
	ZyanU64 target;

	if (!is_branch(in) || in->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    !in->operands[0].imm.is_relative ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&in->decoded, &in->operands[0], in->address, &target)))
		return 0;
	return target;
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
					  c == ZYDIS_CATEGORY_RET))
			f->code[i + 1].is_target = true;
	}
}

/* x86 code read from a wrong byte on comes right soon: the farthest start that leads to @x is taken. */
static int read_code(struct session *s, struct search *f, uint64_t x)
{
	uint8_t bytes[WINDOW_BEFORE + WINDOW_AFTER];
	uint64_t base = x - WINDOW_BEFORE, start = base;
	ssize_t n = session_read(s, base, bytes, sizeof(bytes));
	bool hit = false;

	if (n <= WINDOW_BEFORE) {	/* the mapping begins later */
		base = start = x & ~(uint64_t)(IMAGE_PAGE - 1);
		n = session_read(s, base, bytes, sizeof(bytes));
		if (n <= 0 || base + (uint64_t)n <= x)
			return -EFAULT;
	}
	for (; start <= x && !hit; start++)
		f->n_code = sweep(bytes, base, start, base + (uint64_t)n, x, f->code, &hit);
	if (!hit)
		return -EILSEQ;
	mark_targets(f);
	f->target = (size_t)(at_address(f, x) - f->code);
	return 0;
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

static bool is_displaceable(const struct instruction *in)
{
	switch (in->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL: case ZYDIS_MNEMONIC_INT3: case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_HLT: case ZYDIS_MNEMONIC_RDTSC: case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_XBEGIN:
		return false;
	default:
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

static bool choose_place_for_jump(const struct session *s, struct search *f)
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

/* -- writing the pad ---------------------------------------------------------------------------------- */

static void emit(struct search *f, const void *bytes, size_t len)
{
	if (f->len + len <= PAD_CONSTANTS)
		memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
}

#define EMIT(f, ...) emit(f, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void emit32(struct search *f, uint64_t value)
{
	uint32_t low = (uint32_t)value;

	emit(f, &low, sizeof(low));
}

static void emit64(struct search *f, uint64_t value)
{
	emit(f, &value, sizeof(value));
}

/* A 32-bit displacement from behind itself to @address. */
static void emit_relative(struct search *f, uint64_t address)
{
	emit32(f, address - (f->pad + f->len + 4));
}

static void emit_jump(struct search *f, uint64_t to)
{
	EMIT(f, 0xe9);
	emit_relative(f, to);
}

static void emit_call(struct search *f, uint64_t to, uint64_t return_to)
{
	EMIT(f, 0x68);				/* push: the low half, sign-extended */
	emit32(f, return_to);
	EMIT(f, 0xc7, 0x44, 0x24, 0x04);	/* movl: the high half */
	emit32(f, return_to >> 32);
	emit_jump(f, to);
}

/* @bytes are @in's, or differ from them in what doesn't concern its operands. */
static void emit_moved(struct search *f, const struct instruction *in, const uint8_t *bytes)
{
	size_t at = in->decoded.raw.disp.offset;
	uint64_t moved = f->pad + f->len - in->address;
	int32_t displacement;

	if (!(in->decoded.attributes & ZYDIS_ATTRIB_IS_RELATIVE)) {
		emit(f, bytes, in->decoded.length);
		return;
	}
	/* A RIP-relative operand: the displacement is adjusted for the distance moved. */
	emit(f, bytes, at);
	memcpy(&displacement, bytes + at, sizeof(displacement));
	emit32(f, (uint64_t)((int64_t)displacement - (int64_t)moved));
	emit(f, bytes + at + 4, in->decoded.length - at - 4);
}

/*
 * call *operand, by way of a word of the pad: what is written to the stack is what the
 * call itself writes, and the flags stay as they are.
 */
static void emit_indirect_call(struct search *f, const struct instruction *in, uint64_t return_to)
{
	uint8_t push[ZYDIS_MAX_INSTRUCTION_LENGTH];

	memcpy(push, in->bytes, in->decoded.length);
	push[in->decoded.raw.modrm.offset] ^= 0x20;	/* FF /2, call, becomes FF /6, push */
	emit_moved(f, in, push);
	EMIT(f, 0x8f, 0x05);				/* pop target(%rip) */
	emit_relative(f, f->pad + PAD_CALL_TARGET);
	EMIT(f, 0x68);
	emit32(f, return_to);
	EMIT(f, 0xc7, 0x44, 0x24, 0x04);
	emit32(f, return_to >> 32);
	EMIT(f, 0xff, 0x25);				/* jmp *target(%rip) */
	emit_relative(f, f->pad + PAD_CALL_TARGET);
}

/* LOOP and JRCXZ have no long form. */
static bool is_short_only(const struct instruction *in)
{
	return in->decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && in->decoded.opcode >= 0xe0 &&
	       in->decoded.opcode <= 0xe3;
}

static void emit_displaced(struct search *f, const struct instruction *in)
{
	uint64_t target = branch_target(in), next = in->address + in->decoded.length;

	if (target && is_call(in)) {
		emit_call(f, target, next);
		return;
	}
	if (is_call(in)) {
		emit_indirect_call(f, in, next);
		return;
	}
	if (target && in->decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR) {
		emit_jump(f, target);
		return;
	}
	if (target && is_short_only(in)) {
		emit(f, in->bytes, in->decoded.length - 1u);
		EMIT(f, 2, 0xeb, JUMP_LEN);	/* to the long jump; past it */
		emit_jump(f, target);
		return;
	}
	if (target) {		/* 7x or 0f 8x */
		EMIT(f, 0x0f, 0x80 | (in->decoded.opcode & 0x0f));
		emit_relative(f, target);
		return;
	}
	emit_moved(f, in, in->bytes);
}

/* event_async's order to the processor's numbers. */
static unsigned register_number(int reg)
{
	static const uint8_t numbers[16] = { 8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4 };

	return numbers[reg];
}

/* Compares with %rax free; jumps to the place that is filled in later. */
static void emit_condition(struct search *f, const struct condition *c, size_t *ret_fixup)
{
	uint64_t saved_rax = f->pad + PAD_SAVED_RAX;

	if (c->reg < 0) {
		uint64_t constant = PAD_CONSTANTS + (uint64_t)(c - f->conditions) * 8;

		memcpy(f->bytes + constant, &c->value, 8);
		EMIT(f, 0x48, 0xb8);		/* movabs $address, %rax */
		emit64(f, c->address);
		EMIT(f, 0x48, 0x8b, 0x00);	/* mov (%rax), %rax */
		EMIT(f, 0x48, 0x3b, 0x05);	/* cmp constant(%rip), %rax */
		emit_relative(f, f->pad + constant);
	} else {
		unsigned number = register_number(c->reg);

		EMIT(f, 0x48, 0xb8);
		emit64(f, c->value);
		if (number == 0) {
			EMIT(f, 0x48, 0x39, 0x05);	/* cmp %rax, saved_rax(%rip) */
			emit_relative(f, saved_rax);
		} else {
			EMIT(f, (uint8_t)(0x48 | (number >> 3)), 0x39, (uint8_t)(0xc0 | (number & 7)));
		}
	}
	EMIT(f, 0x0f, 0x85);			/* jne */
	*ret_fixup = f->len;
	emit32(f, 0);
}

static void emit_restore(struct search *f)
{
	EMIT(f, 0x48, 0x8b, 0x05);		/* mov saved_flags(%rip), %rax */
	emit_relative(f, f->pad + PAD_SAVED_FLAGS);
	EMIT(f, 0x04, 0x7f, 0x9e);		/* add $0x7f, %al (the overflow flag); sahf */
	EMIT(f, 0x48, 0x8b, 0x05);		/* mov saved_rax(%rip), %rax */
	emit_relative(f, f->pad + PAD_SAVED_RAX);
}

/* The compares, and the trap behind them. Returns the trap's address. */
static uint64_t emit_check(struct search *f)
{
	size_t fixups[MAX_CONDITIONS];
	uint64_t trap;

	EMIT(f, 0x48, 0x89, 0x05);		/* mov %rax, saved_rax(%rip) */
	emit_relative(f, f->pad + PAD_SAVED_RAX);
	EMIT(f, 0x9f, 0x0f, 0x90, 0xc0);	/* lahf; seto %al */
	EMIT(f, 0x48, 0x89, 0x05);		/* mov %rax, saved_flags(%rip) */
	emit_relative(f, f->pad + PAD_SAVED_FLAGS);
	for (size_t i = 0; i < f->n_conditions; i++)
		emit_condition(f, &f->conditions[i], &fixups[i]);
	emit_restore(f);
	trap = f->pad + f->len;
	EMIT(f, 0xcc);	/* the agent goes on behind what follows: here all is restored */
	for (size_t i = 0; i < f->n_conditions; i++) {
		uint32_t distance = (uint32_t)(f->len - (fixups[i] + 4));

		memcpy(f->bytes + fixups[i], &distance, sizeof(distance));
	}
	emit_restore(f);
	return trap;
}

static int write_bytes(struct session *s, uint64_t at, const void *bytes, size_t len)
{
	return pwrite(s->mem, bytes, len, (off_t)at) == (ssize_t)len ? 0 : -EFAULT;
}

static bool is_repeated(const struct instruction *in)
{
	return in->decoded.attributes &
	       (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

/* A string instruction once more, with a trap behind it: the agent lets it repeat a part. */
static void emit_partial(struct search *f, struct replay_search *search)
{
	const struct instruction *in = &f->code[f->target];

	search->partial = search->partial_end = search->behind = 0;
	search->repeats_while = REPEATS_ALWAYS;
	if (!is_repeated(in))
		return;
	if (in->decoded.attributes & ZYDIS_ATTRIB_HAS_REPE)
		search->repeats_while = REPEATS_WHILE_EQUAL;
	else if (in->decoded.attributes & ZYDIS_ATTRIB_HAS_REPNE)
		search->repeats_while = REPEATS_WHILE_UNEQUAL;
	search->partial = f->pad + f->len;
	emit(f, in->bytes, in->decoded.length);
	EMIT(f, 0xcc);
	search->partial_end = f->pad + f->len;
	search->behind = search->hardware ? in->address + in->decoded.length :
					    search->out_of_line + in->decoded.length;
}

/* Fills the pad; says where the trap is and where the agent goes on after a false alarm. */
static int write_pad(struct session *s, struct search *f)
{
	const struct instruction *last = &f->code[f->first + f->n_displaced - 1];
	struct replay_search *search = &s->shared->search;

	f->len = 0;
	for (size_t i = f->first; i < f->first + f->n_displaced; i++) {
		struct instruction *in = &f->code[i];

		in->twin = f->pad + f->len;
		if (i == f->target && f->jumps) {
			search->address = emit_check(f);
			search->out_of_line = f->pad + f->len;
		} else if (i == f->target) {
			search->address = search->hardware ? 0 : in->address;
			search->out_of_line = in->twin;
		}
		emit_displaced(f, in);
	}
	f->jump_back = f->pad + f->len;
	emit_jump(f, last->address + last->decoded.length);
	emit_partial(f, search);
	if (f->len > PAD_CONSTANTS)
		return -ENOSPC;
	return write_bytes(s, f->pad, f->bytes, sizeof(f->bytes));
}

/* -- the pad's place ------------------------------------------------------------------------------------ */

#define USER_END UINT64_C(0x7ffffffff000)

/* A free page range within reach of @x, away from the neighbours: heaps and stacks grow. */
static uint64_t find_gap(const struct session *s, uint64_t x)
{
	char path[64], line[512];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t end_before = 65536, best = 0;
	const uint64_t margin = 16 << 20;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t start, end, candidate;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			break;
		if (start > USER_END)
			break;
		candidate = start - margin - PAD_LEN;
		if (start - end_before > 2 * margin && start > end_before && candidate - x + FAR < 2 * (uint64_t)FAR)
			best = candidate;
		candidate = end_before + margin;
		if (!best && start - end_before > 2 * margin && start > end_before &&
		    candidate - x + FAR < 2 * (uint64_t)FAR)
			best = candidate;
		end_before = end;
	}
	return best & ~(uint64_t)(IMAGE_PAGE - 1);
}

static int map_pad(struct session *s, struct search *f, uint64_t x)
{
	uint64_t at = find_gap(s, x);

	if (!at)
		return -ENOMEM;
	if (session_call(s, SYS_mmap, at, PAD_LEN, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0) != (long)at)
		return -ENOMEM;
	f->pad = at;
	return 0;
}

/*
 * The agent computes places from the program's own bytes: it must know where ours stand.
 * The search's patch comes first, so that its bytes have no breakpoint in them.
 */
void tell_patches(struct session *s)
{
	struct replay_patch *patches = s->shared->patches;
	const struct search *f = s->search;
	uint32_t n = 0;

	if (f && f->patched) {
		patches[n] = (struct replay_patch){ f->patched, (uint8_t)f->saved_len, { 0 } };
		memcpy(patches[n++].bytes, f->saved, f->saved_len);
	}
	for (size_t i = 0; i < s->n_breakpoints && n < MAX_REPLAY_PATCHES; i++)
		patches[n++] = (struct replay_patch){ s->breakpoints[i].address, 1,
						      { s->breakpoints[i].byte } };
	s->shared->n_patches = n;
}

/* -- patching ------------------------------------------------------------------------------------------------ */

static int patch(struct session *s, struct search *f)
{
	uint8_t bytes[JUMP_LEN] = { 0xcc };
	int32_t distance;

	if (s->shared->search.hardware) {
		s->search_breakpoint = f->code[f->target].address;
		arm_watches(s);
		return 0;
	}
	f->patched = f->code[f->jumps ? f->first : f->target].address;
	f->saved_len = 1;
	if (f->jumps) {
		distance = (int32_t)(f->pad - (f->patched + JUMP_LEN));
		bytes[0] = 0xe9;
		memcpy(bytes + 1, &distance, sizeof(distance));
		f->saved_len = JUMP_LEN;
	}
	if (session_read(s, f->patched, f->saved, f->saved_len) != (ssize_t)f->saved_len)
		return -EFAULT;
	tell_patches(s);
	return write_bytes(s, f->patched, bytes, f->saved_len);
}

/*
 * A thread that is about to go on inside of what was displaced goes on in the copy: of
 * the jump there are only pieces, and what lies behind the jump leads past the check.
 */
static int redirect_thread(struct session *s, struct search *f)
{
	struct thread_view view;
	int r;

	if (s->shared->stop_in_vdso || !f->jumps)
		return 0;
	r = read_thread(s, s->shared->stop_thread, &view);
	if (r < 0)
		return r;
	for (size_t j = f->first + 1; j < f->first + f->n_displaced; j++)
		if (f->code[j].address == view.regs[REG_RIP_])
			return write_register(s, &view, REG_RIP_, f->code[j].twin);
	return 0;
}

/* The program's bytes again, and the breakpoints in them. */
static void unpatch(struct session *s, struct search *f)
{
	static const uint8_t trap = 0xcc;

	if (s->search_breakpoint) {
		s->search_breakpoint = 0;
		arm_watches(s);
		return;
	}
	(void) write_bytes(s, f->patched, f->saved, f->saved_len);
	for (size_t i = 0; i < s->n_breakpoints; i++)
		if (s->breakpoints[i].address - f->patched < f->saved_len)
			(void) write_bytes(s, s->breakpoints[i].address, &trap, 1);
	f->patched = 0;
}

static int fail(struct session *s, struct replay_error *ret_error, int r)
{
	return replay_fail(ret_error, r, "can't look for the preemption at event %" PRIu64 ": %s",
			   session_position(s), strerror(-r));
}

/* For want of anything better: where a trap in place can't be displaced, it can't be done. */
static bool prepare_trap_in_place(struct search *f)
{
	f->jumps = false;
	f->first = f->target;
	f->n_displaced = 1;
	return is_displaceable(&f->code[f->target]);
}

/* Each arrival would be a stop at the watchpoint. */
static void drop_watched_conditions(const struct session *s, struct search *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_conditions; i++)
		if (f->conditions[i].reg >= 0 ||
		    !is_access_watched(s, f->conditions[i].address, sizeof(uint64_t)))
			f->conditions[n++] = f->conditions[i];
	f->n_conditions = n;
}

/* Code that the program may write while the search is on must not have a trap in it. */
static bool is_written(const struct session *s, uint64_t address)
{
	char path[64], line[512], mode[5];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t start, end;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, mode) == 3 &&
		    address >= start && address < end)
			return mode[1] == 'w' || mode[3] == 's';
	return false;
}

/* Chooses where the trap stands, with the breakpoints as they are, and puts it there. */
static int lay(struct session *s, struct search *f)
{
	struct replay_search *search = &s->shared->search;
	int r;

	drop_watched_conditions(s, f);
	search->hardware = is_written(s, f->place.regs[REG_RIP_]);
	if (search->hardware)
		(void) prepare_trap_in_place(f);
	else if ((s->stepping || !choose_place_for_jump(s, f)) && !prepare_trap_in_place(f))
		return -EOPNOTSUPP;
	r = f->pad ? 0 : map_pad(s, f, f->place.regs[REG_RIP_]);
	if (r == 0)
		r = write_pad(s, f);
	if (r == 0)
		r = patch(s, f);
	if (r == 0)
		r = redirect_thread(s, f);
	/* Where the debugger has a breakpoint too, each arrival is one at that. */
	search->report_every = f->jumps || has_breakpoint(s, f->place.regs[REG_RIP_]) ? 1 : 0;
	return r;
}

int locate_begin(struct session *s, struct replay_error *ret_error)
{
	const struct event *event = session_next_event(s);
	struct replay_search *search = &s->shared->search;
	struct search *f;
	int r;

	if (!event || event->kind != EVENT_ASYNC || event->len < sizeof(*event) + sizeof(f->place))
		return replay_fail(ret_error, -EBADMSG, "event %" PRIu64 " isn't what it should be",
				   session_position(s));
	locate_free(s);
	f = s->search = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	memcpy(&f->place, event + 1, sizeof(f->place));
	r = read_code(s, f, f->place.regs[REG_RIP_]);
	if (r == 0)
		r = lay(s, f);
	if (r < 0)
		return fail(s, ret_error, r);
	search->place = f->place;
	search->arrivals = 0;
	search->active = 1;
	return -EAGAIN;
}

void locate_lift(struct session *s)
{
	struct search *f = s->search;
	struct thread_view view;

	if (f && s->search_breakpoint)
		unpatch(s, f);
	if (!f || !f->patched)
		return;
	/* It doesn't stand between: nobody looks at it then. */
	if (!s->shared->stop_in_vdso && read_thread(s, s->shared->stop_thread, &view) == 0)
		(void) write_register(s, &view, REG_RIP_, locate_visible(s, view.regs[REG_RIP_]));
	unpatch(s, f);
	tell_patches(s);
}

int locate_lay(struct session *s)
{
	return s->search ? lay(s, s->search) : 0;
}

/* -- the program's view ---------------------------------------------------------------------------------------- */

static bool in_pad(const struct search *f, uint64_t ip)
{
	return f && f->patched && ip - f->pad < PAD_LEN;
}

/* Where the copies end: the jump back. */
static const struct instruction *last_displaced(const struct search *f)
{
	return &f->code[f->first + f->n_displaced - 1];
}

uint64_t locate_visible(const struct session *s, uint64_t ip)
{
	const struct search *f = s->search;

	if (!in_pad(f, ip))
		return ip;
	for (size_t i = f->first; i < f->first + f->n_displaced; i++)
		if (f->code[i].twin == ip)
			return f->code[i].address;
	if (ip == f->jump_back)
		return last_displaced(f)->address + last_displaced(f)->decoded.length;
	return ip;
}

bool locate_is_between(const struct session *s, uint64_t ip)
{
	return in_pad(s->search, ip) && locate_visible(s, ip) == ip;
}

bool locate_is_check(const struct session *s, uint64_t ip)
{
	const struct search *f = s->search;

	return in_pad(f, ip) && f->jumps && ip >= f->code[f->target].twin &&
	       ip <= s->shared->search.out_of_line;
}

bool locate_is_entry(const struct session *s, uint64_t ip)
{
	const struct search *f = s->search;

	return in_pad(f, ip) && f->jumps && ip == f->code[f->first].twin;
}

void locate_hide(const struct session *s, uint64_t address, uint8_t *bytes, size_t len)
{
	const struct search *f = s->search;

	for (size_t i = 0; f && f->patched && i < f->saved_len; i++)
		if (f->patched + i - address < len)
			bytes[f->patched + i - address] = f->saved[i];
}

/* -- false alarms ------------------------------------------------------------------------------------------------ */

static bool already(const struct search *f, int reg, uint64_t address)
{
	for (size_t i = 0; i < f->n_conditions; i++)
		if (f->conditions[i].reg == reg && (reg >= 0 || f->conditions[i].address == address))
			return true;
	return false;
}

/* What a repeated string instruction changes while it lasts. */
static bool counts_repetitions(int reg)
{
	return reg == REG_RCX_ || reg == REG_RSI_ || reg == REG_RDI_ || reg == REG_RAX_;
}

/* A compare in the process would read our bytes there. */
static bool is_patched(const struct session *s, uint64_t address, unsigned len)
{
	const struct replay_patch *patches = s->shared->patches;

	for (uint32_t i = 0; i < s->shared->n_patches && i < MAX_REPLAY_PATCHES; i++)
		if (patches[i].address < address + len && address < patches[i].address + patches[i].len)
			return true;
	return false;
}

/* What tells this arrival from the place: a register first, then a memory operand. */
static bool find_difference(struct session *s, struct search *f, const uint64_t *regs,
			    struct condition *ret)
{
	bool in_repeated = is_repeated(&f->code[f->target]);
	uint64_t value;

	for (int i = 0; i < 16; i++)
		if (!(in_repeated && counts_repetitions(i)) && regs[i] != f->place.regs[i] && !already(f, i, 0)) {
			*ret = (struct condition){ i, 0, f->place.regs[i] };
			return true;
		}
	for (uint32_t i = 0; i < f->place.n_operands && i < ASYNC_OPERANDS; i++) {
		uint64_t address = f->place.operands[i].address;

		if (session_read(s, address, &value, sizeof(value)) != sizeof(value) ||
		    value == f->place.operands[i].value || already(f, -1, address) || in_repeated ||
		    is_patched(s, address, sizeof(value)) ||
		    is_access_watched(s, address, sizeof(value)))
			continue;
		*ret = (struct condition){ -1, address, f->place.operands[i].value };
		return true;
	}
	return false;
}

int locate_retune(struct session *s, struct replay_error *ret_error)
{
	struct search *f = s->search;
	struct thread_view view;
	int r;

	r = read_thread(s, s->shared->stop_thread, &view);
	if (r < 0)
		return fail(s, ret_error, r);
	if (f->n_conditions == MAX_CONDITIONS ||
	    !find_difference(s, f, view.regs, &f->conditions[f->n_conditions])) {
		s->shared->search.report_every = 0;	/* the agent's compare must do */
		return -EAGAIN;
	}
	f->n_conditions++;
	r = write_pad(s, f);
	return r < 0 ? fail(s, ret_error, r) : -EAGAIN;
}

void locate_end(struct session *s)
{
	struct search *f = s->search;

	s->shared->search.active = 0;
	s->shared->search.address = 0;
	s->shared->search.partial = 0;
	unpatch(s, f);
	s->shared->search.hardware = 0;
	(void) session_call(s, SYS_munmap, f->pad, PAD_LEN, 0, 0, 0, 0);
	locate_free(s);
	tell_patches(s);
}
