/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program has its processor check alignment: of its own accesses, nobody else's. */
#include <sys/syscall.h>

#include "check.h"

#define CHECK_ALIGNMENT "pushfq; orq $0x40000, (%%rsp); popfq\n"
#define DONT_CHECK_ALIGNMENT "pushfq; andq $~0x40000, (%%rsp); popfq\n"

static int ends[2];
static volatile sig_atomic_t n_signals;

static void count(int signal)
{
	(void) signal;
	n_signals++;
}

/* Returns the call's result, if that leaves the flag as it is. */
static long checked_call(long nr, long a, const void *b, long c)
{
	long result = nr, flags;

	__asm__ volatile(CHECK_ALIGNMENT "syscall\n pushfq; pop %1\n" DONT_CHECK_ALIGNMENT
			 : "+a"(result), "=&r"(flags)
			 : "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory", "cc");
	CHECK(flags & 0x40000);
	return result;
}

static void calls(void)
{
	const char text[] = "What is read and written is anywhere.";
	char back[64];

	for (int i = 0; i < 100; i++) {
		long from = i % 7, len = 1 + i % 30;
		char *to = back + i % 5;

		CHECK(checked_call(SYS_write, ends[1], text + from, len) == len);
		CHECK(checked_call(SYS_read, ends[0], to, len) == len);
		CHECK(memcmp(to, text + from, (size_t)len) == 0);
	}
}

static void computes(void)
{
	uint64_t end = now_ns() + 30000000;

	for (long n = 1000000; now_ns() < end; n = 1000000)
		__asm__ volatile(CHECK_ALIGNMENT "1: dec %0; jnz 1b\n rdtsc\n" DONT_CHECK_ALIGNMENT
				 : "+r"(n)::"rax", "rdx", "memory", "cc");
}

static void reads_clock(void)
{
	struct timespec now[2] = { { 0 } };

	(void) clock_gettime(CLOCK_MONOTONIC, &now[1]);	/* the linker looks for it anywhere */
	for (int i = 0; i < 1000; i++) {
		__asm__ volatile(CHECK_ALIGNMENT ::: "memory", "cc");
		(void) clock_gettime(CLOCK_MONOTONIC, &now[i % 2]);
		__asm__ volatile(DONT_CHECK_ALIGNMENT ::: "memory", "cc");
		CHECK(now[i % 2].tv_sec > now[!(i % 2)].tv_sec ||
		      (now[i % 2].tv_sec == now[!(i % 2)].tv_sec && now[i % 2].tv_nsec >= now[!(i % 2)].tv_nsec));
	}
}

int main(void)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };

	CHECK(pipe(ends) == 0);
	calls();
	reads_clock();
	handle(SIGALRM, count, SA_RESTART);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	computes();
	calls();
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(n_signals > 0);
	return 0;
}
