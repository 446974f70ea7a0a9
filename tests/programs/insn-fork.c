/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child has its parent's code, and the machine's instructions work there too. */
#include <cpuid.h>
#include <sys/wait.h>
#include <x86intrin.h>

#include "check.h"

static uint64_t ask(void)
{
	unsigned a, b, c, d;
	uint64_t before = __rdtsc();

	__cpuid(0, a, b, c, d);
	CHECK(a > 0);
	CHECK(__rdtsc() > before);
	return before;
}

int main(void)
{
	uint64_t sum = ask();
	int status;

	for (int i = 0; i < 3; i++) {
		pid_t pid = i == 2 ? vfork() : fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			(void) ask();
			_exit(7);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
		sum += ask();
	}
	(void) dprintf(2, "%llu\n", (unsigned long long)sum);
	return 0;
}
