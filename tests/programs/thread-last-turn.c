/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process ends right behind another thread's call, which has left its SIMD registers as they were. */
#include <fcntl.h>
#include <pthread.h>

#include "check.h"

static int ends[2], null;

static void *calls(void *arg)
{
	for (uint64_t i = 0; i < 200; i++) {
		__asm__ volatile("movq %0, %%xmm15" : : "r"(i) : "xmm15");
		CHECK(write(i < 199 ? null : ends[1], "x", 1) == 1);
		/* In a replay, too, main sleeps by now. */
		for (volatile int j = 0; i == 198 && j < 2000000; j++)
			;
	}
	for (;;)
		(void) pause();
	return arg;
}

int main(void)
{
	pthread_t thread;
	char byte;

	null = open("/dev/null", O_WRONLY);
	CHECK(null >= 0 && pipe(ends) == 0);
	CHECK(pthread_create(&thread, NULL, calls, NULL) == 0);
	CHECK(read(ends[0], &byte, 1) == 1);
	_exit(0);
}
