/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chaos - what the kernel could do, more often than it does
 *
 * Threads are interrupted after random times, and turns are taken at every chance: races
 * that take a million runs to show take fewer so, and places are put where nobody would
 * think of putting them. The program sees nothing that the kernel couldn't do to it.
 *
 * Each thread has its own random numbers, from the policy's seed. Time does its part, so
 * the same seed doesn't give the same run again.
 */
#include "recorder/agent/agent.h"

enum {
	SHORTEST = 13, LONGEST = 22,	/* powers of two, in ns: 8 us to 4 ms, and up to twice that */
};

/* xorshift64; the seed's multiples of an odd number differ in all bits soon. */
static uint64_t next_random(struct thread *thread)
{
	uint64_t x = thread->chaos;

	if (!x)
		x = (agent_config.chaos_seed * UINT64_C(0x9e3779b97f4a7c15)) ^ thread->tid ^
		    ((uint64_t)thread->slot + 1) << 32;
	if (!x)
		x = 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	thread->chaos = x;
	return x * UINT64_C(0x2545f4914f6cdd1d) >> 32;
}

bool chaos_strikes(struct thread *thread, unsigned one_in)
{
	return chaos() && next_random(thread) % one_in == 0;
}

uint64_t chaos_delay_ns(struct thread *thread)
{
	unsigned shift = SHORTEST + (unsigned)(next_random(thread) % (LONGEST - SHORTEST + 1));
	uint64_t least = UINT64_C(1) << shift;

	return least + next_random(thread) % least;
}

int chaos_waiter(struct thread *thread)
{
	uint64_t n = load_acquire(&process()->n_slots_mapped), first = next_random(thread) % n;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t slot = (uint32_t)((first + i) % n);

		if (slot != thread->slot && load_acquire(&slot_thread(slot)->waits_for_baton) &&
		    load_acquire(&shared()->slots[slot].kernel_tid))
			return (int)slot;
	}
	return -1;
}

void chaos_yield(struct thread *thread)
{
	int waiter;

	/* All waiters wake up for it: where there are many, less often. */
	if (passing() || !chaos_strikes(thread, 2 + (unsigned)process()->n_slots_mapped / 4))
		return;
	waiter = chaos_waiter(thread);
	if (waiter >= 0)
		baton_hand_over(thread, (uint32_t)waiter);
}
