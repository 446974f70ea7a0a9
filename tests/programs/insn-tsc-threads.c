/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that read the cycle counter wait for each other without a system call. */
#include <pthread.h>
#include <stdatomic.h>
#include <x86intrin.h>

#include "check.h"

enum { THREADS = 3, ROUNDS = 8 };

static _Atomic unsigned turn;
static _Atomic uint64_t sum;

static void *run(void *argument)
{
	unsigned me = (unsigned)(uintptr_t)argument, processor;
	uint64_t last = 0;

	for (int i = 0; i < ROUNDS; i++) {
		while (turn % THREADS != me)
			last = __rdtsc();
		CHECK(__rdtscp(&processor) >= last || last == 0);
		sum = sum * 31 + __rdtsc();
		turn++;
		/* Some rounds of computing, in which a signal or a snapshot may fall. */
		for (volatile int j = 0; j < 1000; j++)
			;
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(turn == THREADS * ROUNDS);
	(void) dprintf(2, "%llu\n", (unsigned long long)sum);
	return 0;
}
