/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recvmmsg: its timeout, what is left of it, and messages fewer than asked for. */
#include <sys/socket.h>

#include "check.h"

enum { N = 4 };

int main(void)
{
	struct mmsghdr messages[N];
	struct iovec iov[N];
	char texts[N][16];
	struct timespec timeout = { 5, 0 };
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < N; i++) {
		iov[i] = (struct iovec){ texts[i], sizeof(texts[i]) };
		messages[i].msg_hdr.msg_iov = &iov[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_len = 99;
	}
	CHECK(send(fds[0], "one", 3, 0) == 3 && send(fds[0], "three", 5, 0) == 5);
	CHECK(recvmmsg(fds[1], messages, N, MSG_WAITFORONE, &timeout) == 2);
	CHECK(messages[0].msg_len == 3 && messages[1].msg_len == 5 && messages[2].msg_len == 99);
	CHECK(memcmp(texts[1], "three", 5) == 0);
	CHECK(timeout.tv_sec < 5 || timeout.tv_nsec == 0);
	/* The timeout is looked at when a message comes. */
	timeout = (struct timespec){ 0, 0 };
	CHECK(send(fds[0], "late", 4, 0) == 4 && recvmmsg(fds[1], messages, N, 0, &timeout) == 1);
	CHECK(timeout.tv_sec == 0 && timeout.tv_nsec == 0);
	FAILS(recvmmsg(fds[1], messages, N, MSG_DONTWAIT, NULL), EAGAIN);
	timeout.tv_nsec = 2000000000;
	FAILS(recvmmsg(fds[1], messages, N, 0, &timeout), EINVAL);
	return 0;
}
