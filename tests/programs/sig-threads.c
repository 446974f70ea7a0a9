/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pthread_kill strikes the thread that it names; kill, one that doesn't block the signal. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

enum { N = 4 };

static __thread int mine;
static _Atomic int struck[N];
static atomic_int ready, stop;

static void seen(int signal)
{
	(void) signal;
	struck[mine]++;
}

static void *work(void *argument)
{
	mine = (int)(intptr_t)argument;
	if (mine != 2)
		block(SIG_BLOCK, SIGUSR2);
	ready++;
	while (!stop)
		(void) pause();
	return NULL;
}

static void poke(pthread_t thread, int i, int until)
{
	while (struck[i] < until) {
		CHECK(pthread_kill(thread, SIGUSR1) == 0);
		sleep_ms(1);
	}
}

int main(void)
{
	pthread_t threads[N];

	handle(SIGUSR1, seen, 0);
	handle(SIGUSR2, seen, 0);
	block(SIG_BLOCK, SIGUSR2);
	for (int i = 1; i < N; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
	block(SIG_BLOCK, SIGUSR2);
	while (ready < N - 1)
		sleep_ms(1);
	for (int i = 1; i < N; i++)
		poke(threads[i], i, 3);
	/* Thread 2 inherited the mask: it must open itself. */
	CHECK(kill(getpid(), SIGUSR2) == 0);
	CHECK(struck[0] == 0 && is_blocked(SIGUSR2));
	stop = 1;
	for (int i = 1; i < N; i++) {
		(void) pthread_kill(threads[i], SIGUSR1);
		(void) pthread_kill(threads[i], SIGUSR1);
	}
	for (int i = 1; i < N; i++) {
		struct timespec soon;

		do {
			(void) pthread_kill(threads[i], SIGUSR1);
			(void) clock_gettime(CLOCK_REALTIME, &soon);
			soon.tv_nsec += 1000000;
			soon.tv_sec += soon.tv_nsec / 1000000000;
			soon.tv_nsec %= 1000000000;
		} while (pthread_timedjoin_np(threads[i], NULL, &soon) != 0);
	}
	return 0;
}
