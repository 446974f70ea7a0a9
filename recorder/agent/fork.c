/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork - a child with memory of its own is a domain of its own
 *
 * Its shared memory is made beforehand, by the parent: a memfd that the recorder opens,
 * mapped as a spare, of which there may be several. The child moves the spare to where its own shared memory belongs, and
 * writes a log that begins at the fork. The parent's has an EVENT_FORK there: a replay of
 * the child begins as one of the parent, and forks at that event.
 *
 * A child that can't have a log runs natively, from its first instruction on.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/clone.h"
#include "recorder/agent/pages.h"

enum {
	PROT_RW = 3,
	MAP_SHARED_ = 1, MAP_FIXED_ = 0x10, MAP_FIXED_NOREPLACE_ = 0x100000,
	MREMAP_MAYMOVE_FIXED = 3,
	MADV_DONTFORK_ = 10, MADV_DOFORK_ = 11, MADV_DONTDUMP_ = 16,
	MFD_CLOEXEC_ = 1, MFD_ALLOW_SEALING_ = 2,
	PR_SET_PDEATHSIG_ = 1,
};

/* -- spares ------------------------------------------------------------------------------------ */

static uint64_t spare_len(void)
{
	return SHARED_CONTROL_LEN + agent_config.ring_len;
}

static uint64_t spare_address(uint32_t spare)
{
	return agent_config.base + AGENT_SPARE + spare * AGENT_SPARE_STEP;
}

/* A child gets one of them only: the others are left out when the process is copied. */
static bool map_spare(uint32_t spare, long fd)
{
	uint64_t at = spare_address(spare);

	if (agent_syscall(NR_mmap, at, spare_len(), PROT_RW, MAP_SHARED_ | MAP_FIXED_NOREPLACE_, fd, 0) !=
	    (long)at)
		return false;
	(void) agent_syscall(NR_madvise, at, spare_len(), MADV_DONTDUMP_);
	(void) agent_syscall(NR_madvise, at, spare_len(), MADV_DONTFORK_);
	process()->spares |= 1u << spare;
	return true;
}

static void drop_spares(uint32_t *bits)
{
	while (*bits) {
		(void) agent_syscall(NR_munmap, spare_address((uint32_t)__builtin_ctz(*bits)), spare_len());
		*bits &= *bits - 1;
	}
}

/* Until there is a copy of it: whoever has the baton then may drop it. */
static void lend_spare(uint32_t spare)
{
	process()->spares &= ~(1u << spare);
	process()->lent_spares |= 1u << spare;
}

static void map_directory(long fd)
{
	uint64_t at = agent_config.base + AGENT_DIRECTORY;

	if (agent_syscall(NR_mmap, at, DIRECTORY_LEN, PROT_RW, MAP_SHARED_ | MAP_FIXED_NOREPLACE_, fd, 0) !=
	    (long)at)
		return;
	(void) agent_syscall(NR_madvise, at, DIRECTORY_LEN, MADV_DONTDUMP_);
	(void) directory_join();
}

static long new_memfd(void)
{
	return agent_syscall(NR_memfd_create, "blackbox", MFD_CLOEXEC_ | MFD_ALLOW_SEALING_);
}

/* The recorder has opened what it wants to have. */
static void take_answer(const int32_t fds[MAX_SPARES], int32_t directory_fd)
{
	struct agent_shared *s = shared();
	uint32_t answer = load_acquire(&s->spare_state);

	for (uint32_t i = 0; i < MAX_SPARES && fds[i] >= 0; i++) {
		if (answer == SPARE_READY && load_acquire(&s->spare_fds[i]) == fds[i])
			(void) map_spare(i, fds[i]);
		(void) agent_syscall(NR_close, fds[i]);
	}
	store_release(&s->spare_state, SPARE_NONE);
	if (directory_fd < 0)
		return;
	if (answer == SPARE_READY && load_acquire((uint32_t *)&s->directory_fd) == (uint32_t)directory_fd)
		map_directory(directory_fd);
	(void) agent_syscall(NR_close, directory_fd);
}

/*
 * A process that forks again and again waits for the recorder but now and then: each time it
 * asks for twice as many. Nothing of them stays open.
 */
