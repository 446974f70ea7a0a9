/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fast timer while the program makes many system calls of all kinds. */
#include <fcntl.h>
#include <poll.h>

#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	int error = errno;

	(void) signal;
	n_alarms++;
	(void) getppid();
	errno = error;
}

int main(void)
{
	uint64_t until = now_ns() + 200000000;
	unsigned long n_eintr = 0, n_calls = 0;
	char buffer[256];
	int fds[2];

	handle(SIGALRM, on_alarm, SA_RESTART);
	CHECK(pipe(fds) == 0);
	alarm_in(1, 200);
	while (now_ns() < until || n_alarms < 50) {
		int fd = open("/dev/zero", O_RDONLY);

		CHECK(fd >= 0 && read(fd, buffer, sizeof(buffer)) == sizeof(buffer) && close(fd) == 0);
		CHECK(write(fds[1], "abcdefgh", 8) == 8 && read(fds[0], buffer, 8) == 8);
		CHECK(memcmp(buffer, "abcdefgh", 8) == 0);
		if (poll(NULL, 0, 1) < 0 && errno == EINTR)
			n_eintr++;
		n_calls += 6;
	}
	alarm_in(0, 0);
	(void) fprintf(stderr, "%lu calls, %d signals, %lu EINTR\n", n_calls, (int)n_alarms, n_eintr);
	return 0;
}
