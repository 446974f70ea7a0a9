/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork inside a signal handler, on an alternate stack. */
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_children;

static void on_signal(int signal)
{
	int status;
	pid_t pid = fork();

	(void) signal;
	if (pid == 0)
		_exit(is_blocked(SIGUSR1) ? 3 : 1);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
	n_children++;
}

int main(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };

	CHECK(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, on_signal, SA_ONSTACK);
	CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0);
	CHECK(n_children == 2);
	return 0;
}
