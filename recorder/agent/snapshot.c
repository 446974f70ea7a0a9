/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot - the process's memory at one event, held by a forked child
 *
 * All threads stand in the agent with their contexts in memory, so memory is all that a
 * snapshot needs. The child never runs program code: it lets go of the descriptors, and
 * of mappings when the recorder has copied what they hold, waits while the recorder
 * reads the rest, and ends by itself if nobody comes (hazards 7 and 8).
 *
 * One child may be kept until the next snapshot has been read: what both have the same page
 * frame for hasn't changed between them. It has private anonymous memory only, and costs no
 * more memory than the pages that the program has written to since.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	CLONE_FILES_ = 0x400,
	WNOHANG_ = 1,
	SIG_SETMASK_ = 2,
	CLOSE_RANGE_UNSHARE_ = 2,
	PR_SET_NAME_ = 15,
	CHILD_MOVES_NS = 5000000,	/* between two looks at a child that is about to do something */
	CHILD_LOOKS_NS = 100000000,
	LET_GO_WITHIN_NS = 100000000,	/* since the snapshot began; otherwise it stays attached */
};
#define WNOWAIT_ 0x01000000
#define WALL_ 0x40000000u
#define WCLONE_ 0x80000000u
#define CHILD_LIVES_NS UINT64_C(10000000000)	/* of a recorder that doesn't look: it has failed us */
#define KEPT_LOOKS_NS 5000000000
#define KEPT_LIVES_NS UINT64_C(20000000000)	/* of a recorder that doesn't look */

__attribute__((noreturn)) static void child_exit(void)
{
	for (;;)
		(void) agent_syscall(NR_exit_group, 0);
}

static void let_go_of_mappings(void)
{
	struct agent_shared *s = shared();
	uint32_t n = MIN(load_acquire(&s->n_unmap), MAX_UNMAP);

	for (uint32_t i = 0; i < n; i++) {
		struct agent_range range = s->unmap[i];

		if (range.start < range.end && !range_is_ours(range.start, range.end - range.start))
			(void) agent_syscall(NR_munmap, range.start, range.end - range.start);
	}
}

/* For how long nobody has looked at us, since @begin. */
static uint64_t silence_ns(uint64_t begin)
{
	uint64_t now = monotonic_ns();

	return now - MAX(begin, MIN(load_relaxed(&shared()->beat_ns), now));
}

/* Read, and kept. The recorder has said what else can't be held that long: files. */
static void stay(uint32_t number)
{
	struct agent_shared *s = shared();
	uint64_t begin = monotonic_ns();

	let_go_of_mappings();
	while (load_acquire(&s->snapshot_kept) == number && silence_ns(begin) < KEPT_LIVES_NS)
		futex_wait(&s->snapshot_kept, number, KEPT_LOOKS_NS);
	/* Nobody told us to: the program's process hears of it. */
	if (compare_exchange(&s->snapshot_kept, number, 0))
		(void) fetch_or(&s->attention, ATTENTION_REAP);
}

__attribute__((noreturn)) static void child_main(void)
{
	struct agent_shared *s = shared();
	uint64_t begin = monotonic_ns();
	uint32_t number = s->snapshot_taken;
	bool let_go = false;

	if (agent_syscall(NR_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE_) < 0)
		child_exit();
	(void) agent_syscall(NR_setsid);
	(void) agent_syscall(NR_prctl, PR_SET_NAME_, "bb-snapshot");
	/* The recorder may look for it before our parent's clone has returned. */
	s->snapshot_child = (uint32_t)agent_syscall(NR_getpid);
	if (!compare_exchange(&s->snapshot_state, SNAPSHOT_NONE, SNAPSHOT_BORN))
		child_exit();
	futex_wake(&s->snapshot_state, INT32_MAX);
	/* Gigabytes, or a slow disk, take as long as they take. */
	while (silence_ns(begin) < CHILD_LIVES_NS) {
		uint32_t state = load_acquire(&s->snapshot_state);

		if (state == SNAPSHOT_COPIED && !let_go) {
			let_go_of_mappings();
			let_go = true;
			if (compare_exchange(&s->snapshot_state, SNAPSHOT_COPIED, SNAPSHOT_LET_GO))
				futex_wake(&s->snapshot_state, INT32_MAX);
			continue;
		}
		if (state != SNAPSHOT_BORN && state != SNAPSHOT_LET_GO)
			break;
		futex_wait(&s->snapshot_state, state, CHILD_LOOKS_NS);
	}
	if (load_acquire(&s->snapshot_kept) == number)
		stay(number);
	child_exit();
}

