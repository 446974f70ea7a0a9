/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers, masks and pending signals on both sides of a fork. */
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_seen;

static void seen(int signal)
{
	(void) signal;
	n_seen++;
}

static void child(void)
{
	sigset_t set;

	CHECK(is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) == 0);	/* not inherited */
	CHECK(raise(SIGUSR2) == 0 && n_seen == 1);
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK(n_seen == 1);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 2);
	_exit(3);
}

int main(void)
{
	int status;
	pid_t pid;

	handle(SIGUSR1, seen, 0);
	handle(SIGUSR2, seen, 0);
	block(SIG_BLOCK, SIGUSR1);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 0);
	pid = fork();
	if (pid == 0)
		child();
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK(n_seen == 1);
	return 0;
}
