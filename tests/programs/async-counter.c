/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A loop that only counts in memory (incl of a global) is interrupted anywhere. */
#include "check.h"

static volatile sig_atomic_t n_alarms;
unsigned counter, far_counter[2];

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

int main(void)
{
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 30) {
		counter = 0;
		__asm__ volatile("1: incl counter(%%rip); cmpl $100000, counter(%%rip); jne 1b" ::: "memory", "cc");
		CHECK(counter == 100000);
		far_counter[1] = 0;
		__asm__ volatile("1: lock addl $2, 4(%0); testl $0x20000, 4(%0); jz 1b"
				 : : "r"(far_counter) : "memory", "cc");
		CHECK(far_counter[1] == 0x20000);
	}
	alarm_in(0, 0);
	return 0;
}
