/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stopped and continued from outside: calls go on, a SIGCONT handler runs. */
#include <poll.h>
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_continued;

static void continued(int signal)
{
	(void) signal;
	n_continued++;
}

/* Stops its parent with @signal, for a while. */
static void stop_parent(int signal)
{
	pid_t child = fork();

	if (child)
		return;
	sleep_ms(10);
	CHECK(kill(getppid(), signal) == 0);
	sleep_ms(20);
	CHECK(kill(getppid(), SIGCONT) == 0);
	_exit(0);
}

int main(void)
{
	struct timespec left = { 0, 60000000 };
	int fds[2];
	char byte;

	/* A stop and a continue without a handler interrupt nothing that can be gone on with. */
	stop_parent(SIGSTOP);
	CHECK(nanosleep(&left, NULL) == 0);
	CHECK(wait(NULL) > 0);

	CHECK(pipe(fds) == 0);
	stop_parent(SIGTSTP);
	if (fork() == 0) {
		sleep_ms(60);
		_exit(write(fds[1], "x", 1) != 1);
	}
	CHECK(read(fds[0], &byte, 1) == 1);
	CHECK(wait(NULL) > 0 && wait(NULL) > 0);

	handle(SIGCONT, continued, SA_RESTART);
	stop_parent(SIGSTOP);
	while (!n_continued)
		(void) poll(NULL, 0, 100);
	CHECK(n_continued == 1);
	CHECK(wait(NULL) > 0);
	return 0;
}
