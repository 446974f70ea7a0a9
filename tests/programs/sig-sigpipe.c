/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGPIPE: ignored, handled, and at last fatal. */
#include <sys/socket.h>

/* expect: 141 */
#include "check.h"

static volatile sig_atomic_t n_seen;

static void seen(int signal)
{
	(void) signal;
	n_seen++;
}

int main(void)
{
	int fds[2], pair[2];

	CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && close(pair[0]) == 0);
	(void) signal(SIGPIPE, SIG_IGN);
	FAILS(write(fds[1], "x", 1), EPIPE);
	FAILS(send(pair[1], "x", 1, 0), EPIPE);
	handle(SIGPIPE, seen, 0);
	FAILS(write(fds[1], "x", 1), EPIPE);
	CHECK(n_seen == 1);
	FAILS(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(n_seen == 1);
	(void) puts("before");
	(void) fflush(stdout);
	(void) signal(SIGPIPE, SIG_DFL);
	(void) !write(fds[1], "x", 1);
	return 1;	/* not reached: the status is that of the signal */
}
