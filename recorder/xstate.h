/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xstate - the FP and SIMD state in a signal frame
 *
 * Its layout is that of XSAVE's standard format, with words of the kernel's own in the
 * FXSAVE area (arch/x86/include/uapi/asm/sigcontext.h; Intel SDM volume 1, chapter 13).
 * The same code is compiled into the agent and into our programs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fpx_sw_bytes {
	uint32_t magic1;	/* XSTATE_MAGIC1: there is more than FXSAVE_LEN */
	uint32_t extended_size;	/* of the whole area, with the four bytes of magic2 */
	uint64_t xfeatures;
	uint32_t xstate_size;
	uint32_t padding[7];
};

enum {
	FXSAVE_LEN = 512,
	FXSAVE_FCW = 0,
	FXSAVE_FOP = 6,		/* opcode, then instruction and data pointer */
	FXSAVE_FOP_END = 24,
	FXSAVE_MXCSR = 24,
	FXSAVE_MXCSR_MASK = 28,
	FXSAVE_ST = 32,		/* 16 bytes each, and so the next */
	FXSAVE_XMM = 160,
	FXSAVE_XMM_END = 416,
	FXSAVE_SW = 464,
	XSAVE_BV = 512,		/* header: which components are there */
	XSAVE_HEADER_LEN = 64,
	XSAVE_EXTENDED = FXSAVE_LEN + XSAVE_HEADER_LEN,
	XSTATE_MAGIC1 = 0x46505853,
	XSTATE_MAGIC2 = 0x46505845,
	XSTATE_HASHED_MAX = 4096,	/* AMX tiles lie behind and aren't hashed */
};

static inline struct fpx_sw_bytes *xstate_sw(uint8_t *fpstate)
{
	return (struct fpx_sw_bytes *)(fpstate + FXSAVE_SW);
}

static inline uint64_t *xstate_bv(uint8_t *fpstate)
{
	return (uint64_t *)(fpstate + XSAVE_BV);
}

/* Bytes that the area takes in a signal frame. */
static inline uint32_t xstate_len(uint8_t *fpstate)
{
	return xstate_sw(fpstate)->magic1 == XSTATE_MAGIC1 ? xstate_sw(fpstate)->extended_size :
							      FXSAVE_LEN;
}

/*
 * Where the components behind the header are, in the standard format. In a virtual machine the
 * processor is slow to tell (CPUID leaf 0xd: microseconds each), so it is asked once.
 */
#define XSTATE_COMPONENTS 32	/* those from number 2 on; x87 and SSE are in the FXSAVE area */

struct xstate_layout {
	uint64_t components;	/* bits: the system has enabled them */
	uint32_t aligned;	/* bits: to 64, in the compacted format */
	uint32_t tells_in_use;	/* XGETBV of 1 does */
	uint32_t offset[XSTATE_COMPONENTS], size[XSTATE_COMPONENTS];
};

/* Any context. */
void xstate_learn(struct xstate_layout *ret);

/*
 * Makes the bytes independent of how the processor has tracked the state: components in
 * their initial state become explicit zeroes, the x87 instruction and data pointers zero.
 */
void xstate_write_out(const struct xstate_layout *layout, uint8_t *fpstate);

/* The low 64 bits of st(0) to st(7) and xmm0 to xmm15: ASYNC_VECTORS words (recorder/event.h). */
void xstate_low_words(const uint8_t *fpstate, uint64_t *ret_words);
/* Where in the FXSAVE area the word is. */
static inline unsigned xstate_word_at(unsigned word)
{
	return FXSAVE_ST + 16 * word;
}

/* A hash of the registers, however the processor has saved them. */
uint64_t xstate_hash(const struct xstate_layout *layout, const uint8_t *fpstate);
