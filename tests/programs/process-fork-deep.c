/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Generations of processes, each a child of the one before. */
#include <sys/wait.h>

#include "check.h"

static int generation(int n)
{
	int status;
	pid_t pid;

	if (n == 0)
		return 1;
	pid = fork();
	if (pid == 0)
		_exit(generation(n - 1));
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status) + 1;
}

int main(void)
{
	int n = generation(8);

	(void) printf("%d\n", n);
	return n == 9 ? 0 : 1;
}
