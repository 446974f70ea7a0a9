/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * frame - signal frames on the program's stack, as the kernel would have built them
 *
 * Layout and order follow arch/x86/kernel/signal.c, signal_64.c and fpu/signal.c: from
 * the top, the XSAVE area aligned to 64, then pretcode, ucontext and siginfo. The bytes
 * must be equal in recording and in replay, so what varies from run to run is made
 * uniform: all state components are written out (XINUSE is the processor's affair), and
 * the x87 instruction and data pointers are zero.
 */
#include "recorder/agent/agent.h"
#include "recorder/xstate.h"

struct rt_sigframe {
	uint64_t pretcode;
	struct ucontext context;
	struct siginfo info;
};
static_assert(sizeof(struct rt_sigframe) == 440, "kernel ABI");

enum { X87_AND_SSE = 3 };	/* bits of XSTATE_BV */
enum { MINSIGSTKSZ_ = 2048 };
enum { FLAG_TRAP = 1 << 8, FLAG_DIRECTION = 1 << 10, FLAG_RESUME = 1 << 16 };

#define FLAGS_OF_PROGRAM 0x50dd5u	/* what sigreturn restores: OF DF TF SF ZF AF PF CF AC RF */

/*
 * A handler begins with the initial FP state: fpu__clear_user_states(). x87 and SSE are said
 * to be in use, as the kernel says in every frame of its own (save_xstate_epilog()): else a
 * kick that changes nothing would change XINUSE, which the dynamic linker's XSAVEC leaves
 * on the stack.
 */
static void clear_fpstate(uint8_t *fpstate)
{
	static const uint32_t mxcsr = 0x1f80;
	static const uint16_t fcw = 0x37f;
	const struct fpx_sw_bytes sw = *xstate_sw(fpstate);

	memset(fpstate, 0, FXSAVE_SW);
	memcpy(fpstate + FXSAVE_FCW, &fcw, sizeof(fcw));
	memcpy(fpstate + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	if (sw.magic1 == XSTATE_MAGIC1)
		*xstate_bv(fpstate) = X87_AND_SSE;
}

/* -- the alternate stack: kernel/signal.c --------------------------------------------------- */

/* Of its memory; the kernel's __on_sig_stack(). */
static bool in_altstack(const struct thread *thread, uint64_t sp)
{
	return sp > thread->altstack.sp && sp - thread->altstack.sp <= thread->altstack.size;
}

static bool on_altstack(const struct thread *thread, uint64_t sp)
{
	return in_altstack(thread, sp) && !(thread->altstack.flags & SS_AUTODISARM_);
}

void altstack_get(const struct thread *thread, uint64_t sp, struct stack *ret_stack)
{
	struct stack stack = { thread->altstack.sp, thread->altstack.flags & SS_AUTODISARM_, 0,
			       thread->altstack.size };

	if (!thread->altstack.size)
		stack.flags |= SS_DISABLE_;
	else if (on_altstack(thread, sp))
		stack.flags |= SS_ONSTACK_;
	*ret_stack = stack;
}

long altstack_set(struct thread *thread, uint64_t sp, const struct stack *stack)
{
	uint32_t mode = stack->flags & ~SS_AUTODISARM_;

	if (on_altstack(thread, sp))
		return -EPERM_;
	if (mode != SS_DISABLE_ && mode != SS_ONSTACK_ && mode != 0)
		return -EINVAL_;
	if (mode != SS_DISABLE_ && stack->size < MINSIGSTKSZ_)
		return -ENOMEM_;
	thread->altstack.sp = mode == SS_DISABLE_ ? 0 : stack->sp;
	thread->altstack.size = mode == SS_DISABLE_ ? 0 : stack->size;
	thread->altstack.flags = stack->flags;
	return 0;
}

/* As sas_ss_reset(): where there was none, there is none. */
static void altstack_reset(struct thread *thread)
{
	memset(&thread->altstack, 0, sizeof(thread->altstack));
	thread->altstack.flags = SS_DISABLE_;
}

/* Where the frame goes. False: it would run over the end of the alternate stack. */
static bool place_frame(const struct thread *thread, uint64_t flags, uint64_t *ret_fpstate,
			uint64_t *ret_frame)
{
	const struct ucontext *context = context_of(thread);
	uint64_t sp = context->regs[REG_RSP_] - 128;
	bool nested = on_altstack(thread, context->regs[REG_RSP_]), entering = false;

	if ((flags & SA_ONSTACK_) && thread->altstack.size && !nested) {
		sp = thread->altstack.sp + thread->altstack.size;
		entering = true;
	}
	sp = ALIGN_DOWN(sp - xstate_len(context->fpstate), (uint64_t)64);
	*ret_fpstate = sp;
	sp -= sizeof(struct rt_sigframe);
	sp = ALIGN_DOWN(sp, (uint64_t)16) - 8;
	*ret_frame = sp;
	return !(nested || entering) || in_altstack(thread, sp);
}

bool frame_build(struct thread *thread, int signal, const struct event_signal *event)
{
	struct ucontext *context = context_of(thread);
	struct agent_disposition *d = disposition(thread, signal);
	const struct agent_disposition action = *d;
	uint64_t fpstate, frame, mask;
	struct rt_sigframe built;

	if (!place_frame(thread, action.flags, &fpstate, &frame) ||
	    !(action.flags & SA_RESTORER_))
		return false;
	context_to_memory(thread);
	xstate_write_out(&agent_config.xstate, context->fpstate);
	/* The stack may be shared memory. */
	thread->wants_pages = 1;
	/* A debugger's step ends where the handler begins. */
	if (agent_replays() && (context->regs[REG_EFL_] & FLAG_TRAP))
		thread->stepping = 1;

	built.pretcode = action.restorer;
	built.context = *context;
	built.context.flags &= 7;	/* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
	built.context.link = 0;
	built.context.stack = (struct stack){ thread->altstack.sp, thread->altstack.flags, 0,
					      thread->altstack.size };
	built.context.regs[REG_EFL_] &= ~(uint64_t)(FLAG_TRAP | FLAG_RESUME);
	built.context.err = event->err;
	built.context.trapno = event->trapno;
	built.context.cr2 = event->cr2;
	built.context.oldmask = thread->mask;
	built.context.fpstate = (uint8_t *)fpstate;
	memset(built.context.reserved, 0, sizeof(built.context.reserved));
	built.context.mask = thread->mask;
	memcpy(&built.info, event->info, sizeof(built.info));
	if (!copy_to_user(frame, &built, sizeof(built)) ||
	    !copy_to_user(fpstate, context->fpstate, xstate_len(context->fpstate)))
		return false;
	if (thread->altstack.flags & SS_AUTODISARM_)
		altstack_reset(thread);

	context->regs[REG_RDI_] = (uint64_t)signal;
	context->regs[REG_RSI_] = frame + offsetof(struct rt_sigframe, info);
	context->regs[REG_RDX_] = frame + offsetof(struct rt_sigframe, context);
	context->regs[REG_RAX_] = 0;
	context->regs[REG_RSP_] = frame;
	context->regs[REG_RIP_] = action.handler;
	context->regs[REG_EFL_] &= ~(uint64_t)(FLAG_TRAP | FLAG_DIRECTION | FLAG_RESUME);
	clear_fpstate(context->fpstate);

	mask = event->has_call_mask ? event->call_mask : thread->mask;
	mask |= action.mask;
	if (!(action.flags & SA_NODEFER_))
		mask |= signal_bit(signal);
	thread->mask = mask & ~(signal_bit(SIGKILL_) | signal_bit(SIGSTOP_));
	thread->has_call_mask = 0;
	if (action.flags & SA_RESETHAND_) {
		d->handler = SIG_DFL_;
		(void) signal_install(thread, signal);
	}
	return true;
}

/* The saved FP state from the program's frame into ours, so far as the processor takes it. */
static bool restore_fpstate(uint8_t *ours, uint64_t users)
{
	const struct fpx_sw_bytes sw = *xstate_sw(ours);
	struct fpx_sw_bytes users_sw;
	uint32_t len = FXSAVE_LEN, magic2 = 0, mxcsr;

	if (!users) {
		clear_fpstate(ours);
		return true;
	}
	if (!copy_from_user(&users_sw, users + FXSAVE_SW, sizeof(users_sw)))
		return false;
	if (sw.magic1 == XSTATE_MAGIC1 && users_sw.magic1 == XSTATE_MAGIC1 &&
	    users_sw.xstate_size >= XSAVE_EXTENDED && users_sw.xstate_size <= sw.xstate_size &&
	    copy_from_user(&magic2, users + users_sw.xstate_size, sizeof(magic2)) &&
	    magic2 == XSTATE_MAGIC2)
		len = users_sw.xstate_size;
	if (!copy_from_user(ours, users, len))
		return false;
	*xstate_sw(ours) = sw;
	memcpy(&mxcsr, ours + FXSAVE_MXCSR, sizeof(mxcsr));
	mxcsr &= 0xffff;	/* reserved bits would fault */
	memcpy(ours + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	if (sw.magic1 != XSTATE_MAGIC1)
		return true;
	if (len == FXSAVE_LEN)
		*xstate_bv(ours) = X87_AND_SSE;	/* the rest is initial */
	else
		*xstate_bv(ours) &= sw.xfeatures & users_sw.xfeatures;
	memset(ours + XSAVE_BV + 8, 0, XSAVE_HEADER_LEN - 8);
	return true;
}

bool frame_restore(struct thread *thread)
{
	struct ucontext *context = context_of(thread), users;
	uint64_t frame = context->regs[REG_RSP_] - 8, flags = context->regs[REG_EFL_];

	context_to_memory(thread);
	if (!copy_from_user(&users, frame + offsetof(struct rt_sigframe, context),
			    sizeof(users)) ||
	    !restore_fpstate(context->fpstate, (uint64_t)users.fpstate))
		return false;
	memcpy(context->regs, users.regs, sizeof(context->regs));
	context->regs[REG_EFL_] =
		(flags & ~(uint64_t)FLAGS_OF_PROGRAM) | (users.regs[REG_EFL_] & FLAGS_OF_PROGRAM);
	context->cs = users.cs | 3;
	context->ss = users.ss | 3;
	thread->mask = users.mask & ~(signal_bit(SIGKILL_) | signal_bit(SIGSTOP_));
	/* A stack that the call would refuse is as it was. */
	(void) altstack_set(thread, context->regs[REG_RSP_], &users.stack);
	return true;
}
