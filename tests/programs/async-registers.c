/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loops in registers alone, down to a single instruction, are interrupted anywhere. */
#include <ucontext.h>

#include "check.h"

static volatile sig_atomic_t n_alarms, leave_loop;

/* An endless jump to itself has no other way out. */
static void on_alarm(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void) signal;
	(void) info;
	n_alarms++;
	if (leave_loop)
		c->uc_mcontext.gregs[REG_RIP] += 2;
	leave_loop = 0;
}

static uint64_t generate(uint64_t rounds)
{
	uint64_t x = 1, a = 6364136223846793005u;

	__asm__ volatile("1: imul %2, %0; add %1, %0; dec %1; jnz 1b" : "+r"(x), "+r"(rounds) : "r"(a) : "cc");
	return x;
}

static void count_down(uint64_t rounds)
{
	uint64_t n = rounds;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n) : : "cc");
	__asm__ volatile("1: loop 1b" : "+c"(rounds));
	CHECK(n == 0 && rounds == 0);
	rounds = 20000;
	__asm__ volatile("1: jrcxz 2f; lea -1(%%rcx), %%rcx; jmp 1b; 2:" : "+c"(rounds));
	CHECK(rounds == 0);
}

int main(void)
{
	uint64_t wanted = generate(50000);

	handle_info(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 400);
	while (n_alarms < 30) {
		CHECK(generate(50000) == wanted);
		count_down(20000);
	}
	for (int i = 0; i < 5; i++)
		__asm__ volatile("movl $1, %0; 1: jmp 1b" : "=m"(leave_loop));
	alarm_in(0, 0);
	return 0;
}
