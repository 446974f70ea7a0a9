/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/stub-plan.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "recorder/abi.h"

enum {
	JUMP_LEN = 5,
	SYSCALL_LEN = 2,
	LONGEST = 15,		/* instruction */
	FIRST_PAGE = 4096,	/* which nobody maps (vm.mmap_min_addr) */
	NUMBER_NEAR = 40,	/* so near to a call its number is loaded */
	NEAREST = 8,		/* so many instructions before the call are looked through for a long one */
};

struct instruction {
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t address;
};

struct function {
	const uint8_t *code;
	uint64_t start;
	enum site_kind kind;	/* of what the stub is for; SITE_NONE: a system call */
	struct instruction *all;
	size_t n;
	size_t call;		/* index of it */
	bool jumps_anywhere;	/* an indirect jump may lead into it */
};

/* -- decoding --------------------------------------------------------------------------------------- */

static bool is_indirect_jump(const struct instruction *in)
{
	return in->decoded.meta.category == ZYDIS_CATEGORY_UNCOND_BR &&
	       in->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

/* Its calls, and the ends of it, are no branches within the function. */
static uint64_t branch_target(const struct instruction *in)
{
	ZydisInstructionCategory c = in->decoded.meta.category;
	ZyanU64 target;

	if ((c != ZYDIS_CATEGORY_COND_BR && c != ZYDIS_CATEGORY_UNCOND_BR) ||
	    in->operands[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    !ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&in->decoded, &in->operands[0], in->address, &target)))
		return 0;
	return target;
}

static bool is_wanted(const struct function *f, const struct instruction *in)
{
	switch (in->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
		return f->kind == SITE_NONE;
	case ZYDIS_MNEMONIC_RDTSC:
		return f->kind == SITE_RDTSC;
	case ZYDIS_MNEMONIC_RDTSCP:
		return f->kind == SITE_RDTSCP;
	default:
		return false;
	}
}

/* All of it, from its beginning. False: the call isn't one of its instructions. */
static bool decode(struct function *f, size_t len, uint64_t site)
{
	ZydisDecoder decoder;
	bool found = false;

	(void) ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	f->all = calloc(len, sizeof(*f->all));
	for (size_t at = 0; f->all && at < len; at += f->all[f->n++].decoded.length) {
		struct instruction *in = &f->all[f->n];

		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, f->code + at, len - at, &in->decoded,
							 in->operands))) {
			f->jumps_anywhere = true;	/* nobody knows what else there is */
			break;
		}
		in->address = f->start + at;
		f->jumps_anywhere |= is_indirect_jump(in);
		if (in->address == site && is_wanted(f, in)) {
			f->call = f->n;
			found = true;
		}
	}
	return found;
}

static bool is_short_only(const struct instruction *in)
{
	return in->decoded.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && in->decoded.opcode >= 0xe0 &&
	       in->decoded.opcode <= 0xe3;
}

/* It does the same from another place, and goes on to the next, or branches. */
static bool is_movable(const struct instruction *in)
{
	switch (in->decoded.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return branch_target(in) && !is_short_only(in);
	case ZYDIS_CATEGORY_UNCOND_BR: case ZYDIS_CATEGORY_CALL: case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL: case ZYDIS_CATEGORY_SYSRET: case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
		return false;
	default:
		break;
	}
	switch (in->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_HLT: case ZYDIS_MNEMONIC_RDTSC: case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_CPUID: case ZYDIS_MNEMONIC_XBEGIN: case ZYDIS_MNEMONIC_XGETBV:
	case ZYDIS_MNEMONIC_RDRAND: case ZYDIS_MNEMONIC_RDSEED: case ZYDIS_MNEMONIC_RDPID:
		return false;
	default:
		return !(in->decoded.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE));
	}
}

static bool is_target(const struct function *f, uint64_t address)
{
	for (size_t i = 0; i < f->n; i++)
		if (branch_target(&f->all[i]) == address)
			return true;
	return false;
}

/* -- choosing --------------------------------------------------------------------------------------- */

/* A jump at @first overwrites so many bytes of whole instructions; 0: there are too few. */
static unsigned overwritten(const struct function *f, size_t first)
{
	unsigned len = 0;

	for (size_t i = first; i < f->call && len < JUMP_LEN; i++)
		len += f->all[i].decoded.length;
	return len < JUMP_LEN ? 0 : len;
}

