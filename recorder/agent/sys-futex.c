/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-futex - futexes, and the words that the kernel writes for those that inherit priorities
 *
 * The kernel writes a PI futex's word on behalf of threads that wait for it, and so
 * without the baton: at no place that a replay could find. Two rules bring each of these
 * writes to a place of the log. Who is about to wait tries the lock first, with the baton;
 * that sets FUTEX_WAITERS, and from then on the owner can't unlock without the kernel. And
 * who unlocks stays until those who are on their way into the kernel have got there: the
 * lock is one of theirs, or their bit is in the word, before the unlocking is logged.
 */
#include "recorder/agent/agent.h"

enum { COMMAND = 0x7f, PRIVATE = 128,
       WAIT = 0, WAKE_OP = 5, LOCK_PI = 6, UNLOCK_PI = 7, TRYLOCK_PI = 8, WAIT_BITSET = 9,
       WAIT_REQUEUE_PI = 11, CMP_REQUEUE_PI = 12, LOCK_PI2 = 13 };

#define OWNER_BITS ((1u << 30) - 1)
#define WAITERS_BIT (1u << 31)

static long command_of(const struct call *call)
{
	return call->args[1] & COMMAND;
}

static bool locks_pi(const struct call *call)
{
	return call->nr == NR_futex && (command_of(call) == LOCK_PI || command_of(call) == LOCK_PI2);
}

bool pi_lock_begins(struct thread *thread, struct call *call)
{
	uint64_t user = (uint64_t)call->args[0];
	uint32_t word;

	if (!locks_pi(call) || passing())
		return false;
	call->result = agent_syscall(NR_futex, user, (call->args[1] & PRIVATE) | TRYLOCK_PI, 0, 0, 0, 0);
	if (call->result != -EAGAIN_ || !copy_from_user(&word, user, sizeof(word)))
		return true;
	log_event(thread, EVENT_PI_WAIT, 0, (unsigned)call->nr, call->check, word);
	store_release(&thread->pi_futex, user);
	return false;
}

void pi_lock_ends(struct thread *thread)
{
	store_release(&thread->pi_futex, 0);
}

const struct event *replay_next_of_call(struct thread *thread, const struct call *call)
{
	for (;;) {
		const struct event *event = replay_next(thread);
		uint32_t word = (uint32_t)event->result;

		if (event->kind != EVENT_PI_WAIT)
			return event;
		if (!locks_pi(call) || event->check != call->check)
			replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
		(void) copy_to_user((uint64_t)call->args[0], &word, sizeof(word));
		replay_done(thread);
	}
}

/* Is somebody on the way to the kernel who will write to the futex at @user there? */
static bool is_awaited(uint64_t user)
{
	uint32_t word;

	if (!copy_from_user(&word, user, sizeof(word)) || (word & WAITERS_BIT))
		return false;
	for (uint32_t i = 0; i < process()->n_slots_mapped; i++) {
		const struct thread *other = slot_thread(i);

		if (load_acquire(&other->pi_futex) == user && other->tid != (word & OWNER_BITS) &&
		    load_acquire(&slot_of(other)->kernel_tid))
			return true;
	}
	return false;
}

static void unlock_pi(struct thread *thread, struct call *call)
{
	enum { LOOKS_NS = 20000 };
	static const uint32_t never;

	call_make(thread, call);
	while (!agent_replays() && !passing() && is_awaited((uint64_t)call->args[0]))
		futex_wait((uint32_t *)&never, 0, LOOKS_NS);
	call_finish(thread, call);
}

void sys_futex(struct thread *thread, struct call *call)
{
	long command = command_of(call);

	call->yields = command == WAIT || command == WAIT_BITSET || command == WAIT_REQUEUE_PI ||
		       locks_pi(call);
	/* The kernel writes to the words themselves. */
	switch (command) {
	case LOCK_PI: case UNLOCK_PI: case TRYLOCK_PI: case LOCK_PI2:
		(void) call_add_span(call, (uint64_t)call->args[0], 4, SPAN_ALWAYS, NULL);
		break;
	case WAKE_OP: case WAIT_REQUEUE_PI: case CMP_REQUEUE_PI:
		(void) call_add_span(call, (uint64_t)call->args[4], 4, SPAN_ALWAYS, NULL);
		break;
	}
	if (command == UNLOCK_PI)
		unlock_pi(thread, call);
	else
		call_perform(thread, call);
}
