/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FUTEX_WAIT_REQUEUE_PI: from a condition to a lock that inherits priorities, in the kernel. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

enum { N = 3, TID_BITS = 0x3fffffff };

static uint32_t condition, lock, done;

static long futex(uint32_t *word, int op, uint32_t value, void *more, uint32_t *other, uint32_t last)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, more, other, last);
}

static uint32_t tid(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

static void unlock(void)
{
	uint32_t mine = tid();

	if (!__atomic_compare_exchange_n(&lock, &mine, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		CHECK(futex(&lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
}

static void *waits(void *arg)
{
	CHECK(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &lock, 0) == 0);
	CHECK((__atomic_load_n(&lock, __ATOMIC_SEQ_CST) & TID_BITS) == tid());
	done++;
	unlock();
	return arg;
}

int main(void)
{
	struct timespec until;
	pthread_t threads[N];
	uint32_t free = 0;
	long n = 0;

	for (int i = 0; i < N; i++)
		CHECK(pthread_create(&threads[i], NULL, waits, NULL) == 0);
	CHECK(__atomic_compare_exchange_n(&lock, &free, tid(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	while (n < N) {
		/* One may have the lock at once, were it free; the others wait for it. */
		long r = futex(&condition, FUTEX_CMP_REQUEUE_PI, 1, (void *)(uintptr_t)N, &lock, 0);

		CHECK(r >= 0 || errno == EAGAIN);
		n += r > 0 ? r : 0;
		sleep_ms(1);
	}
	CHECK(done == 0);
	unlock();
	for (int i = 0; i < N; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(done == N && (lock & TID_BITS) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	FAILS(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 0, &until, &lock, 0), ETIMEDOUT);
	FAILS(futex(&condition, FUTEX_WAIT_REQUEUE_PI, 1, NULL, &lock, 0), EAGAIN);
	return 0;
}
