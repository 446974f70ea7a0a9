/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pthread_sigqueue to threads that compute, call and wait: all come, to whom they are for, in order. */
#include <pthread.h>
#include <semaphore.h>

#include "check.h"

#define N 100
#define THREADS 3

static __thread int me = -1;
static volatile sig_atomic_t n[THREADS];
static sem_t wake;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	CHECK(me >= 0 && info->si_code == SI_QUEUE);
	CHECK(info->si_value.sival_int == me * 1000 + n[me]);
	n[me]++;
}

static void *body(void *argument)
{
	uint64_t state = 1;

	me = (int)(uintptr_t)argument;
	block(SIG_UNBLOCK, SIGRTMIN + 5);
	while (n[me] < N) {
		if (me == 0)
			(void) next_random(&state);
		else if (me == 1)
			(void) getppid();
		else
			(void) sem_wait(&wake);	/* EINTR */
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	CHECK(sem_init(&wake, 0, 0) == 0);
	handle_info(SIGRTMIN + 5, seen, 0);
	block(SIG_BLOCK, SIGRTMIN + 5);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, body, (void *)i) == 0);
	for (int i = 0; i < N; i++)
		for (int k = 0; k < THREADS; k++)
			CHECK(pthread_sigqueue(threads[k], SIGRTMIN + 5,
					       (union sigval){ .sival_int = k * 1000 + i }) == 0);
	for (int i = 0; i < THREADS; i++) {
		while (n[2] < N) {
			sleep_ms(1);
			(void) sem_post(&wake);
		}
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	return 0;
}
