/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads of several processes count in the same shared pages. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { CHILDREN = 2, THREADS = 2, ROUNDS = 50, WORDS = 3 };

static _Atomic long *shared;

static void *count(void *argument)
{
	unsigned random = (unsigned)(uintptr_t)argument * 2654435761u + 1;

	for (int i = 0; i < ROUNDS; i++) {
		random = random * 1103515245 + 12345;
		shared[random / 65536 % WORDS * 512]++;
		if (random / 256 % 8 == 0)
			(void) usleep(50);
	}
	return NULL;
}

static void work(int me)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, count, (void *)(uintptr_t)(me * THREADS + i)) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	long sum = 0;

	shared = mmap(NULL, WORDS * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0) {
			work(i + 1);
			_exit(0);
		}
	work(0);
	for (int i = 0; i < CHILDREN; i++)
		CHECK(wait(NULL) > 0);
	for (int i = 0; i < WORDS; i++)
		sum += shared[i * 512];
	(void) printf("%ld\n", sum);
	CHECK(sum == (CHILDREN + 1) * THREADS * ROUNDS);
	return 0;
}
