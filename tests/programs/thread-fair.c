/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads compute, and make no system call, until each has got somewhere; or for some seconds. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 3, ROUNDS = 3, WORK = 2000000 };

static volatile unsigned rounds[THREADS];
static volatile int over;

static int all_got_somewhere(void)
{
	for (int i = 0; i < THREADS; i++)
		if (rounds[i] < ROUNDS)
			return 0;
	return 1;
}

static void *compute(void *argument)
{
	volatile unsigned *mine = argument;

	while (!over || !all_got_somewhere()) {
		for (volatile int i = 0; i < WORK; i++)
			;
		++*mine;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, compute, (void *)&rounds[i]) == 0);
	if (argc > 1)
		(void) sleep((unsigned)atoi(argv[1]));
	over = 1;
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(all_got_somewhere());
	return 0;
}
