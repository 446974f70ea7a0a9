/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that share much protect it anew all the time, also so that it may be written and not read. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 3, PAGES = 512, PAGE = 4096, ROUNDS = 20 };

static long work(volatile char *memory, int who)
{
	long sum = 0;

	for (int round = 0; round < ROUNDS; round++) {
		CHECK(mprotect((char *)memory, PAGES * PAGE, PROT_WRITE) == 0);
		for (int i = 0; i < PAGES; i++)
			memset((char *)memory + i * PAGE, round + who, PAGE);
		(void) sched_yield();
		CHECK(mprotect((char *)memory, PAGES * PAGE, PROT_READ) == 0);
		for (int i = 0; i < PAGES; i++)
			for (int j = 0; j < PROCESSES; j++)
				sum += memory[i * PAGE + j];
	}
	return sum;
}

int main(void)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(memory != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			_exit(work(memory, i) == 0);
	for (int i = 0; i < PROCESSES; i++)
		CHECK(wait(&status) > 0 && status == 0);
	return 0;
}
