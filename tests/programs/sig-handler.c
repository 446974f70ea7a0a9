/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler runs for raise, kill, tgkill and sigqueue, before the call returns. */
#include <sys/syscall.h>

#include "check.h"

static volatile sig_atomic_t n_seen, last;

static void seen(int signal)
{
	n_seen++;
	last = signal;
}

int main(void)
{
	handle(SIGUSR1, seen, 0);
	handle(SIGUSR2, seen, SA_RESTART);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 1 && last == SIGUSR1);
	CHECK(kill(getpid(), SIGUSR2) == 0 && n_seen == 2 && last == SIGUSR2);
	CHECK(syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGUSR1) == 0 && n_seen == 3);
	CHECK(sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 1 }) == 0 && n_seen == 4);
	CHECK(kill(getpid(), 0) == 0 && n_seen == 4);
	FAILS(kill(getpid(), 65), EINVAL);
	(void) printf("%d signals\n", (int)n_seen);
	return 0;
}
