/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A loop that reads the cycle counter is interrupted by a handler that does so too. */
#include <x86intrin.h>

#include "check.h"

static volatile sig_atomic_t n;
static volatile uint64_t in_handler;

static void on_alarm(int signal)
{
	(void) signal;
	in_handler = in_handler * 31 + __rdtsc();
	n++;
}

int main(void)
{
	struct itimerval every = { { 0, 2000 }, { 0, 2000 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t sum = 0, rounds = 0;

	CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	while (n < 15) {
		sum = sum * 31 + __rdtsc();
		for (volatile int i = 0; i < 3000; i++)
			;
		rounds++;
	}
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	(void) dprintf(2, "%llu %llu %llu\n", (unsigned long long)sum, (unsigned long long)in_handler,
		       (unsigned long long)rounds);
	return 0;
}
