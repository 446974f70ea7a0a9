/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Zero-copy sockets: completions of what was sent, and the fallback of who receives. */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

static void completion(int fd)
{
	char control[128];
	struct msghdr header = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct pollfd p = { fd, 0, 0 };
	struct sock_extended_err error;
	struct cmsghdr *c;

	CHECK(poll(&p, 1, 5000) == 1 && recvmsg(fd, &header, MSG_ERRQUEUE) == 0);
	c = CMSG_FIRSTHDR(&header);
	CHECK(c && c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR);
	memcpy(&error, CMSG_DATA(c), sizeof(error));
	CHECK(error.ee_origin == SO_EE_ORIGIN_ZEROCOPY && error.ee_errno == 0);
}

int main(void)
{
	static char sent[20000], got[20000];
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), client, server, one = 1, flags = 0;
	struct tcp_zerocopy_receive receive = { 0 };
	size_t n = 0;

	CHECK(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&address, len) == 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(server >= 0);
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7);
	if (setsockopt(client, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) == 0)
		flags = MSG_ZEROCOPY;
	CHECK(send(client, sent, sizeof(sent), flags) == sizeof(sent));
	/* Nothing is mapped there: an error, whoever answers. */
	len = sizeof(receive);
	CHECK(getsockopt(server, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &receive, &len) < 0 ||
	      receive.length == 0);
	while (n < sizeof(got)) {
		ssize_t r = recv(server, got + n, sizeof(got) - n, 0);

		CHECK(r > 0);
		n += (size_t)r;
	}
	CHECK(memcmp(sent, got, sizeof(got)) == 0);
	if (flags)
		completion(client);
	return 0;
}
