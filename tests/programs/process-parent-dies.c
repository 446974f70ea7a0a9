/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PR_SET_PDEATHSIG: a child hears of the death of its parent. */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

static int out;

static void on_death(int signal)
{
	(void) signal;
	CHECK(write(out, "heard", 5) == 5);
	_exit(0);
}

int main(void)
{
	char text[8] = "";
	int fds[2], ready[2], status;
	pid_t pid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(fds) == 0 && pipe(ready) == 0);
	out = fds[1];
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			handle(SIGUSR1, on_death, 0);
			CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && write(ready[1], "r", 1) == 1);
			for (;;)
				(void) pause();
		}
		CHECK(read(ready[0], text, 1) == 1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(fds[0], text, sizeof(text)) == 5 && memcmp(text, "heard", 5) == 0);
	CHECK(wait(&status) > 0 && status == 0);
	return 0;
}
