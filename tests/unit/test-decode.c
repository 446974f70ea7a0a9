/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instructions that a compiler and a libc use, one of each shape: length, operand, flow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recorder/agent/decode.h"
#include "recorder/event.h"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { IP = 0x400000, FS = 0x700000, RAX = 0x1000, RBX = 0x2000, RCX = 0x10, RSP = 0x8000, R12 = 0x9000 };

struct row {
	uint8_t code[16];
	uint8_t len;
	uint8_t flow;
	uint64_t operand;	/* 0: none */
	uint64_t target;	/* of jumps */
};

static const struct row rows[] = {
	{ { 0x90 }, 1, FLOW_NEXT, 0, 0 },
	{ { 0xc3 }, 1, FLOW_END, 0, 0 },
	{ { 0xcc }, 1, FLOW_END, 0, 0 },
	{ { 0x0f, 0x0b }, 2, FLOW_END, 0, 0 },
	{ { 0x0f, 0x05 }, 2, FLOW_NEXT, 0, 0 },
	{ { 0x48, 0x89, 0xc3 }, 3, FLOW_NEXT, 0, 0 },				/* mov %rax,%rbx */
	{ { 0x48, 0x8b, 0x03 }, 3, FLOW_NEXT, RBX, 0 },				/* mov (%rbx),%rax */
	{ { 0x8b, 0x40, 0xfc }, 3, FLOW_NEXT, RAX - 4, 0 },			/* mov -4(%rax),%eax */
	{ { 0x8b, 0x80, 0x00, 0x01, 0, 0 }, 6, FLOW_NEXT, RAX + 0x100, 0 },
	{ { 0x8b, 0x04, 0x8b }, 3, FLOW_NEXT, RBX + 4 * RCX, 0 },		/* mov (%rbx,%rcx,4) */
	{ { 0x48, 0x8b, 0x44, 0x24, 0x08 }, 5, FLOW_NEXT, RSP + 8, 0 },
	{ { 0x49, 0x8b, 0x04, 0x24 }, 4, FLOW_NEXT, R12, 0 },			/* mov (%r12),%rax */
	{ { 0x8b, 0x04, 0x25, 0x00, 0x50, 0, 0 }, 7, FLOW_NEXT, 0x5000, 0 },	/* mov 0x5000,%eax */
	{ { 0x48, 0x8b, 0x05, 0x10, 0, 0, 0 }, 7, FLOW_NEXT, IP + 7 + 0x10, 0 },
	{ { 0xc7, 0x05, 0x10, 0, 0, 0, 1, 0, 0, 0 }, 10, FLOW_NEXT, IP + 10 + 0x10, 0 },
	{ { 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0 }, 9, FLOW_NEXT, FS + 0x28, 0 },
	{ { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 }, 10, FLOW_NEXT, 0, 0 },	/* movabs */
	{ { 0x66, 0xb8, 1, 2 }, 4, FLOW_NEXT, 0, 0 },				/* mov $0x201,%ax */
	{ { 0xf6, 0x03, 0x01 }, 3, FLOW_NEXT, RBX, 0 },				/* testb $1,(%rbx) */
	{ { 0xf6, 0x1b }, 2, FLOW_NEXT, RBX, 0 },				/* negb (%rbx) */
	{ { 0xf7, 0x03, 1, 0, 0, 0 }, 6, FLOW_NEXT, RBX, 0 },			/* testl */
	{ { 0xc8, 0x10, 0, 0 }, 4, FLOW_NEXT, 0, 0 },				/* enter */
	{ { 0xf0, 0x0f, 0xb1, 0x0b }, 4, FLOW_NEXT, RBX, 0 },			/* lock cmpxchg */
	{ { 0x0f, 0x1f, 0x44, 0, 0 }, 5, FLOW_NEXT, RAX + RAX, 0 },		/* nopl */
	{ { 0xeb, 0xfe }, 2, FLOW_JUMP, 0, IP },
	{ { 0xe9, 0x00, 0x10, 0, 0 }, 5, FLOW_JUMP, 0, IP + 5 + 0x1000 },
	{ { 0x66, 0xe9, 0x00, 0x10, 0, 0 }, 6, FLOW_JUMP, 0, IP + 6 + 0x1000 },
	{ { 0x74, 0x10 }, 2, FLOW_BRANCH, 0, IP + 2 + 0x10 },
	{ { 0x0f, 0x84, 0xfa, 0xff, 0xff, 0xff }, 6, FLOW_BRANCH, 0, IP },
	{ { 0xe8, 0, 0, 0, 0 }, 5, FLOW_NEXT, 0, 0 },				/* call: comes back */
	{ { 0xff, 0xe0 }, 2, FLOW_END, 0, 0 },					/* jmp *%rax */
	{ { 0xff, 0x13 }, 2, FLOW_NEXT, RBX, 0 },				/* call *(%rbx) */
	{ { 0x66, 0x0f, 0x6f, 0x03 }, 4, FLOW_NEXT, RBX, 0 },			/* movdqa */
	{ { 0x66, 0x0f, 0x3a, 0x0f, 0x03, 8 }, 6, FLOW_NEXT, RBX, 0 },		/* palignr $8 */
	{ { 0xc5, 0xfd, 0x6f, 0x03 }, 4, FLOW_NEXT, RBX, 0 },			/* vmovdqa, ymm */
	{ { 0xc4, 0xe2, 0x7d, 0x58, 0x43, 0x08 }, 6, FLOW_NEXT, RBX + 8, 0 },	/* vpbroadcastd */
	{ { 0x62, 0xf1, 0xfe, 0x48, 0x6f, 0x43, 0x01 }, 7, FLOW_NEXT, RBX + 64, 0 },	/* disp8*64 */
};

