/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-process - threads and processes: clone, exec, exit
 *
 * A thread is born in the gate, on its agent stack, with a copy of its creator's saved
 * context; the words that the kernel would write for it (CLONE_PARENT_SETTID and kin)
 * are written by the agent, under the baton. A child that shares our memory without
 * being a thread (vfork, posix_spawn) is recorded like a thread until it execs or ends.
 * A child with memory of its own is fork.c's.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/clone.h"

enum {
	FUTEX_WAITERS_BIT = 1 << 31, FUTEX_OWNER_DIED_BIT = 1 << 30,
	FUTEX_TID_BITS = FUTEX_OWNER_DIED_BIT - 1,
	ROBUST_LIST_LIMIT = 2048,	/* as the kernel's */
	AT_FDCWD_ = -100,
};

/* -- a child in our memory ---------------------------------------------------------------------- */

static uint32_t copy_handlers(const struct thread *from)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < MAX_HANDLER_TABLES; i++) {
		/* In MODE_PASS others may look for one, too. */
		if (fetch_or(&p->handler_tables_used, 1u << i) & (1u << i))
			continue;
		memcpy(p->handlers[i], p->handlers[from->handlers], sizeof(p->handlers[i]));
		return i;
	}
	return MAX_HANDLER_TABLES;
}

/* At its end, however it ends, and in a replay as in the recording: there are few. */
static void free_handlers(const struct thread *thread)
{
	if (thread->handlers && thread->is_vfork_child)
		(void) fetch_and(&process()->handler_tables_used, ~(1u << thread->handlers));
}

/*
 * The child's saved context, near the top of its agent stack: what the kernel would
 * have saved had it entered by itself. Returns where the child's own stack may begin.
 */
static uint64_t copy_context(struct thread *child, struct thread *parent,
			     const struct clone_request *request)
{
	const struct ucontext *from = context_of(parent);
	uint64_t top = child->stack_top, fpstate_len = 0;
	struct ucontext *to;
	uint32_t extended_size;

	context_save(parent);
	memcpy(&extended_size, from->fpstate + 468, sizeof(extended_size));
	fpstate_len = MAX(extended_size, 512u);
	top = ALIGN_DOWN(top - fpstate_len, (uint64_t)64);
	memcpy((void *)top, from->fpstate, fpstate_len);
	/* The kernel finds siginfo behind ucontext, and pretcode before it. */
	to = (struct ucontext *)(ALIGN_DOWN(top - sizeof(*to) - sizeof(struct siginfo), (uint64_t)16));
	*to = *from;
	to->fpstate = (uint8_t *)top;
	if (request->stack)
		to->regs[REG_RSP_] = clone_stack(request);
	to->regs[REG_RAX_] = 0;
	set_context(child, to, FP_IN_FRAME);
	return ALIGN_DOWN((uint64_t)to - 256, (uint64_t)16);
}

/* @slot: in replay the recorded one, else -1. */
static struct thread *prepare_child(struct thread *parent, const struct clone_request *request,
				    int slot, uint64_t *ret_sp)
{
	struct thread *child = thread_new(slot);

	if (!child)
		return NULL;
	child->is_vfork_child = !(request->flags & CLONE_THREAD_);
	child->handlers = parent->handlers;
	child->filter = parent->filter;
	if (!(request->flags & CLONE_SIGHAND_)) {
		child->handlers = copy_handlers(parent);
		if (child->handlers == MAX_HANDLER_TABLES) {
			thread_free(child);
			return NULL;
		}
	}
	if (request->flags & CLONE_CLEAR_SIGHAND_)
		handlers_clear(child, false);
	child->state = THREAD_STARTING;
	child->mask = parent->mask;
	/* clone(2): without CLONE_VM or with CLONE_VFORK the alternate stack is inherited. */
	if (request->flags & CLONE_VFORK_)
		child->altstack = parent->altstack;
	else
		child->altstack.flags = SS_DISABLE_;
	child->fs_base = request->flags & CLONE_SETTLS_ ? request->tls : read_fs_base();
	child->clear_tid = request->flags & CLONE_CHILD_CLEARTID_ ? request->child_tid : 0;
	child->set_tid = request->flags & CLONE_CHILD_SETTID_ ? request->child_tid : 0;
	child->native = parent->native;
	*ret_sp = copy_context(child, parent, request);
	return child;
}

