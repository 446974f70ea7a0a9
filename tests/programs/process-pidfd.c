/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pidfds: of a child, signals through one, poll for the end, waitid. */
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	pid_t pid = fork();
	struct pollfd poll_fd = { .events = POLLIN };
	siginfo_t info = { 0 };

	if (pid == 0)
		for (;;)
			(void) pause();
	poll_fd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	CHECK(poll_fd.fd >= 0 && poll(&poll_fd, 1, 0) == 0);
	CHECK(syscall(SYS_pidfd_send_signal, poll_fd.fd, SIGTERM, NULL, 0) == 0);
	CHECK(poll(&poll_fd, 1, -1) == 1 && (poll_fd.revents & POLLIN));
	CHECK(waitid(P_PIDFD, (id_t)poll_fd.fd, &info, WEXITED) == 0);
	CHECK(info.si_pid == pid && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
	FAILS(syscall(SYS_pidfd_send_signal, poll_fd.fd, 0, NULL, 0), ESRCH);
	return 0;
}
