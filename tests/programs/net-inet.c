/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP and UDP over the loopback: connect without waiting, options, both ends' names. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

static int listen_somewhere(struct sockaddr_in *ret_address)
{
	struct sockaddr_in any = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, "" };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
	socklen_t len = sizeof(any);

	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	CHECK(bind(fd, (struct sockaddr *)&any, len) == 0 && listen(fd, 3) == 0);
	CHECK(getsockname(fd, (struct sockaddr *)&any, &len) == 0 && len == sizeof(any));
	*ret_address = any;
	return fd;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 5000) == 1 && p.revents == events);
}

static void transfer(int from, int to)
{
	static char bytes[300000], back[300000];
	uint64_t random = 11;
	size_t sent = 0, got = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)next_random(&random);
	while (got < sizeof(bytes)) {
		ssize_t n = 0;

		if (sent < sizeof(bytes))
			n = send(from, bytes + sent, sizeof(bytes) - sent, MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		n = recv(to, back + got, sizeof(back) - got, MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	CHECK(memcmp(bytes, back, sizeof(bytes)) == 0);
}

int main(void)
{
	struct sockaddr_in address, peer;
	socklen_t len = sizeof(peer);
	struct tcp_info info;
	int listener = listen_somewhere(&address), client, server, value = 1;

	FAILS(accept(listener, NULL, NULL), EAGAIN);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(ioctl(client, FIONBIO, &value) == 0);
	CHECK(connect(client, (struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS);
	wait_for(client, POLLOUT);
	wait_for(listener, POLLIN);
	server = accept(listener, (struct sockaddr *)&peer, &len);
	CHECK(server >= 0 && len == sizeof(peer) && peer.sin_family == AF_INET);
	CHECK(getsockname(client, (struct sockaddr *)&address, &len) == 0);
	CHECK(memcmp(&peer, &address, sizeof(peer)) == 0);
	len = sizeof(value);
	CHECK(getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &len) == 0 && value == 0);
	value = 1;
	CHECK(setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)) == 0);
	len = sizeof(info);
	CHECK(getsockopt(server, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_ESTABLISHED);
	CHECK(len <= sizeof(info) && getpeername(server, (struct sockaddr *)&peer, &len) == 0);
	transfer(server, client);
	CHECK(shutdown(server, SHUT_WR) == 0);
	wait_for(client, POLLIN);
	CHECK(read(client, &value, 1) == 0 && close(client) == 0 && close(server) == 0);
	len = sizeof(peer);
	FAILS(getpeername(listener, (struct sockaddr *)&peer, &len), ENOTCONN);
	return 0;
}