/* Puts what gate_leave pops onto the child's stack, and makes it. @request: what the kernel is to know. */
static long make_child(struct thread *child, struct clone_request *request, uint64_t sp)
{
	uint64_t *stack = (uint64_t *)sp;

	stack -= 4;	/* keeps the alignment */
	stack[0] = (uint64_t)child;
	stack[1] = 0;
	stack[2] = (uint64_t)child_entry;
	request->stack_size = PAGE;
	request->stack = (uint64_t)stack - request->stack_size;
	request->flags |= CLONE_CHILD_CLEARTID_;
	request->child_tid = (uint64_t)&slot_of(child)->kernel_tid;
	slot_of(child)->kernel_tid = UINT32_MAX;	/* until it is gone */
	return kernel_clone(request);
}

static void forget_child(struct thread *child)
{
	(void) add_fetch(&shared()->n_threads, (uint32_t)-1);
	slot_of(child)->kernel_tid = 0;
	free_handlers(child);
	thread_free(child);
}

static void record_clone(struct thread *thread, struct call *call, const struct clone_request *request,
			 struct thread *child, uint64_t sp, int32_t *pidfd)
{
	enum { SIG_SETMASK_ = 2 };
	uint64_t all = ~UNBLOCKABLE;
	struct clone_request ours = *request;
	bool vfork = request->flags & CLONE_VFORK_;

	/* Tid words and TLS are the agent's to set; the rest is what the program asked for. */
	ours.flags &= ~(CLONE_SETTLS_ | CLONE_CHILD_SETTID_ | CLONE_PARENT_SETTID_ | CLONE_CLEAR_SIGHAND_);
	ours.pidfd = (uint64_t)pidfd;
	(void) add_fetch(&shared()->n_threads, 1);
	child->may_begin = vfork;
	/* What strikes the child before it has its %gs would be noted for us. */
	(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK_, &all, NULL, 8);
	if (vfork)
		baton_release(thread, true);
	call->result = make_child(child, &ours, sp);
	if (vfork)
		baton_acquire(thread);
	signals_let_in(thread);
	if (call->result < 0) {
		forget_child(child);
	} else if (vfork && child->state != THREAD_ENDED) {
		/* It has gone by exec, or was killed, and couldn't say so itself. */
		log_event(child, EVENT_GONE, 0, 0, 0, 0);
		forget_child(child);
	}
}

/* The words that the kernel would have written in the parent's memory. */
void set_parent_tid(const struct clone_request *request, long tid)
{
	int32_t value = (int32_t)tid;

	if (tid > 0 && (request->flags & CLONE_PARENT_SETTID_))
		(void) copy_to_user(request->parent_tid, &value, sizeof(value));
}

/*
 * The word above is often the one that the thread's end clears. In MODE_PASS, where no baton
 * keeps them apart, it must not be written behind that: nobody could join the thread.
 */
static void let_begin(struct thread *child)
{
	if (exchange(&child->may_begin, 1) == 0 && passing())
		futex_wake(&child->may_begin, 1);
}

static void await_creator(struct thread *thread)
{
	enum { LOOKS_NS = 1000000 };

	while (load_acquire(&thread->may_begin) == 0)
		futex_wait(&thread->may_begin, 0, LOOKS_NS);
}

static void replay_clone(struct thread *thread, struct call *call, struct thread *child, uint64_t sp)
{
	struct clone_request request = {
		.flags = CLONE_VM_ | CLONE_FS_ | CLONE_FILES_ | CLONE_SIGHAND_ | CLONE_THREAD_ | CLONE_SYSVSEM_,
	};

	child->turn = 0;
	if (make_child(child, &request, sp) < 0)
		replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
}

/*
 * In the log: EVENT_CREATE names the slot before the child can begin, and the call's own
 * event gives the tid. (A vfork parent's comes after all that the child did.)
 */
