/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A zombie is seen with WNOWAIT and WNOHANG until it is waited for. */
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0)
		_exit(8);
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_status == 8);
	CHECK(kill(pid, 0) == 0);
	CHECK(waitpid(pid, NULL, WNOHANG) == pid);
	FAILS(kill(pid, 0), ESRCH);
	FAILS(waitpid(pid, NULL, WNOHANG), ECHILD);
	return 0;
}
