/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* locate-internal - what the search for a place is made of: the code there, the pad, the patch */
#pragma once

#include <Zydis/Zydis.h>

#include "replay/internal.h"
#include "replay/locate.h"
#include "replay/session-internal.h"

enum {
	JUMP_LEN = 5,
	GUARD_LEN = 8,	/* what a debug register watches */
	WINDOW_BEFORE = 1024, WINDOW_AFTER = 512,	/* code that is looked at for branch targets */
	MAX_INSTRUCTIONS = WINDOW_BEFORE + WINDOW_AFTER,
	MAX_DISPLACED = 16,
	MAX_CONDITIONS = 12,
	PAD_LEN = 8192,
	PAD_SAVED_RAX = PAD_LEN - 16, PAD_SAVED_FLAGS = PAD_LEN - 8, PAD_CALL_TARGET = PAD_LEN - 24,
	PAD_SAVED_RCX = PAD_LEN - 32,
	PAD_CONSTANTS = PAD_LEN - 1024,
	PAD_FXSAVE = PAD_LEN - 2048,	/* and the end of the code */
	FAR = 0x70000000,	/* a 32-bit displacement reaches it, with room to spare */
};

/* Conditions that aren't about a general register. */
enum {
	CONDITION_MEMORY = -1,
	CONDITION_BLOCK = -2,	/* memory, too: the value is its async_check() */
	CONDITION_VECTOR = 64,	/* and the index in event_async.vectors */
};

/* A compare before the trap. */
struct condition {
	int reg;		/* index in event_async.regs, or one of these */
	uint64_t address, value;
};

struct instruction {
	uint64_t address;
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];	/* the program's, before we changed any */
	bool is_target;		/* a branch leads here, or may */
	bool is_site;		/* the agent answers it (agent/sites.c) */
	uint64_t twin;		/* where its displaced copy is */
};

struct search {
	struct event_async place;
	uint64_t pad;		/* address; 0: none mapped */
	uint64_t jump_back;	/* in the pad, behind the copies */
	uint64_t patched;	/* where the program's code was changed */
	uint8_t saved[JUMP_LEN];
	size_t saved_len;
	struct replay_patch around;	/* the program's, as far as guards watch */
	bool jumps;		/* a jump to the pad; else a trap in place */

	struct instruction code[MAX_INSTRUCTIONS];
	size_t n_code;
	size_t first, n_displaced, target;	/* indices in code */

	struct condition conditions[MAX_CONDITIONS];
	size_t n_conditions;
	uint8_t bytes[PAD_LEN];	/* the pad, as it is being written */
	size_t len;
};

/* -- locate-code.c ------------------------------------------------------------------------ */

/* Decodes what is around @x, as the program has it. */
int read_code(struct session *s, struct search *f, uint64_t x);
bool is_call(const struct instruction *in);
/* With a rep prefix: it may be interrupted in its middle. */
bool is_repeated(const struct instruction *in);
/* The target of a direct branch or call; 0 if it has none. */
uint64_t branch_target(const struct instruction *in);
bool is_displaceable(const struct instruction *in);
bool choose_place_for_jump(const struct session *s, struct search *f);

/* -- locate-pad.c ------------------------------------------------------------------------- */

/* Fills the pad; says where the trap is and where the agent goes on after a false alarm. */
int write_pad(struct session *s, struct search *f);
int write_bytes(struct session *s, uint64_t at, const void *bytes, size_t len);