static void sys_new_thread(struct thread *thread, struct call *call,
			   const struct clone_request *request)
{
	uint64_t sp;
	struct thread *child = NULL;
	int32_t pidfd = -1;

	if (agent_replays()) {
		const struct event *event = replay_next(thread);

		if (event->kind == EVENT_CREATE) {
			int slot = (int)event->result;

			child = prepare_child(thread, request, slot, &sp);
			if (!child)
				replay_diverged(thread, EVENT_CREATE, 0, 0);
			replay_clone(thread, call, child, sp);
			replay_done(thread);
		}
		clone_finish(thread, call, request, pidfd);
		if (call->result < 0 && child) {
			free_handlers(child);
			child->state = THREAD_ENDED;
		} else if (child) {
			child->tid = (uint32_t)call->result;
		}
	} else {
		child = prepare_child(thread, request, -1, &sp);
		if (child) {
			log_event(thread, EVENT_CREATE, 0, 0, 0, child->slot);
			record_clone(thread, call, request, child, sp, &pidfd);
		} else {
			call->result = -EAGAIN_;
		}
		clone_finish(thread, call, request, pidfd);
	}
	set_parent_tid(request, call->result);
	if (!agent_replays() && call->result > 0 && !(request->flags & CLONE_VFORK_))
		let_begin(child);
	call_set_result(thread, call->result);
}

void sys_clone(struct thread *thread, struct call *call)
{
	struct clone_request request;

	call->result = clone_request(call, &request);
	if (call->result < 0)
		call_finish(thread, call);
	else if (request.flags & CLONE_VM_)
		sys_new_thread(thread, call, &request);
	else
		sys_fork(thread, call, &request);
}

void thread_starts(struct thread *thread)
{
	int32_t tid;

	if (agent_replays()) {
		tid = (int32_t)replay_expect(thread, EVENT_START, 0, 0)->result;
		thread->tid = (uint32_t)tid;
		replay_done(thread);
		if (load_relaxed(&shared()->stop_at_threads))
			replay_stop(thread, STOP_THREAD);
	} else {
		tid = (int32_t)thread->tid;
		baton_acquire(thread);
		await_creator(thread);
		log_event(thread, EVENT_START, 0, 0, 0, tid);
	}
	if (thread->set_tid)
		(void) copy_to_user(thread->set_tid, &tid, sizeof(tid));
	thread->state = THREAD_LEAVING;
	if (agent_replays())
		replay_before_user(thread);
	else
		(void) signal_deliver_pending(thread, EVENT_AT_EXIT);
	resume_program(thread);
}

/* The new thread's first steps, on its agent stack. */
__attribute__((noreturn)) void thread_begins(struct thread *thread);
__attribute__((noreturn)) void thread_begins(struct thread *thread)
{
	thread_attach(thread);
	if (agent_replays()) {
		replay_thread_begins(thread);
	} else {
		thread->tid = slot_of(thread)->tid = (uint32_t)agent_syscall(NR_gettid);
		thread->tgid = slot_of(thread)->tgid = (uint32_t)agent_syscall(NR_getpid);
	}
	thread_starts(thread);
}

/* -- the end ------------------------------------------------------------------------------------- */

static void robust_futex_died(uint32_t *word, uint32_t tid, bool pi)
{
	uint32_t value, died;

	if (((uint64_t)word & 3) || !copy_from_user(&value, (uint64_t)word, sizeof(value)) ||
	    (value & FUTEX_TID_BITS) != tid)
		return;
	died = (value & FUTEX_WAITERS_BIT) | FUTEX_OWNER_DIED_BIT;
	(void) copy_to_user((uint64_t)word, &died, sizeof(died));
	if (!pi && (value & FUTEX_WAITERS_BIT) && !agent_replays())
		futex_wake(word, 1);
}

