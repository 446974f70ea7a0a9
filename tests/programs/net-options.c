/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* getsockopt: buffers that are too small, too large, none at all. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "check.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int main(void)
{
	int fds[2], fd = socket(AF_INET, SOCK_STREAM, 0), value = -1, size = 65536;
	struct linger linger = { 1, 7 };
	struct timeval tv = { 1, 500000 };
	struct ucred cred;
	unsigned char bytes[512];
	socklen_t len = sizeof(value);

	CHECK(fd >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len) == 0 && value == SOCK_STREAM && len == 4);
	memset(bytes, 0xee, sizeof(bytes));
	len = 2;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &len) == 0 && len == 2);
	CHECK(bytes[0] == SOCK_STREAM && bytes[1] == 0 && bytes[2] == 0xee);
	len = sizeof(bytes);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &len) == 0 && len == 4 && bytes[4] == 0xee);
	len = 0;
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &len) == 0 && len == 0);
	len = (socklen_t)-1;
	FAILS(getsockopt(fd, SOL_SOCKET, SO_TYPE, bytes, &len), EINVAL);
	FAILS(getsockopt(fd, SOL_SOCKET, 9999, bytes, (len = 4, &len)), ENOPROTOOPT);

	CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
	memset(&linger, 0, sizeof(linger));
	len = sizeof(linger);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && linger.l_linger == 7);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == 0);
	len = 20;
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, bytes, &len) == 0 && len == 20 && bytes[0] == TCP_CLOSE);
	len = sizeof(bytes);
	memset(bytes, 0, sizeof(bytes));
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, bytes, &len) == 0 && len == 16 && bytes[0]);

	len = sizeof(cred);
	CHECK(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid());
	/* Groups, if there are any, don't fit, and it is said how many. */
	len = 0;
	CHECK(getsockopt(fds[0], SOL_SOCKET, SO_PEERGROUPS, bytes, &len) == 0 ||
	      (errno == ERANGE && len >= 4) || errno == ENODATA);
	return 0;
}
