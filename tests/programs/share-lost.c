/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child stops itself with a page in its hands that its parent wants. The parent doesn't wait for
 * ever: it goes on unrecorded, and writes what the child reads then.
 * record: --set stall=100ms
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

static void child(volatile long *shared)
{
	*shared = 1;
	CHECK(kill(getpid(), SIGSTOP) == 0);
	/* What it calls next depends on it. */
	if (*shared == 2)
		(void) getppid();
	else
		(void) getpid();
	_exit(*shared == 2 ? 0 : 1);
}

int main(void)
{
	volatile long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	CHECK(shared != MAP_FAILED);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		child(shared);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	*shared = 2;
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}
