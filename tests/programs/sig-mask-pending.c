/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blocked signals stay pending, and strike before the call that unblocks them returns. */
#include "check.h"

static volatile sig_atomic_t n_seen;

static void seen(int signal)
{
	(void) signal;
	n_seen++;
}

static bool is_pending(int signal)
{
	sigset_t set;

	CHECK(sigpending(&set) == 0);
	return sigismember(&set, signal) == 1;
}

int main(void)
{
	static const int signals[] = { SIGUSR1, SIGTERM, SIGCHLD, SIGSEGV, SIGTRAP };

	for (size_t i = 0; i < N_OF(signals); i++) {
		int signal = signals[i];

		n_seen = 0;
		handle(signal, seen, 0);
		block(SIG_BLOCK, signal);
		CHECK(!is_pending(signal));
		CHECK(kill(getpid(), signal) == 0 && n_seen == 0 && is_pending(signal));
		CHECK(kill(getpid(), signal) == 0);	/* once is all that is remembered */
		block(SIG_UNBLOCK, signal);
		CHECK(n_seen == 1 && !is_pending(signal));
		/* Ignored, it is forgotten. */
		block(SIG_BLOCK, signal);
		CHECK(kill(getpid(), signal) == 0 && is_pending(signal));
		handle(signal, SIG_IGN, 0);
		CHECK(!is_pending(signal));
		handle(signal, seen, 0);
		block(SIG_UNBLOCK, signal);
		CHECK(n_seen == 1);
	}
	return 0;
}
