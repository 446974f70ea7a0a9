/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The self-pipe trick: a handler writes to a pipe that the main loop polls. */
#include <fcntl.h>
#include <poll.h>

#include "check.h"

static int fds[2];

static void wake(int signal)
{
	int error = errno;
	char byte = (char)signal;

	(void) !write(fds[1], &byte, 1);
	errno = error;
}

int main(void)
{
	struct pollfd p;
	int n = 0;

	CHECK(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	handle(SIGALRM, wake, SA_RESTART);
	alarm_in(2, 2000);
	p = (struct pollfd){ fds[0], POLLIN, 0 };
	while (n < 30) {
		char bytes[16];
		int r = poll(&p, 1, -1);
		ssize_t got;

		if (r < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		got = read(fds[0], bytes, sizeof(bytes));
		CHECK(got > 0 && bytes[0] == SIGALRM);
		n += (int)got;
	}
	return 0;
}
