/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A robust mutex whose owner has ended is given to the next, who is told; waiting or not. */
#include <pthread.h>
#include <semaphore.h>

#include "check.h"

static pthread_mutex_t mutex;
static sem_t locked;

static void *die_with_it(void *argument)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(sem_post(&locked) == 0);
	if (argument)
		sleep_ms(10);
	return NULL;
}

static void inherit(int protocol, bool wait)
{
	pthread_mutexattr_t attr;
	pthread_t thread;

	CHECK(pthread_mutexattr_init(&attr) == 0);
	CHECK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attr, protocol) == 0);
	CHECK(pthread_mutex_init(&mutex, &attr) == 0);
	CHECK(pthread_create(&thread, NULL, die_with_it, wait ? "" : NULL) == 0);
	CHECK(sem_wait(&locked) == 0);
	if (!wait)
		CHECK(pthread_join(thread, NULL) == 0);
	CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
	if (wait)
		CHECK(pthread_join(thread, NULL) == 0);
	CHECK(pthread_mutex_destroy(&mutex) == 0);
}

int main(void)
{
	CHECK(sem_init(&locked, 0, 0) == 0);
	inherit(PTHREAD_PRIO_NONE, false);
	inherit(PTHREAD_PRIO_NONE, true);
	inherit(PTHREAD_PRIO_INHERIT, false);
	inherit(PTHREAD_PRIO_INHERIT, true);
	return 0;
}
