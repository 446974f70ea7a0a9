/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* syscall - a thread stands at a system call: what must be done first, and who does it */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

static void note(uint32_t value)
{
	uint32_t *refused = shared()->refused;

	for (unsigned i = 0; i < sizeof(shared()->refused) / sizeof(*refused); i++) {
		if (load_relaxed(&refused[i]) == value ||
		    compare_exchange(&refused[i], 0, value))
			return;
	}
}

void note_refused(long nr)
{
	note((uint32_t)nr + 1);
}

void note_unknown(long nr)
{
	note(((uint32_t)nr + 1) | NOTED_UNKNOWN);
}

static void sys_refused(struct thread *thread, struct call *call)
{
	note_refused(call->nr);
	call->result = -ENOSYS_;
	call_finish(thread, call);
}

/* mprotect, munmap and their like: done by the kernel in replay too. */
static void sys_perform(struct thread *thread, struct call *call)
{
	enum { PROT_EXEC_ = 4 };
	long recorded;

	if (range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1])) {
		call->result = -EINVAL_;
		call_finish(thread, call);
		return;
	}
	if (call->nr == NR_munmap)
		stubs_give_way((uint64_t)call->args[0], (uint64_t)call->args[1]);
	if (call->nr == NR_mprotect)
		stubs_at_mprotect((uint64_t)call->args[0], (uint64_t)call->args[1], call->args[2]);
	if (call->nr == NR_munmap || call->nr == NR_mprotect)
		pages_will_change((uint64_t)call->args[0], (uint64_t)call->args[1]);
	call_perform(thread, call);
	if (call->nr == NR_munmap && call->result == 0) {
		sites_forget((uint64_t)call->args[0], (uint64_t)call->args[1]);
		stubs_forget((uint64_t)call->args[0], (uint64_t)call->args[1]);
	}
	if (call->nr == NR_mprotect && (call->args[2] & PROT_EXEC_) && call->result == 0)
		code_is_made(thread);
	/* Sealed memory, or a filter: nothing was done, and here nothing would prevent it. */
	if (call->result == -EPERM_)
		return;
	recorded = call->result;
	/* Replay maps all files writable: up to the one that wasn't. */
	if (agent_replays() && call->nr == NR_mprotect && recorded == -EACCES_)
		(void) agent_syscall(NR_mprotect, call->args[0],
				     mapped_unsealed((uint64_t)call->args[0], (uint64_t)call->args[1]),
				     call->args[2]);
	else if (agent_replays() &&
		 agent_call(call->nr, call->args[0], call->args[1], call->args[2], call->args[3], 0, 0) !=
			 recorded)
		replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
	if (call->nr == NR_munmap && recorded == 0)
		mapped_remove((uint64_t)call->args[0], (uint64_t)call->args[1]);
	if (call->nr == NR_mprotect && recorded == 0)
		pages_protected((uint64_t)call->args[0], (uint64_t)call->args[1], (uint32_t)call->args[2]);
}

static void sys_code(struct thread *thread, struct call *call)
{
	switch (call->nr) {
	case NR_mmap: case NR_brk: case NR_mremap: case NR_madvise: case NR_shmat:
	case NR_shmdt: case NR_pkey_mprotect:
		sys_memory(thread, call);
		break;
	case NR_clone: case NR_clone3: case NR_fork: case NR_vfork:
		sys_clone(thread, call);
		break;
	case NR_execve: case NR_execveat:
		sys_execve(thread, call);
		break;
	case NR_exit:
		sys_exit(thread, call);
		break;
	case NR_exit_group:
		sys_exit_group(thread, call);
		break;
	case NR_set_tid_address: case NR_set_robust_list: case NR_get_robust_list:
	case NR_arch_prctl: case NR_rseq: case NR_prctl: case NR_seccomp:
		sys_thread(thread, call);
		break;
	case NR_rt_sigaction: case NR_rt_sigprocmask: case NR_sigaltstack: case NR_rt_sigpending:
	case NR_signalfd: case NR_signalfd4:
		sys_signal(thread, call);
		break;
	case NR_rt_sigsuspend: case NR_rt_sigtimedwait: case NR_ppoll: case NR_pselect6:
	case NR_epoll_pwait: case NR_epoll_pwait2:
		sys_wait_signal(thread, call);
		break;
	case NR_sendmsg: case NR_recvmsg: case NR_sendmmsg: case NR_recvmmsg: case NR_recvfrom:
		sys_message(thread, call);
		break;
	case NR_open: case NR_openat: case NR_openat2:
		sys_open(thread, call);
		break;
	case NR_ioctl:
		sys_ioctl(thread, call);
		break;
	case NR_futex:
		sys_futex(thread, call);
		break;
	case NR_wait4: case NR_waitid:
		sys_wait(thread, call);
		break;
	default:
		sys_misc(thread, call);
	}
}

