/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signal - what the kernel delivers to us, and what the program gets of it
 *
 * Handlers and default-terminate dispositions are virtual: the kernel's handler is
 * ours. Ignored, default-ignored and default-stop dispositions and all masks are real
 * (less the few that we can't do without), so the kernel routes signals to threads,
 * signalfd and sigwait as it always does.
 *
 * A signal that arrives is noted in the thread's record and delivered where replay can
 * deliver it too: at the thread's next entry into the agent. Until then the kernel's
 * mask of the thread blocks all others, so one place for a noted signal is enough and
 * the kernel keeps the order of the rest. A thread that makes no entry for some
 * milliseconds is preempted (timer, kick).
 */
#include "recorder/agent/agent.h"

enum {
	SI_KERNEL = 0x80,	/* of SIGSEGV: no address */
};

/* -- dispositions ---------------------------------------------------------------------- */

struct agent_disposition *disposition(const struct thread *thread, int signal)
{
	return &process()->handlers[thread->handlers][signal - 1];
}

static bool default_ignores(int signal)
{
	return signal == SIGCHLD_ || signal == SIGCONT_ || signal == SIGURG_ ||
	       signal == SIGWINCH_;
}

static bool default_stops(int signal)
{
	return signal == SIGSTOP_ || signal == SIGTSTP_ || signal == SIGTTIN_ ||
	       signal == SIGTTOU_;
}

static bool is_ignored(const struct agent_disposition *d, int signal)
{
	return d->handler == SIG_IGN_ ||
	       (d->handler == SIG_DFL_ && (default_ignores(signal) || default_stops(signal)));
}

uint64_t kernel_mask(const struct thread *thread)
{
	return (thread->pending ? ~UINT64_C(0) : thread->mask) & ~UNBLOCKABLE;
}

static void set_kernel_mask(uint64_t mask)
{
	enum { SIG_SETMASK = 2 };

	this_thread()->kernel_mask = mask;
	(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

void signals_let_in(const struct thread *thread)
{
	if (!agent_replays())
		set_kernel_mask(kernel_mask(thread));
}

static long kernel_sigaction(int signal, const struct kernel_sigaction *action,
			     struct kernel_sigaction *old)
{
	return agent_syscall(NR_rt_sigaction, signal, action, old, 8);
}

static struct kernel_sigaction our_action(uint64_t program_flags)
{
	return (struct kernel_sigaction){
		.handler = (uint64_t)signal_entry,
		.flags = SA_SIGINFO_ | SA_ONSTACK_ | SA_RESTORER_ |
			 (program_flags & (SA_RESTART_ | SA_NOCLDSTOP_ | SA_NOCLDWAIT_)),
		.restorer = VDSO_ADDRESS(VDSO_gate_sigreturn),
		.mask = ~UNBLOCKABLE,
	};
}

/* For the signals that the agent lives on; somebody may also send them to the program. */
static struct kernel_sigaction our_dispatch(int signal, const struct agent_disposition *d)
{
	struct kernel_sigaction action = our_action(d->handler > SIG_IGN_ ? d->flags : SA_RESTART_);

	/* A thread that is cloned inside the handler must not begin with SIGSYS blocked. */
	action.flags |= SA_NODEFER_;
	if (signal != KICK_SIGNAL)
		action.mask = 0;
	return action;
}

long signal_install(const struct thread *thread, int signal)
{
	const struct agent_disposition *d = disposition(thread, signal);
	struct kernel_sigaction action;

	if (agent_replays())
		return 0;
	if (UNBLOCKABLE & signal_bit(signal))
		action = our_dispatch(signal, d);	/* ours for good */
	else if (!is_ignored(d, signal))
		action = our_action(d->handler == SIG_DFL_ ? SA_RESTART_ : d->flags);
	else if (agent_config.freeze_signals & signal_bit(signal))
		action = our_action(SA_RESTART_);
	else
		action = (struct kernel_sigaction){ d->handler, d->flags, d->restorer, d->mask };
	return kernel_sigaction(signal, &action, NULL);
}

/* At the program's start: what it inherited is what it believes. */
void signals_init(struct thread *thread)
{
	struct kernel_sigaction dispatch, old;

	for (int i = 1; i <= N_SIGNALS; i++) {
		struct agent_disposition *d = disposition(thread, i);

		if (i == SIGKILL_ || i == SIGSTOP_)
			continue;
		dispatch = our_dispatch(i, d);
		if (agent_replays()) {
			if (UNBLOCKABLE & signal_bit(i))
				(void) kernel_sigaction(i, &dispatch, NULL);
			continue;
		}
		(void) kernel_sigaction(i, (UNBLOCKABLE & signal_bit(i)) ? &dispatch : NULL, &old);
		*d = (struct agent_disposition){ old.handler, old.flags, old.restorer, old.mask };
		if (!(UNBLOCKABLE & signal_bit(i)) && !is_ignored(d, i))
			(void) signal_install(thread, i);
	}
}

/*
 * Exec resets what is handled and keeps what is ignored: where our handler stands for
 * "ignored", @ignore tells the kernel. What the agent itself lives on may only be told if
 * nobody else is in it.
 */
void signals_for_exec(const struct thread *thread, bool ignore)
{
	uint64_t ours = agent_config.freeze_signals | signal_bit(KICK_SIGNAL);
	struct kernel_sigaction action = { .handler = SIG_IGN_ };

	if (thread->is_vfork_child || alone())
		ours |= UNBLOCKABLE;
	for (int i = 1; i <= N_SIGNALS; i++) {
		if (!(ours & signal_bit(i)) || disposition(thread, i)->handler != SIG_IGN_)
			continue;
		if (ignore)
			(void) kernel_sigaction(i, &action, NULL);
		else
			(void) signal_install(thread, i);
	}
}

void signals_restore(struct thread *thread)
{
	struct ucontext *context = context_of(thread);
	uint64_t mask = thread->mask;

	for (int i = 1; i <= N_SIGNALS; i++) {
		const struct agent_disposition *d = disposition(thread, i);
		struct kernel_sigaction action = { d->handler, d->flags, d->restorer, d->mask };

		if (i == SIGKILL_ || i == SIGSTOP_)
			continue;
		if ((UNBLOCKABLE & signal_bit(i)) || !is_ignored(d, i) ||
		    (agent_config.freeze_signals & signal_bit(i)))
			(void) kernel_sigaction(i, &action, NULL);
	}
	/* sigreturn sets both from the frame, once it has left our alternate stack. */
	context->mask = mask;
	altstack_get(thread, context->regs[REG_RSP_], &context->stack);
	context->stack.flags &= ~SS_ONSTACK_;
}

void signal_keep_sites(const struct thread *thread)
{
	const struct agent_disposition *d = disposition(thread, SIGSEGV_);
	struct kernel_sigaction action = our_dispatch(SIGSEGV_, d);

	if (d->handler == SIG_DFL_)
		(void) kernel_sigaction(SIGSEGV_, &action, NULL);
}

/* -- death -------------------------------------------------------------------------------- */

static void fill_signal_event(const struct thread *thread, const struct siginfo *info,
			      unsigned at, struct event_signal *event)
{
	const struct ucontext *context = context_of(thread);

	*event = (struct event_signal){ .call_mask = thread->call_mask,
					.has_call_mask = thread->has_call_mask };
	memcpy(event->info, info, sizeof(event->info));
	if (at == EVENT_AT_FAULT) {
		event->trapno = context->trapno;
		event->err = context->err;
		event->cr2 = context->cr2;
	}
}

static void log_signal(struct thread *thread, enum event_kind kind, unsigned at, int signal,
		       const struct event_signal *event)
{
	uint32_t check = (uint32_t)context_of(thread)->regs[REG_RIP_];

	if (!log_begin(thread, kind, at, (unsigned)signal, check, 0))
		return;
	log_add(thread, event, sizeof(*event));
	log_end(thread);
}

/*
 * Dies as it would have died without us: the default action is put back, the signal
 * happens again by itself (a fault) or is sent again as it was (all others), and the
 * program's own registers are what a core file shows.
 */
__attribute__((noreturn)) static void die(struct thread *thread, int signal,
					  const struct siginfo *info, unsigned at)
{
	struct kernel_sigaction action = { .handler = SIG_DFL_ };
	struct ucontext *context = context_of(thread);

	(void) kernel_sigaction(signal, &action, NULL);
	context->mask = kernel_mask(thread) & ~signal_bit(signal);
	context_to_memory(thread);
	if (at == EVENT_AT_ENTRY)
		context->regs[REG_RAX_] = (uint64_t)-512;	/* as the kernel leaves it: ERESTARTSYS */
	if (at != EVENT_AT_FAULT) {
		context->mask = ~signal_bit(signal);
		set_kernel_mask(~UINT64_C(0));
		/* A filter of the program's may forbid it. It must end all the same. */
		if (agent_syscall(NR_rt_tgsigqueueinfo, thread->tgid, thread->tid, signal, info) < 0 &&
		    agent_syscall(NR_tgkill, thread->tgid, thread->tid, signal) < 0)
			(void) agent_syscall(NR_exit_group, 128 + signal);
	}
	enter_frame(context, VDSO_ADDRESS(VDSO_gate_sigreturn));
}

__attribute__((noreturn)) static void signal_fatal(struct thread *thread, int signal,
						   const struct siginfo *info, unsigned at)
{
	struct event_signal event;
	struct siginfo copy = *info;

	fill_signal_event(thread, info, at, &event);
	thread->pending = 0;
	thread->state = THREAD_LEAVING;
	if (!passing() && !thread->is_vfork_child) {
		log_signal(thread, EVENT_FATAL, at, signal, &event);
		obituary_write(thread, signal, 0, at, &copy, true);
	}
	die(thread, signal, &copy, at);
}

/* -- delivery -------------------------------------------------------------------------------- */

/* The interrupted system call had no effect: it is made again behind the handler. */
static void back_to_call(struct ucontext *context)
{
	context->regs[REG_RIP_] -= 2;	/* the `syscall` instruction; %rax still has the number */
}

static bool deliver(struct thread *thread, int signal, unsigned at,
		    const struct event_signal *event)
{
	if (at == EVENT_AT_ENTRY)
		back_to_call(context_of(thread));
	return frame_build(thread, signal, event);
}

/* No frame can be built, or taken back: as the kernel's force_sigsegv(). */
void signal_force_segv(struct thread *thread, int signal)
{
	struct siginfo info = { .signo = SIGSEGV_, .code = SI_KERNEL };
	struct event_signal event;

	if (signal == SIGSEGV_ || disposition(thread, SIGSEGV_)->handler <= SIG_IGN_ ||
	    (thread->mask & signal_bit(SIGSEGV_)))
		signal_fatal(thread, SIGSEGV_, &info, EVENT_AT_EXIT);
	fill_signal_event(thread, &info, EVENT_AT_EXIT, &event);
	log_signal(thread, EVENT_SIGNAL, EVENT_AT_EXIT, SIGSEGV_, &event);
	if (!deliver(thread, SIGSEGV_, EVENT_AT_EXIT, &event))
		signal_fatal(thread, SIGSEGV_, &info, EVENT_AT_EXIT);
}

void signal_fault(struct thread *thread, int signal, const struct siginfo *info, struct ucontext *context)
{
	const struct agent_disposition *d = disposition(thread, signal);
	struct event_signal event;

	agent_enter(thread);
	set_context(thread, context, FP_IN_FRAME);
	thread->has_call_mask = 0;
	if (agent_replays()) {
		const struct event *next = replay_next(thread);

		if (!(next->flags & EVENT_AT_FAULT) || next->nr != signal)
			replay_diverged(thread, EVENT_FATAL, (unsigned)signal,
					(uint32_t)context->regs[REG_RIP_]);
		signal_replay(thread);
		replay_before_user(thread);
		resume_program(thread);
	}
	/* Blocked or ignored, the kernel kills: a fault can't wait. */
	if (d->handler <= SIG_IGN_ || (thread->mask & signal_bit(signal)))
		signal_fatal(thread, signal, info, EVENT_AT_FAULT);
	if (agent_config.freeze_signals & signal_bit(signal)) {
		thread->state = THREAD_LEAVING;
		snapshot_take(thread, EVENT_FREEZE | EVENT_AT_FAULT);
	}
	fill_signal_event(thread, info, EVENT_AT_FAULT, &event);
	log_signal(thread, EVENT_SIGNAL, EVENT_AT_FAULT, signal, &event);
	if (!deliver(thread, signal, EVENT_AT_FAULT, &event)) {
		if (signal == SIGSEGV_)
			signal_fatal(thread, signal, info, EVENT_AT_FAULT);
		signal_force_segv(thread, signal);
	}
	resume_program(thread);
}

bool signal_deliver_pending(struct thread *thread, unsigned at)
{
	int signal = (int)thread->pending;
	struct siginfo info;
	struct event_signal event;
	const struct agent_disposition *d;

	if (!signal)
		return false;
	memcpy(&info, thread->pending_info, sizeof(info));
	d = disposition(thread, signal);
	if (agent_config.freeze_signals & signal_bit(signal))
		snapshot_take(thread, EVENT_FREEZE | at);
	if (is_ignored(d, signal)) {
		thread->pending = 0;
		set_kernel_mask(kernel_mask(thread));
		return false;
	}
	if (d->handler == SIG_DFL_)
		signal_fatal(thread, signal, &info, at);

	fill_signal_event(thread, &info, at, &event);
	log_signal(thread, EVENT_SIGNAL, at, signal, &event);
	thread->pending = 0;
	if (!deliver(thread, signal, at, &event))
		signal_force_segv(thread, signal);
	return true;
}

void signals_deliver(struct thread *thread, unsigned at)
{
	do {
		signal_release_held(thread, ~thread->mask);
		if (signal_deliver_pending(thread, at)) {
			at = EVENT_AT_EXIT;
			thread->state = THREAD_LEAVING;
			signals_let_in(thread);
		} else if (!thread->pending) {
			break;
		}
	} while (thread->pending || thread->held_mask);
}

void signal_replay(struct thread *thread)
{
	const struct event *present = replay_next(thread);
	unsigned at = present->flags & (EVENT_AT_ENTRY | EVENT_AT_EXIT | EVENT_AT_FAULT |
					EVENT_AT_ASYNC);
	int signal = present->nr;
	bool fatal = present->kind == EVENT_FATAL;
	struct event_signal event;

	if ((!fatal && present->kind != EVENT_SIGNAL) ||
	    present->check != (uint32_t)context_of(thread)->regs[REG_RIP_] ||
	    !replay_read(thread, &event, sizeof(event)))
		replay_diverged(thread, EVENT_SIGNAL, (unsigned)signal,
				(uint32_t)context_of(thread)->regs[REG_RIP_]);
	if (fatal) {
		replay_stop(thread, STOP_SNAPSHOT);
		replay_done(thread);
		(void) replay_next(thread);	/* nothing follows */
	}
	if (load_relaxed(&shared()->stop_at_signals))
		replay_stop(thread, STOP_SIGNAL);
	thread->call_mask = event.call_mask;
	thread->has_call_mask = event.has_call_mask;
	/* Behind it comes what the frame's pages were, if they were another process's. */
	replay_done(thread);
	(void) deliver(thread, signal, at, &event);
}

static const uint8_t held_signals[N_HELD] = { SIGILL_, SIGTRAP_, SIGBUS_, SIGFPE_, SIGSEGV_,
					      SIGSYS_, KICK_SIGNAL };

void signal_forget_held(int signal)
{
	for (uint64_t i = 0; i < process()->n_slots_mapped; i++)
		slot_thread((uint32_t)i)->held_mask &= ~signal_bit(signal);
}

void signal_release_held(struct thread *thread, uint64_t wanted)
{
	if (!(thread->held_mask & wanted) || thread->pending)
		return;
	for (unsigned i = 0; i < N_HELD; i++) {
		uint64_t bit = signal_bit(held_signals[i]);

		if (!(thread->held_mask & wanted & bit))
			continue;
		thread->held_mask &= ~bit;
		memcpy(thread->pending_info, thread->held_info[i], sizeof(thread->pending_info));
		thread->pending = held_signals[i];
		return;
	}
}

bool signal_hold(struct thread *thread, int signal, const void *info)
{
	for (unsigned i = 0; i < N_HELD; i++) {
		if (held_signals[i] != signal)
			continue;
		if (!(thread->held_mask & signal_bit(signal)))
			memcpy(thread->held_info[i], info, sizeof(thread->held_info[i]));
		thread->held_mask |= signal_bit(signal);
		return true;
	}
	return false;
}

bool signal_waited_for(struct thread *thread, struct call *call)
{
	int signal = (int)thread->pending;
	bool waits = call->result == GATE_ABORTED || call->result == -EINTR_;

	if (!signal || !(thread->wait_set & signal_bit(signal)))
		return false;
	if (!waits) {
		(void) signal_hold(thread, signal, thread->pending_info);
	} else {
		call->result = signal;
		if (call->kernel_args[1] &&
		    !copy_to_user((uint64_t)call->kernel_args[1], thread->pending_info,
				  sizeof(thread->pending_info)))
			call->result = -EFAULT_;
	}
	thread->pending = 0;
	signals_let_in(thread);
	return waits;
}

void signal_wait_ends(struct thread *thread)
{
	uint64_t set = thread->wait_set;
	int signal;

	thread->wait_set = 0;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	signal = (int)thread->pending;
	if (!signal || !(set & thread->mask & signal_bit(signal)))
		return;
	(void) signal_hold(thread, signal, thread->pending_info);
	thread->pending = 0;
	signals_let_in(thread);
}

void signals_keep_out(struct thread *thread)
{
	for (;;) {
		set_kernel_mask(~UNBLOCKABLE);
		if (!thread->pending)
			return;
		if (signal_deliver_pending(thread, EVENT_AT_ENTRY))
			resume_program(thread);
	}
}

void signal_force(struct thread *thread, const struct siginfo *info, bool kills)
{
	struct agent_disposition *d = disposition(thread, info->signo);

	if (kills || d->handler == SIG_IGN_ || (thread->mask & signal_bit(info->signo)))
		d->handler = SIG_DFL_;
	thread->mask &= ~signal_bit(info->signo);
	memcpy(thread->pending_info, info, sizeof(*info));
	thread->pending = (uint32_t)info->signo;
}
