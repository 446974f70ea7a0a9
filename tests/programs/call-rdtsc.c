/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cycle counter read in the program's own code goes forward. */
#include <x86intrin.h>

#include "check.h"

int main(void)
{
	unsigned processor;
	uint64_t first = __rdtsc(), second = __rdtscp(&processor), third = __rdtsc();

	CHECK(first < second && second < third);
	(void) printf("%d\n", (int)(first % 7 > 9));
	(void) dprintf(2, "%llu\n", (unsigned long long)third);
	return 0;
}
