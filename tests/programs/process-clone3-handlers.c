/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CLONE_CLEAR_SIGHAND: the child has no handlers, and ignores what was ignored. */
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static void on_signal(int signal)
{
	(void) signal;
	_exit(1);
}

int main(void)
{
	struct clone_args args = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	struct sigaction action;
	int status;
	pid_t pid;

	handle(SIGUSR1, on_signal, 0);
	CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
		CHECK(raise(SIGUSR2) == 0);
		CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
		(void) raise(SIGUSR1);
		_exit(2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
	CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == on_signal);
	return 0;
}
