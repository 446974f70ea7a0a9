/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the calls that send signals refuse; signal 0 only asks. */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	siginfo_t info = { .si_code = 0 };
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	CHECK(kill(gone, 0) == 0);
	CHECK(waitpid(gone, NULL, 0) == gone);
	FAILS(kill(gone, 0), ESRCH);
	FAILS(kill(gone, SIGTERM), ESRCH);
	FAILS(killpg(gone, SIGTERM), ESRCH);
	CHECK(kill(getpid(), 0) == 0);
	FAILS(kill(getpid(), 65), EINVAL);
	FAILS(kill(getpid(), -1), EINVAL);
	FAILS(syscall(SYS_tgkill, 0, getpid(), SIGTERM), EINVAL);
	FAILS(syscall(SYS_tgkill, getpid(), -1, SIGTERM), EINVAL);
	FAILS(syscall(SYS_tgkill, getpid(), gone, SIGTERM), ESRCH);
	FAILS(syscall(SYS_tkill, 0, SIGTERM), EINVAL);
	CHECK(syscall(SYS_tkill, getpid(), 0) == 0);
	FAILS(sigqueue(getpid(), 65, (union sigval){ 0 }), EINVAL);
	FAILS(sigqueue(gone, SIGUSR1, (union sigval){ 0 }), ESRCH);
	/* To another process, only what isn't the kernel's. */
	FAILS(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info), EPERM);
	FAILS(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, (void *)8), EFAULT);
	FAILS(syscall(SYS_rt_tgsigqueueinfo, 0, 1, SIGUSR1, &info), EINVAL);
	FAILS(syscall(SYS_rt_sigtimedwait, (void *)8, NULL, NULL, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigtimedwait, &(uint64_t){ 1 }, NULL, NULL, 4), EINVAL);
	FAILS(syscall(SYS_rt_sigtimedwait, &(uint64_t){ 1 }, NULL, &(struct timespec){ 0, -1 }, 8), EINVAL);
	FAILS(syscall(SYS_rt_sigtimedwait, &(uint64_t){ 1 }, NULL, &(struct timespec){ 0, 0 }, 8), EAGAIN);
	return 0;
}
