/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that has shared memory once forks when it shares none, and both share some again. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { TURNS = 60, SIZE = 8192 };

static int *share(void)
{
	int *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(shared != MAP_FAILED);
	return shared;
}

static void take_turns(_Atomic int *turn, int *sum, int me)
{
	for (int i = me; i < TURNS; i += 2) {
		while (*turn != i)
			(void) sched_yield();
		*sum = *sum * 31 + i;
		*turn = i + 1;
	}
}

/* With a child of its own. */
static int share_with_child(void)
{
	int *shared = share(), sum;
	pid_t child = fork();

	if (child == 0) {
		take_turns((_Atomic int *)shared, &shared[1024], 1);
		_exit(0);
	}
	take_turns((_Atomic int *)shared, &shared[1024], 0);
	CHECK(waitpid(child, NULL, 0) == child);
	sum = shared[1024];
	CHECK(munmap(shared, SIZE) == 0);
	return sum;
}

int main(void)
{
	int sum = share_with_child(), status;
	pid_t child = fork();

	CHECK(share_with_child() == sum);
	if (child == 0)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	(void) printf("%d\n", sum);
	return 0;
}