void snapshot_forget(void)
{
	struct agent_process *p = process();

	p->snapshot_child = p->snapshot_kept = p->snapshot_leaving = 0;
	memset(p->snapshot_pids, 0, sizeof(p->snapshot_pids));
	p->snapshot_kept_before = 0;
}

static void note_child(uint32_t child)
{
	struct agent_process *p = process();

	for (unsigned i = 3; i > 0; i--)
		p->snapshot_pids[i] = p->snapshot_pids[i - 1];
	p->snapshot_pids[0] = p->snapshot_child = child;
	p->snapshot_number = shared()->snapshot_taken;
}

/* Takes a dead child from the process's children. */
static void reap_one(uint32_t *which, bool kill)
{
	uint32_t child = *which;
	long r;

	if (!child)
		return;
	if (kill)
		(void) agent_syscall(NR_kill, child, SIGKILL_);
	/* A signal of the program's may interrupt the wait. */
	do
		r = agent_syscall(NR_wait4, child, NULL, WCLONE_ | (kill ? 0 : WNOHANG_), NULL);
	while (r == -EINTR_);
	if (r != 0)
		*which = 0;
}

/* Which is kept is the recorder's word. */
static void sort_children(void)
{
	struct agent_shared *s = shared();
	struct agent_process *p = process();
	uint32_t kept = load_acquire(&s->snapshot_kept);

	if (p->snapshot_kept && p->snapshot_kept_number != kept) {
		reap_one(&p->snapshot_leaving, true);	/* there is hardly ever one still */
		p->snapshot_leaving = p->snapshot_kept_before = p->snapshot_kept;
		p->snapshot_kept = 0;
	}
	if (p->snapshot_child && p->snapshot_number == kept &&
	    load_acquire(&s->snapshot_state) == SNAPSHOT_DONE) {
		p->snapshot_kept = p->snapshot_child;
		p->snapshot_kept_number = kept;
		p->snapshot_child = 0;
	}
}

static void reap_all(void)
{
	struct agent_process *p = process();

	reap_one(&p->snapshot_child, true);
	reap_one(&p->snapshot_kept, true);
	reap_one(&p->snapshot_leaving, true);
}

/*
 * Waits for the child to have let go of the program's descriptors. That takes microseconds,
 * and as long as the policy lets the service wait on a host whose processors are busy.
 */
static bool child_is_born(uint64_t begin)
{
	struct agent_shared *s = shared();

	while (load_acquire(&s->snapshot_state) == SNAPSHOT_NONE) {
		if (monotonic_ns() - begin > agent_config.stall_ns)
			return false;
		futex_wait(&s->snapshot_state, SNAPSHOT_NONE, CHILD_MOVES_NS);
	}
	return true;
}

/*
 * What the child has mapped counts as attached, locked and busy: the program could see it
 * (IPC_STAT). Baton.
 */
static void wait_for_let_go(uint64_t begin)
{
	struct agent_shared *s = shared();

	while (load_acquire(&s->snapshot_state) == SNAPSHOT_COPIED &&
	       monotonic_ns() - begin < LET_GO_WITHIN_NS)
		futex_wait(&s->snapshot_state, SNAPSHOT_COPIED, CHILD_MOVES_NS);
	/* Told to end, or to stay, before it got there: it lets go by that. */
	if (load_acquire(&s->snapshot_state) == SNAPSHOT_DONE)
		reap_one(&process()->snapshot_child, true);
}

static long fork_child(void)
{
	uint64_t all = ~UINT64_C(0), mask = 0;
	long child;

	(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK_, &all, &mask, 8);
	child = agent_syscall(NR_clone, CLONE_FILES_, 0, 0, 0, 0);
	if (child == 0)
		child_main();
	(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK_, &mask, NULL, 8);
	return child;
}

