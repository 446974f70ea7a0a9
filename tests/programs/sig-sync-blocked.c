/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals of faults that somebody sends while they are blocked wait, each with what it says. */
#include "check.h"

static const int signals[] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGSTKFLT };
static volatile sig_atomic_t n_seen[65], values[65];

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(info->si_code == SI_QUEUE && info->si_pid == getpid());
	values[signal] = info->si_value.sival_int;
	n_seen[signal]++;
}

int main(void)
{
	sigset_t set, pending;

	(void) sigemptyset(&set);
	for (size_t i = 0; i < N_OF(signals); i++) {
		handle_info(signals[i], seen, 0);
		(void) sigaddset(&set, signals[i]);
	}
	for (int round = 0; round < 10; round++) {
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		for (int i = 0; i < (int)N_OF(signals); i++) {
			/* They don't queue: the first counts. */
			for (int again = 0; again < 2; again++)
				CHECK(sigqueue(getpid(), signals[i],
					       (union sigval){ .sival_int = 10 * i + again }) == 0);
			CHECK(n_seen[signals[i]] == round);
		}
		(void) getppid();
		CHECK(sigpending(&pending) == 0);
		for (size_t i = 0; i < N_OF(signals); i++)
			CHECK(sigismember(&pending, signals[i]) == 1 && n_seen[signals[i]] == round);
		CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
		for (int i = 0; i < (int)N_OF(signals); i++)
			CHECK(n_seen[signals[i]] == round + 1 && values[signals[i]] == 10 * i);
		CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGSEGV) == 0);
	}
	return 0;
}
