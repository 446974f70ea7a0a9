/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arrival - the handler of all signals: what strikes a thread, and where it stands
 *
 * System calls (SIGSYS of the dispatch), kicks and timers, faults, and what others send. What is
 * the program's goes on to signal.c.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	SYS_SECCOMP_TRAP = 1,	/* si_code of SIGSYS by a filter, */
	SYS_USER_DISPATCH = 2,	/* and by dispatch */
	SI_USER = 0,
	SI_QUEUE = -1,
	SI_TIMER = -2,
	SI_KERNEL = 0x80,	/* of SIGSEGV: no address, an instruction isn't allowed */
	ARCH_X86_64 = (int)0xc000003e,
	FLAG_TRAP = 1 << 8, FLAG_RESUME = 1 << 16, FLAG_ALIGNED = 1 << 18,
	PR_SET_TSC = 26, PR_TSC_ENABLE = 1,
	TIMER_NS = 2000000,	/* how long a computing thread may leave a signal waiting */
	CHUNK = 64,		/* what a repeated store does at a time, at most */
};

static bool in_gate(uint64_t ip)
{
	return ip - VDSO_ADDRESS(VDSO_gate_start) < VDSO_gate_end - VDSO_gate_start;
}

/* Was the agent interrupted, or the program? A vDSO function on the agent's stack is the agent. */
static bool interrupted_agent(const struct ucontext *context)
{
	return in_region(context->regs[REG_RIP_]) || in_gate(context->regs[REG_RIP_]) ||
	       in_region(context->regs[REG_RSP_]);
}

__attribute__((noinline, cold)) void signal_arm_timer(struct thread *thread)
{
	struct {
		uint64_t value;
		int32_t signo, notify, tid, pad[11];
	} event = { KICK_MAGIC, KICK_SIGNAL, 4 /* SIGEV_THREAD_ID */, (int32_t)thread->tid, { 0 } };
	int64_t ns = chaos() ? (int64_t)chaos_delay_ns(thread) : TIMER_NS;
	struct timespec64 when[2] = { { 0, 0 }, { 0, ns } };

	static_assert(sizeof(event) == 64, "kernel ABI");
	if (!thread->has_timer &&
	    agent_syscall(NR_timer_create, 1 /* CLOCK_MONOTONIC */, &event, &thread->timer) == 0)
		thread->has_timer = 1;
	if (thread->has_timer &&
	    agent_syscall(NR_timer_settime, thread->timer, 0, when, NULL) == 0)
		thread->timer_armed = 1;
}

/* Before a call that may block: an expired timer must not interrupt it. */
__attribute__((noinline, cold)) static void disarm_timer(struct thread *thread)
{
	struct timespec64 never[2] = { { 0, 0 }, { 0, 0 } };

	(void) agent_syscall(NR_timer_settime, thread->timer, 0, never, NULL);
	thread->timer_armed = 0;
}

void signal_timer_end(struct thread *thread)
{
	if (thread->has_timer)
		(void) agent_syscall(NR_timer_delete, thread->timer);
	thread->has_timer = 0;
	thread->timer_armed = 0;
}

/* kill(2) with a signal that we can't block for the program, while it has it blocked. */
static bool hold_back(struct thread *thread, int signal, const struct siginfo *info)
{
	if (!thread->pending && !(thread->mask & signal_bit(signal) & ~thread->wait_set))
		return false;
	if (!signal_hold(thread, signal, info))
		return false;
	thread->kick_seen = 1;	/* it interrupts nothing */
	return true;
}

/*
 * From now on the kernel keeps the others, also when the thread leaves the agent by a frame
 * that was written before the signal struck. (Frames of entries from the program are above
 * all else on the agent's stack; a vDSO function has none, and is above where it would be.)
 */
static void keep_others_out(struct thread *thread, struct ucontext *context)
{
	struct ucontext *frame = context_of(thread);

	context->mask = thread->kernel_mask = ~UNBLOCKABLE;
	if (thread->state == THREAD_RUNNING && slot_of(thread)->status != SLOT_AGENT &&
	    in_region(context->regs[REG_RSP_]) && context->regs[REG_RSP_] <= (uint64_t)frame)
		frame->mask = ~UNBLOCKABLE;
}

