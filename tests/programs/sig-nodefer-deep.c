/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SA_NODEFER: a handler that its own signal interrupts, a hundred deep, and back. */
#include "check.h"

static volatile sig_atomic_t depth, n_seen, n_blocked;

static void deeper(int signal, siginfo_t *info, void *context)
{
	volatile int here = ++depth;

	(void) context;
	CHECK(info->si_value.sival_int == here);
	n_blocked += is_blocked(signal);
	if (here < 100)
		CHECK(sigqueue(getpid(), signal, (union sigval){ .sival_int = here + 1 }) == 0);
	n_seen++;
	CHECK(here == depth);
	depth--;
}

int main(void)
{
	const int signals[] = { SIGUSR1, SIGRTMIN + 7, SIGSEGV, SIGSYS };

	for (size_t i = 0; i < N_OF(signals); i++) {
		n_seen = 0;
		handle_info(signals[i], deeper, SA_NODEFER);
		CHECK(sigqueue(getpid(), signals[i], (union sigval){ .sival_int = 1 }) == 0);
		CHECK(n_seen == 100 && depth == 0 && n_blocked == 0);
	}
	return 0;
}