static uint64_t regs[N_REGS];

static void shapes(void **state)
{
	struct instruction in;

	(void) state;
	for (size_t i = 0; i < N(rows); i++) {
		assert_true(decode(rows[i].code, IP, regs, FS, &in));
		assert_int_equal(in.len, rows[i].len);
		assert_int_equal(in.flow, rows[i].flow);
		assert_int_equal(in.has_operand ? in.operand : 0, rows[i].operand);
		if (rows[i].target)
			assert_int_equal(in.target, rows[i].target);
	}
}

/* Where the code ahead loads a pointer. */
static void loads(void **state)
{
	static const struct {
		uint8_t code[16];
		uint8_t loads;
	} codes[] = {
		{ { 0x48, 0x8b, 0x03 }, REG_RAX_ + 1 },
		{ { 0x48, 0x8b, 0x05, 0x10, 0, 0, 0 }, REG_RAX_ + 1 },
		{ { 0x4c, 0x8b, 0x63, 0x08 }, REG_R12_ + 1 },
		{ { 0x49, 0x8b, 0x3c, 0x24 }, REG_RDI_ + 1 },
		{ { 0x8b, 0x03 }, 0 },			/* 32 bits */
		{ { 0x48, 0x8b, 0xc3 }, 0 },		/* of a register */
		{ { 0x48, 0x89, 0x03 }, 0 },		/* a store */
		{ { 0x48, 0x03, 0x03 }, 0 },
		{ { 0x48, 0x0f, 0x8b, 0, 0, 0, 0 }, 0 },
		{ { 0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0 }, 0 },	/* of the agent's segment */
	};
	struct instruction in;

	(void) state;
	for (size_t i = 0; i < N(codes); i++) {
		assert_true(decode(codes[i].code, IP, regs, FS, &in));
		assert_int_equal(in.loads, codes[i].loads);
	}
}

static void invalid(void **state)
{
	static const uint8_t codes[][16] = {
		{ 0x06 }, { 0x27 }, { 0x60 }, { 0x9a }, { 0xd4 }, { 0xea }, { 0x0f, 0x04 },
		{ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		  0x90 },
	};
	struct instruction in;

	(void) state;
	for (size_t i = 0; i < N(codes); i++)
		assert_false(decode(codes[i], IP, regs, FS, &in));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shapes), cmocka_unit_test(loads), cmocka_unit_test(invalid) };

	regs[REG_RAX_] = RAX;
	regs[REG_RBX_] = RBX;
	regs[REG_RCX_] = RCX;
	regs[REG_RSP_] = RSP;
	regs[REG_R12_] = R12;
	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
