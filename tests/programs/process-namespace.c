/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child in a user and pid namespace of its own is the first process there. */
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static int first(void *unused)
{
	pid_t pid;
	int status;

	(void) unused;
	CHECK(getpid() == 1);
	pid = fork();
	if (pid == 0)
		_exit(getpid() == 2 && getppid() == 1 ? 9 : 1);
	CHECK(pid == 2 && waitpid(pid, &status, 0) == 2 && WEXITSTATUS(status) == 9);
	return 4;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t pid = clone(first, stack + sizeof(stack), CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, NULL);

	if (pid < 0) {
		(void) puts("no namespaces here");
		return 0;
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
	return 0;
}
