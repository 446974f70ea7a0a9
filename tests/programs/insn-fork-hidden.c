/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child is made while some code can't be read, and that code works later. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <x86intrin.h>

#include "check.h"

__attribute__((noinline, aligned(4096), section(".text.hidden"))) static uint64_t hidden(void)
{
	return __rdtsc();
}

/* The page has nothing else. */
__attribute__((noinline, aligned(4096), section(".text.hidden"), used)) static void behind(void)
{
	__asm__ volatile("nop");
}

static void protect(int prot)
{
	CHECK(mprotect((void *)((uintptr_t)hidden & ~4095ul), 4096, prot) == 0);
}

static int grandchild(bool again)
{
	volatile pid_t pid;
	int status;

	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		pid_t child = fork();

		if (child == 0) {
			if (again) {
				protect(PROT_READ | PROT_EXEC);
				_exit(hidden() > 0 ? 7 : 8);
			}
			_exit(7);
		}
		_exit(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ?
			      WEXITSTATUS(status) : 9);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(void)
{
	CHECK(hidden() > 0);
	CHECK(grandchild(false) == 7);
	protect(PROT_NONE);
	CHECK(grandchild(false) == 7);
	CHECK(grandchild(true) == 7);
	protect(PROT_READ | PROT_EXEC);
	CHECK(hidden() > 0);
	(void) puts("done");
	return 0;
}