/* Signals that arrived meanwhile strike now, behind the call. */
static void call_is_over(struct thread *thread)
{
	if (agent_replays())
		replay_before_user(thread);
	else
		signals_strike(thread, EVENT_AT_EXIT);
}

/* Then back to the program. */
void leave_call(struct thread *thread)
{
	call_is_over(thread);
	resume_program(thread);
}

static void make(struct thread *thread, struct call *call)
{
	const struct sysdesc *desc = call->desc;

	if (call->nr == NR_rt_sigreturn) {
		sys_rt_sigreturn(thread, call);
	} else if (!desc) {
		call->result = -ENOSYS_;
		call_finish(thread, call);
	} else if (desc->mode == SYS_EMULATE) {
		call_perform(thread, call);
	} else if (desc->mode == SYS_PERFORM) {
		sys_perform(thread, call);
	} else if (desc->mode == SYS_REFUSE) {
		sys_refused(thread, call);
	} else {
		sys_code(thread, call);
	}
}

/* What the recorder, another thread or a signal wants before the call is made. */
static void attend_at_entry(struct thread *thread)
{
	uint32_t attention = load_relaxed(&shared()->attention);

	if (attention & (ATTENTION_SNAPSHOT | ATTENTION_REAP))
		snapshot_attend(thread);
	if (attention & ATTENTION_WANT)
		baton_yield(thread);
	chaos_yield(thread);
	if (thread->pending)
		signals_strike(thread, EVENT_AT_ENTRY);
	/* A handler's frame was built. */
	if (thread->state == THREAD_LEAVING)
		resume_program(thread);
}

/* What was put off, and is to be done before the call's arguments are looked at. */
static void prepare(struct thread *thread)
{
	if (context_of(thread)->regs[REG_RAX_] == BEGIN_SYSCALL && !process()->begun) {
		process()->begun = 1;
		program_begins(thread);
	}
	pages_at_entry(thread);
	sites_attend(thread, (long)context_of(thread)->regs[REG_RAX_]);
	stubs_attend(thread, (long)context_of(thread)->regs[REG_RAX_]);
	thread->wants_pages = 1;
}

static void make_and_learn(struct thread *thread, struct call *call)
{
	descriptors_change(thread, call);
	if (!thread->filter || !filter_stops(thread, call))
		make(thread, call);
	descriptors_change(thread, call);
	descriptors_learn(thread, call);
}

/* Makes the call, or takes it from the log. May not return. */
__attribute__((noinline)) static void dispatch(struct thread *thread)
{
	struct call call;

	prepare(thread);
	call_prepare(thread, &call);
	if (agent_replays()) {
		const struct event *event = replay_next_of_call(thread, &call);

		if ((event->kind == EVENT_SIGNAL || event->kind == EVENT_FATAL) &&
		    (event->flags & EVENT_AT_ENTRY)) {
			signal_replay(thread);
			leave_call(thread);
		}
	} else {
		attend_at_entry(thread);
	}
	make_and_learn(thread, &call);
}

/* It has been made, but how its result comes about isn't simple. May not return. */
__attribute__((noinline)) static void dispatch_made(struct thread *thread, long result)
{
	uint32_t check = thread->entry_check;
	struct call call;

	call_prepare(thread, &call);
	/* What it has read it may have overwritten. */
	call.check = thread->entry_check = check;
	call.result = result;
	call.is_made = true;
	call.yields = call.keeps = false;
	make_and_learn(thread, &call);
}

void syscall_dispatch(struct thread *thread)
{
	dispatch(thread);
	leave_call(thread);
}

void syscall_dispatch_stub(struct thread *thread)
{
	long result;

	switch (quick_call(thread, &result)) {
	case QUICK_NOT:
		dispatch(thread);
		break;
	case QUICK_MADE:
		dispatch_made(thread, result);
		break;
	case QUICK_DONE:
		if (unlikely(thread->pending))
			break;
		resume_quickly(thread);
		return;
	}
	call_is_over(thread);
	resume_by_stub(thread);
}
