/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * affinity - the process stays on one processor for a while
 *
 * What the program is told of its processors, and what its children inherit, is what it was
 * before: calls that would see it end that first.
 */
#include "recorder/agent/agent.h"

enum { CALLS_OF_MAKER = 64, PINS_OF_MAKERS = 8 };

/* To one that it may use. Remembers where that was. */
static bool pin_to(uint32_t cpu)
{
	struct agent_process *p = process();
	uint64_t one[MAX_CPUS / 64] = { 0 };
	long len = agent_syscall(NR_sched_getaffinity, 0, sizeof(p->affinity), p->affinity);

	if (len <= 0 || cpu >= MAX_CPUS || !(p->affinity[cpu / 64] >> cpu % 64 & 1))
		return false;
	one[cpu / 64] = UINT64_C(1) << cpu % 64;
	if (agent_syscall(NR_sched_setaffinity, 0, len, one) < 0)
		return false;
	p->affinity_len = (uint32_t)len;
	return true;
}

/*
 * CPUID tells which processor it runs on, and the C library keeps what it said. So the
 * image stays on one processor, which replay takes too, until that is done.
 */
void pin_to_cpu(void)
{
	uint32_t cpu = 0;

	if (agent_syscall(NR_getcpu, &cpu, NULL, NULL) == 0 && pin_to(cpu))
		shared()->first_cpu = cpu;
}

/*
 * Everywhere, if that is what it was: a mask of today's processors would keep the program
 * from those that its cpuset is given later.
 */
void unpin_from_cpu(void)
{
	struct agent_process *p = process();
	uint64_t everywhere[MAX_CPUS / 64], now[MAX_CPUS / 64];
	uint32_t len = p->affinity_len;

	p->affinity_len = 0;
	if (agent_replays())	/* the replayer chooses */
		return;
	memset(everywhere, 0xff, sizeof(everywhere));
	if (agent_syscall(NR_sched_setaffinity, 0, len, everywhere) == 0 &&
	    agent_syscall(NR_sched_getaffinity, 0, sizeof(now), now) == len &&
	    memcmp(now, p->affinity, len) == 0)
		return;
	(void) agent_syscall(NR_sched_setaffinity, 0, len, p->affinity);
}

void pin_maker_of_code(const struct thread *thread)
{
	struct agent_process *p = process();

	if (agent_replays() || passing() || !agent_config.pin_cpu || p->affinity_len ||
	    p->n_pinned == PINS_OF_MAKERS || !pin_to(shared()->first_cpu))
		return;
	p->pinned_slot = thread->slot + 1;
	p->pinned_calls = CALLS_OF_MAKER;
	p->n_pinned++;
}

void pinned_calls(const struct thread *thread, uint64_t nr)
{
	struct agent_process *p = process();

	if (p->pinned_slot != thread->slot + 1)
		return;
	/* What would see it, or inherit it, or wait. */
	if (--p->pinned_calls && nr != NR_sched_getaffinity && nr != NR_sched_setaffinity &&
	    nr != NR_clone && nr != NR_clone3 && nr != NR_fork && nr != NR_vfork && nr != NR_execve &&
	    nr != NR_execveat && nr != NR_exit && nr != NR_futex && nr != NR_sched_setattr)
		return;
	p->pinned_slot = 0;
	unpin_from_cpu();
}

/* -- processes that run by turns ------------------------------------------------------------------ */

__attribute__((noinline)) void place(uint32_t *cpu)
{
	struct agent_process *p = process();
	uint32_t here = 0, there;

	if (!alone() || passing() || p->affinity_len)
		return;
	p->placed = PLACED_NEVER;
	if (!agent_config.place || !agent_config.pin_cpu || p->n_filters)
		return;
	if (!load_acquire(cpu) && agent_syscall(NR_getcpu, &here, NULL, NULL) == 0)
		(void) compare_exchange(cpu, 0, here + 1);
	there = load_acquire(cpu) - 1;
	if (!pin_to(there))
		return;
	p->placed_cpu = there;
	p->placed = PLACED;
}

/* Somebody else may have chosen other processors for it. */
static bool is_where_placed(void)
{
	uint64_t now[MAX_CPUS / 64] = { 0 }, one[MAX_CPUS / 64] = { 0 };
	uint32_t cpu = process()->placed_cpu;

	one[cpu / 64] = UINT64_C(1) << cpu % 64;
	return agent_syscall(NR_sched_getaffinity, 0, sizeof(now), now) > 0 && memcmp(now, one, sizeof(one)) == 0;
}

void unplace(void)
{
	struct agent_process *p = process();

	if (p->placed != PLACED)
		return;
	p->placed = PLACED_NOT;
	if (agent_replays() || is_where_placed())
		unpin_from_cpu();
	p->affinity_len = 0;
}

void placed_call(uint64_t nr)
{
	static const uint16_t shows[] = {
		NR_sched_getaffinity, NR_sched_setaffinity, NR_sched_setattr, NR_clone, NR_clone3, NR_fork,
		NR_vfork, NR_execve, NR_execveat, NR_prctl, NR_seccomp,
	};

	for (unsigned i = 0; i < sizeof(shows) / sizeof(shows[0]); i++)
		if (nr == shows[i])
			unplace();
}
