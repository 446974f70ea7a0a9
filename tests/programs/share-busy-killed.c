/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes share memory by turns; some are killed in theirs, and nobody can tell what they
 * have changed. The last one crashes there. expect: 134
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGES = 40, INTS = 1024, ROUNDS = 6 };

static volatile unsigned *shared;

static void touch_all(unsigned by)
{
	for (int i = 0; i < PAGES; i++)
		shared[i * INTS + 1 + by % 8] += by;
}

int main(void)
{
	int status;

	shared = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (unsigned round = 0; round < ROUNDS; round++) {
		pid_t child = fork();

		for (unsigned i = 0; child == 0; i++) {
			touch_all(i);
			/* From some time on it makes no call any more. */
			if (i < 20)
				(void) usleep(100);
			shared[0] = i;
		}
		while (shared[0] < 20) {
			touch_all(round);
			(void) usleep(100);
		}
		(void) usleep(5000);
		(void) kill(child, SIGKILL);
		CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
		touch_all(round);
		shared[0] = 0;
	}
	touch_all(1);
	abort();
}
