/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that only compute: compute THREADS MILLIONS, so many steps each. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t n_steps;

static void *work(void *argument)
{
	uint64_t *x = argument;

	for (uint64_t i = 0; i < n_steps; i++) {
		*x ^= *x << 13;
		*x ^= *x >> 7;
		*x ^= *x << 17;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t threads[64];
	uint64_t x[64], sum = 0;

	if (n < 1 || n > 64)
		return 2;
	n_steps = (argc > 2 ? strtoull(argv[2], NULL, 10) : 100) * 1000000;
	for (int i = 0; i < n; i++) {
		x[i] = (uint64_t)i + 1;
		if (pthread_create(&threads[i], NULL, work, &x[i]) != 0)
			return 1;
	}
	for (int i = 0; i < n; i++) {
		(void) pthread_join(threads[i], NULL);
		sum += x[i];
	}
	return printf("%llu\n", (unsigned long long)sum) < 0;
}
