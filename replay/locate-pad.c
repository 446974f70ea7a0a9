/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pad: the displaced code, and the compares before the trap. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "recorder/xstate.h"
#include "replay/locate-internal.h"

static void emit(struct search *f, const void *bytes, size_t len)
{
	if (f->len + len <= PAD_FXSAVE)
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

/* With %rax free, and %rcx saved: what async_check() does. */
static void emit_block_check(struct search *f, const struct condition *c)
{
	EMIT(f, 0x48, 0x89, 0x0d);		/* mov %rcx, saved_rcx(%rip) */
	emit_relative(f, f->pad + PAD_SAVED_RCX);
	EMIT(f, 0x48, 0xb9);			/* movabs $address, %rcx */
	emit64(f, c->address);
	EMIT(f, 0x31, 0xc0);			/* xor %eax, %eax */
	for (unsigned i = 0; i < ASYNC_BLOCK; i += 8)
		EMIT(f, 0xf2, 0x48, 0x0f, 0x38, 0xf1, 0x41, (uint8_t)i);	/* crc32q i(%rcx), %rax */
	EMIT(f, 0x48, 0x8b, 0x0d);		/* mov saved_rcx(%rip), %rcx */
	emit_relative(f, f->pad + PAD_SAVED_RCX);
	EMIT(f, 0x3d);				/* cmp $check, %eax */
	emit32(f, c->value);
}

/* Compares with %rax free; jumps to the place that is filled in later. */
static void emit_condition(struct search *f, const struct condition *c, size_t *ret_fixup)
{
	uint64_t saved_rax = f->pad + PAD_SAVED_RAX;

	if (c->reg >= CONDITION_VECTOR) {
		EMIT(f, 0x48, 0xb8);
		emit64(f, c->value);
		EMIT(f, 0x48, 0x39, 0x05);	/* cmp %rax, saved(%rip) */
		emit_relative(f, f->pad + PAD_FXSAVE + xstate_word_at((unsigned)c->reg - CONDITION_VECTOR));
	} else if (c->reg == CONDITION_BLOCK) {
		emit_block_check(f, c);
	} else if (c->reg == CONDITION_MEMORY) {
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
	bool saved = false;
	uint64_t trap;

	EMIT(f, 0x48, 0x89, 0x05);		/* mov %rax, saved_rax(%rip) */
	emit_relative(f, f->pad + PAD_SAVED_RAX);
	EMIT(f, 0x9f, 0x0f, 0x90, 0xc0);	/* lahf; seto %al */
	EMIT(f, 0x48, 0x89, 0x05);		/* mov %rax, saved_flags(%rip) */
	emit_relative(f, f->pad + PAD_SAVED_FLAGS);
	for (size_t i = 0; i < f->n_conditions; i++) {
		if (f->conditions[i].reg >= CONDITION_VECTOR && !saved) {
			EMIT(f, 0x48, 0x0f, 0xae, 0x05);	/* fxsave64 saved(%rip) */
			emit_relative(f, f->pad + PAD_FXSAVE);
			saved = true;
		}
		emit_condition(f, &f->conditions[i], &fixups[i]);
	}
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

int write_bytes(struct session *s, uint64_t at, const void *bytes, size_t len)
{
	return pwrite(s->mem, bytes, len, (off_t)at) == (ssize_t)len ? 0 : -EFAULT;
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

int write_pad(struct session *s, struct search *f)
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
	if (f->len > PAD_FXSAVE)
		return -ENOSPC;
	return write_bytes(s, f->pad, f->bytes, sizeof(f->bytes));
}
