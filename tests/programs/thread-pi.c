/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mutex that inherits priorities, fought for by several threads: the kernel hands it over. */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t mutex;
static int n;

static void *work(void *argument)
{
	for (int i = 0; i < 30; i++) {
		CHECK(pthread_mutex_lock(&mutex) == 0);
		int before = n;

		if (i % 10 == 0)
			sleep_ms(1);
		n = before + 1;
		CHECK(pthread_mutex_unlock(&mutex) == 0);
	}
	return argument;
}

int main(void)
{
	pthread_mutexattr_t attr;
	pthread_t threads[4];

	CHECK(pthread_mutexattr_init(&attr) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
	CHECK(pthread_mutex_init(&mutex, &attr) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(n == 120);
	return 0;
}
