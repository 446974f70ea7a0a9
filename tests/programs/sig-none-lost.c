/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another process queues signals as fast as it can: each comes once, each kind in its order. */
#include <sys/wait.h>

#include "check.h"

#define N 400

static volatile sig_atomic_t n[2];

static void seen(int signal, siginfo_t *info, void *context)
{
	int which = signal - SIGRTMIN;

	(void) context;
	CHECK(info->si_value.sival_int == n[which]);
	n[which]++;
}

static void send(pid_t pid)
{
	for (int i = 0; i < N; i++)
		for (int which = 0; which < 2; which++)
			while (sigqueue(pid, SIGRTMIN + which, (union sigval){ .sival_int = i }) < 0)
				CHECK(errno == EAGAIN);
	_exit(0);
}

int main(void)
{
	pid_t parent = getpid(), child;
	uint64_t spin = 0;

	for (int i = 0; i < 2; i++) {
		struct sigaction action = { .sa_sigaction = seen, .sa_flags = SA_SIGINFO | SA_RESTART };

		(void) sigfillset(&action.sa_mask);
		CHECK(sigaction(SIGRTMIN + i, &action, NULL) == 0);
	}
	child = fork();
	if (child == 0)
		send(parent);
	/* Calls, clock readings and computing. */
	while (n[0] < N || n[1] < N) {
		for (int i = 0; i < 50; i++)
			(void) getppid();
		(void) now_ns();
		for (int i = 0; i < 1000; i++)
			(void) next_random(&spin);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(n[0] == N && n[1] == N);
	return 0;
}
