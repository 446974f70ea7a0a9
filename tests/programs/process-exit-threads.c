/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exit_group in a child ends its threads, also those that compute or wait. */
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static void *compute(void *argument)
{
	for (volatile unsigned x = 0;; x++)
		;
	return argument;
}

static void *wait_here(void *argument)
{
	for (;;)
		(void) pause();
	return argument;
}

int main(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		CHECK(pthread_create(&thread, NULL, compute, NULL) == 0);
		CHECK(pthread_create(&thread, NULL, wait_here, NULL) == 0);
		sleep_ms(15);
		_exit(14);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 14);
	return 0;
}
