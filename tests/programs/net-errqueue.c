/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MSG_ERRQUEUE: what the network says about a datagram that nobody took. */
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_in from;
	struct iovec iov;
	char control[256], text[16] = "";
	struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov,
				 .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct sock_extended_err error;
	struct cmsghdr *c;
	struct pollfd p;
	socklen_t len = sizeof(address);
	int nobody = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	CHECK(bind(nobody, (struct sockaddr *)&address, len) == 0);
	CHECK(getsockname(nobody, (struct sockaddr *)&address, &len) == 0 && close(nobody) == 0);
	CHECK(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)) == 0);
	CHECK(sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, len) == 5);
	p = (struct pollfd){ fd, POLLERR, 0 };
	CHECK(poll(&p, 1, 5000) == 1 && (p.revents & POLLERR));
	iov = (struct iovec){ text, sizeof(text) };
	CHECK(recvmsg(fd, &header, MSG_ERRQUEUE) == 5 && strcmp(text, "hello") == 0);
	CHECK((header.msg_flags & MSG_ERRQUEUE) && from.sin_port == address.sin_port);
	c = CMSG_FIRSTHDR(&header);
	CHECK(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR);
	memcpy(&error, CMSG_DATA(c), sizeof(error));
	CHECK(error.ee_errno == ECONNREFUSED && error.ee_origin == SO_EE_ORIGIN_ICMP);
	FAILS(recvmsg(fd, &header, MSG_ERRQUEUE), EAGAIN);
	FAILS(recv(fd, text, sizeof(text), MSG_DONTWAIT), EAGAIN);
	return 0;
}