static void fail(int error)
{
	struct agent_shared *s = shared();

	s->snapshot_error = error;
	store_release(&s->snapshot_state, SNAPSHOT_FAILED);
	futex_wake(&s->snapshot_state, INT32_MAX);
}

/* Shared memory isn't copied yet, and is going to change. */
static void give_up(void)
{
	struct agent_shared *s = shared();

	s->snapshot_error = -ETIME_;
	if (!compare_exchange(&s->snapshot_state, SNAPSHOT_BORN, SNAPSHOT_FAILED))
		return;
	futex_wake(&s->snapshot_state, INT32_MAX);
	reap_one(&process()->snapshot_child, true);
}

/* One that is still being read is waited for, or given up. */
static void end_reading(void)
{
	struct agent_shared *s = shared();
	struct agent_process *p = process();

	sort_children();
	while (p->snapshot_child) {
		uint32_t state = load_acquire(&s->snapshot_state);
		bool waiting = state == SNAPSHOT_BORN || state == SNAPSHOT_COPIED ||
			       state == SNAPSHOT_LET_GO;

		if (waiting && wait_for_recorder(&s->snapshot_state, state, 0))
			sort_children();
		else
			reap_one(&p->snapshot_child, true);
	}
}

void snapshot_end(void)
{
	end_reading();
	reap_all();
}

void snapshot_take(struct thread *thread, unsigned flags)
{
	struct agent_shared *s = shared();
	const struct agent_process *p = process();
	uint64_t begin = monotonic_ns();
	long child;

	(void) fetch_and(&s->attention, ~(uint32_t)ATTENTION_SNAPSHOT);
	if (passing() || directory_is_lost() || thread->is_vfork_child)
		return;
	context_save(thread);
	if (process()->member)
		turn_publishes();
	end_reading();	/* one at a time */
	/* The recorder may look as soon as it sees the event: all else is said before. */
	s->snapshot_flags = flags;
	s->freeze_signal = thread->pending && (flags & EVENT_FREEZE) ? thread->pending : 0;
	s->snapshot_child = 0;
	s->n_unmap = 0;
	store_release(&s->snapshot_state, SNAPSHOT_NONE);
	log_event(thread, EVENT_SNAPSHOT, flags, 0, 0, s->snapshot_taken + 1);
	s->snapshot_event = s->n_events;
	store_release(&s->snapshot_taken, s->snapshot_taken + 1);
	child = fork_child();
	if (child < 0) {
		fail((int)child);
	} else {
		note_child((uint32_t)child);
		if (!child_is_born(begin)) {
			reap_one(&process()->snapshot_child, true);
			fail(-EAGAIN_);
		}
	}
	wake_recorder();
	if (p->has_shared || p->has_changing) {
		if (!wait_for_recorder(&s->snapshot_state, SNAPSHOT_BORN, 0))
			give_up();
		wait_for_let_go(begin);
	}
	s->snapshot_stall_ns = monotonic_ns() - begin;
	s->snapshot_longest_ns = MAX(s->snapshot_longest_ns, s->snapshot_stall_ns);
}

/* Those that were told to end, and are dead by now. */
static void reap(void)
{
	struct agent_shared *s = shared();
	struct agent_process *p = process();

	(void) fetch_and(&s->attention, ~(uint32_t)ATTENTION_REAP);
	sort_children();
	reap_one(&p->snapshot_child, false);
	reap_one(&p->snapshot_leaving, false);
	/* Not quite dead: look again. */
	if (p->snapshot_leaving || (p->snapshot_child && load_acquire(&s->snapshot_state) == SNAPSHOT_DONE))
		(void) fetch_or(&s->attention, ATTENTION_REAP);
}

void snapshot_attend(struct thread *thread)
{
	struct agent_shared *s = shared();
	uint32_t attention = load_relaxed(&s->attention);

	/* Neither is for a process that only shares our memory: the children are its parent's. */
	if (thread->is_vfork_child)
		return;
	if (attention & ATTENTION_REAP)
		reap();
	if (attention & ATTENTION_SNAPSHOT)
		snapshot_take(thread, (s->snapshot_flags_wanted & EVENT_FREEZE) |
					      (thread->state == THREAD_PREEMPTED ? EVENT_AT_ASYNC :
										   EVENT_AT_ENTRY));
}

