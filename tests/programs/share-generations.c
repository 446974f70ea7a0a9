/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared memory goes down several generations, by forks and beside an exec. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { DEPTH = 4 };

static void descend(int *shared, int depth)
{
	pid_t child;
	int status;

	shared[depth] = shared[depth - 1] * 2 + depth;
	if (depth == DEPTH)
		return;
	child = fork();
	if (child == 0) {
		descend(shared, depth + 1);
		_exit(0);
	}
	shared[1024 + depth] = depth;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	if (fork() == 0) {
		(void) execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK(wait(&status) > 0 && status == 0);
	shared[depth] += shared[depth + 1];
}

int main(void)
{
	int *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(shared != MAP_FAILED);
	shared[0] = 1;
	descend(shared, 1);
	(void) printf("%d %d %d\n", shared[1], shared[4], shared[1027]);
	return 0;
}
