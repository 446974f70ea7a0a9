/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * With a timeout, calls on sockets end with EINTR also with SA_RESTART; without one, connect
 * and the calls for messages go by SA_RESTART as others do.
 */
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "check.h"

static int pair[2], full[2], listener, timed;
static struct sockaddr_un name;
static socklen_t name_len = sizeof(name);
static char rubbish[65536];
static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	/* The second one ends what goes on behind the first. */
	if (++n_alarms == 2)
		handle(SIGALRM, on_alarm, 0);
}

static long wait_recv(void) { return recv(pair[0], rubbish, 1, 0); }
static long wait_recvfrom(void) { return recvfrom(pair[0], rubbish, 1, 0, NULL, NULL); }
static long wait_read(void) { return read(pair[0], rubbish, 1); }
static long wait_send(void) { return send(full[0], rubbish, sizeof(rubbish), 0); }
static long wait_write(void) { return write(full[0], rubbish, sizeof(rubbish)); }
static long wait_accept(void) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

static long wait_recvmsg(void)
{
	struct iovec iov = { rubbish, 10 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return recvmsg(pair[0], &message, 0);
}

static long wait_recvmmsg(void)
{
	struct iovec iov = { rubbish, 10 };
	struct mmsghdr messages[2] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };

	return recvmmsg(pair[0], messages, 1, 0, NULL);
}

static long wait_sendmsg(void)
{
	struct iovec iov = { rubbish, sizeof(rubbish) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

	return sendmsg(full[0], &message, 0);
}

static long wait_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct timeval ten = { 10, 0 };
	long r;

	if (timed)
		CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ten, sizeof(ten)) == 0);
	r = connect(fd, (struct sockaddr *)&name, name_len);
	CHECK(close(fd) == 0);
	return r;
}

static long (*const waits[])(void) = { wait_recv, wait_recvfrom, wait_read, wait_send, wait_write,
				       wait_accept, wait_recvmsg, wait_recvmmsg, wait_sendmsg,
				       wait_connect };

static void fill(int fd)
{
	while (send(fd, rubbish, 1024, MSG_DONTWAIT) > 0)
		;
	CHECK(errno == EAGAIN);
}

/* A queue of connections that is full, for connect; an empty one for accept. */
static void listen_for(long (*wait)(void))
{
	name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	name_len = sizeof(name);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&name, sizeof(name.sun_family)) == 0);
	CHECK(listen(listener, 0) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&name, &name_len) == 0);
	if (wait == wait_connect)
		CHECK(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, name_len) == 0);
}

static void one(long (*wait)(void), const struct timeval *timeout, int restart)
{
	static const int options[] = { SO_RCVTIMEO, SO_SNDTIMEO };

	listen_for(wait);
	for (int i = 0; timeout && i < 2; i++)
		CHECK(setsockopt(pair[0], SOL_SOCKET, options[i], timeout, sizeof(*timeout)) == 0 &&
		      setsockopt(full[0], SOL_SOCKET, options[i], timeout, sizeof(*timeout)) == 0 &&
		      setsockopt(listener, SOL_SOCKET, options[i], timeout, sizeof(*timeout)) == 0);
	timed = timeout != NULL;
	n_alarms = 0;
	handle(SIGALRM, on_alarm, restart);
	alarm_in(3, 10000);
	FAILS(wait(), EINTR);
	alarm_in(0, 0);
	if (restart && !timeout)
		CHECK(n_alarms >= 3);	/* two, and one without SA_RESTART */
	CHECK(close(listener) == 0);
}

int main(void)
{
	struct timeval ten = { 10, 0 };

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, full) == 0);
	fill(full[0]);
	for (size_t i = 0; i < N_OF(waits); i++) {
		one(waits[i], NULL, 0);
		/* A third alarm makes them slow: a few are enough. */
		if (i % 3 == 0)
			one(waits[i], NULL, SA_RESTART);
	}
	for (size_t i = 0; i < N_OF(waits); i++)
		one(waits[i], &ten, SA_RESTART);
	return 0;
}
