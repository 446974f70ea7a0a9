/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that reads the cycle counter at more places than most: an unrolled loop. */
#include "check.h"

#define READ "rdtsc; shl $32, %%rdx; or %%rdx, %%rax; xor %%rax, %0; rol $7, %0;"

int main(void)
{
	uint64_t sum = 0;

	__asm__ volatile(".rept 1500;" READ ".endr" : "+r"(sum)::"rax", "rdx", "cc");
	(void) dprintf(2, "%llu\n", (unsigned long long)sum);
	return 0;
}
