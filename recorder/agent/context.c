/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * context - of a thread that came by a stub, not by a signal
 *
 * The kernel has saved nothing then. The general registers are in a struct call_frame of the
 * thread's, laid out as a signal frame; the FP state stays in the registers, which the agent
 * doesn't use, until somebody must find it in memory: whenever the baton is given up, since
 * others may take a snapshot, and before the context is changed.
 */
#include "recorder/agent/agent.h"
#include "recorder/xstate.h"

struct call_frame {
	uint64_t pretcode;
	struct ucontext context;
	struct siginfo info;
};

enum {
	FPSTATE = 512,		/* from the frame's beginning; aligned to 64 */
	/* components */
	AVX = 2, MASKS = 5, UPPER_HALVES = 6, UPPER_SIXTEEN = 7,
	/* in XSTATE_BV */
	BV_X87 = 1 << 0, BV_SSE = 1 << 1, BV_AVX = 1 << AVX, BV_MASKS = 1 << MASKS,
	BV_UPPER_HALVES = 1 << UPPER_HALVES, BV_UPPER_SIXTEEN = 1 << UPPER_SIXTEEN,
	BY_HAND = BV_X87 | BV_SSE | BV_AVX | BV_MASKS | BV_UPPER_SIXTEEN,
	FCW_INITIAL = 0x37f,
	XCR_IN_USE = 1,		/* XGETBV of it says what isn't in its initial state */
	CS_64 = 0x33, SS_64 = 0x2b,
	UC_FLAGS = 7,		/* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
};
static_assert(sizeof(struct call_frame) <= FPSTATE, "the FP state lies behind");
static_assert(SLOT_FRAME - SLOT_THREAD + offsetof(struct call_frame, context) == (uint64_t)CALL_CONTEXT,
	      "asm");

static struct call_frame *frame_of(const struct thread *thread)
{
	return (struct call_frame *)(slot_address(thread->slot) + SLOT_FRAME);
}

struct ucontext *call_context(const struct thread *thread)
{
	return &frame_of(thread)->context;
}

void context_learn(const struct ucontext *context)
{
	struct agent_process *p = process();
	const struct fpx_sw_bytes *sw = xstate_sw(context->fpstate);

	if (sw->magic1 != XSTATE_MAGIC1 || FPSTATE + sw->extended_size > SLOT_THREAD - SLOT_FRAME ||
	    !agent_config.xstate.tells_in_use)
		return;
	memcpy(p->fp_sw, sw, sizeof(p->fp_sw));
	p->knows_fp = 1;
}

void context_prepare(struct thread *thread)
{
	static const uint32_t magic2 = XSTATE_MAGIC2;
	struct call_frame *frame = frame_of(thread);
	uint8_t *fpstate = (uint8_t *)frame + FPSTATE;

	thread->tsc_entry = (uint64_t)tsc_entry;
	if (!process()->knows_fp)
		return;
	frame->context.flags = UC_FLAGS;
	frame->context.cs = CS_64;
	frame->context.ss = SS_64;
	frame->context.stack = (struct stack){ slot_address(thread->slot) + SLOT_STACK, 0, 0,
					       SLOT_STACK_TOP - SLOT_STACK };
	frame->context.fpstate = fpstate;
	memcpy(fpstate + FXSAVE_SW, process()->fp_sw, sizeof(process()->fp_sw));
	memcpy(fpstate + xstate_sw(fpstate)->xstate_size, &magic2, sizeof(magic2));
	thread->stub_entry = (uint64_t)stub_entry;
}

/* -- the FP state ------------------------------------------------------------------------------- */

/*
 * XSAVE takes as long as all the rest of a recorded call; to store by oneself what is in use
 * takes a fraction of that. So it is done for what programs have in use, as a rule: SSE's
 * registers, what AVX adds to them, and of AVX-512 the masks and the upper sixteen.
 */
static void store_sse(uint8_t *fpstate)
{
	__asm__ volatile("stmxcsr %0" : "=m"(*(uint32_t *)(fpstate + FXSAVE_MXCSR)));
	__asm__ volatile("movaps %%xmm0, (%0)\n\tmovaps %%xmm1, 16(%0)\n\t"
			 "movaps %%xmm2, 32(%0)\n\tmovaps %%xmm3, 48(%0)\n\t"
			 "movaps %%xmm4, 64(%0)\n\tmovaps %%xmm5, 80(%0)\n\t"
			 "movaps %%xmm6, 96(%0)\n\tmovaps %%xmm7, 112(%0)\n\t"
			 "movaps %%xmm8, 128(%0)\n\tmovaps %%xmm9, 144(%0)\n\t"
			 "movaps %%xmm10, 160(%0)\n\tmovaps %%xmm11, 176(%0)\n\t"
			 "movaps %%xmm12, 192(%0)\n\tmovaps %%xmm13, 208(%0)\n\t"
			 "movaps %%xmm14, 224(%0)\n\tmovaps %%xmm15, 240(%0)"
			 : : "r"(fpstate + FXSAVE_XMM) : "memory");
}

static void store_avx(uint8_t *at)
{
	__asm__ volatile("vextractf128 $1, %%ymm0, (%0)\n\tvextractf128 $1, %%ymm1, 16(%0)\n\t"
			 "vextractf128 $1, %%ymm2, 32(%0)\n\tvextractf128 $1, %%ymm3, 48(%0)\n\t"
			 "vextractf128 $1, %%ymm4, 64(%0)\n\tvextractf128 $1, %%ymm5, 80(%0)\n\t"
			 "vextractf128 $1, %%ymm6, 96(%0)\n\tvextractf128 $1, %%ymm7, 112(%0)\n\t"
			 "vextractf128 $1, %%ymm8, 128(%0)\n\tvextractf128 $1, %%ymm9, 144(%0)\n\t"
			 "vextractf128 $1, %%ymm10, 160(%0)\n\tvextractf128 $1, %%ymm11, 176(%0)\n\t"
			 "vextractf128 $1, %%ymm12, 192(%0)\n\tvextractf128 $1, %%ymm13, 208(%0)\n\t"
			 "vextractf128 $1, %%ymm14, 224(%0)\n\tvextractf128 $1, %%ymm15, 240(%0)"
			 : : "r"(at) : "memory");
}

static void store_masks(uint8_t *at)
{
	__asm__ volatile("kmovq %%k0, (%0)\n\tkmovq %%k1, 8(%0)\n\tkmovq %%k2, 16(%0)\n\t"
			 "kmovq %%k3, 24(%0)\n\tkmovq %%k4, 32(%0)\n\tkmovq %%k5, 40(%0)\n\t"
			 "kmovq %%k6, 48(%0)\n\tkmovq %%k7, 56(%0)"
			 : : "r"(at) : "memory");
}

static void store_upper_sixteen(uint8_t *at)
{
	__asm__ volatile("vmovdqu64 %%zmm16, (%0)\n\tvmovdqu64 %%zmm17, 64(%0)\n\t"
			 "vmovdqu64 %%zmm18, 128(%0)\n\tvmovdqu64 %%zmm19, 192(%0)\n\t"
			 "vmovdqu64 %%zmm20, 256(%0)\n\tvmovdqu64 %%zmm21, 320(%0)\n\t"
			 "vmovdqu64 %%zmm22, 384(%0)\n\tvmovdqu64 %%zmm23, 448(%0)\n\t"
			 "vmovdqu64 %%zmm24, 512(%0)\n\tvmovdqu64 %%zmm25, 576(%0)\n\t"
			 "vmovdqu64 %%zmm26, 640(%0)\n\tvmovdqu64 %%zmm27, 704(%0)\n\t"
			 "vmovdqu64 %%zmm28, 768(%0)\n\tvmovdqu64 %%zmm29, 832(%0)\n\t"
			 "vmovdqu64 %%zmm30, 896(%0)\n\tvmovdqu64 %%zmm31, 960(%0)"
			 : : "r"(at) : "memory");
}

void context_save(struct thread *thread)
{
	const uint32_t *offset = agent_config.xstate.offset;
	uint8_t *fpstate;
	uint32_t in_use, high;

	if (thread->fp != FP_LIVE)
		return;
	fpstate = context_of(thread)->fpstate;
	__asm__ volatile("xgetbv" : "=a"(in_use), "=d"(high) : "c"(XCR_IN_USE));
	in_use = (in_use & (uint32_t)xstate_sw(fpstate)->xfeatures) | BV_SSE;
	*xstate_bv(fpstate) = in_use;
	if (in_use & ~(uint32_t)BY_HAND) {
		__asm__ volatile("xsave64 (%0)" : : "r"(fpstate), "a"(in_use), "d"(0) : "memory");
	} else {
		if (in_use & BV_X87)
			__asm__ volatile("fxsave64 (%0)" : : "r"(fpstate) : "memory");
		else
			store_sse(fpstate);
		if (in_use & BV_AVX)
			store_avx(fpstate + offset[AVX]);
		if (in_use & BV_MASKS)
			store_masks(fpstate + offset[MASKS]);
		if (in_use & BV_UPPER_SIXTEEN)
			store_upper_sixteen(fpstate + offset[UPPER_SIXTEEN]);
	}
	thread->fp = FP_SAVED;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	const uint64_t *words = (const uint64_t *)bytes;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		if (words[i])
			return false;
	return true;
}

static bool x87_is_initial(const uint8_t *fpstate)
{
	uint64_t control;

	memcpy(&control, fpstate + FXSAVE_FCW, sizeof(control));
	return control == FCW_INITIAL && is_zero(fpstate + FXSAVE_FCW + 8, FXSAVE_MXCSR - FXSAVE_FCW - 8) &&
	       is_zero(fpstate + FXSAVE_ST, FXSAVE_XMM - FXSAVE_ST);
}

void context_tidy(struct ucontext *context, bool all)
{
	enum { HALF = 16, N_HALVES = 16, N_MASKS = 8, UPPER_HALF = 32, UPPER = 64 };
	const uint32_t *offset = agent_config.xstate.offset;
	uint8_t *fpstate = context->fpstate;
	uint64_t *bv = xstate_bv(fpstate);

	if (!process()->knows_fp)
		return;
	if ((*bv & BV_X87) && x87_is_initial(fpstate))
		*bv &= ~(uint64_t)BV_X87;
	if (!all)
		return;
	if ((*bv & BV_AVX) && is_zero(fpstate + offset[AVX], N_HALVES * HALF))
		*bv &= ~(uint64_t)BV_AVX;
	if ((*bv & BV_MASKS) && is_zero(fpstate + offset[MASKS], N_MASKS * 8))
		*bv &= ~(uint64_t)BV_MASKS;
	if ((*bv & BV_UPPER_HALVES) && is_zero(fpstate + offset[UPPER_HALVES], N_HALVES * UPPER_HALF))
		*bv &= ~(uint64_t)BV_UPPER_HALVES;
	if ((*bv & BV_UPPER_SIXTEEN) && is_zero(fpstate + offset[UPPER_SIXTEEN], N_HALVES * UPPER))
		*bv &= ~(uint64_t)BV_UPPER_SIXTEEN;
}

void context_to_memory(struct thread *thread)
{
	context_save(thread);
	thread->fp = FP_IN_FRAME;
}
