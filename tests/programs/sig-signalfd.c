/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signalfd with poll: the signals come as data, each with what belongs to it. */
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	struct signalfd_siginfo info[4];
	struct pollfd p = { .events = POLLIN };
	sigset_t set;
	pid_t child;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGUSR1);
	(void) sigaddset(&set, SIGCHLD);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	p.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(p.fd >= 0);
	FAILS(read(p.fd, info, sizeof(info)), EAGAIN);
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 8 }) == 0);
	CHECK(poll(&p, 1, 1000) == 1);
	CHECK(read(p.fd, info, sizeof(info)) == sizeof(info[0]));
	CHECK(info[0].ssi_signo == SIGUSR1 && info[0].ssi_int == 8 &&
	      info[0].ssi_pid == (uint32_t)getpid());
	child = fork();
	if (child == 0)
		_exit(6);
	CHECK(poll(&p, 1, 10000) == 1);
	CHECK(read(p.fd, info, sizeof(info)) == sizeof(info[0]));
	CHECK(info[0].ssi_signo == SIGCHLD && info[0].ssi_status == 6);
	CHECK(waitpid(child, NULL, 0) == child);
	return 0;
}
