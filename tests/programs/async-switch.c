/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A switch is interrupted, whose cases are shorter than a jump and go on into each other. */
#include "check.h"

enum { ROUNDS = 10000 };

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

/* Every other round comes by the table to the second case: four bytes behind the first. */
static uint64_t run(uint64_t rounds)
{
	uint64_t sum = 0;

	__asm__ volatile(".pushsection .rodata\n"
			 ".balign 4\n"
			 "5: .long 2f - 5b, 3f - 5b\n"
			 ".popsection\n"
			 "leaq 5b(%%rip), %%r8\n"
			 "1: movl %k[n], %%r9d\n"
			 "andl $1, %%r9d\n"
			 "movslq (%%r8, %%r9, 4), %%r9\n"
			 "addq %%r8, %%r9\n"
			 "jmp *%%r9\n"
			 "2: addq $5, %[sum]\n"
			 "3: xorq %[n], %[sum]\n"
			 "decq %[n]\n"
			 "jnz 1b\n"
			 : [sum] "+r"(sum), [n] "+r"(rounds)
			 :
			 : "r8", "r9", "cc");
	return sum;
}

int main(void)
{
	uint64_t wanted = 0;

	for (uint64_t n = ROUNDS; n; n--)
		wanted = (n % 2 ? wanted : wanted + 5) ^ n;
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 50)
		CHECK(run(ROUNDS) == wanted);
	alarm_in(0, 0);
	return 0;
}
