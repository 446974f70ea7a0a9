/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MSG_TRUNC and MSG_PEEK: a datagram's real length, bytes of a stream that are thrown away. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

static void datagrams(void)
{
	struct iovec iov[2];
	struct msghdr header = { .msg_iov = iov, .msg_iovlen = 2 };
	char a[4] = "", b[4] = "", text[32];
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
	CHECK(send(fds[0], "a datagram", 10, 0) == 10 && send(fds[0], "second", 6, 0) == 6);
	memset(text, '.', sizeof(text));
	CHECK(recv(fds[1], text, 3, MSG_TRUNC | MSG_PEEK) == 10 && memcmp(text, "a d...", 6) == 0);
	CHECK(recv(fds[1], NULL, 0, MSG_TRUNC | MSG_PEEK) == 10);
	iov[0] = (struct iovec){ a, 3 };
	iov[1] = (struct iovec){ b, 3 };
	CHECK(recvmsg(fds[1], &header, MSG_TRUNC) == 10 && (header.msg_flags & MSG_TRUNC));
	CHECK(memcmp(a, "a d", 4) == 0 && memcmp(b, "ata", 4) == 0);
	CHECK(recv(fds[1], text, sizeof(text), 0) == 6 && memcmp(text, "second.", 7) == 0);
}

static void stream(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client, server;
	struct iovec iov;
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
	char text[32];

	CHECK(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&address, len) == 0);
	server = accept(listener, NULL, NULL);
	CHECK(server >= 0 && send(client, "throw keep away", 15, 0) == 15);
	memset(text, '.', sizeof(text));
	CHECK(recv(server, text, 6, MSG_TRUNC | MSG_WAITALL) == 6);
	CHECK(text[0] == '.' && text[5] == '.');
	CHECK(recv(server, text, 5, MSG_PEEK | MSG_WAITALL) == 5 && memcmp(text, "keep .", 6) == 0);
	CHECK(recv(server, text, 5, MSG_WAITALL) == 5);
	memset(text, '.', sizeof(text));
	iov = (struct iovec){ text, 4 };
	CHECK(recvmsg(server, &header, MSG_TRUNC | MSG_WAITALL) == 4 && text[0] == '.');
}

int main(void)
{
	datagrams();
	stream();
	return 0;
}
