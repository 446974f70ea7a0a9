/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors that count: eventfd, timerfd, pidfd. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "check.h"

static void events(void)
{
	int fd = eventfd(3, EFD_NONBLOCK), semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t n = 5;

	CHECK(write(fd, &n, 8) == 8 && read(fd, &n, 8) == 8 && n == 8);
	FAILS(read(fd, &n, 8), EAGAIN);
	FAILS(read(fd, &n, 4), EINVAL);
	CHECK(read(semaphore, &n, 8) == 8 && n == 1 && read(semaphore, &n, 8) == 8 && n == 1);
	FAILS(read(semaphore, &n, 8), EAGAIN);
}

static void timers(void)
{
	struct itimerspec every = { { 0, 1000000 }, { 0, 2000000 } }, left;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t n;

	FAILS(read(fd, &n, 8), EAGAIN);
	CHECK(timerfd_settime(fd, 0, &every, NULL) == 0 && poll(&p, 1, -1) == 1);
	CHECK(read(fd, &n, 8) == 8 && n >= 1);
	sleep_ms(3);
	CHECK(read(fd, &n, 8) == 8 && n >= 2);
	CHECK(timerfd_gettime(fd, &left) == 0 && left.it_interval.tv_nsec == 1000000);
	every = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	CHECK(timerfd_settime(fd, 0, &every, &left) == 0 && left.it_interval.tv_nsec == 1000000);
	every.it_value.tv_sec = 1;	/* long past */
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &every, NULL) == 0);
	CHECK(poll(&p, 1, -1) == 1 && read(fd, &n, 8) == 8 && n == 1);
}

static void processes(void)
{
	pid_t pid = fork();
	siginfo_t info = { 0 };
	struct pollfd p;
	int fd;

	if (pid == 0) {
		(void) pause();
		_exit(0);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	p = (struct pollfd){ fd, POLLIN, 0 };
	CHECK(fd >= 0 && poll(&p, 1, 0) == 0);
	CHECK(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0);
	CHECK(poll(&p, 1, -1) == 1 && p.revents == POLLIN);
	CHECK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == pid);
	CHECK(info.si_code == CLD_KILLED && info.si_status == SIGKILL);
	FAILS(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0), ESRCH);
}

int main(void)
{
	events();
	timers();
	processes();
	return 0;
}