/* set_robust_list(2): what exit_robust_list() in the kernel does, at a moment that is logged. */
static void walk_robust_list(struct thread *thread)
{
	struct {
		uint64_t next;
		int64_t futex_offset;
		uint64_t pending;
	} head;
	uint64_t entry, next;

	if (!thread->robust_list || !copy_from_user(&head, thread->robust_list, sizeof(head)))
		return;
	entry = head.next;
	for (int i = 0; i < ROBUST_LIST_LIMIT && (entry & ~UINT64_C(1)) != thread->robust_list; i++) {
		bool readable = copy_from_user(&next, entry & ~UINT64_C(1), sizeof(next));

		if (entry != head.pending)
			robust_futex_died((uint32_t *)((entry & ~UINT64_C(1)) + (uint64_t)head.futex_offset),
					  thread->tid, entry & 1);
		if (!readable)
			break;
		entry = next;
	}
	if (head.pending)
		robust_futex_died((uint32_t *)((head.pending & ~UINT64_C(1)) +
					       (uint64_t)head.futex_offset),
				  thread->tid, head.pending & 1);
}

/* What the rest of the process sees of a thread's end. Baton. */
static void thread_is_over(struct thread *thread)
{
	static const uint32_t zero;

	walk_robust_list(thread);
	if (!agent_replays() && thread->robust_list)
		(void) agent_syscall(NR_set_robust_list, NULL, 24);
	if (thread->clear_tid && copy_to_user(thread->clear_tid, &zero, sizeof(zero)) &&
	    !agent_replays())
		futex_wake((uint32_t *)thread->clear_tid, 1);
	thread->state = THREAD_ENDED;
	free_handlers(thread);
}

/* Replay: EVENT_GONE is the thread's next. An exec leaves no traces in our memory. */
__attribute__((noreturn)) static void replay_leave_domain(struct thread *thread, bool by_exec)
{
	(void) replay_expect(thread, EVENT_GONE, 0, 0);
	replay_done(thread);
	if (by_exec)
		free_handlers(thread);
	else
		thread_is_over(thread);
	thread->state = THREAD_ENDED;
	replay_give_turn_and_end(thread);
}

__attribute__((noreturn)) static void leave_domain(struct thread *thread, long nr, long status)
{
	if (agent_replays())
		replay_leave_domain(thread, false);
	signals_keep_out(thread);
	signal_timer_end(thread);
	log_event(thread, EVENT_GONE, 0, 0, 0, 0);
	thread_is_over(thread);
	(void) add_fetch(&shared()->n_threads, (uint32_t)-1);
	store_release(&slot_of(thread)->status, SLOT_FREE);
	baton_release(thread, true);
	for (;;)
		(void) agent_call(nr, status, 0, 0, 0, 0, 0);
}

void sys_exit(struct thread *thread, struct call *call)
{
	/* Of the last thread: the process ends. */
	if (alone() && !agent_replays()) {
		sys_exit_group(thread, call);
		return;
	}
	if (agent_replays() && replay_next(thread)->kind == EVENT_EXIT) {
		sys_exit_group(thread, call);
		return;
	}
	leave_domain(thread, NR_exit, call->args[0]);
}

/*
 * The process ends. The kernel would do the same, but not in a page that is another process's
 * by then, which that would see changed at no place of its log.
 */
static void walk_robust_lists(void)
{
	for (uint32_t i = 0; i < process()->n_slots_mapped; i++) {
		struct thread *thread = slot_thread(i);

		if (thread->canary == THREAD_CANARY && thread->state != THREAD_ENDED)
			walk_robust_list(thread);
	}
}

void sys_exit_group(struct thread *thread, struct call *call)
{
	if (thread->is_vfork_child)
		leave_domain(thread, NR_exit_group, call->args[0]);
	if (process()->n_handed && (agent_replays() || !passing()))
		walk_robust_lists();
	if (agent_replays()) {
		(void) replay_expect(thread, EVENT_EXIT, (unsigned)call->nr, call->check);
		replay_stop(thread, STOP_SNAPSHOT);
		replay_done(thread);
		(void) replay_next(thread);	/* nothing follows */
	}
	log_event(thread, EVENT_EXIT, 0, (unsigned)call->nr, call->check, call->args[0]);
	obituary_write(thread, 0, (int)call->args[0], EVENT_AT_ENTRY, NULL, true);
	for (;;)
		(void) agent_call(call->nr, call->args[0], 0, 0, 0, 0, 0);
}

