/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a forked child writes to shared memory is seen by its parent. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(shared != MAP_FAILED);
	child = fork();
	if (child == 0) {
		shared[0] = 42;
		_exit(0);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	(void) printf("%d\n", shared[0]);
	CHECK(shared[0] == 42);
	return 0;
}
