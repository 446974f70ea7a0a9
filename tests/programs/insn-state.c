/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rdpid, the extended control registers, and a 32-bit system call, which a kernel may not have. */
#include <cpuid.h>
#include <setjmp.h>

#include "check.h"

static sigjmp_buf back;

static void on_signal(int signal)
{
	siglongjmp(back, signal);
}

static uint64_t xgetbv(uint32_t number)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(number));
	return (uint64_t)high << 32 | low;
}

int main(void)
{
	unsigned a, b, c, d;
	uint64_t value = 0;
	long result = -1;

	if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & 1u << 22))
		__asm__ volatile("rdpid %0" : "=r"(value));
	CHECK((value & 0xfff) < 4096);
	CHECK((xgetbv(0) & 3) == 3);
	if (__get_cpuid_count(0xd, 1, &a, &b, &c, &d) && (a & 4))
		value = value * 31 + (xgetbv(1) & xgetbv(0));
	(void) dprintf(2, "%llu\n", (unsigned long long)value);

	/* There is no such control register. */
	(void) signal(SIGSEGV, on_signal);
	if (sigsetjmp(back, 1) == 0) {
		(void) xgetbv(77);
		return 2;
	}
	if (sigsetjmp(back, 1) == 0) {
		__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "r8", "r9", "r10", "r11", "memory");
		CHECK(result == getpid() || result == -ENOSYS);
	}
	return 0;
}
