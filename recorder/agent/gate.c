/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gate - system calls, through the only instructions that may make them */
#include "recorder/agent/agent.h"

long agent_call(long nr, long a, long b, long c, long d, long e, long f)
{
	static const uint32_t never = 0;
	const long args[6] = { a, b, c, d, e, f };

	return gate()(nr, args, this_thread()->frame, &never);
}

/*
 * A kick that was on its way for longer than agent_enter() waits may have interrupted a call that
 * the kernel doesn't restart. The program must not see that.
 */
__attribute__((noinline, cold)) long program_call_again(struct thread *thread, long nr, const long args[6])
{
	long result = -EINTR_;

	while (result == -EINTR_ && thread->kick_seen && !thread->pending) {
		if (thread->keeps == KEEPS_NO_LONGER)
			return GATE_ABORTED;
		result = gate_call(thread, nr, args);
	}
	return result;
}

void futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	enum { FUTEX_WAIT = 0 };
	struct timespec64 timeout = { (int64_t)(timeout_ns / 1000000000),
				      (int64_t)(timeout_ns % 1000000000) };

	(void) agent_syscall(NR_futex, word, FUTEX_WAIT, value, timeout_ns ? &timeout : NULL);
}

void futex_wait_as(uint32_t who, uint32_t *word, uint32_t value, uint64_t until_ns)
{
	enum { FUTEX_WAIT_BITSET = 9 };
	struct timespec64 until = { (int64_t)(until_ns / 1000000000),
				    (int64_t)(until_ns % 1000000000) };

	(void) agent_syscall(NR_futex, word, FUTEX_WAIT_BITSET, value, &until, NULL, 1u << who % 32);
}

void futex_wake_who(uint32_t who, uint32_t *word)
{
	enum { FUTEX_WAKE_BITSET = 10 };

	(void) agent_syscall(NR_futex, word, FUTEX_WAKE_BITSET, INT32_MAX, NULL, NULL, 1u << who % 32);
}

void futex_wake(uint32_t *word, int n)
{
	enum { FUTEX_WAKE = 1 };

	(void) agent_syscall(NR_futex, word, FUTEX_WAKE, n);
}

uint64_t monotonic_ns(void)
{
	enum { CLOCK_MONOTONIC = 1 };
	struct timespec64 now;

	if (agent_syscall(NR_clock_gettime, CLOCK_MONOTONIC, &now) < 0)
		return 0;
	return (uint64_t)now.sec * 1000000000 + (uint64_t)now.nsec;
}
