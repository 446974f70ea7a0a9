/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pair of sockets: peeking, truncation, half closes, reads of everything. And the numbers of one that
 * couldn't be made are there all the same, as the kernel gives them out first.
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

static void stream(void)
{
	char buffer[16] = "";
	int s[2], waiting;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
	CHECK(send(s[0], "hello", 5, MSG_NOSIGNAL) == 5);
	CHECK(ioctl(s[1], FIONREAD, &waiting) == 0 && waiting == 5);
	CHECK(recv(s[1], buffer, 16, MSG_PEEK) == 5 && recv(s[1], buffer, 3, 0) == 3);
	CHECK(recv(s[1], buffer, 16, MSG_DONTWAIT) == 2 && memcmp(buffer, "lollo", 5) == 0);
	FAILS(recv(s[1], buffer, 16, MSG_DONTWAIT), EAGAIN);
	CHECK(write(s[0], "abcdefgh", 8) == 8 && recv(s[1], buffer, 8, MSG_WAITALL) == 8);
	CHECK(shutdown(s[0], SHUT_WR) == 0 && read(s[1], buffer, 16) == 0);
	FAILS(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(write(s[1], "back", 4) == 4 && close(s[1]) == 0 && read(s[0], buffer, 16) == 4);
	CHECK(read(s[0], buffer, 16) == 0 && close(s[0]) == 0);
}

static void datagrams(void)
{
	char buffer[16] = "----------";
	struct pollfd p;
	int s[2];

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	CHECK(send(s[0], "datagram", 8, 0) == 8 && send(s[0], "", 0, 0) == 0);
	CHECK(recv(s[1], buffer, 4, MSG_TRUNC | MSG_PEEK) == 8);
	CHECK(memcmp(buffer, "data-", 5) == 0);
	CHECK(recv(s[1], buffer, 4, 0) == 4 && recv(s[1], buffer, 4, 0) == 0);
	p = (struct pollfd){ s[1], POLLIN | POLLOUT, 99 };
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	CHECK(send(s[0], "packet", 6, 0) == 6 && recv(s[1], NULL, 0, MSG_TRUNC) == 6);
	CHECK(close(s[0]) == 0 && close(s[1]) == 0);
}

static void none(void)
{
	int s[2] = { -1, -1 };

	FAILS(socketpair(AF_UNIX, SOCK_STREAM, -1, s), EPROTONOSUPPORT);
	(void) printf("%d %d\n", s[0], s[1]);
	FAILS(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL), EFAULT);
}

int main(void)
{
	none();
	stream();
	datagrams();
	return 0;
}
