/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real-time signals queue: each comes, in order, the lowest number first. */
#include "check.h"

static int values[256];
static volatile sig_atomic_t n;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) context;
	values[n++] = signal * 1000 + info->si_value.sival_int;
}

int main(void)
{
	sigset_t set;

	(void) sigemptyset(&set);
	for (int i = 0; i < 3; i++) {
		struct sigaction action = { .sa_sigaction = seen, .sa_flags = SA_SIGINFO };

		/* One handler at a time. */
		(void) sigfillset(&action.sa_mask);
		CHECK(sigaction(SIGRTMIN + i, &action, NULL) == 0);
		(void) sigaddset(&set, SIGRTMIN + i);
	}
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (int value = 0; value < 20; value++)
		for (int i = 2; i >= 0; i--)
			CHECK(sigqueue(getpid(), SIGRTMIN + i, (union sigval){ .sival_int = value }) == 0);
	CHECK(n == 0);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(n == 60);
	for (int i = 0; i < 60; i++)
		CHECK(values[i] == (SIGRTMIN + i / 20) * 1000 + i % 20);
	/* Unblocked, each comes at once. */
	for (int value = 0; value < 20; value++) {
		CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = value }) == 0);
		CHECK(n == 61 + value);
	}
	return 0;
}