static bool may_jump(const struct function *f, size_t first)
{
	uint64_t begin = f->all[first].address, end = begin + JUMP_LEN;

	if (!overwritten(f, first))
		return false;
	if (f->all[first].decoded.length >= JUMP_LEN)
		return true;
	if (f->jumps_anywhere)
		return false;
	for (size_t i = first + 1; i < f->call && f->all[i].address < end; i++)
		if (is_target(f, f->all[i].address))
			return false;
	return true;
}

/*
 * A time stamp is read by who goes on with it at once: the jump takes the place of the instruction
 * itself, and of those behind it that it needs. Returns the index behind the last; 0: it can't be.
 */
static size_t choose_behind(const struct function *f)
{
	unsigned len = f->all[f->call].decoded.length;
	size_t end = f->call + 1;

	if (f->kind == SITE_NONE || f->jumps_anywhere)
		return 0;
	for (; len < JUMP_LEN; end++) {
		if (end == f->n || !is_movable(&f->all[end]) || is_target(f, f->all[end].address))
			return 0;
		len += f->all[end].decoded.length;
	}
	return end;
}

/* Where the jump stands, if it is before the call. Returns an index, or @f->n. */
static size_t choose(const struct function *f, const char **ret_why)
{
	size_t several = f->n, first = f->call;

	*ret_why = "nothing before it in its function can give way";
	while (first > 0 && f->call - first < STUB_MOVED) {
		first--;
		if (!is_movable(&f->all[first]))
			break;
		if (!may_jump(f, first))
			continue;
		if (f->all[first].decoded.length >= JUMP_LEN)
			return first;
		if (several == f->n)
			several = first;
		if (f->call - first >= NEAREST)
			break;
	}
	return several;
}

/* -- the stub ---------------------------------------------------------------------------------------- */

struct stub {
	struct event_stub *plan;
	size_t len;
	bool fits, reaches;
};

static void emit(struct stub *s, const void *bytes, size_t len)
{
	s->fits = s->fits && s->len + len <= STUB_LEN;
	if (s->fits)
		memcpy(s->plan->code + s->len, bytes, len);
	s->len += len;
}

#define EMIT(s, ...) emit(s, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* A 32-bit distance from the end of the instruction, of which @behind bytes follow, to @address. */
static void emit_distance(struct stub *s, uint64_t address, size_t behind)
{
	int64_t distance = (int64_t)(address - (s->plan->stub.code + s->len + 4 + behind));
	int32_t short_distance = (int32_t)distance;

	s->reaches = s->reaches && distance == short_distance;
	emit(s, &short_distance, sizeof(short_distance));
}

static void emit_moved(struct stub *s, const struct function *f, const struct instruction *in)
{
	const uint8_t *bytes = f->code + (in->address - f->start);
	size_t at = in->decoded.raw.disp.offset, len = in->decoded.length;
	uint64_t target = branch_target(in);
	int32_t displacement;

	if (target) {
		EMIT(s, 0x0f, (uint8_t)(0x80 | (in->decoded.opcode & 0x0f)));
		emit_distance(s, target, 0);
	} else if (in->decoded.attributes & ZYDIS_ATTRIB_IS_RELATIVE) {
		memcpy(&displacement, bytes + at, sizeof(displacement));
		emit(s, bytes, at);
		emit_distance(s, in->address + len + (uint64_t)(int64_t)displacement, len - at - 4);
		emit(s, bytes + at + 4, len - at - 4);
	} else {
		emit(s, bytes, len);
	}
}

static void emit_all_moved(struct stub *s, const struct function *f, size_t first, size_t end)
{
	struct agent_stub *stub = &s->plan->stub;

	for (size_t i = first; i < end && stub->n_moved < STUB_MOVED; i++) {
		stub->from[stub->n_moved] = (uint8_t)(f->all[i].address - stub->at);
		stub->to[stub->n_moved++] = (uint8_t)s->len;
		emit_moved(s, f, &f->all[i]);
	}
}

/*
 * To the agent, with %rcx in %rax and what stands for the instruction in %rdx: the same with the
 * byte that traps, before that the site's address. All of it goes on behind that. Where the thread
 * has no agent, the instruction itself does it.
 */