/* -- the program's waits --------------------------------------------------------------------- */

static bool is_ours(uint32_t pid)
{
	const struct agent_process *p = process();

	for (unsigned i = 0; i < 4; i++)
		if (pid == p->snapshot_pids[i])
			return true;
	return pid == p->snapshot_kept || pid == p->snapshot_leaving || pid == p->snapshot_kept_before;
}

/* Has @call waited for a child of ours? By now that may be reaped, and another be there. */
static bool waited_for_ours(const struct call *call)
{
	struct agent_process *p = process();
	struct siginfo info = { .pid = 0 };
	uint32_t pid = (uint32_t)call->result;

	if (call->result < 0)
		return false;
	if (call->nr == NR_waitid) {
		(void) copy_from_user(&info, (uint64_t)call->kernel_args[2], sizeof(info));
		pid = (uint32_t)info.pid;
	}
	if (pid == 0 || !is_ours(pid))
		return false;
	if (call->nr == NR_waitid && (call->args[3] & WNOWAIT_))
		return true;
	if (pid == p->snapshot_child)
		p->snapshot_child = 0;
	if (pid == p->snapshot_kept)
		p->snapshot_kept = 0;
	if (pid == p->snapshot_leaving)
		p->snapshot_leaving = 0;
	return true;
}

/*
 * The child of a snapshot gives no signal when it ends. A wait for children of every kind
 * would find it.
 */
void sys_wait(struct thread *thread, struct call *call)
{
	uint64_t options = (uint64_t)call->args[call->nr == NR_waitid ? 3 : 2];

	if (!(options & (WALL_ | WCLONE_)) || agent_replays() || thread->is_vfork_child) {
		call_perform(thread, call);
		return;
	}
	if (options & WNOHANG_)
		call->yields = false;	/* or there might be one again */
	do {
		snapshot_end();
		if (!call_try(thread, call))
			call_give_up(thread);
	} while (waited_for_ours(call));
	call_finish(thread, call);
}

/* -- death -------------------------------------------------------------------------------------- */

/* A hold without a bound still ends if the recorder has been silent for so long. */
#define RECORDER_SILENT_NS UINT64_C(10000000000)

static void hold_for_recorder(struct obituary *obituary)
{
	uint64_t begin = monotonic_ns(), now = begin, bound = agent_config.crash_hold_ns;

	while (load_acquire(&obituary->state) == OBITUARY_WRITTEN && now - begin < bound &&
	       silence_ns(begin) <= RECORDER_SILENT_NS && !recorder_is_gone()) {
		futex_wait(&obituary->state, OBITUARY_WRITTEN, MIN(bound - (now - begin), 100000000u));
		now = monotonic_ns();
	}
}

void obituary_write(struct thread *thread, int signal, int status, unsigned at, const void *info,
		    bool quiescent)
{
	struct agent_shared *s = shared();
	struct obituary *obituary = &s->obituary;

	if (passing() || directory_is_lost() || !compare_exchange(&obituary->state, OBITUARY_NONE, OBITUARY_WRITING))
		return;
	context_save(thread);
	obituary->thread = thread->slot;
	obituary->signal = (uint32_t)signal;
	obituary->exit_status = (uint32_t)status;
	obituary->quiescent = quiescent;
	obituary->at = at;
	obituary->event = s->n_events;
	memcpy(obituary->regs, context_of(thread)->regs, sizeof(obituary->regs));
	if (info)
		memcpy(obituary->info, info, sizeof(obituary->info));
	/* Its pages may be taken while it waits to be looked at: it won't touch them any more. */
	if (process()->member)
		directory_dies();
	store_release(&obituary->state, OBITUARY_WRITTEN);
	wake_recorder();
	if (signal || agent_config.hold_exit)
		hold_for_recorder(obituary);
	/* Until now others couldn't change what it shares. */
	if (process()->member) {
		turn_end(false);
		directory_leave();
	}
	/* Children that live on are replayed from it. */
	if (process()->has_children && s->snapshot_taken == 1)
		snapshot_end();
	/* They would hold locks and attachments that a restart wants (hazard 7). */
	reap_all();
}
