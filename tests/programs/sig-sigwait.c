/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sigwaitinfo and sigtimedwait take blocked signals, with what came along. */
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	struct timespec no_time = { 0, 0 }, little = { 0, 5000000 };
	sigset_t set;
	siginfo_t info;
	pid_t child;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGUSR1);
	(void) sigaddset(&set, SIGCHLD);
	(void) sigaddset(&set, SIGRTMIN);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	FAILS(sigtimedwait(&set, &info, &no_time), EAGAIN);
	FAILS(sigtimedwait(&set, &info, &little), EAGAIN);
	CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 3 }) == 0);
	CHECK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 4 }) == 0);
	CHECK(raise(SIGUSR1) == 0);
	/* The C library says SI_USER where the kernel says SI_TKILL. */
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_USER);
	CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 3);
	CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 4);
	FAILS(sigtimedwait(&set, &info, &no_time), EAGAIN);
	child = fork();
	if (child == 0)
		_exit(5);
	CHECK(sigwaitinfo(&set, &info) == SIGCHLD && info.si_pid == child && info.si_status == 5);
	CHECK(waitpid(child, NULL, 0) == child);
	return 0;
}
