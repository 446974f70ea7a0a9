/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sockets with names in the file system and without, and credentials of the peer. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void streams(void)
{
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client, server, one = 0;
	struct sockaddr_un peer;
	struct ucred cred;
	socklen_t len = sizeof(address);
	char buffer[8] = "";

	client = socket(AF_UNIX, SOCK_STREAM, 0);
	FAILS(connect(client, (struct sockaddr *)&address, len), ENOENT);
	CHECK(bind(listener, (struct sockaddr *)&address, len) == 0);
	FAILS(connect(client, (struct sockaddr *)&address, len), ECONNREFUSED);
	CHECK(listen(listener, 5) == 0 && connect(client, (struct sockaddr *)&address, len) == 0);
	memset(&peer, 0xee, sizeof(peer));
	server = accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CHECK(server >= 0 && len == 2 && peer.sun_family == AF_UNIX && (peer.sun_path[0] & 255) == 0xee);
	FAILS(read(server, buffer, 1), EAGAIN);
	len = 10;	/* too small: cut, and the true length told */
	CHECK(getpeername(client, (struct sockaddr *)&peer, &len) == 0 && len > 10);
	CHECK(memcmp(&peer, &address, 10) == 0 && (peer.sun_path[9] & 255) == 0xee);
	len = sizeof(cred);
	CHECK(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.pid == getpid());
	len = sizeof(one);
	CHECK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &one, &len) == 0 && one == 1);
	FAILS(getsockopt(listener, SOL_SOCKET, 9999, &one, &len), ENOPROTOOPT);
	CHECK(close(listener) == 0 && close(server) == 0 && close(client) == 0);
	CHECK(unlink(address.sun_path) == 0);
}

static void datagrams(void)
{
	int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un from;
	socklen_t len = sizeof(sa_family_t);
	char buffer[8];

	CHECK(bind(a, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(bind(b, (struct sockaddr *)&address, len) == 0);	/* a name of the kernel's choice */
	CHECK(sendto(b, "hi", 2, 0, (struct sockaddr *)&address, sizeof(address)) == 2);
	len = sizeof(from);
	CHECK(recvfrom(a, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &len) == 2);
	CHECK(len == 8 && from.sun_path[0] == 0);
	CHECK(sendto(a, "back", 4, 0, (struct sockaddr *)&from, len) == 4);
	CHECK(recvfrom(b, buffer, sizeof(buffer), 0, NULL, NULL) == 4 && memcmp(buffer, "back", 4) == 0);
	CHECK(unlink(address.sun_path) == 0);
}

int main(void)
{
	(void) snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/blackbox-test-socket-%d",
			(int)getpid());
	streams();
	datagrams();
	return 0;
}
