/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread divides by zero while another waits and another computes. expect: 136 */
#include <pthread.h>

#include "check.h"

static volatile int one = 1, zero;

static void *divide(void *unused)
{
	sleep_ms(30);
	one = one / zero;
	return unused;
}

static void *compute(void *unused)
{
	volatile unsigned n = 0;

	for (;;)
		n++;
	return unused;
}

int main(void)
{
	pthread_t threads[2];

	CHECK(pthread_create(&threads[0], NULL, divide, NULL) == 0);
	CHECK(pthread_create(&threads[1], NULL, compute, NULL) == 0);
	(void) pthread_join(threads[0], NULL);
	return 1;
}
