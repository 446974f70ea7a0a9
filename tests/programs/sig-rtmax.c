/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last real-time signal is the program's as all others are. */
#include "check.h"

static volatile sig_atomic_t n_seen, value;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	n_seen++;
	value = info->si_value.sival_int;
}

int main(void)
{
	sigset_t set;

	handle_info(SIGRTMAX, seen, 0);
	CHECK(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = 4 }) == 0);
	CHECK(n_seen == 1 && value == 4);
	block(SIG_BLOCK, SIGRTMAX);
	CHECK(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = 5 }) == 0 && n_seen == 1);
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGRTMAX) == 1);
	block(SIG_UNBLOCK, SIGRTMAX);
	CHECK(n_seen == 2 && value == 5);
	return 0;
}
