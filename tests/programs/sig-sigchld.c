/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server's SIGCHLD handler reaps many children while the main loop waits in poll. */
#include <poll.h>
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_reaped, sum;

static void reap(int signal)
{
	int error = errno, status;

	(void) signal;
	while (waitpid(-1, &status, WNOHANG) > 0) {
		n_reaped++;
		sum += WEXITSTATUS(status);
	}
	errno = error;
}

int main(void)
{
	const int n = 20;

	handle(SIGCHLD, reap, SA_RESTART | SA_NOCLDSTOP);
	for (int i = 0; i < n; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (child == 0)
			_exit(i);
		if (i % 3 == 0)
			(void) poll(NULL, 0, 2);
	}
	while (n_reaped < n)
		(void) poll(NULL, 0, 10);
	FAILS(waitpid(-1, NULL, 0), ECHILD);
	(void) printf("%d %d\n", (int)n_reaped, (int)sum);
	return 0;
}
