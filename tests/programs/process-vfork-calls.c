/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children of vfork make many calls from one place, where their parent makes none. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { CHILDREN = 12, CALLS = 40 };

__attribute__((noinline)) static long parent(void)
{
	long result;

	__asm__ volatile("nop\n\tnop\n\tmov %1, %%eax\n\tsyscall"
			 : "=&a"(result)
			 : "i"(SYS_getppid)
			 : "rcx", "r11", "memory");
	return result;
}

int main(void)
{
	pid_t me = getpid();

	for (int i = 0; i < CHILDREN; i++) {
		int status;
		pid_t pid = vfork();

		if (pid == 0) {
			for (int j = 0; j < CALLS; j++)
				if (parent() != me)
					_exit(1);
			_exit(0);
		}
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
		sleep_ms(2);
	}
	(void) puts("done");
	return 0;
}
