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
	X87_AND_SSE = 3,
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

/* Does the processor tell which components are in use? */
static bool has_xgetbv1(void)
{
	enum { XSAVE_LEAF = 0xd, XGETBV1 = 1 << 2 };
	uint32_t a = XSAVE_LEAF, b, c = 1, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return a & XGETBV1;
}

void context_learn(const struct ucontext *context)
{
	struct agent_process *p = process();
	const struct fpx_sw_bytes *sw = xstate_sw(context->fpstate);

	if (sw->magic1 != XSTATE_MAGIC1 || FPSTATE + sw->extended_size > SLOT_THREAD - SLOT_FRAME ||
	    !has_xgetbv1())
		return;
	memcpy(p->fp_sw, sw, sizeof(p->fp_sw));
	p->knows_fp = 1;
}

void context_prepare(struct thread *thread)
{
	static const uint32_t magic2 = XSTATE_MAGIC2;
	struct call_frame *frame = frame_of(thread);
	uint8_t *fpstate = (uint8_t *)frame + FPSTATE;

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

void context_save(struct thread *thread)
{
	uint8_t *fpstate;
	uint32_t what, high;

	if (thread->fp != FP_LIVE)
		return;
	fpstate = context_of(thread)->fpstate;
	__asm__ volatile("xgetbv" : "=a"(what), "=d"(high) : "c"(XCR_IN_USE));
	what = (what & (uint32_t)xstate_sw(fpstate)->xfeatures) | X87_AND_SSE;
	*xstate_bv(fpstate) = 0;
	__asm__ volatile("xsave64 (%0)" ::"r"(fpstate), "a"(what), "d"(0) : "memory");
	thread->fp = FP_SAVED;
}

void context_to_memory(struct thread *thread)
{
	context_save(thread);
	thread->fp = FP_IN_FRAME;
}
