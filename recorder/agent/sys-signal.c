/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-signal - the calls about signals
 *
 * Dispositions are kept here and told to the kernel as far as they mean something
 * there; masks are told to the kernel less what must stay unblocked (signal.c).
 */
#include "recorder/agent/agent.h"

enum { SIG_BLOCK_ = 0, SIG_UNBLOCK_ = 1, SIG_SETMASK_ = 2 };

/* What sigaction(2) of today's kernels knows: a program may ask for one that isn't there. */
#define SA_KNOWN                                                                           \
	(SA_NOCLDSTOP_ | SA_NOCLDWAIT_ | SA_SIGINFO_ | SA_EXPOSE_TAGBITS_ | SA_RESTORER_ | \
	 SA_ONSTACK_ | SA_RESTART_ | SA_NODEFER_ | SA_RESETHAND_)

static const uint64_t never_blocked = (UINT64_C(1) << (SIGKILL_ - 1)) |
				      (UINT64_C(1) << (SIGSTOP_ - 1));

/* The outputs are the agent's own, computed in replay as well: the log has only the result. */
static void finish(struct thread *thread, struct call *call, long result)
{
	call->result = result;
	call_finish(thread, call);
}

/* Before the agent reads the program's memory for itself, in replay, it must have the turn. */
static long sigaction(struct thread *thread, const struct call *call)
{
	int signal = (int)call->args[0];
	struct agent_disposition *d, before, after;

	if (call->args[3] != 8 || signal < 1 || signal > N_SIGNALS)
		return -EINVAL_;
	if (call->args[1] && (signal_bit(signal) & never_blocked))
		return -EINVAL_;
	d = disposition(thread, signal);
	before = *d;
	if (call->args[1]) {
		if (!copy_from_user(&after, (uint64_t)call->args[1], sizeof(after)))
			return -EFAULT_;
		after.flags &= SA_KNOWN;
		after.mask &= ~never_blocked;
		*d = after;
		if (after.handler == SIG_IGN_)
			signal_forget_held(signal);
	}
	if (call->args[2] && !copy_to_user((uint64_t)call->args[2], &before, sizeof(before)))
		return -EFAULT_;
	return call->args[1] ? signal_install(thread, signal) : 0;
}

static long sigprocmask(struct thread *thread, const struct call *call)
{
	uint64_t before = thread->mask, set;

	if (call->args[3] != 8)
		return -EINVAL_;
	if (call->args[1]) {
		if (!copy_from_user(&set, (uint64_t)call->args[1], sizeof(set)))
			return -EFAULT_;
		set &= ~never_blocked;
		switch (call->args[0]) {
		case SIG_BLOCK_:
			thread->mask |= set;
			break;
		case SIG_UNBLOCK_:
			thread->mask &= ~set;
			break;
		case SIG_SETMASK_:
			thread->mask = set;
			break;
		default:
			return -EINVAL_;
		}
	}
	if (call->args[2] && !copy_to_user((uint64_t)call->args[2], &before, sizeof(before)))
		return -EFAULT_;
	/* Now, not on leaving: what was pending strikes before the call returns. */
	if (call->args[1])
		signals_let_in(thread);
	return 0;
}

static long sigaltstack(struct thread *thread, const struct call *call)
{
	uint64_t sp = context_of(thread)->regs[REG_RSP_];
	struct stack before, after;
	long r;

	altstack_get(thread, sp, &before);
	if (call->args[0]) {
		if (!copy_from_user(&after, (uint64_t)call->args[0], sizeof(after)))
			return -EFAULT_;
		r = altstack_set(thread, sp, &after);
		if (r < 0)
			return r;
	}
	if (call->args[1] && !copy_to_user((uint64_t)call->args[1], &before, sizeof(before)))
		return -EFAULT_;
	return 0;
}

/* What the kernel holds, and what we hold for it. */
static void sigpending(struct thread *thread, struct call *call)
{
	uint64_t pending = 0;

	(void) call_add_span(call, (uint64_t)call->args[0], 8, SPAN_FIXED, NULL);
	if (!agent_replays()) {
		call->result = agent_call(NR_rt_sigpending, (long)&pending, call->args[1], 0, 0, 0, 0);
		pending |= thread->held_mask;
		if (call->result == 0 && !copy_to_user((uint64_t)call->args[0], &pending, 8))
			call->result = -EFAULT_;
	}
	call_finish(thread, call);
}

void sys_signal(struct thread *thread, struct call *call)
{
	switch (call->nr) {
	case NR_rt_sigaction:
		finish(thread, call, sigaction(thread, call));
		break;
	case NR_rt_sigprocmask:
		finish(thread, call, sigprocmask(thread, call));
		break;
	case NR_sigaltstack:
		finish(thread, call, sigaltstack(thread, call));
		break;
	case NR_rt_sigpending:
		sigpending(thread, call);
		break;
	default:
		thread->has_call_mask = 0;	/* signalfd's set is no mask */
		call_perform(thread, call);
	}
}

/* Those that the kernel can't keep for it: one that is held back is there at once. */
static void wait_for_ours(struct thread *thread, const struct call *call)
{
	uint64_t set;

	if (agent_replays() || call->args[3] != 8 ||
	    !copy_from_user(&set, (uint64_t)call->args[0], sizeof(set)))
		return;
	thread->wait_set = set & UNBLOCKABLE;
	signal_release_held(thread, thread->wait_set);
}

/*
 * pselect6's last argument points at a pair, a pointer to a mask and its length; the
 * others have a SIGSET argument. A signal that the kernel lets in during the call, by
 * this mask, has its handler run under it.
 */
void sys_wait_signal(struct thread *thread, struct call *call)
{
	struct {
		uint64_t mask, len;
	} pair, *copy;

	if (call->nr == NR_rt_sigtimedwait) {
		thread->has_call_mask = 0;	/* a set to take from, not a mask */
		wait_for_ours(thread, call);
	}
	if (call->nr == NR_pselect6 && call->args[5] &&
	    copy_from_user(&pair, (uint64_t)call->args[5], sizeof(pair)) && pair.mask) {
		copy = call_scratch(thread, sizeof(*copy));
		*copy = pair;
		if (call_mask(thread, pair.mask, pair.len, &copy->mask))
			call->kernel_args[5] = (long)copy;
	}
	call_perform(thread, call);
}

void sys_rt_sigreturn(struct thread *thread, struct call *call)
{
	uint64_t mask = thread->mask;
	bool good;

	finish(thread, call, 0);
	good = frame_restore(thread);
	/* Now, not on leaving: what was held back strikes before the program goes on. */
	if (mask & ~thread->mask)
		signals_let_in(thread);
	if (!good && !agent_replays())
		signal_force_segv(thread, 0);
}
