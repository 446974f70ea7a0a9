/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* futex by itself: compare, requeue, bitsets, wake-op, timeouts. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

enum { N = 3 };

static uint32_t first, second, n_asleep, n_awake;

static long futex(uint32_t *word, int op, uint32_t value, uintptr_t other, uint32_t *word2, uint32_t value3)
{
	return syscall(SYS_futex, word, op, value, other, word2, value3);
}

static void *sleeper(void *argument)
{
	(void) __atomic_add_fetch(&n_asleep, 1, __ATOMIC_SEQ_CST);
	CHECK(futex(&first, FUTEX_WAIT_PRIVATE, 0, 0, NULL, 0) == 0);
	(void) __atomic_add_fetch(&n_awake, 1, __ATOMIC_SEQ_CST);
	return argument;
}

int main(void)
{
	struct timespec soon = { 0, 2000000 };
	pthread_t threads[N];
	long n = 0;

	FAILS(futex(&first, FUTEX_WAIT, 1, 0, NULL, 0), EAGAIN);
	FAILS(futex(&first, FUTEX_WAIT, 0, (uintptr_t)&soon, NULL, 0), ETIMEDOUT);
	FAILS(futex((void *)((char *)&first + 1), FUTEX_WAIT, 0, 0, NULL, 0), EINVAL);
	FAILS(futex((void *)16, FUTEX_WAIT, 0, 0, NULL, 0), EFAULT);
	FAILS(futex(&first, 99, 0, 0, NULL, 0), ENOSYS);
	FAILS(futex(&first, FUTEX_WAIT_BITSET, 0, (uintptr_t)&soon, NULL, 4), ETIMEDOUT);
	CHECK(futex(&first, FUTEX_WAKE, 1, 0, NULL, 0) == 0);
	for (int i = 0; i < N; i++)
		CHECK(pthread_create(&threads[i], NULL, sleeper, NULL) == 0);
	while (__atomic_load_n(&n_asleep, __ATOMIC_SEQ_CST) < N)
		sleep_ms(1);
	FAILS(futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, N, &second, 9), EAGAIN);
	/* Some may still be on their way to sleep. */
	while (n < N) {
		n += futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 0, N, &second, 0);
		sleep_ms(1);
	}
	CHECK(n_awake == 0 && futex(&second, FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0) == 1);
	CHECK(futex(&second, FUTEX_WAKE_OP_PRIVATE, 9, 9, &first,
		    FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 0)) == N - 1);
	CHECK(first == 5);
	for (int i = 0; i < N; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(n_awake == N);
	return 0;
}
