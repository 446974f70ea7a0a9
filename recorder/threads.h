/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * threads - the threads of a recorded or replayed process, read from the agent's arena
 *
 * Only while all of them stand in the agent: in a snapshot, a held process, a stopped
 * replay. The bytes are the process's own and not to be trusted; every number is
 * bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/abi.h"

struct thread_view {
	uint32_t slot, tid;
	uint32_t state;		/* enum thread_state */
	uint64_t record;	/* address of struct thread */
	uint64_t frame;		/* address of the saved struct ucontext */
	uint64_t fs_base;
	uint64_t regs[N_REGS];
	uint64_t vector_hash;	/* of its FP and SIMD registers: xstate_hash() */
};

/* Offset of the registers in the kernel's struct ucontext (agent.h asserts it). */
#define UCONTEXT_REGS 40
#define UCONTEXT_FPSTATE 224
/* Offset of the pointer to the FP state. */
#define UCONTEXT_FPSTATE 224

/*
 * Reads the live threads through @mem, a descriptor of /proc/PID/mem; of @config base and
 * xstate count. @ret_threads is the caller's to free. -EBADMSG: that isn't an arena.
 */
int threads_read(int mem, const struct agent_config *config, struct thread_view **ret_threads, size_t *ret_n);

/* One of them. 1: a living thread; 0: the slot has none; or a negative errno. */
int thread_read(int mem, const struct agent_config *config, uint32_t slot, struct thread_view *ret_view);

/*
 * Stack that nobody will read again: below the red zone of a stack pointer, to the
 * beginning of its mapping. What functions left there may differ between recording and
 * replay (XSAVE areas of the dynamic linker), so comparisons take it as zero.
 */
struct dead_stack {
	uint64_t start, end;
};

/* What is dead below stack pointer @sp in a mapping of @kind (enum image_map_kind). */
struct dead_stack dead_stack_below(uint64_t sp, uint64_t map_start, uint32_t kind);

/* Zeroes what of the page of @bytes at @address is dead stack. Returns whether all of it is. */
bool dead_stack_clear(const struct dead_stack *dead, size_t n, uint64_t address, uint8_t *bytes);
