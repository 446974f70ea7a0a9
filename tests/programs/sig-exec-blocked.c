/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Executes itself with all signals ignored and blocked: spawned, in place, and behind an
 * exec that fails. What is ignored stays so, what is blocked doesn't kill.
 */
#include "check.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void is_ignored(int signal)
{
	struct sigaction action;

	CHECK(sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
}

static void look(void)
{
	static const int looked_at[] = { SIGUSR2, SIGSEGV, SIGSYS, SIGTRAP, 64 };
	sigset_t mask;

	CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0);
	for (size_t i = 0; i < N_OF(looked_at); i++) {
		is_ignored(looked_at[i]);
		CHECK(sigismember(&mask, looked_at[i]) == 1);
	}
	CHECK(raise(SIGUSR2) == 0);
}

int main(int argc, char **argv)
{
	char *spawned[] = { argv[0], (char *)"", NULL };
	sigset_t all;
	pid_t child;
	int status;

	if (argc > 1) {
		look();
		/* A child that isn't recorded prints nothing in a replay. */
		return *argv[1] && puts(argv[1]) < 0;
	}
	for (int i = 1; i <= 64; i++)
		(void) signal(i, SIG_IGN);
	(void) signal(SIGCHLD, SIG_DFL);
	(void) sigfillset(&all);
	CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
	FAILS(execl("/nowhere", "nowhere", (char *)NULL), ENOENT);
	is_ignored(SIGSEGV);
	CHECK(posix_spawn(&child, "/proc/self/exe", NULL, NULL, spawned, environ) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	(void) execl("/proc/self/exe", argv[0], "executed", (char *)NULL);
	return 1;
}
