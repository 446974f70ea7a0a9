/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone3: a child with a pidfd and tid words, and the arguments that it refuses. */
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static pid_t clone_3(struct clone_args *args, size_t size)
{
	return (pid_t)syscall(SYS_clone3, args, size);
}

int main(void)
{
	static pid_t parent_tid, child_tid;
	int pidfd = -1, status;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
		.pidfd = (uint64_t)&pidfd,
		.parent_tid = (uint64_t)&parent_tid,
		.child_tid = (uint64_t)&child_tid,
		.exit_signal = SIGCHLD,
	}, bad = args;
	struct {
		struct clone_args args;
		uint64_t beyond;
	} longer = { args, 0 };
	siginfo_t info;
	pid_t pid = clone_3(&args, sizeof(args));

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(child_tid == getpid() && parent_tid == 0 && pidfd == -1 ? 11 : 1);
	CHECK(parent_tid == pid && child_tid == 0 && pidfd >= 0);
	CHECK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0 && info.si_status == 11);

	FAILS(clone_3(&args, 32), EINVAL);
	FAILS(clone_3(&args, 100000), E2BIG);
	FAILS(clone_3((struct clone_args *)8, sizeof(args)), EFAULT);
	bad.exit_signal = 300;
	FAILS(clone_3(&bad, sizeof(bad)), EINVAL);
	bad = args;
	bad.stack_size = 4096;
	FAILS(clone_3(&bad, sizeof(bad)), EINVAL);
	pid = clone_3(&longer.args, sizeof(longer));
	if (pid == 0)
		_exit(12);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 12);
	longer.beyond = 1;
	FAILS(clone_3(&longer.args, sizeof(longer)), E2BIG);
	return 0;
}
