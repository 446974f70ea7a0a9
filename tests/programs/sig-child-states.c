/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child stops, goes on and dies: what SIGCHLD and the wait calls say, and don't with SA_NOCLDSTOP. */
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_seen, last_code, last_status;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	last_code = info->si_code;
	last_status = info->si_status;
	n_seen++;
}

static void await(int n)
{
	while (n_seen < n)
		sleep_ms(1);
}

int main(void)
{
	siginfo_t info;
	int status;
	pid_t child;

	for (int quiet = 0; quiet < 2; quiet++) {
		n_seen = 0;
		handle_info(SIGCHLD, seen, SA_RESTART | (quiet ? SA_NOCLDSTOP : 0));
		child = fork();
		if (child == 0)
			for (;;)
				(void) pause();
		CHECK(kill(child, SIGSTOP) == 0);
		/* First the signal: a wait takes the status that it tells of, which may not be sent yet. */
		if (!quiet) {
			await(1);
			CHECK(last_code == CLD_STOPPED && last_status == SIGSTOP);
		}
		CHECK(waitpid(child, &status, WUNTRACED) == child);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK(kill(child, SIGCONT) == 0);
		CHECK(waitid(P_PID, (id_t)child, &info, WCONTINUED) == 0);
		CHECK(info.si_code == CLD_CONTINUED && info.si_pid == child);
		if (!quiet) {
			await(2);
			CHECK(last_code == CLD_CONTINUED);
		}
		CHECK(kill(child, SIGTERM) == 0);
		await(quiet ? 1 : 3);
		CHECK(last_code == CLD_KILLED && last_status == SIGTERM);
		CHECK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0 && info.si_status == SIGTERM);
		CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
		CHECK(n_seen == (quiet ? 1 : 3));
	}
	/* Nobody is left to wait for. */
	handle_info(SIGCHLD, seen, SA_NOCLDWAIT | SA_RESTART);
	n_seen = 0;
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(7);
	FAILS(waitpid(-1, &status, 0), ECHILD);
	FAILS(waitpid(-1, &status, WNOHANG), ECHILD);
	CHECK(n_seen >= 1 && last_code == CLD_EXITED && last_status == 7);
	return 0;
}
