/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ignored signals, and those that are by default, interrupt nothing and set nothing free. */
#include <poll.h>
#include <sys/wait.h>

#include "check.h"

static void bother(int signal)
{
	pid_t child = fork();

	if (child)
		return;
	for (int i = 0; i < 5; i++) {
		sleep_ms(4);
		CHECK(kill(getppid(), signal) == 0);
	}
	_exit(0);
}

int main(void)
{
	static const int by_default[] = { SIGURG, SIGWINCH, SIGCHLD, SIGCONT };
	struct timespec sleep = { 0, 40000000 };

	for (size_t i = 0; i < N_OF(by_default); i++) {
		bother(by_default[i]);
		CHECK(poll(NULL, 0, 40) == 0);
		CHECK(wait(NULL) > 0);
	}
	handle(SIGUSR1, SIG_IGN, 0);
	bother(SIGUSR1);
	CHECK(nanosleep(&sleep, NULL) == 0);
	CHECK(wait(NULL) > 0);
	handle(SIGTERM, SIG_IGN, 0);
	CHECK(raise(SIGTERM) == 0);
	return 0;
}
