/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for children of every kind (__WALL) finds those that there are, and no others. */
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#ifndef __WALL
#define __WALL 0x40000000
#endif
#ifndef __WCLONE
#define __WCLONE 0x80000000
#endif

int main(void)
{
	siginfo_t info;
	uint64_t end = now_ns() + 60000000;
	int status;
	pid_t child;

	/* Under snapshots, some come meanwhile. */
	while (now_ns() < end) {
		FAILS(waitpid(-1, &status, __WALL | WNOHANG), ECHILD);
		FAILS(waitpid(-1, &status, (int)__WCLONE | WNOHANG), ECHILD);
		FAILS(waitid(P_ALL, 0, &info, __WALL | WEXITED | WNOHANG), ECHILD);
		FAILS(waitpid(-1, &status, __WALL), ECHILD);
	}
	/* No signal at its end: a child that only __WALL and __WCLONE find. */
	child = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (child == 0) {
		sleep_ms(30);
		_exit(3);
	}
	CHECK(child > 0);
	FAILS(waitpid(-1, &status, 0), ECHILD);
	CHECK(waitpid(-1, &status, __WALL) == child && WEXITSTATUS(status) == 3);
	child = fork();
	if (child == 0) {
		sleep_ms(30);
		_exit(4);
	}
	CHECK(waitid(P_ALL, 0, &info, __WALL | WEXITED) == 0 && info.si_pid == child);
	CHECK(info.si_status == 4);
	return 0;
}
