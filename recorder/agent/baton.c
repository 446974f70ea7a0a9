/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * baton - the right to run the program's code, one thread of the domain at a time
 *
 * A futex word: slot + 1 of the holder, 0 if it is free, and a bit that says that
 * somebody sleeps. Whoever finds it free takes it, so a running thread that gives it
 * up around a short call mostly gets it back without a wake-up. A waiter that got
 * nothing for a slice asks for it by name: the holder hands it over at its next entry
 * into the agent, and is kicked if it makes none. So no thread starves, and none of
 * this needs a process of ours.
 *
 * In MODE_PASS there is no baton. In replay the log says whose turn it is (replay.c).
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	SPINS = 100,		/* a few us: less than a futex sleep and wake-up */
	KICK_SPINS = 20000,	/* about 0.5 ms: longer than a signal takes to arrive */
	LOOK_NS = 100000000,	/* between looks whether the recorder is there */
	SLICES_OF_COMPUTING = 4,
};
#define SILENT_NS UINT64_C(1000000000)

__attribute__((noinline, cold)) static void await_kick(const struct thread *thread)
{
	for (int i = 0; i < KICK_SPINS && !load_relaxed(&thread->kick_seen); i++)
		cpu_relax();
}

/*
 * From here on nobody kicks it. One under way must not land in a call that we make for the program:
 * it is waited for. Whose word comes between our two looks isn't, which program_call() can bear,
 * and each call is spared a locked instruction or two.
 */
static inline void back_in_agent(struct thread *thread)
{
	uint32_t *status = &slot_of(thread)->status;
	bool is_kicked = load_relaxed(status) == SLOT_KICKED;

	store_release(status, SLOT_AGENT);
	if (unlikely(is_kicked))
		await_kick(thread);
	thread->kick_seen = 0;
}

void baton_keep(struct thread *thread)
{
	thread->keeps = KEEPS_BATON;
	store_release(&slot_of(thread)->status, SLOT_KEEPS);
}

bool baton_kept(struct thread *thread)
{
	bool kept;

	back_in_agent(thread);
	kept = thread->keeps == KEEPS_BATON;
	thread->keeps = KEEPS_NOT;
	return kept;
}

void agent_enter(struct thread *thread)
{
	back_in_agent(thread);
	thread->fs_base = read_fs_base();
}

/* It has the baton: pages may have been taken meanwhile. */
static void runs(struct thread *thread)
{
	struct agent_process *p = process();

	if (p->runner != thread->slot + 1) {
		p->runner = thread->slot + 1;
		p->streak = 0;
	}
	if (!p->member || passing())
		return;
	p->n_runs++;
	if (directory_runs())
		pages_settle(thread, 0);
	turn_begin(thread, 0);
}

void agent_leave(struct thread *thread)
{
	if (unlikely(process()->placed == PLACED_SOON))
		place(&directory()->cpu);
	thread->wants_pages = 0;
	thread->state = THREAD_RUNNING;
	store_release(&slot_of(thread)->status, SLOT_USER);
}

static void kick(uint32_t slot)
{
	struct agent_slot *target = &shared()->slots[slot];
	struct siginfo info = { .signo = KICK_SIGNAL, .code = -1 /* SI_QUEUE */ };
	uint32_t was = load_relaxed(&target->status);

	if ((was != SLOT_USER && was != SLOT_KEEPS) || !compare_exchange(&target->status, was, SLOT_KICKED))
		return;	/* it is in the agent and will see `want` at its next entry */
	info.value = KICK_MAGIC;
	info.pid = (int32_t)shared()->pid;
	(void) add_fetch(&shared()->n_kicks, 1);
	if (agent_syscall(NR_rt_tgsigqueueinfo, target->tgid, target->tid, KICK_SIGNAL, &info) < 0)
		(void) compare_exchange(&target->status, SLOT_KICKED, was);
}

/* The kernel clears a thread's word at its death, also that of a vfork child at its exec. */
static bool holder_is_dead(uint32_t holder)
{
	return holder >= 1 && holder <= MAX_THREADS &&
	       load_acquire(&shared()->slots[holder - 1].kernel_tid) == 0;
}

static void ask_for_baton(uint32_t me, uint32_t value, uint64_t waited)
{
	struct agent_shared *s = shared();
	uint32_t holder = value & BATON_HOLDER;

	if (holder_is_dead(holder) ||
	    (holder == BATON_RECORDER &&
	     (waited >= MIN(agent_config.stall_ns, SILENT_NS) || recorder_is_gone()))) {
		(void) compare_exchange(&s->baton, value, me | BATON_SLEEPERS);
		return;
	}
	if (load_relaxed(&s->want) != me && !compare_exchange(&s->want, 0, me))
		return;
	(void) fetch_or(&s->attention, ATTENTION_WANT);
	if (holder >= 1 && holder <= MAX_THREADS)
		kick(holder - 1);
}

/*
 * Who was interrupted while it computed waits longer for the next that computes: each change costs
 * some 0.2 ms on two processors that share a core. Who comes back from a call is patient for a slice.
 */
static uint64_t patience(struct thread *thread)
{
	if (chaos_strikes(thread, 4))
		return chaos_delay_ns(thread);
	return agent_config.slice_ns * (thread->state == THREAD_PREEMPTED ? SLICES_OF_COMPUTING : 1);
}