/* A search along PATH mostly misses: the injector needn't be troubled for that. */
static bool file_is_there(const struct call *call)
{
	enum { F_OK = 0 };
	bool at = call->nr == NR_execveat;
	long found = agent_syscall(NR_faccessat, at ? call->args[0] : AT_FDCWD_, call->args[at], F_OK);

	return found != -ENOENT_ && found != -ENOTDIR_ && found != -EFAULT_;
}

/* The injector goes again: nobody is traced who isn't about to exec. */
static void dismiss_injector(struct thread *thread)
{
	struct agent_shared *s = shared();

	s->exec_tid = thread->tid;
	store_release(&s->exec_state, EXEC_FAILED);
	wake_recorder();
	/* Its interruption comes while we wait: a call of the program's would see EINTR. */
	(void) wait_for_recorder(&s->exec_state, EXEC_FAILED, FORK_OR_EXEC_NS);
}

/*
 * Asks the injector to be there when the new image begins. Without an answer in time
 * the new image runs natively. Returns whether it is there.
 */
static bool await_injector(struct thread *thread)
{
	struct agent_shared *s = shared();

	if (passing())
		return false;
	s->exec_tid = thread->tid;
	store_release(&s->exec_state, EXEC_ASKED);
	wake_recorder();
	if (!wait_for_recorder(&s->exec_state, EXEC_ASKED, FORK_OR_EXEC_NS))
		(void) compare_exchange(&s->exec_state, EXEC_ASKED, EXEC_NATIVE);
	return exchange(&s->exec_state, EXEC_NONE) == EXEC_READY;
}

/* What exec inherits must be the program's, not ours (hazard 4). */
static void lend_to_exec(const struct thread *thread)
{
	enum { SIG_SETMASK = 2, PR_SET_TSC = 26, PR_TSC_ENABLE = 1 };

	if (process()->tsc_trapped)
		(void) agent_syscall(NR_prctl, PR_SET_TSC, PR_TSC_ENABLE);
	signals_for_exec(thread, true);
	/* There is room for one signal that has struck; the exec will be given up for it. */
	if (!thread->pending)
		(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK, &thread->mask, NULL, 8);
}

static void take_back_from_exec(const struct thread *thread)
{
	enum { PR_SET_TSC = 26, PR_TSC_SIGSEGV = 2 };

	signals_for_exec(thread, false);
	signals_let_in(thread);
	if (process()->tsc_trapped)
		(void) agent_syscall(NR_prctl, PR_SET_TSC, PR_TSC_SIGSEGV);
}

/*
 * A signal that strikes before the kernel has begun must not go with the old image: the call
 * is given up for it. From then on it waits in the kernel, for the new image.
 */
static void record_execve(struct thread *thread, struct call *call)
{
	bool done, traced = false;

	if (file_is_there(call)) {
		/* The new image would get its SIGCHLD, and a child that it doesn't know. */
		if (!thread->is_vfork_child)
			snapshot_end();
		traced = await_injector(thread);
	}
	lend_to_exec(thread);
	if (!thread->is_vfork_child)
		log_event(thread, EVENT_EXEC, 0, (unsigned)call->nr, call->check, 0);
	call->yields = thread->is_vfork_child;
	done = call_try(thread, call);
	/* Still here: it failed, or was given up. */
	take_back_from_exec(thread);
	if (traced)
		dismiss_injector(thread);
	if (!done)
		call_give_up(thread);
}

static void replay_execve(struct thread *thread)
{
	const struct event *event = replay_next(thread);

	if (event->kind == EVENT_GONE)
		replay_leave_domain(thread, true);
	if (event->kind != EVENT_EXEC)
		return;
	replay_done(thread);
	event = replay_next(thread);
	if (event->kind != EVENT_SIGNAL && event->kind != EVENT_FATAL)
		return;
	signal_replay(thread);
	replay_before_user(thread);
	resume_program(thread);
}

void sys_execve(struct thread *thread, struct call *call)
{
	if (agent_replays())
		replay_execve(thread);
	else
		record_execve(thread, call);
	call_finish(thread, call);
}
