/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Protection, place and size of shared memory change while another process has pages of it. */
#include <signal.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGES = 6, INTS = 1024 };

static sigjmp_buf back;

static void on_fault(int signal)
{
	(void) signal;
	siglongjmp(back, 1);
}

static void other(volatile int *shared, int in, int out)
{
	char byte;

	while (read(in, &byte, 1) == 1) {
		for (int i = 0; i < PAGES; i++)
			shared[i * INTS] = shared[i * INTS] * 3 + 1;
		CHECK(write(out, &byte, 1) == 1);
	}
	_exit(0);
}

static void turn(int in, int out)
{
	char byte = 0;

	CHECK(write(out, &byte, 1) == 1 && read(in, &byte, 1) == 1);
}

int main(void)
{
	volatile int *shared = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *second;
	volatile int faults = 0;
	int to[2], from[2];
	pid_t child;

	CHECK(shared != MAP_FAILED && pipe(to) == 0 && pipe(from) == 0);
	CHECK(signal(SIGSEGV, on_fault) != SIG_ERR);
	child = fork();
	if (child == 0) {
		(void) close(to[1]);
		other(shared, to[0], from[1]);
	}
	turn(from[0], to[1]);
	/* Read-only: reading brings a page, writing is a fault of the program's. */
	CHECK(mprotect((void *)shared, 2 * 4096, PROT_READ) == 0);
	if (sigsetjmp(back, 1) == 0)
		shared[0] = 5;
	else
		faults++;
	CHECK(shared[0] == 1 && shared[INTS] == 1);
	turn(from[0], to[1]);
	CHECK(mprotect((void *)shared, 2 * 4096, PROT_READ | PROT_WRITE) == 0);
	shared[0] += 10;
	turn(from[0], to[1]);
	/* Twice, at another place, and the first moves. */
	second = mremap((void *)shared, 0, PAGES * 4096, MREMAP_MAYMOVE);
	CHECK((void *)second != MAP_FAILED);
	CHECK(second[0] == shared[0] && second[2 * INTS] == shared[2 * INTS]);
	turn(from[0], to[1]);
	second[3 * INTS] += 100;
	CHECK(shared[3 * INTS] == second[3 * INTS]);
	turn(from[0], to[1]);
	shared = mremap((void *)shared, PAGES * 4096, PAGES * 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
			(char *)second + (16 << 20));
	CHECK((void *)shared != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		(void) printf("%d ", shared[i * INTS]);
	turn(from[0], to[1]);
	CHECK(munmap((void *)second, PAGES * 4096) == 0 && munmap((void *)shared, 4096) == 0);
	turn(from[0], to[1]);
	(void) printf("%d %d\n", shared[2 * INTS], faults);
	CHECK(munmap((void *)shared, PAGES * 4096) == 0);
	turn(from[0], to[1]);
	(void) close(to[1]);
	CHECK(waitpid(child, NULL, 0) == child);
	return 0;
}
