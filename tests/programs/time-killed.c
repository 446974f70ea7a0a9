/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Children that do nothing but read clocks are killed, at whatever instruction of a reading: all
 * that they have read is in the log, and nothing else.
 */
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"

enum { CHILDREN = 10 };

static void read_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE };
	struct timespec ts;
	struct timeval tv;

	for (unsigned i = 0;; i++) {
		CHECK(clock_gettime(clocks[i % 3], &ts) == 0);
		CHECK(gettimeofday(&tv, NULL) == 0);
	}
}

int main(void)
{
	for (int i = 0; i < CHILDREN; i++) {
		int status;
		pid_t child = fork();

		if (child == 0)
			read_clocks();
		CHECK(child > 0);
		sleep_ms(1 + i % 3);
		CHECK(kill(child, SIGKILL) == 0);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	return 0;
}
