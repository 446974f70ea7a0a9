/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads begin and end: joined, detached, with small stacks, with values of their own, main first. */
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

static _Thread_local int own = 5, own_zero;
static pthread_key_t key;
static sem_t done;
static int n_destroyed;
static pthread_t main_thread;

static void destroy(void *value)
{
	CHECK(value == (void *)77);
	n_destroyed++;
}

static void *live(void *argument)
{
	CHECK(own == 5 && own_zero == 0 && pthread_getspecific(key) == NULL);
	own = own_zero = 9;
	CHECK(pthread_setspecific(key, (void *)77) == 0);
	CHECK(syscall(SYS_gettid) != getpid());
	CHECK(sem_post(&done) == 0);
	if (argument)
		pthread_exit(argument);
	return NULL;
}

static void *after_main(void *argument)
{
	CHECK(pthread_join(main_thread, NULL) == 0);
	(void) puts("main has ended");
	exit(own == 5 && !argument ? 0 : 1);
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(4096)));
	pthread_attr_t attr;
	pthread_t thread;
	void *result;

	CHECK(sem_init(&done, 0, 0) == 0 && pthread_key_create(&key, destroy) == 0);
	CHECK(pthread_attr_init(&attr) == 0);
	CHECK(pthread_create(&thread, NULL, live, "result") == 0);
	CHECK(pthread_join(thread, &result) == 0 && strcmp(result, "result") == 0);
	CHECK(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 4096) == 0);
	CHECK(pthread_create(&thread, &attr, live, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(pthread_attr_setstacksize(&attr, 64 << 20) == 0);
	CHECK(pthread_create(&thread, &attr, live, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(pthread_attr_setstack(&attr, stack, sizeof(stack)) == 0);
	CHECK(pthread_create(&thread, &attr, live, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(pthread_attr_init(&attr) == 0);
	CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
	CHECK(pthread_create(&thread, &attr, live, NULL) == 0);
	for (int i = 0; i < 5; i++)
		CHECK(sem_wait(&done) == 0);
	CHECK(own == 5 && n_destroyed >= 4);
	main_thread = pthread_self();
	CHECK(pthread_create(&thread, NULL, after_main, NULL) == 0);
	pthread_exit(NULL);
}