/* In the gate and not yet called, or about to be restarted by the kernel: the call has had no effect. */
static void abort_call(const struct thread *thread, struct ucontext *context)
{
	uint64_t ip = context->regs[REG_RIP_];

	if (thread->in_program_call && ip >= VDSO_ADDRESS(VDSO_gate_check) &&
	    ip <= VDSO_ADDRESS(VDSO_gate_syscall))
		context->regs[REG_RIP_] = VDSO_ADDRESS(VDSO_gate_abort);
}

static void program_signal(struct thread *thread, int signal, const struct siginfo *info,
			   struct ucontext *context)
{
	bool in_agent = interrupted_agent(context);

	if (agent_replays() || hold_back(thread, signal, info))
		return;
	keep_others_out(thread, context);
	if (thread->pending) {
		/* Let in while a handler of ours was interrupted by the first: back to the kernel. */
		(void) agent_syscall(NR_rt_tgsigqueueinfo, thread->tgid, thread->tid, signal, info);
		return;
	}
	memcpy(thread->pending_info, info, sizeof(*info));
	/* Trapped by a filter from before the exec: the program's call, not ours of it. */
	if (signal == SIGSYS_ && info->code == SYS_SECCOMP_TRAP && thread->in_program_call)
		((struct siginfo *)thread->pending_info)->call_addr = context_of(thread)->regs[REG_RIP_];
	thread->pending = (uint32_t)signal;
	abort_call(thread, context);
	/* No entry looks at it before the program goes on: resume_program() has, a vDSO function. */
	if (!in_agent || thread->state == THREAD_RUNNING)
		signal_arm_timer(thread);
}

/* The same, but for what is ours: memory that isn't to be touched yet. */
static void program_fault(struct thread *thread, int signal, const struct siginfo *info,
			  struct ucontext *context)
{
	enum replay_awaited awaited = FAULT_OTHER;

	/* Of what was displaced. */
	context->regs[REG_RIP_] = stub_origin(context->regs[REG_RIP_]);
	if (signal == SIGSEGV_ && agent_replays())
		awaited = replay_awaited_fault(context, info->addr);
	if (awaited == FAULT_AWAITED)
		signal = SIGBUS_;
	if (awaited != FAULT_PASSED_BY && (signal != SIGSEGV_ || !pages_fault(thread, info, context)))
		signal_fault(thread, signal, info, context);
}

/* rdtsc(p) while the TSC is trapped. */
static bool trapped_tsc(struct thread *thread, struct ucontext *context)
{
	struct agent_site site = { .address = context->regs[REG_RIP_] };
	uint8_t code[3] = { 0 };

	if (!process()->tsc_trapped)
		return false;
	(void) copy_code(code, site.address, sizeof(code));
	if (code[0] != 0x0f || (code[1] != 0x31 && (code[1] != 0x01 || code[2] != 0xf9)))
		return false;
	context->regs[REG_EFL_] &= ~(uint64_t)FLAG_RESUME;
	site.kind = code[1] == 0x31 ? SITE_RDTSC : SITE_RDTSCP;
	site.len = code[1] == 0x31 ? 2 : 3;
	agent_enter(thread);
	set_context(thread, context, FP_IN_FRAME);
	thread->has_call_mask = 0;
	instruction_trap(thread, context, &site);
	return true;
}

/* At an instruction that enters the agent at once anyway. */
static bool is_no_place(const struct ucontext *context)
{
	uint8_t code[6] = { 0 };

	(void) copy_code(code, context->regs[REG_RIP_], 5);
	if (code[0] == 0xcc)	/* int3 */
		return true;
	for (unsigned i = 0; i < 5; i++) {
		uint8_t op = code[i];

		if (op == 0x0f)	/* syscall, rdtsc(p) */
			return code[i + 1] == 0x05 || code[i + 1] == 0x31 || code[i + 1] == 0x01;
		if (op == 0xcd || op == 0xf4)	/* int, hlt */
			return true;
		if ((op & 0xf0) != 0x40 && op != 0x66 && op != 0x67 && op != 0xf2 && op != 0xf3)
			return false;
	}
	return false;
}

