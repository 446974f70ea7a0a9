/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler of SIGCHLD reaps what there is, while the program works. */
#include <sys/wait.h>

#include "check.h"

enum { N = 20 };

static volatile sig_atomic_t n_reaped;

static void on_child(int signal)
{
	int error = errno;

	(void) signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		n_reaped++;
	errno = error;
}

int main(void)
{
	volatile unsigned work = 0;

	handle(SIGCHLD, on_child, SA_RESTART);
	for (int i = 0; i < N; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			_exit(0);
		for (int k = 0; k < 20000; k++)
			work++;
	}
	while (n_reaped < N)
		sleep_ms(1);
	FAILS(wait(NULL), ECHILD);
	return 0;
}
