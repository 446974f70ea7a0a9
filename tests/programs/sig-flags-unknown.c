/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sigaction drops flags that it doesn't know, so that a program can ask what there is. */
#include <sys/syscall.h>

#include "check.h"

struct kernel_action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

int main(void)
{
	const int signals[] = { SIGUSR1, SIGSEGV, SIGSYS, SIGCHLD, SIGRTMAX };

	for (size_t i = 0; i < N_OF(signals); i++) {
		/* SA_UNSUPPORTED and a few without a name. */
		struct kernel_action set = { SIG_IGN, SA_RESTART | SA_ONSTACK | 0x400 | 0x12340030, NULL, 1 };
		struct kernel_action now = { 0 };

		CHECK(syscall(SYS_rt_sigaction, signals[i], &set, NULL, 8) == 0);
		CHECK(syscall(SYS_rt_sigaction, signals[i], NULL, &now, 8) == 0);
		(void) printf("%d: %p %lx %lx\n", signals[i], now.handler, now.flags, now.mask);
		CHECK(now.handler == (void *)SIG_IGN && !(now.flags & 0x400) && now.mask == 1);
	}
	FAILS(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), EINVAL);
	CHECK(sigaction(SIGSTOP, NULL, &(struct sigaction){ .sa_flags = 0 }) == 0);
	FAILS(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
	FAILS(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
	FAILS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
	FAILS(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigprocmask, 7, &(unsigned long){ 0 }, NULL, 8), EINVAL);
	FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)8, NULL, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, (void *)8, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigsuspend, (void *)8, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigpending, (void *)8, 8), EFAULT);
	return 0;
}
