/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processor's random numbers, in registers of each width. */
#include <cpuid.h>

#include "check.h"

#define DRAW(instruction, variable, ok) \
	__asm__ volatile(instruction " %0" : "=r"(variable), "=@ccc"(ok)::)

static uint64_t draw_rdrand(void)
{
	uint64_t wide = 0, more;
	uint32_t word = 0;
	uint16_t half = 0;
	bool ok;

	DRAW("rdrand", wide, ok);
	CHECK(ok || wide == 0);
	DRAW("rdrand", word, ok);
	CHECK(ok || word == 0);
	DRAW("rdrand", half, ok);
	CHECK(ok || half == 0);
	__asm__ volatile("mov $-1, %%r11; rdrand %%r11d; mov %%r11, %0" : "=r"(more)::"r11", "cc");
	CHECK(more >> 32 == 0);
	__asm__ volatile("mov $-1, %%r9; rdrand %%r9w; mov %%r9, %0" : "=r"(more)::"r9", "cc");
	CHECK(more >> 16 == 0xffffffffffff);
	return wide ^ word ^ half ^ more;
}

static uint64_t draw_rdseed(void)
{
	uint64_t wide, sum = 0;
	bool ok;

	for (int i = 0; i < 20; i++) {
		DRAW("rdseed", wide, ok);
		sum += ok ? wide : 1;
	}
	return sum;
}

int main(void)
{
	unsigned a, b, c, d;
	uint64_t sum = 0;

	CHECK(__get_cpuid(1, &a, &b, &c, &d));
	for (int i = 0; c & bit_RDRND && i < 50; i++)
		sum = sum * 31 + draw_rdrand();
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_RDSEED))
		sum += draw_rdseed();
	(void) dprintf(2, "%llu\n", (unsigned long long)sum);
	return 0;
}
