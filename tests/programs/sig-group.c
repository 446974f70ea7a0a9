/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* killpg strikes each process of a group of our own. */
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_seen;

static void seen(int signal)
{
	(void) signal;
	n_seen++;
}

int main(void)
{
	pid_t children[3];

	/* The recorder's own process may not be in it. */
	CHECK(setpgid(0, 0) == 0 || getpgrp() == getpid());
	handle(SIGUSR1, seen, SA_RESTART);
	for (size_t i = 0; i < N_OF(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			while (!n_seen)
				sleep_ms(1);
			_exit(0);
		}
	}
	CHECK(killpg(0, SIGUSR1) == 0);
	for (size_t i = 0; i < N_OF(children); i++) {
		int status;

		CHECK(waitpid(children[i], &status, 0) == children[i] && status == 0);
	}
	CHECK(n_seen == 1);
	return 0;
}
