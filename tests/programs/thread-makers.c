/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that make and join threads, all at once: thread-makers [MILLISECONDS] */
#include "check.h"

#include <pthread.h>

enum { MAKERS = 6 };

static uint64_t end_ns;

static void *leaf(void *argument)
{
	for (int i = 0; i < 20; i++)
		(void) getppid();
	return argument;
}

static void *maker(void *argument)
{
	do {
		pthread_t thread;
		void *result;

		CHECK(pthread_create(&thread, NULL, leaf, argument) == 0);
		CHECK(pthread_join(thread, &result) == 0 && result == argument);
	} while (now_ns() < end_ns);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[MAKERS];
	char marks[MAKERS];

	end_ns = now_ns() + (uint64_t)(argc > 1 ? atoi(argv[1]) : 100) * 1000000;
	for (size_t i = 0; i < MAKERS; i++)
		CHECK(pthread_create(&threads[i], NULL, maker, &marks[i]) == 0);
	for (size_t i = 0; i < MAKERS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return puts("joined") < 0;
}
