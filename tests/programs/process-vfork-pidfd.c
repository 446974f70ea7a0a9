/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child in our memory with a pidfd, as runtimes spawn them. */
#include <sched.h>
#include <sys/wait.h>

#include "check.h"

static int run(void *argument)
{
	(void) execl("/bin/sh", "sh", "-c", argument, (char *)NULL);
	return 1;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int pidfd = -1;
	siginfo_t info;
	pid_t pid = clone(run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
			  "exit 21", &pidfd);

	CHECK(pid > 0 && pidfd > 2);
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == 21);
	CHECK(close(pidfd) == 0);
	return 0;
}
