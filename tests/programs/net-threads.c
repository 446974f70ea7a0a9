/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server with a thread for each client: echoes over TCP, of several clients at once. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

#include "check.h"

enum { N_CLIENTS = 4, N_ECHOES = 50 };

static struct sockaddr_in address = { .sin_family = AF_INET };

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char buffer[256];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		CHECK(write(fd, buffer, (size_t)n) == n);
	CHECK(n == 0 && close(fd) == 0);
	return NULL;
}

static void *ask(void *argument)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), me = (int)(intptr_t)argument;
	char text[64], back[64];

	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	for (int i = 0; i < N_ECHOES; i++) {
		int len = snprintf(text, sizeof(text), "client %d says %d", me, i);

		CHECK(send(fd, text, (size_t)len, 0) == len);
		CHECK(recv(fd, back, (size_t)len, MSG_WAITALL) == len);
		CHECK(memcmp(text, back, (size_t)len) == 0);
	}
	CHECK(close(fd) == 0);
	return NULL;
}

int main(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t clients[N_CLIENTS], servers[N_CLIENTS];
	socklen_t len = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 9) == 0);
	CHECK(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	for (int i = 0; i < N_CLIENTS; i++)
		CHECK(pthread_create(&clients[i], NULL, ask, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < N_CLIENTS; i++) {
		int fd = accept(listener, NULL, NULL);

		CHECK(fd >= 0 && pthread_create(&servers[i], NULL, serve, (void *)(intptr_t)fd) == 0);
	}
	for (int i = 0; i < N_CLIENTS; i++)
		CHECK(pthread_join(clients[i], NULL) == 0 && pthread_join(servers[i], NULL) == 0);
	return 0;
}
