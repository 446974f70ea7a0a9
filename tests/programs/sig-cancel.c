/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pthread_cancel: deferred in read, in a condition variable, at a test; asynchronous in a loop. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static atomic_int n_cleaned, running;
static int fds[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void cleaned(void *argument)
{
	(void) argument;
	n_cleaned++;
}

static void unlock(void *argument)
{
	(void) pthread_mutex_unlock(argument);
	n_cleaned++;
}

static void *in_read(void *argument)
{
	char byte;

	pthread_cleanup_push(cleaned, NULL);
	running = 1;
	(void) !read(fds[0], &byte, 1);
	pthread_cleanup_pop(0);
	return argument;
}

static void *in_cond(void *argument)
{
	(void) pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, &mutex);
	running = 1;
	for (;;)
		(void) pthread_cond_wait(&never, &mutex);
	pthread_cleanup_pop(0);
	return argument;
}

static void *at_test(void *argument)
{
	pthread_cleanup_push(cleaned, NULL);
	running = 1;
	for (;;)
		pthread_testcancel();
	pthread_cleanup_pop(0);
	return argument;
}

static void *in_loop(void *argument)
{
	volatile unsigned x = 0;

	pthread_cleanup_push(cleaned, NULL);
	(void) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	running = 1;
	for (;;)
		x++;
	pthread_cleanup_pop(0);
	return argument;
}

static void *(*const bodies[])(void *) = { in_read, in_cond, at_test, in_loop };

int main(void)
{
	CHECK(pipe(fds) == 0);
	for (size_t i = 0; i < 2 * N_OF(bodies); i++) {
		pthread_t thread;
		void *result;

		running = 0;
		CHECK(pthread_create(&thread, NULL, bodies[i % N_OF(bodies)], NULL) == 0);
		while (!running)
			sleep_ms(1);
		if (i >= N_OF(bodies))
			sleep_ms(3);
		CHECK(pthread_cancel(thread) == 0);
		CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
		CHECK(n_cleaned == (int)i + 1);
	}
	return 0;
}
