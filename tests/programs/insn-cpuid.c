/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpuid tells processors apart, and a program may ask on each of them. */
#include <cpuid.h>
#include <sched.h>

#include "check.h"

static unsigned here(void)
{
	unsigned a, b, c, d;

	__cpuid(1, a, b, c, d);
	CHECK(a && d);
	return b >> 24;		/* the APIC's number */
}

int main(void)
{
	unsigned a, b, c, d, numbers = 0;
	char vendor[13] = "";
	cpu_set_t all, one;

	__cpuid(0, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	(void) printf("%s %u\n", vendor, a);
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (int i = 0; i < 64; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		numbers = numbers * 31 + here();
	}
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	for (int i = 0; i < 200; i++)
		numbers = numbers * 31 + here();
	(void) dprintf(2, "%u\n", numbers);
	return 0;
}
