/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two processes take turns with a word of shared memory. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { TURNS = 200 };

static void take_turns(_Atomic int *turn, int *sum, int me)
{
	for (int i = me; i < TURNS; i += 2) {
		while (*turn != i)
			(void) sched_yield();
		*sum = *sum * 31 + i;
		*turn = i + 1;
	}
}

int main(void)
{
	int *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(shared != MAP_FAILED);
	child = fork();
	if (child == 0) {
		take_turns((_Atomic int *)shared, &shared[1024], 1);
		_exit(0);
	}
	take_turns((_Atomic int *)shared, &shared[1024], 0);
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(shared[0] == TURNS);
	(void) printf("%d\n", shared[1024]);
	return 0;
}