static void ask_for_spares(bool directory)
{
	struct agent_process *p = process();
	struct agent_shared *s = shared();
	int32_t fds[MAX_SPARES], directory_fd;

	p->n_spares = MIN(MAX(2 * p->n_spares, 1u), (uint32_t)MAX_SPARES);
	for (uint32_t i = 0; i < MAX_SPARES; i++)
		s->spare_fds[i] = fds[i] = i < p->n_spares && (i == 0 || fds[i - 1] >= 0) ? (int32_t)new_memfd() : -1;
	s->directory_fd = directory_fd = directory && fds[0] >= 0 ? (int32_t)new_memfd() : -1;
	if (fds[0] >= 0) {
		store_release(&s->spare_state, SPARE_ASKED);
		wake_recorder();
		(void) wait_for_recorder(&s->spare_state, SPARE_ASKED, FORK_OR_EXEC_NS);
	}
	take_answer(fds, directory_fd);
}

/* Which spare the next child gets. Baton. Negative: it can't be recorded. */
static int take_spare(const struct thread *thread)
{
	struct agent_process *p = process();
	bool directory;
	uint32_t spare;

	if (passing() || thread->is_vfork_child)
		return -1;
	/* Of a thread that still waits for its child. */
	drop_spares(&p->lent_spares);
	/* A parent's is mapped. */
	directory = pages_want_directory() && !(p->owner && directory_join());
	if (directory)
		drop_spares(&p->spares);
	if (!p->spares)
		ask_for_spares(directory);
	if (!p->spares)
		return -1;
	spare = (uint32_t)__builtin_ctz(p->spares);
	if (agent_syscall(NR_madvise, spare_address(spare), spare_len(), MADV_DOFORK_) < 0)
		return -1;
	return (int)spare;
}

/* -- the child ------------------------------------------------------------------------------------- */

static bool move(uint64_t from, uint64_t old_len, uint64_t len, uint64_t to)
{
	return agent_syscall(NR_mremap, from, old_len, len, MREMAP_MAYMOVE_FIXED, to) == (long)to;
}

/* The ring first: until the control part is replaced there is a way back. */
static bool adopt_spare(uint32_t number)
{
	uint64_t base = agent_config.base, len = agent_config.ring_len, spare = spare_address(number);

	if (!move(spare + SHARED_CONTROL_LEN, len, len, base + AGENT_RING) ||
	    !move(base + AGENT_RING, 0, len, base + AGENT_RING + len) ||
	    !move(spare, SHARED_CONTROL_LEN, SHARED_CONTROL_LEN, base + AGENT_SHARED))
		return false;
	(void) agent_syscall(NR_madvise, base + AGENT_RING, 2 * len, MADV_DONTFORK_);
	(void) agent_syscall(NR_madvise, base + AGENT_RING, 2 * len, MADV_DONTDUMP_);
	return true;
}

/* Replay: the replayer has opened the child's shared memory before there was a fence. */
static bool map_replays(int fd)
{
	uint64_t base = agent_config.base, len = agent_config.ring_len;
	const struct { uint64_t at, len, offset; } maps[] = {
		{ base + AGENT_SHARED, SHARED_CONTROL_LEN, 0 },
		{ base + AGENT_RING, len, SHARED_CONTROL_LEN },
		{ base + AGENT_RING + len, len, SHARED_CONTROL_LEN },
	};

	for (unsigned i = 0; i < 3; i++)
		if (agent_syscall(NR_mmap, maps[i].at, maps[i].len, PROT_RW, MAP_SHARED_ | MAP_FIXED_, fd,
				  maps[i].offset) != (long)maps[i].at)
			return false;
	return true;
}

/* Of the parent's threads there is only one here, and of what it waited for nothing. */
static void forget_parent(struct thread *thread, const struct clone_request *request)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_slots_mapped; i++) {
		struct thread *other = slot_thread(i);

		other->pi_futex = 0;
		other->waits_for_baton = 0;
		if (other != thread)
			other->state = THREAD_ENDED;
	}
	p->head = p->log_used = p->room_until = p->readings_until = p->read_at = p->read_used = 0;
	p->stall_window_ns = p->stall_used_ns = 0;
	stubs_forget_parent();
	p->pages_open = 0;
	snapshot_forget();
	p->has_children = 0;
	p->spares = p->lent_spares = p->n_spares = 0;
	p->handler_tables_used = 1 | 1u << thread->handlers;
	thread->pending = 0;
	thread->held_mask = 0;
	thread->has_call_mask = 0;
	thread->timer_armed = 0;
	thread->has_timer = 0;
	thread->robust_list = 0;
	thread->turn = 0;
	thread->may_begin = 1;
	thread->native = VDSO_ASKS;
	thread->clear_tid = request->flags & CLONE_CHILD_CLEARTID_ ? request->child_tid : 0;
	thread->set_tid = request->flags & CLONE_CHILD_SETTID_ ? request->child_tid : 0;
	if (request->flags & CLONE_SETTLS_)
		thread->fs_base = request->tls;
	if (request->stack)
		context_of(thread)->regs[REG_RSP_] = clone_stack(request);
	if (request->flags & CLONE_CLEAR_SIGHAND_)
		handlers_clear(thread, true);
	on_fork_in_child();
	call_set_result(thread, 0);
}

