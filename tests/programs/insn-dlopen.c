/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries come and go, whose constructors ask what the processor can, in two threads. */
#include <dlfcn.h>
#include <pthread.h>
#include <x86intrin.h>

#include "check.h"

enum { ROUNDS = 10 };

static void *run(void *argument)
{
	uint64_t sum = 0;

	for (int i = 0; i < ROUNDS; i++) {
		void *library = dlopen(argument, RTLD_NOW | RTLD_LOCAL);

		sum = sum * 31 + __rdtsc();
		/* Not everywhere is it a library of its own. */
		if (library)
			CHECK(dlclose(library) == 0);
	}
	return (void *)(uintptr_t)sum;
}

int main(void)
{
	static const char *const names[2] = { "libgcc_s.so.1", "libstdc++.so.6" };
	pthread_t threads[2];
	uint64_t total = 0;
	void *sum;

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)names[i]) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK(pthread_join(threads[i], &sum) == 0);
		total = total * 31 + (uintptr_t)sum;
	}
	(void) dprintf(2, "%llu\n", (unsigned long long)total);
	return 0;
}
