/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* With SIGCHLD ignored, or SA_NOCLDWAIT, children leave nothing to wait for. */
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };

	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			_exit(i);
	FAILS(wait(NULL), ECHILD);
	CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
	if (fork() == 0)
		_exit(0);
	FAILS(wait(NULL), ECHILD);
	return 0;
}