/*
 * In a vDSO function, between the agent's reading and the store of its result: a handler
 * that reads another clock would change what is stored.
 */
static bool in_vdso_function(const struct ucontext *context)
{
	return context->regs[REG_RIP_] - VDSO_ADDRESS(VDSO_vdso_functions) <
	       VDSO_vdso_functions_end - VDSO_vdso_functions;
}

static bool is_near_page(uint64_t address)
{
	uint64_t offset = address % PAGE;

	return offset >= PAGE - CHUNK || offset < CHUNK;
}

/*
 * An instruction that a page fault has stopped may have written more than its registers say: a
 * repeated store or copy does whole chunks where it can. Where the page is there nobody ever sees
 * that, and how much it is varies. The fault was the agent's affair, or the kernel's alone.
 */
static bool is_unfinished(const struct thread *thread, const struct ucontext *context)
{
	const uint64_t *regs = context->regs;
	uint8_t code[5] = { 0 }, i = 0;

	if (thread->unfinished[0] == regs[REG_RIP_] && thread->unfinished[1] == regs[REG_RDI_] &&
	    thread->unfinished[2] == regs[REG_RCX_])
		return true;
	(void) copy_code(code, regs[REG_RIP_], sizeof(code) - 1);
	while (i < sizeof(code) - 1 && (code[i] == 0xf3 || code[i] == 0xf2 || (code[i] & 0xf0) == 0x40))
		i++;
	switch (code[i]) {
	case 0xaa: case 0xab:	/* stos */
		return i && is_near_page(regs[REG_RDI_]);
	case 0xa4: case 0xa5:	/* movs */
		return i && (is_near_page(regs[REG_RDI_]) || is_near_page(regs[REG_RSI_]));
	default:
		return false;
	}
}

/*
 * A computing thread is interrupted: somebody waits for it, a signal does, or its time is up.
 * A kick by its own timer may come while another thread's is still on the way.
 */
static void preempt(struct thread *thread, struct ucontext *context, bool by_timer)
{
	struct agent_shared *s = shared();
	uint32_t attention = load_relaxed(&s->attention) & ~(uint32_t)ATTENTION_PASS;
	struct event_async place;

	if ((!attention && !thread->pending && !chaos_reigns()) || is_no_place(context) ||
	    in_vdso_function(context) || in_stub(context->regs[REG_RIP_]) || is_unfinished(thread, context)) {
		if (!by_timer)
			(void) compare_exchange(&slot_of(thread)->status, SLOT_KICKED, SLOT_USER);
		if (thread->pending || chaos_reigns())
			signal_arm_timer(thread);
		return;
	}
	if (!by_timer)
		(void) exchange(&slot_of(thread)->status, SLOT_AGENT);
	agent_enter(thread);
	set_context(thread, context, FP_IN_FRAME);
	thread->state = THREAD_PREEMPTED;
	thread->has_call_mask = 0;
	if (thread->timer_armed)
		disarm_timer(thread);
	if (!passing())
		place_compute(context, &place);
	if (log_begin(thread, EVENT_ASYNC, 0, 0, 0, 0)) {
		log_add(thread, &place, sizeof(place));
		log_end(thread);
	}
	snapshot_attend(thread);
	if (attention & ATTENTION_WANT)
		baton_yield(thread);
	(void) fetch_and(&s->attention, ~(uint32_t)ATTENTION_PAGES);
	if (process()->member && directory_calls())
		pages_settle(thread, 0);
	turn_yield(thread, 0);
	chaos_yield(thread);
	signals_strike(thread, EVENT_AT_ASYNC);
	if (thread->state == THREAD_PREEMPTED)
		log_event(thread, EVENT_RESUME, 0, 0, 0, 0);
	resume_program(thread);
}

void resume_preempted(struct thread *thread)
{
	const struct event *next = replay_next(thread);

	if (next->kind == EVENT_SIGNAL || next->kind == EVENT_FATAL)
		signal_replay(thread);
	else if (next->kind == EVENT_RESUME)
		replay_done(thread);
	else
		replay_diverged(thread, EVENT_RESUME, 0, 0);
	replay_before_user(thread);
	resume_program(thread);
}

