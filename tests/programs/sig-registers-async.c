/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* General registers, flags and the red zone survive signals at any instruction. */
#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	volatile char room[512];

	(void) signal;
	for (size_t i = 0; i < sizeof(room); i++)
		room[i] = 0x55;
	n_alarms++;
}

/* Loops with known values in all registers that a function may use; returns whether they stayed. */
static int loop(uint64_t rounds)
{
	uint64_t bad = 0;

	__asm__ volatile(
		"movq $0x1111, -64(%%rsp)\n\t"
		"movq $0x2222, -120(%%rsp)\n\t"
		"mov $0x8888, %%r8; mov $0x9999, %%r9; mov $0xaaaa, %%r10; mov $0xbbbb, %%r11\n\t"
		"mov $0xcccc, %%r12; mov $0xdddd, %%r13; mov $0xeeee, %%r14; mov $0xffff, %%r15\n"
		"1:\n\t"
		"cmpq $0x1111, -64(%%rsp); jne 2f\n\t"
		"cmpq $0x2222, -120(%%rsp); jne 2f\n\t"
		"cmp $0x8888, %%r8; jne 2f; cmp $0x9999, %%r9; jne 2f; cmp $0xaaaa, %%r10; jne 2f\n\t"
		"cmp $0xbbbb, %%r11; jne 2f; cmp $0xcccc, %%r12; jne 2f; cmp $0xdddd, %%r13; jne 2f\n\t"
		"cmp $0xeeee, %%r14; jne 2f; cmp $0xffff, %%r15; jne 2f\n\t"
		"dec %0; jnz 1b\n\t"
		"jmp 3f\n"
		"2:	mov $1, %1\n"
		"3:"
		: "+b"(rounds), "+D"(bad)::"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
		  "memory");
	return bad == 0;
}

int main(void)
{
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 50)
		CHECK(loop(100000));
	alarm_in(0, 0);
	return 0;
}
