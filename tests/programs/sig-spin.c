/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that makes no system call gets its signals all the same. */
#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

int main(void)
{
	volatile uint64_t rounds = 0;

	handle(SIGALRM, on_alarm, 0);
	alarm_in(5, 5000);
	while (n_alarms < 20)
		rounds++;
	alarm_in(0, 0);
	CHECK(rounds > 1000);
	(void) fprintf(stderr, "%llu rounds\n", (unsigned long long)rounds);
	return 0;
}
