/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* O_ASYNC: SIGIO when there is something to read, or a real-time signal that says where. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "check.h"

static volatile sig_atomic_t n_io, n_queued, last_fd, last_band;

static void on_io(int signal)
{
	(void) signal;
	n_io++;
}

static void on_queued(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	CHECK(info->si_code == POLL_IN);
	last_fd = info->si_fd;
	last_band = (int)info->si_band;
	n_queued++;
}

int main(void)
{
	int pairs[3][2];
	char byte;

	handle(SIGIO, on_io, 0);
	handle_info(SIGRTMIN + 3, on_queued, 0);
	for (int i = 0; i < 3; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) == 0);
		CHECK(fcntl(pairs[i][0], F_SETOWN, getpid()) == 0);
		if (i)
			CHECK(fcntl(pairs[i][0], F_SETSIG, SIGRTMIN + 3) == 0);
		CHECK(fcntl(pairs[i][0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	}
	for (int round = 1; round <= 10; round++) {
		CHECK(write(pairs[0][1], "x", 1) == 1 && n_io == round);
		CHECK(read(pairs[0][0], &byte, 1) == 1);
		for (int i = 1; i < 3; i++) {
			CHECK(write(pairs[i][1], "y", 1) == 1);
			CHECK(last_fd == pairs[i][0] && (last_band & POLLIN));
			CHECK(read(pairs[i][0], &byte, 1) == 1);
		}
		CHECK(n_queued == 2 * round && n_io == round);
	}
	return 0;
}
