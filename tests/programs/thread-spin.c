/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that wait for each other by spinning on flags: nobody makes a system call. */
#include <pthread.h>

#include "check.h"

enum { N_TURNS = 6 };

static volatile int flag;

static void *answer(void *argument)
{
	for (int i = 0; i < N_TURNS; i++) {
		while (flag != 2 * i + 1)
			;
		flag = 2 * i + 2;
	}
	return argument;
}

int main(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, answer, NULL) == 0);
	for (int i = 0; i < N_TURNS; i++) {
		flag = 2 * i + 1;
		while (flag != 2 * i + 2)
			;
	}
	CHECK(pthread_join(thread, NULL) == 0 && flag == 2 * N_TURNS);
	return 0;
}
