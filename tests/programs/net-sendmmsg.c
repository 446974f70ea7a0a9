/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sendmmsg: how much of each, and where it stops. */
#include <sys/socket.h>

#include "check.h"

enum { N = 3 };

int main(void)
{
	struct iovec iov[N] = { { "one", 3 }, { "three", 5 }, { "last", 4 } };
	struct mmsghdr messages[N];
	char text[16];
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < N; i++) {
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_len = 99;
	}
	CHECK(sendmmsg(fds[0], messages, 2, 0) == 2);
	CHECK(messages[0].msg_len == 3 && messages[1].msg_len == 5 && messages[2].msg_len == 99);
	CHECK(recv(fds[1], text, sizeof(text), 0) == 3 && recv(fds[1], text, sizeof(text), 0) == 5);
	/* The second can't be sent: the first is. */
	messages[0].msg_len = messages[1].msg_len = 99;
	iov[1].iov_base = (void *)8;
	CHECK(sendmmsg(fds[0], messages, N, 0) == 1);
	CHECK(messages[0].msg_len == 3 && messages[1].msg_len == 99);
	FAILS(sendmmsg(fds[0], messages + 1, 1, 0), EFAULT);
	FAILS(sendmmsg(fds[0], (void *)8, 1, 0), EFAULT);
	CHECK(sendmmsg(fds[0], messages, 0, 0) == 0);
	CHECK(recv(fds[1], text, sizeof(text), 0) == 3);
	FAILS(recv(fds[1], text, sizeof(text), MSG_DONTWAIT), EAGAIN);
	return 0;
}
