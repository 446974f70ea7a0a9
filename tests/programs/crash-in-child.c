/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child crashes; its parent sees how it ended, and goes on. */
#include <stdlib.h>
#include <sys/wait.h>

#include "check.h"

static int *volatile nowhere;

static void die_in_child(int n)
{
	CHECK(nowhere == NULL);
	*nowhere = n;
}

int main(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		die_in_child(5);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	(void) printf("the child crashed\n");
	return 0;
}
