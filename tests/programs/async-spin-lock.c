/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A spin lock's holder is preempted: the others spin, and nobody makes a system call. */
#include <pthread.h>

#include "check.h"

enum { N_THREADS = 3, N_ROUNDS = 3000 };

static int lock;
static unsigned long shared_value, check_value;

static void acquire(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&lock, __ATOMIC_RELAXED))
			__builtin_ia32_pause();
}

static void release(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void *work(void *argument)
{
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		acquire();
		CHECK(shared_value == check_value);
		shared_value++;
		for (volatile int j = 0; j < 20; j++)
			;
		check_value++;
		release();
	}
	return argument;
}

int main(void)
{
	pthread_t threads[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(shared_value == N_THREADS * N_ROUNDS && check_value == shared_value);
	return 0;
}