/* The replay stands where preempt() stood. */
static void replay_preempt(struct thread *thread)
{
	agent_enter(thread);
	thread->state = THREAD_PREEMPTED;
	thread->has_call_mask = 0;
	replay_done(thread);
	resume_preempted(thread);
}

static void kicked(struct thread *thread, struct ucontext *context, bool by_timer)
{
	if (!interrupted_agent(context)) {
		if (agent_replays())
			replay_kicked(thread, context);
		else
			preempt(thread, context, by_timer);
		return;
	}
	if (!by_timer) {
		thread->kick_seen = 1;
		if (thread->keeps) {
			thread->keeps = KEEPS_NO_LONGER;
			abort_call(thread, context);
		}
		/* On its way out, or just before its call: whoever kicked will do so again. */
		(void) compare_exchange(&slot_of(thread)->status, SLOT_KICKED, thread->keeps ? SLOT_KEEPS : SLOT_USER);
	}
	if ((thread->pending || chaos_reigns()) && thread->state == THREAD_RUNNING && !agent_replays())
		signal_arm_timer(thread);
}

/* A dynamic linker makes these to map its libraries, and no others that matter. */
static bool is_linkers_call(uint64_t nr)
{
	static const uint16_t calls[] = {
		NR_read, NR_pread64, NR_open, NR_openat, NR_close, NR_fstat, NR_stat, NR_lstat,
		NR_newfstatat, NR_access, NR_faccessat, NR_readlink, NR_getcwd, NR_mmap, NR_mprotect,
		NR_munmap, NR_mremap, NR_madvise, NR_brk, NR_arch_prctl, NR_set_tid_address,
		NR_set_robust_list, NR_rseq, NR_prlimit64, NR_getrandom, NR_uname, NR_fcntl,
	};

	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i] == nr)
			return true;
	return false;
}

/*
 * The dynamic linker reads the TSC for its statistics, and leaves the values on the stack;
 * and it keeps what CPUID says, which tells processors apart. The first call from elsewhere
 * says that it is done, or, where linker and C library are one (musl), the first that a
 * linker doesn't make; trapping on would make every context switch dearer (hazard 3).
 */
__attribute__((noinline)) static void end_of_interpreter(const struct thread *thread, uint64_t nr, uint64_t ip)
{
	const struct agent_range *interpreter = &agent_config.interpreter;
	struct agent_process *p = process();

	if (p->placed == PLACED) {
		placed_call(nr);
		return;
	}
	if (p->pinned_slot) {
		pinned_calls(thread, nr);
		return;
	}
	if (ip >= interpreter->start && ip < interpreter->end && is_linkers_call(nr))
		return;
	if (p->affinity_len)
		unpin_from_cpu();
	if (p->tsc_trapped)
		(void) agent_syscall(NR_prctl, PR_SET_TSC, PR_TSC_ENABLE);
	p->tsc_trapped = 0;
}

/* The program makes a system call, in whatever way it came. */
static inline void call_enters(struct thread *thread, struct ucontext *context, enum fp_place fp)
{
	const struct agent_process *p = process();
	uint64_t *regs = context->regs;

	agent_enter(thread);
	if (unlikely(agent_replays() && (regs[REG_EFL_] & FLAG_TRAP))) {
		thread->stepping = 1;
		regs[REG_EFL_] &= ~(uint64_t)FLAG_TRAP;
		regs[REG_R11_] &= ~(uint64_t)FLAG_TRAP;
	}
	/* A recorder that stops says so from outside: the vDSO needn't come here for it again. */
	if (unlikely(passing())) {
		thread->native = VDSO_NATIVE;
		pages_open();
	}
	if (unlikely((p->tsc_trapped | p->affinity_len) && p->begun))
		end_of_interpreter(thread, regs[REG_RAX_], regs[REG_RIP_]);
	set_context(thread, context, fp);
	thread->state = THREAD_ENTERED;
	thread->has_call_mask = 0;
	if (unlikely(thread->timer_armed))
		disarm_timer(thread);
}

