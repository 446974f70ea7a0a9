/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signal that comes while the clock is read reaches a program that then only computes. */
#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

int main(void)
{
	struct timespec now;

	handle(SIGALRM, on_alarm, 0);
	for (int i = 0; i < 12; i++) {
		int before = n_alarms;

		alarm_in(1, 0);
		for (int k = 0; n_alarms == before && k < 20000 + i * 3000; k++)
			(void) clock_gettime(CLOCK_MONOTONIC, &now);
		while (n_alarms == before)
			;
	}
	CHECK(n_alarms == 12);
	return 0;
}
