/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A parent accepts, its children serve: descriptors pass through the fork. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static void serve(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1)
		CHECK(write(fd, &(char){ (char)(c + 1) }, 1) == 1);
	_exit(0);
}

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0);
	CHECK(listen(listener, 5) == 0 && getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	for (int i = 0; i < 4; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), server, status;
		char c = 'a';
		pid_t pid;

		CHECK(connect(client, (struct sockaddr *)&address, len) == 0);
		server = accept(listener, NULL, NULL);
		pid = fork();
		if (pid == 0) {
			(void) close(client);
			serve(server);
		}
		CHECK(close(server) == 0);
		for (int k = 0; k < 10; k++)
			CHECK(write(client, &c, 1) == 1 && read(client, &c, 1) == 1);
		CHECK(c == 'a' + 10 && close(client) == 0);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return 0;
}
