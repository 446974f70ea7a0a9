/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Three processes work on the same memory, all the time, for some seconds (default: a moment). */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 3, PAGES = 8, WORDS = 512 };

static uint64_t now(void)
{
	struct timespec time;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void work(long *shared, pthread_mutex_t *mutex, uint64_t until)
{
	for (unsigned i = 0; now() < until; i++) {
		CHECK(pthread_mutex_lock(mutex) == 0);
		shared[0]++;
		shared[(1 + i % (PAGES - 1)) * WORDS]++;
		CHECK(pthread_mutex_unlock(mutex) == 0);
		if (i % 16 == 0)
			(void) usleep(200);
	}
}

int main(int argc, char **argv)
{
	uint64_t until = now() + (argc > 1 ? strtoull(argv[1], NULL, 10) * 1000000000 : 30000000);
	char *memory = mmap(NULL, (PAGES + 1) * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long *shared = (long *)memory, sum = 0;
	pthread_mutex_t *mutex = (pthread_mutex_t *)(memory + PAGES * 4096);
	pthread_mutexattr_t attr;
	int status;

	CHECK(memory != MAP_FAILED);
	CHECK(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setpshared(&attr, 1) == 0);
	CHECK(pthread_mutex_init(mutex, &attr) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() == 0) {
			work(shared, mutex, until);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK(wait(&status) > 0 && status == 0);
	for (int i = 1; i < PAGES; i++)
		sum += shared[i * WORDS];
	CHECK(sum == shared[0]);
	return 0;
}
