/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* siglongjmp out of handlers, of signals that were sent and of faults, many times. */
#include <setjmp.h>

#include "check.h"

static sigjmp_buf back;

static void jump(int signal)
{
	siglongjmp(back, signal);
}

static volatile int zero;
static volatile int *volatile low_address = (volatile int *)16;

int main(void)
{
	volatile int sent = 0, faults = 0;

	handle(SIGUSR1, jump, 0);
	handle(SIGFPE, jump, 0);
	handle(SIGSEGV, jump, 0);
	for (volatile int i = 0; i < 300; i++) {
		int signal = sigsetjmp(back, 1);

		if (signal == 0) {
			if (i % 3 == 0)
				CHECK(raise(SIGUSR1) == 0);
			if (i % 3 == 1)
				zero = 1 / zero;
			*low_address = 1;
			CHECK(!"reached");
		}
		CHECK(!is_blocked(signal));
		if (signal == SIGUSR1)
			sent++;
		else
			faults++;
	}
	(void) printf("%d sent, %d faults\n", sent, faults);
	return 0;
}
