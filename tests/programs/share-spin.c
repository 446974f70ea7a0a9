/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that wait for a word of shared memory without making a call. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { TURNS = 6 };

static void take_turns(_Atomic int *turn, int me)
{
	for (int i = me; i < TURNS; i += 2) {
		while (*turn != i)
			;
		*turn = i + 1;
	}
}

int main(void)
{
	_Atomic int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(shared != MAP_FAILED);
	child = fork();
	if (child == 0) {
		take_turns(shared, 1);
		_exit(0);
	}
	take_turns(shared, 0);
	CHECK(waitpid(child, NULL, 0) == child);
	(void) printf("%d\n", *shared);
	return 0;
}
