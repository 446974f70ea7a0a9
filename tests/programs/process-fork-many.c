/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many short-lived children, several at a time. */
#include <sys/wait.h>

#include "check.h"

enum { ROUNDS = 12, AT_A_TIME = 5 };

int main(void)
{
	int sum = 0;

	for (int i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < AT_A_TIME; k++) {
			pid_t pid = fork();

			CHECK(pid >= 0);
			if (pid == 0)
				_exit(i + k);
		}
		for (int k = 0; k < AT_A_TIME; k++) {
			int status;

			CHECK(wait(&status) > 0 && WIFEXITED(status));
			sum += WEXITSTATUS(status);
		}
	}
	(void) printf("%d\n", sum);
	FAILS(wait(NULL), ECHILD);
	return 0;
}
