/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pidfd: signals, waits and descriptors by a descriptor of a process. */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int main(void)
{
	int fds[2], status;
	siginfo_t info;
	struct pollfd p;
	pid_t child;
	long fd, copy;
	char c;

	CHECK(pipe(fds) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(close(fds[1]) == 0 && read(fds[0], &c, 1) == 1 && c == 'c');
		(void) pause();
		_exit(1);
	}
	fd = syscall(SYS_pidfd_open, child, 0);
	if (fd < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		puts("no pidfd here");
		return 0;
	}
	puts("pidfd");
	p = (struct pollfd){ (int)fd, POLLIN, 0 };
	CHECK(poll(&p, 1, 0) == 0);
	copy = syscall(SYS_pidfd_getfd, fd, fds[0], 0);
	CHECK(copy >= 0 || errno == EPERM);
	CHECK(write(fds[1], "c", 1) == 1);
	memset(&info, 0xee, sizeof(info));
	CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0 && info.si_signo == 0);
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0);
	CHECK(poll(&p, 1, 10000) == 1);
	CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT) == 0 && info.si_status == SIGTERM);
	CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
	FAILS(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
	FAILS(waitid(P_PIDFD, (id_t)fd, &info, WEXITED), ECHILD);
	return 0;
}
