/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Four threads increment a counter without locks: some updates are lost. */
#include <pthread.h>
#include <sched.h>

#include "check.h"

enum { N_THREADS = 4, N_UPDATES = 3000000 };

static volatile unsigned counter;

static void *count(void *unused)
{
	for (int i = 0; i < N_UPDATES; i++) {
		unsigned seen = counter;

		if (i % 30000 == 0)
			(void) sched_yield();
		counter = seen + 1;
	}
	return unused;
}

int main(void)
{
	pthread_t threads[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	(void) fprintf(stderr, "counted %u of %u\n", counter, N_THREADS * N_UPDATES);
	CHECK(counter > 0 && counter <= N_THREADS * N_UPDATES);
	return 0;
}
