/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process groups: signals to one, and waiting for one. */
#include <sys/wait.h>

#include "check.h"

static pid_t make(pid_t group)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			(void) pause();
	}
	CHECK(setpgid(pid, group) == 0);
	return pid;
}

int main(void)
{
	pid_t first = make(0), second = make(first), third = make(0);
	int status;

	CHECK(getpgid(first) == first && getpgid(second) == first && getpgid(third) == third);
	CHECK(kill(-first, SIGTERM) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(waitpid(-first, &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
	FAILS(waitpid(-first, &status, 0), ECHILD);
	CHECK(kill(third, SIGKILL) == 0 && waitpid(third, &status, 0) == third && WTERMSIG(status) == SIGKILL);
	return 0;
}
