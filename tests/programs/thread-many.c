/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two hundred threads at once, that all wait for one word and then end. */
#include <pthread.h>

#include "check.h"

enum { N = 200 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int n_ready;
static bool go;

static void *wait_for_all(void *argument)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	n_ready++;
	CHECK(pthread_cond_broadcast(&changed) == 0);
	while (!go)
		CHECK(pthread_cond_wait(&changed, &mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	return argument;
}

int main(void)
{
	pthread_t threads[N];
	pthread_attr_t attr;
	void *result;

	CHECK(pthread_attr_init(&attr) == 0 && pthread_attr_setstacksize(&attr, 64 << 10) == 0);
	for (intptr_t i = 0; i < N; i++)
		CHECK(pthread_create(&threads[i], &attr, wait_for_all, (void *)i) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	while (n_ready < N)
		CHECK(pthread_cond_wait(&changed, &mutex) == 0);
	go = true;
	CHECK(pthread_cond_broadcast(&changed) == 0 && pthread_mutex_unlock(&mutex) == 0);
	for (intptr_t i = 0; i < N; i++)
		CHECK(pthread_join(threads[i], &result) == 0 && result == (void *)i);
	return 0;
}
