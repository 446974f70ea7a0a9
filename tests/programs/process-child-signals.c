/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parent and child send each other signals, each waits for its answer. */
#include <sys/wait.h>

#include "check.h"

enum { ROUNDS = 50 };

static void await(int signal)
{
	sigset_t set;
	int got;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, signal);
	CHECK(sigwait(&set, &got) == 0 && got == signal);
}

int main(void)
{
	int status;
	pid_t pid;

	block(SIG_BLOCK, SIGUSR1);
	block(SIG_BLOCK, SIGUSR2);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < ROUNDS; i++) {
			await(SIGUSR1);
			CHECK(kill(getppid(), SIGUSR2) == 0);
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(kill(pid, SIGUSR1) == 0);
		await(SIGUSR2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}