static void system_call(struct thread *thread, struct ucontext *context)
{
	uint64_t *regs = context->regs;

	/* The kernel's own vDSO, called by us, fell back to a system call. */
	if (in_region(regs[REG_RIP_])) {
		regs[REG_RAX_] = (uint64_t)agent_call(
			(long)regs[REG_RAX_], (long)regs[REG_RDI_], (long)regs[REG_RSI_],
			(long)regs[REG_RDX_], (long)regs[REG_R10_], (long)regs[REG_R8_],
			(long)regs[REG_R9_]);
		return;
	}
	call_enters(thread, context, FP_IN_FRAME);
	syscall_dispatch(thread);
}

void stub_call(struct thread *thread)
{
	call_enters(thread, call_context(thread), FP_LIVE);
	syscall_dispatch_stub(thread);
}

/* int 0x80 of a 64-bit program. Numbers and pointers of another world: there is none here. */
static void refuse_32_bit(struct ucontext *context)
{
	(void) add_fetch(&shared()->calls_32_bit, 1);
	context->regs[REG_RAX_] = (uint64_t)-ENOSYS_;
}

static bool is_our_kick(const struct siginfo *info)
{
	/* Out of memory for signals, the kernel forgets all but the number. */
	if (info->code == SI_USER)
		return info->pid == 0 && info->uid == 0;
	return (info->code == SI_QUEUE || info->code == SI_TIMER) && info->value == KICK_MAGIC;
}

/* Something is badly wrong with us: get out of the way of what the kernel wants to say. */
static void give_up(int signal)
{
	struct kernel_sigaction action = { .handler = SIG_DFL_ };

	(void) agent_syscall(NR_rt_sigaction, signal, &action, NULL, 8);
}

static void judge(int signal, struct siginfo *info, struct ucontext *context)
{
	struct thread *thread = this_thread();
	bool raised_by_kernel = info->code > 0;
	uint64_t ip;

	if (signal == SIGSYS_ && info->code == SYS_USER_DISPATCH) {
		if (info->arch == ARCH_X86_64)
			system_call(thread, context);
		else
			refuse_32_bit(context);
	} else if (signal == KICK_SIGNAL && is_our_kick(info)) {
		kicked(thread, context, info->code == SI_TIMER);
	} else if ((SYNC_SIGNALS & signal_bit(signal)) && raised_by_kernel) {
		if (interrupted_agent(context)) {
			if (agent_replays() && signal == SIGTRAP_)
				replay_trap_in_agent(thread, context, info);
			else if (copy_fault(context->regs[REG_RIP_], &ip)) {
				if (signal != SIGSEGV_ || !pages_missed(thread, info, context))
					context->regs[REG_RIP_] = ip;
			}
			else if (in_gate(context->regs[REG_RIP_]))	/* queued again, as it was */
				program_signal(thread, signal, info, context);
			else
				give_up(signal);
		} else if (agent_replays() && signal == SIGTRAP_) {
			switch (replay_trap(thread, context, info)) {
			case TRAP_DONE:
				return;
			case TRAP_PLACE_FOUND:
				replay_preempt(thread);
				break;
			case TRAP_PROGRAMS:
				signal_fault(thread, signal, info, context);
			}
		} else if (signal != SIGSEGV_ || info->code != SI_KERNEL ||
			   (!site_trap(thread, context) && !trapped_tsc(thread, context))) {
			program_fault(thread, signal, info, context);
		}
	} else {
		program_signal(thread, signal, info, context);
		/* A kick may have found it pending. */
		if (signal == KICK_SIGNAL && !agent_replays())
			kicked(thread, context, false);
	}
}

void signal_entry(int signal, struct siginfo *info, struct ucontext *context)
{
	/* The kernel leaves it in force, and what the agent copies is anywhere. */
	if (unlikely(context->regs[REG_EFL_] & FLAG_ALIGNED))
		__asm__ volatile("pushfq; andq %0, (%%rsp); popfq" ::"i"(~FLAG_ALIGNED) : "memory", "cc");
	if (this_thread()->canary == THREAD_CANARY) {
		judge(signal, info, context);
		context_tidy(context, false);
	} else {
		give_up(signal);
	}
}
