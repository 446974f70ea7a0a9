/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses longer than their buffers: cut, with their real length. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	unsigned char from[32], text[8];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr header = { .msg_name = from, .msg_namelen = 0, .msg_iov = &iov, .msg_iovlen = 1 };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(bind(fd, (struct sockaddr *)&address, len) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0 && len == sizeof(address));
	memset(from, 0xee, sizeof(from));
	len = 3;
	CHECK(getsockname(fd, (struct sockaddr *)from, &len) == 0 && len == sizeof(address));
	CHECK(from[0] == AF_INET && from[3] == 0xee);
	for (int i = 0; i < 4; i++)
		CHECK(sendto(fd, "text", 4, 0, (struct sockaddr *)&address, sizeof(address)) == 4);
	memset(from, 0xee, sizeof(from));
	CHECK(recvmsg(fd, &header, 0) == 4 && header.msg_namelen == sizeof(address) && from[0] == 0xee);
	header.msg_namelen = 4;
	CHECK(recvmsg(fd, &header, 0) == 4 && header.msg_namelen == sizeof(address));
	CHECK(memcmp(from, &address, 4) == 0 && from[4] == 0xee);
	len = 1;
	CHECK(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)from, &len) == 4 && len == 16);
	len = 77;
	CHECK(recvfrom(fd, text, sizeof(text), 0, NULL, &len) == 4 && len == 77);
	return 0;
}
