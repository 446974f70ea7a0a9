/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signal for the process goes to the one thread that lets it in, also while that computes. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static atomic_int n_seen, stop, ready;
static pthread_t open_thread;

static void seen(int signal)
{
	(void) signal;
	CHECK(pthread_equal(pthread_self(), open_thread));
	n_seen++;
}

static void *compute(void *argument)
{
	volatile unsigned x = 0;

	(void) argument;
	block(SIG_UNBLOCK, SIGUSR1);
	ready = 1;
	while (!stop)
		x++;
	return NULL;
}

static void *idle(void *argument)
{
	(void) argument;
	while (!stop)
		sleep_ms(3);
	return NULL;
}

int main(void)
{
	pthread_t other;

	block(SIG_BLOCK, SIGUSR1);
	handle(SIGUSR1, seen, SA_RESTART);
	CHECK(pthread_create(&other, NULL, idle, NULL) == 0);
	CHECK(pthread_create(&open_thread, NULL, compute, NULL) == 0);
	while (!ready)
		sleep_ms(1);
	for (int i = 1; i <= 10; i++) {
		CHECK(kill(getpid(), SIGUSR1) == 0);
		while (n_seen < i)
			sleep_ms(1);
	}
	stop = 1;
	CHECK(pthread_join(open_thread, NULL) == 0 && pthread_join(other, NULL) == 0);
	(void) printf("%d\n", (int)n_seen);
	return 0;
}