static void emit_tsc(struct stub *s, const struct function *f, size_t end)
{
	const struct instruction *in = &f->all[f->call];
	const uint8_t *code = f->code + (in->address - f->start);
	uint8_t len = in->decoded.length, trap = AGENT_SITE_BYTE;

	EMIT(s, 0x48, 0x89, 0xc8);					/* mov %rcx, %rax */
	EMIT(s, 0x65, 0x48, 0x8b, 0x0c, 0x25, THREAD_TSC_ENTRY, 0, 0, 0); /* mov %gs:..., %rcx */
	EMIT(s, 0x48, 0x8d, 0x15, (uint8_t)(4 + 3 + len + 2 + 8), 0, 0, 0); /* lea 2f(%rip), %rdx */
	EMIT(s, 0xe3, 2);						/* jrcxz 1f */
	EMIT(s, 0xff, 0xe1);						/* jmp *%rcx */
	EMIT(s, 0x48, 0x89, 0xc1);					/* 1: mov %rax, %rcx */
	emit(s, code, len);
	EMIT(s, 0xeb, (uint8_t)(8 + len));				/* jmp 3f */
	emit(s, &s->plan->stub.site, 8);
	emit(s, &trap, 1);						/* 2: */
	emit(s, code + 1, len - 1u);
	emit_all_moved(s, f, f->call + 1, end);				/* 3: */
	EMIT(s, 0xe9);
	emit_distance(s, f->all[end - 1].address + f->all[end - 1].decoded.length, 0);
}

/*
 * To the agent as from behind the call: %rcx is the address there, and %r11 is free. Where the
 * thread has no agent, to the call.
 */
static void emit_call(struct stub *s)
{
	uint64_t site = s->plan->stub.site;

	EMIT(s, 0x65, 0x48, 0x8b, 0x0c, 0x25, THREAD_STUB_ENTRY, 0, 0, 0);	/* mov %gs:..., %rcx */
	EMIT(s, 0xe3, 3 + 7 + 3);					/* jrcxz 1f */
	EMIT(s, 0x49, 0x89, 0xcb);					/* mov %rcx, %r11 */
	EMIT(s, 0x48, 0x8d, 0x0d);					/* lea site + 2(%rip), %rcx */
	emit_distance(s, site + 2, 0);
	EMIT(s, 0x41, 0xff, 0xe3);					/* jmp *%r11 */
	EMIT(s, 0xe9);							/* 1: jmp site */
	emit_distance(s, site, 0);
}

/* The jump is at @first: before the call, or at it; then it overwrites all up to @end. */
static int fill(const struct function *f, size_t first, size_t end, struct event_stub *plan, const char **ret_why)
{
	struct agent_stub *stub = &plan->stub;
	struct stub s = { plan, 0, true, true };
	uint64_t behind = f->all[end - 1].address + f->all[end - 1].decoded.length;
	bool at_call = first == f->call;

	stub->at = f->all[first].address;
	stub->len = (uint8_t)(at_call ? behind - stub->at : overwritten(f, first));
	if (stub->len > sizeof(stub->old)) {
		*ret_why = "the instruction before it is too long";
		return -ENOTSUP;
	}
	memcpy(stub->old, f->code + (stub->at - f->start), stub->len);
	if (at_call) {
		stub->old[0] = AGENT_SITE_BYTE;
		stub->n_moved = 1;	/* the instruction itself: to the stub's beginning */
	} else {
		emit_all_moved(&s, f, first, f->call);
	}
	stub->tail = (uint8_t)s.len;
	if (f->kind == SITE_NONE)
		emit_call(&s);
	else
		emit_tsc(&s, f, end);
	stub->code_len = (uint8_t)s.len;
	*ret_why = s.fits ? "what is before it can't be reached from a stub" : "what is before it is too long";
	return s.fits && s.reaches ? 0 : -ENOTSUP;
}

static void function_deinit(struct function *f)
{
	free(f->all);
}

static int plan(struct function *f, struct event_stub *ret_plan, const char **ret_why)
{
	struct event_stub plan = *ret_plan;
	size_t end = choose_behind(f), first = end ? f->call : choose(f, ret_why);
	int r;

	if (first == f->n)
		return -ENOTSUP;
	r = fill(f, first, end ? end : f->call + 1, &plan, ret_why);
	if (r == 0)
		*ret_plan = plan;
	return r;
}