static void baton_acquire_slowly(struct thread *thread)
{
	struct agent_shared *s = shared();
	uint64_t slice = patience(thread);
	uint64_t since = monotonic_ns(), waited = 0;
	uint32_t me = thread->slot + 1;

	store_release(&thread->waits_for_baton, 1);
	while (!passing()) {
		uint32_t value = load_acquire(&s->baton);

		if ((value & BATON_HOLDER) == me)
			break;		/* handed over */
		if (value == 0) {
			if (compare_exchange(&s->baton, 0, me | BATON_SLEEPERS))
				break;
			continue;
		}
		if (!(value & BATON_SLEEPERS)) {
			if (!compare_exchange(&s->baton, value, value | BATON_SLEEPERS))
				continue;
			value |= BATON_SLEEPERS;
		}
		futex_wait_as(thread->slot, &s->baton, value, since + waited + slice);
		waited = monotonic_ns() - since;
		if (waited >= slice)
			ask_for_baton(me, load_acquire(&s->baton), waited);
	}
	s->longest_wait_ns = MAX(s->longest_wait_ns, waited);
	store_release(&thread->waits_for_baton, 0);
	(void) compare_exchange(&s->want, me, 0);
}

void baton_acquire(struct thread *thread)
{
	struct agent_shared *s = shared();
	uint32_t me = thread->slot + 1;

	for (int i = 0; i < SPINS; i++) {
		if (passing())
			return;
		if (load_relaxed(&s->baton) == 0 && compare_exchange(&s->baton, 0, me)) {
			runs(thread);
			return;
		}
		cpu_relax();
	}
	baton_acquire_slowly(thread);
	runs(thread);
}

/* To slot @who, which waits for it. Baton. */
static void give(uint32_t who)
{
	struct agent_shared *s = shared();

	(void) exchange(&s->baton, (who + 1) | BATON_SLEEPERS);
	futex_wake_who(who, &s->baton);
}

static void process_rests(bool for_long)
{
	if (!process()->member)
		return;
	turn_end(!for_long);
	directory_rests();
}

void baton_release(struct thread *thread, bool for_long)
{
	struct agent_shared *s = shared();
	int waiter;

	if (passing())
		return;
	/* Others may take a snapshot. */
	context_save(thread);
	if (chaos_strikes(thread, 8) && (waiter = chaos_waiter(thread)) >= 0) {
		give((uint32_t)waiter);
		return;
	}
	process_rests(for_long);
	if (exchange(&s->baton, 0) & BATON_SLEEPERS)
		futex_wake(&s->baton, 1);
}

void baton_lend(struct thread *thread)
{
	if (passing())
		return;
	context_save(thread);
	process_rests(true);
}

void baton_give_back(struct thread *thread)
{
	struct agent_shared *s = shared();
	uint32_t value, me = thread->slot + 1;

	/* The parent may have been killed, and another process of its memory have the baton. */
	do {
		value = load_acquire(&s->baton);
		if ((value & BATON_HOLDER) != me)
			return;
	} while (!compare_exchange(&s->baton, value, 0));
	if (value & BATON_SLEEPERS)
		futex_wake(&s->baton, 1);
}

void baton_yield(struct thread *thread)
{
	struct agent_shared *s = shared();
	uint32_t who;

	(void) fetch_and(&s->attention, ~(uint32_t)ATTENTION_WANT);
	who = exchange(&s->want, 0);
	if (passing() || who == 0 || who > MAX_THREADS || who == thread->slot + 1 ||
	    holder_is_dead(who))
		return;
	baton_hand_over(thread, who - 1);
}

void baton_hand_over(struct thread *thread, uint32_t slot)
{
	context_save(thread);
	give(slot);
	baton_acquire(thread);
}

__attribute__((noinline, cold)) void go_pass(void)
{
	struct agent_shared *s = shared();

	if (exchange(&s->mode, MODE_PASS) == MODE_PASS)
		return;
	(void) add_fetch(&s->n_passed, 1);
	(void) fetch_or(&s->attention, ATTENTION_PASS);
	for (uint32_t i = 0; i < process()->n_slots_mapped; i++)
		store_relaxed(&slot_thread(i)->native, VDSO_NATIVE);
	futex_wake(&s->baton, INT32_MAX);
	futex_wake(&s->producer_waits, INT32_MAX);
}

__attribute__((noinline)) void wake_recorder(void)
{
	struct agent_shared *s = shared();

	store_relaxed(&s->consumer_sleeps, 0);
	(void) add_fetch(&s->consumer_wake, 1);
	futex_wake(&s->consumer_wake, 1);
}

bool recorder_is_gone(void)
{
	enum { ESRCH_ = 3 };
	int32_t pid = (int32_t)load_relaxed(&shared()->recorder_pid);

	return pid > 0 && agent_syscall(NR_kill, pid, 0) == -ESRCH_;
}

/* Woken at @since, and hasn't looked yet, nor lately: it is dead, or stands still. */
static bool recorder_is_silent(uint64_t since, uint64_t now)
{
	uint64_t beat = load_relaxed(&shared()->beat_ns);

	return now - MAX(since, MIN(beat, now)) > SILENT_NS;
}

bool wait_for_recorder(uint32_t *word, uint32_t value, uint64_t free_ns)
{
	struct agent_process *p = process();
	uint64_t begin = monotonic_ns(), now = begin, waited = 0, allowed;

	if (begin - p->stall_window_ns >= agent_config.stall_period_ns) {
		p->stall_window_ns = begin;
		p->stall_used_ns = 0;
	}
	allowed = agent_config.stall_ns - MIN(agent_config.stall_ns, p->stall_used_ns);
	while (load_acquire(word) == value && waited < allowed && !passing() && !recorder_is_silent(begin, now) &&
	       !recorder_is_gone()) {
		futex_wait(word, value, MIN(allowed - waited, (uint64_t)LOOK_NS));
		now = monotonic_ns();
		waited = now - begin;
	}
	p->stall_used_ns += waited - MIN(waited, free_ns);
	shared()->n_stalls++;
	shared()->stalled_ns += waited;
	return load_acquire(word) != value;
}