static void begin_log(struct thread *thread)
{
	struct agent_shared *s = shared();
	struct agent_slot *slot = slot_of(thread);

	thread->tid = thread->tgid = (uint32_t)agent_syscall(NR_getpid);
	slot->tid = slot->tgid = slot->kernel_tid = thread->tid;
	slot->status = SLOT_AGENT;
	s->pid = thread->tid;
	s->n_threads = 1;
	process()->last_tsc = read_tsc();
	s->tsc_begin = process()->last_tsc;
	(void) agent_syscall(NR_set_tid_address, &slot->kernel_tid);
	store_release(&s->magic, SHARED_MAGIC);
}

/* Without the spare after all: what the kernel wasn't told is done here. */
__attribute__((noreturn)) static void run_natively(struct thread *thread, uint32_t spare)
{
	uint32_t spares = 1u << spare;
	int32_t tid = (int32_t)agent_syscall(NR_set_tid_address, thread->clear_tid);

	/* Its place in the directory, to be given up as it goes on. */
	process()->member = process()->child_member;
	drop_spares(&spares);
	if (thread->set_tid)
		(void) copy_to_user(thread->set_tid, &tid, sizeof(tid));
	process_detach(thread);
}

/*
 * On the agent's stack, as the thread that forked. A signal to the child must find its
 * handlers and its mask: all but faults are blocked until the way out.
 */
__attribute__((noreturn)) static void child_begins(struct thread *thread,
						   const struct clone_request *request, uint32_t spare)
{
	uint32_t first_cpu = shared()->first_cpu, code_made = shared()->code_made;
	uint32_t sites_left[SITE_N];
	bool adopted;

	memcpy(sites_left, shared()->sites_left, sizeof(sites_left));
	adopted = adopt_spare(spare);
	forget_parent(thread, request);
	if (!adopted)
		run_natively(thread, spare);
	shared()->first_cpu = first_cpu;
	/* It has its parent's code, and what is to be said of it. */
	shared()->code_made = code_made;
	memcpy(shared()->sites_left, sites_left, sizeof(sites_left));
	begin_log(thread);
	pages_in_child(thread);
	thread_attach(thread);
	signals_let_in(thread);
	thread_starts(thread);
}

__attribute__((noreturn)) static void replayed_child_begins(struct thread *thread,
							    const struct clone_request *request, int fd,
							    bool shares)
{
	(void) agent_syscall(NR_prctl, PR_SET_PDEATHSIG_, SIGKILL_);
	if (!map_replays(fd))
		for (;;)
			(void) agent_syscall(NR_exit_group, 1);
	forget_parent(thread, request);
	thread->is_leader = 1;
	slot_of(thread)->tid = thread->tid;
	slot_of(thread)->status = SLOT_AGENT;
	slot_of(thread)->kernel_tid = UINT32_MAX;
	if (shares)
		pages_in_child(thread);
	thread_attach(thread);
	replay_stop(thread, STOP_READY);
	thread_starts(thread);
}

/* -- the parent -------------------------------------------------------------------------------------- */

/*
 * The recorder hears of other children from their parents. Of one that its parent waits for the
 * kernel says in the spare who it is, before that begins; or the child does, where a pidfd takes
 * the place of that.
 */
static uint64_t awaited_pid(uint32_t spare)
{
	return (uint64_t)&((struct agent_shared *)spare_address(spare))->awaited_pid;
}

static void ask_for_pid(struct clone_request *ours, uint32_t spare)
{
	if (ours->flags & CLONE_PIDFD_)
		return;
	ours->flags |= CLONE_PARENT_SETTID_;
	ours->parent_tid = awaited_pid(spare);
}

/*
 * Says in the log that a child begins here, with which spare. Negative: it runs natively. The log
 * may have ended at that very event. And a child that must say itself who it is doesn't know that
 * in a pid namespace of its own.
 */
static int announce_child(struct thread *thread, const struct clone_request *request)
{
	const uint64_t nameless = CLONE_VFORK_ | CLONE_PIDFD_ | CLONE_NEWPID_;
	int spare = (request->flags & nameless) == nameless ? -1 : take_spare(thread);
	bool shares = spare >= 0 && pages_before_fork(thread);

	shared()->shares_memory = !shares && pages_are_shared();
	if (spare < 0)
		return spare;
	lend_spare((uint32_t)spare);
	log_event(thread, EVENT_FORK, 0, (unsigned)spare, 0, shares);
	if (!passing())
		return spare;
	directory_no_child();
	drop_spares(&process()->lent_spares);
	return -1;
}

