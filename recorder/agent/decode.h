/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decode - length, memory operand and flow of one x86-64 instruction
 *
 * As much of a decoder as fits into the agent, where no library does: it says where the
 * next instruction is and which address the operand has. tests/unit/test-decode.c holds
 * it against Zydis over all of libc's code.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum instruction_flow {
	FLOW_NEXT,	/* also a call: its function returns to the next */
	FLOW_JUMP,	/* always to target */
	FLOW_BRANCH,	/* to target or to the next */
	FLOW_END,	/* return, indirect jump, trap */
};

struct instruction {
	uint8_t len;
	uint8_t flow;		/* enum instruction_flow */
	bool has_operand;	/* reads or writes memory through a ModRM byte */
	bool rip_relative;
	uint8_t loads;		/* moves all of the operand, 64 bits, to that register: REG_... + 1; 0: no */
	uint64_t operand;	/* its address */
	uint64_t target;
};

/*
 * Decodes the bytes at @code, at least 15, which stand at @ip. @regs are in the order of
 * recorder/event.h. False: not an instruction of 64-bit mode.
 */
bool decode(const uint8_t *code, uint64_t ip, const uint64_t *regs, uint64_t fs_base,
	    struct instruction *ret);
