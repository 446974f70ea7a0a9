/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several threads wait for the same signals: each one sent is one thread's. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

#define N 60
#define THREADS 4

static atomic_uint taken[N];
static sigset_t set;

static void *body(void *unused)
{
	for (;;) {
		siginfo_t info;
		int signal = sigwaitinfo(&set, &info);

		/* EINTR: another one has taken what woke it. */
		if (signal < 0 && errno == EINTR)
			continue;
		CHECK(signal == SIGRTMIN || signal == SIGRTMAX);
		if (info.si_value.sival_int == N)
			return unused;
		CHECK(info.si_value.sival_int < N);
		atomic_fetch_add(&taken[info.si_value.sival_int], 1);
	}
}

int main(void)
{
	pthread_t threads[THREADS];

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGRTMIN);
	(void) sigaddset(&set, SIGRTMAX);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, body, NULL) == 0);
	for (int i = 0; i < N; i++)
		CHECK(sigqueue(getpid(), i % 2 ? SIGRTMIN : SIGRTMAX,
			       (union sigval){ .sival_int = i }) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = N }) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	/* The lower number comes first: none is left behind. */
	for (int i = 0; i < N; i++)
		CHECK(atomic_load(&taken[i]) == 1);
	return 0;
}
