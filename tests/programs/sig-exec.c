/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An exec keeps the mask, pending and ignored signals, and drops handlers. */
#include "check.h"

static void seen(int signal)
{
	(void) signal;
	_exit(1);
}

int main(int argc, char **argv)
{
	struct sigaction now;
	sigset_t set;

	if (argc == 1) {
		handle(SIGUSR2, seen, 0);
		handle(SIGHUP, SIG_IGN, 0);
		block(SIG_BLOCK, SIGUSR1);
		handle(SIGUSR1, SIG_DFL, 0);
		CHECK(raise(SIGUSR1) == 0);
		(void) execl("/proc/self/exe", argv[0], "again", (char *)NULL);
		return 1;
	}
	CHECK(is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) == 1);
	CHECK(sigaction(SIGUSR2, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
	(void) puts("the same");
	return 0;
}