/* In a child that its parent waits for: there is a copy now, and that one's other threads may go on. */
static void let_parent_go_on(struct thread *thread, const struct clone_request *request, int spare)
{
	uint32_t pid = (uint32_t)agent_syscall(NR_getpid);

	/* In MODE_PASS the spare may be gone. */
	if (spare >= 0 && (request->flags & CLONE_PIDFD_))
		(void) copy_to_user(awaited_pid((uint32_t)spare), &pid, sizeof(pid));
	if (spare >= 0)
		wake_recorder();
	baton_give_back(thread);
}

__attribute__((noreturn)) static void in_child(struct thread *thread, const struct clone_request *request,
					       int spare)
{
	if (request->flags & CLONE_VFORK_)
		let_parent_go_on(thread, request, spare);
	if (spare >= 0)
		child_begins(thread, request, (uint32_t)spare);
	/* It writes to what others share, and nobody hears of it. */
	if (process()->owner && pages_are_shared())
		directory_lose();
	process()->member = 0;
	forget_parent(thread, request);
	process_detach(thread);
}

/*
 * Memory must not change under the copy: the baton stays until there is one. A parent that
 * waits for its child (CLONE_VFORK) is in the kernel until then: the child gives it up, and what
 * other threads need is as they may have it before that. The program's stack is for its own code:
 * the child is on ours until it leaves.
 */
static long record_fork(struct thread *thread, const struct clone_request *request, int32_t *pidfd)
{
	enum { SIG_SETMASK_ = 2 };
	/* But for faults: what the agent reads may be gone. */
	uint64_t all = ~SYNC_SIGNALS;
	int spare = announce_child(thread, request);
	bool recorded = spare >= 0, waits = request->flags & CLONE_VFORK_;
	struct clone_request ours = *request;
	uint32_t child_member = process()->child_member;
	long pid;

	/* The child's own words are the agent's to write, and so is the parent's. */
	ours.flags &= ~(CLONE_SETTLS_ | CLONE_PARENT_SETTID_ | CLONE_CLEAR_SIGHAND_);
	if (recorded)
		ours.flags &= ~(uint64_t)(CLONE_CHILD_SETTID_ | CLONE_CHILD_CLEARTID_);
	ours.stack = ours.stack_size = 0;
	ours.pidfd = (uint64_t)pidfd;
	if (recorded && waits)
		ask_for_pid(&ours, (uint32_t)spare);
	process()->child_member = 0;
	process()->has_children |= recorded;
	(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK_, &all, NULL, 8);
	if (waits)
		baton_lend(thread);
	pid = kernel_clone(&ours);
	if (pid <= 0)
		process()->child_member = child_member;
	if (pid == 0)
		in_child(thread, request, spare);
	if (waits)
		baton_acquire(thread);
	signals_let_in(thread);
	if (pid < 0)
		directory_no_child();
	drop_spares(&process()->lent_spares);
	if (pid > 0 && !recorded && !passing())
		shared()->forks_left++;
	return pid;
}

/* At the child's EVENT_FORK: the replayer says whether it wants the child, and where. */
static void replay_fork(struct thread *thread, const struct clone_request *request)
{
	struct agent_shared *s = shared();
	bool shares = replay_next(thread)->result;
	long pid;

	replay_done(thread);
	if (!s->stop_at_forks)
		return;
	s->fork_fd = -1;
	replay_stop(thread, STOP_FORK);
	if (s->fork_fd < 0)
		return;
	pid = agent_call(NR_clone, CLONE_PARENT_ | SIGCHLD_SIGNAL, 0, 0, 0, 0, 0);
	if (pid == 0)
		replayed_child_begins(thread, request, s->fork_fd, shares);
	s->forked_pid = (int32_t)pid;
	replay_stop(thread, STOP_FORKED);
}

void sys_fork(struct thread *thread, struct call *call, const struct clone_request *request)
{
	int32_t pidfd = -1;

	if (!agent_replays()) {
		call->result = record_fork(thread, request, &pidfd);
		wake_recorder();
	} else if (replay_next(thread)->kind == EVENT_FORK) {
		replay_fork(thread, request);
	}
	clone_finish(thread, call, request, pidfd);
	set_parent_tid(request, call->result);
	call_set_result(thread, call->result);
}
