/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All threads block everything; one takes the signals with sigwait, as many daemons do. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static sigset_t set;
static atomic_int n_usr1;

static void *take(void *argument)
{
	int signal;

	(void) argument;
	for (;;) {
		CHECK(sigwait(&set, &signal) == 0);
		if (signal == SIGTERM)
			return NULL;
		CHECK(signal == SIGUSR1);
		n_usr1++;
	}
}

static void *work(void *argument)
{
	unsigned long x = 0;

	(void) argument;
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < 1000000; j++)
			x = x * 31 + (unsigned)j;
		sleep_ms(1);
	}
	return (void *)x;
}

int main(void)
{
	pthread_t taker, workers[2];

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGUSR1);
	(void) sigaddset(&set, SIGTERM);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(pthread_create(&taker, NULL, take, NULL) == 0);
	for (size_t i = 0; i < N_OF(workers); i++)
		CHECK(pthread_create(&workers[i], NULL, work, NULL) == 0);
	for (int i = 1; i <= 10; i++) {
		CHECK(kill(getpid(), SIGUSR1) == 0);
		while (n_usr1 < i)
			sleep_ms(1);
	}
	CHECK(kill(getpid(), SIGTERM) == 0);
	CHECK(pthread_join(taker, NULL) == 0);
	for (size_t i = 0; i < N_OF(workers); i++)
		CHECK(pthread_join(workers[i], NULL) == 0);
	return 0;
}
