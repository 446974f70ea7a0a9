/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two processes share memory, and a second later a third: in shared.t nobody records that one. What
 * the first child calls depends on what the second writes.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { FIRST_MS = 1500, LATE_MS = 1000, SECOND_MS = 300 };

int main(void)
{
	volatile long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(shared != MAP_FAILED);
	if (fork() == 0) {
		for (int i = 0; i < FIRST_MS; i++) {
			if ((shared[0]++ + shared[1]) & 1)
				(void) getppid();
			else
				(void) getpid();
			sleep_ms(1);
		}
		_exit(0);
	}
	sleep_ms(LATE_MS);
	if (fork() == 0) {
		for (int i = 0; i < SECOND_MS; i++) {
			shared[1]++;
			sleep_ms(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 2; i++)
		CHECK(wait(&status) > 0 && status == 0);
	return 0;
}