int stub_plan(const uint8_t *code, size_t len, uint64_t start, uint64_t site, enum site_kind kind, uint64_t at,
	      struct event_stub *ret_plan, const char **ret_why)
{
	autoclean(function_deinit) struct function f = { .code = code, .start = start, .kind = kind };

	*ret_plan = (struct event_stub){ .stub = { .site = site, .code = at } };
	*ret_why = "its function can't be decoded";
	return decode(&f, len, site) ? plan(&f, ret_plan, ret_why) : -ENOTSUP;
}

/* -- code that nothing tells of ------------------------------------------------------------------------- */

/* mov $number, %eax; mov $number, %rax */
static bool loads_number(const uint8_t *code, size_t len, uint32_t nr)
{
	static const uint8_t wide[] = { 0x48, 0xc7, 0xc0 };

	if (len >= 1 + sizeof(nr) && code[0] == 0xb8)
		return memcmp(code + 1, &nr, sizeof(nr)) == 0;
	return len >= sizeof(wide) + sizeof(nr) && memcmp(code, wide, sizeof(wide)) == 0 &&
	       memcmp(code + sizeof(wide), &nr, sizeof(nr)) == 0;
}

static bool writes_rax(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *operands)
{
	for (size_t i = 0; i < in->operand_count; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
		    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operands[i].reg.value) ==
			    ZYDIS_REGISTER_RAX)
			return true;
	return false;
}

static bool keeps_rax(const ZydisDecoder *decoder, const uint8_t *code, size_t from, size_t to)
{
	ZydisDecodedInstruction in;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

	for (; from < to; from += in.length)
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, code + from, to - from, &in, operands)) ||
		    writes_rax(&in, operands))
			return false;
	return true;
}

/* Decoded from @from on, has the code instructions at @to, and none at @by before, nor where there can be none? */
static bool bypasses(const ZydisDecoder *decoder, const uint8_t *code, size_t from, size_t by, size_t never, size_t to)
{
	ZydisDecodedInstruction in;

	while (from < to && from != by && from != never &&
	       ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, code + from, to + SYSCALL_LEN - from, &in)))
		from += in.length;
	return from == to;
}

/*
 * The instruction before the call may have been anything that ends there. It is as it seems if
 * from wherever one decodes one comes to the call by it, or not at all. With a zero before it, which
 * is frequent, it might be add %bh, number(%rax): but then %rax would have been the number already,
 * and there is no memory at so low an address.
 */
static bool is_certain(const uint8_t *code, size_t number, size_t call, uint32_t nr)
{
	ZydisDecoder decoder;
	size_t never = call;

	(void) ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (number && code[number - 1] == 0 && code[number] == 0xb8 && nr < FIRST_PAGE / 2 &&
	    keeps_rax(&decoder, code, number + JUMP_LEN, call))
		never = number - 1;
	for (size_t from = number < LONGEST ? 0 : number - LONGEST; from < number; from++)
		if (bypasses(&decoder, code, from, number, never, call))
			return false;
	return bypasses(&decoder, code, number, call, call, call);
}

int stub_plan_by_number(const uint8_t *code, uint64_t start, uint64_t site, uint32_t nr, uint64_t at,
			struct event_stub *ret_plan, const char **ret_why)
{
	size_t call = site - start;

	for (size_t back = JUMP_LEN; back <= NUMBER_NEAR && back <= call; back++) {
		size_t number = call - back;
		/* Branches may come from anywhere. */
		autoclean(function_deinit) struct function f = {
			.code = code + number, .start = start + number, .jumps_anywhere = true,
		};

		if (!loads_number(code + number, back, nr) || !is_certain(code, number, call, nr))
			continue;
		*ret_plan = (struct event_stub){ .stub = { .site = site, .code = at } };
		*ret_why = "what is before it can't be decoded";
		return decode(&f, back + SYSCALL_LEN, site) ? plan(&f, ret_plan, ret_why) : -ENOTSUP;
	}
	*ret_why = "no instruction before it loads its number for certain";
	return -ENOTSUP;
}
