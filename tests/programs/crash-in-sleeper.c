/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child that has slept for long, while its parent worked, crashes at once when it is woken. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int *volatile nowhere;

int main(void)
{
	int orders[2], status;
	char order;
	pid_t child;

	CHECK(pipe(orders) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(read(orders[0], &order, 1) == 1);
		*nowhere = order;
	}
	for (int i = 0; i < 24; i++) {
		(void) usleep(10000);
		CHECK(getppid() > 0);
	}
	CHECK(write(orders[1], "x", 1) == 1);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	return 0;
}
