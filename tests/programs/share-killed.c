/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process is killed while it has pages of shared memory that its parent then wants. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	enum { PAGES = 8, INTS = 1024 };
	volatile int *shared = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, sum = 0;

	CHECK(shared != MAP_FAILED);
	for (int round = 0; round < 3; round++) {
		pid_t child = fork();

		if (child == 0) {
			for (int i = 0; i < PAGES; i++)
				shared[i * INTS] += i + 1;
			if (round == 1)
				(void) raise(SIGKILL);
			for (;;)
				shared[INTS + 1] = 1;
		}
		while (shared[(PAGES - 1) * INTS] < (round + 1) * PAGES)
			(void) usleep(1000);
		(void) kill(child, SIGKILL);
		CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
		for (int i = 0; i < PAGES; i++)
			sum = sum * 5 + shared[i * INTS];
	}
	(void) printf("%d\n", sum);
	return 0;
}
