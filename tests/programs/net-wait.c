/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for descriptors: poll, select and epoll, with and without a time limit. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "check.h"

static int fds[2];

static void with_poll(void)
{
	struct pollfd p[] = { { fds[0], POLLIN, 7 }, { -1, POLLIN, 7 }, { fds[1], POLLOUT, 7 },
			      { 999, POLLIN, 0 } };
	struct timespec soon = { 0, 2000000 };
	sigset_t none;

	(void) sigemptyset(&none);
	CHECK(poll(p, 2, 2) == 0 && p[0].revents == 0 && p[1].revents == 0);
	CHECK(poll(p, 4, -1) == 2 && p[2].revents == POLLOUT && p[3].revents == POLLNVAL);
	CHECK(ppoll(p, 1, &soon, &none) == 0 && poll(NULL, 0, 1) == 0);
	CHECK(syscall(SYS_ppoll, p, 1, &soon, NULL, 8) == 0 && soon.tv_nsec == 0);
	FAILS(syscall(SYS_poll, 16, 1, 0), EFAULT);
}

static void with_select(void)
{
	struct timeval soon = { 0, 3000 };
	struct timespec limit = { 0, 3000000 };
	fd_set in, out;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fds[0], &in);
	FD_SET(fds[1], &out);
	CHECK(select(fds[1] + 1, &in, &out, NULL, NULL) == 1);
	CHECK(!FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &out));
	FD_SET(fds[0], &in);
	CHECK(select(fds[0] + 1, &in, NULL, NULL, &soon) == 0 && soon.tv_usec == 0);
	FD_SET(fds[0], &in);
	CHECK(pselect(fds[0] + 1, &in, NULL, NULL, &limit, NULL) == 0 && limit.tv_nsec == 3000000);
	FD_SET(60, &in);
	FAILS(select(61, &in, NULL, NULL, NULL), EBADF);
}

static void with_epoll(void)
{
	struct epoll_event events[4], in = { EPOLLIN, { .u64 = 0x1234567890abcdef } };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &in) == 0);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &in), EEXIST);
	CHECK(epoll_wait(epoll, events, 4, 2) == 0 && write(fds[1], "ab", 2) == 2);
	CHECK(epoll_wait(epoll, events, 4, -1) == 1 && events[0].data.u64 == in.data.u64);
	CHECK(epoll_wait(epoll, events, 4, 0) == 1);	/* level: still */
	in.events = EPOLLIN | EPOLLET;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[0], &in) == 0);
	CHECK(epoll_wait(epoll, events, 4, 0) == 1 && epoll_wait(epoll, events, 4, 0) == 0);
	CHECK(write(fds[1], "c", 1) == 1 && epoll_pwait(epoll, events, 1, 0, NULL) == 1);
	in.events = EPOLLIN | EPOLLONESHOT;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, fds[0], &in) == 0);
	CHECK(epoll_wait(epoll, events, 4, 0) == 1 && epoll_wait(epoll, events, 4, 0) == 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[0], NULL) == 0);
	FAILS(epoll_wait(epoll, events, 0, 0), EINVAL);
	FAILS(epoll_wait(fds[0], events, 1, 0), EINVAL);
	CHECK(close(epoll) == 0);
}

int main(void)
{
	CHECK(pipe(fds) == 0);
	with_poll();
	with_select();
	with_epoll();
	return 0;
}
