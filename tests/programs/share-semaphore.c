/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Semaphores in shared memory, which several threads of each process wait for: a page that the
 * kernel misses for one of them another has fetched by then.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { THREADS = 3, ROUNDS = 150 };

static struct {
	sem_t mine, theirs;
	volatile unsigned long count;
} *shared;

static void *takes_turns(void *arg)
{
	bool child = arg != NULL;

	for (int i = 0; i < ROUNDS; i++) {
		CHECK(sem_wait(child ? &shared->mine : &shared->theirs) == 0);
		shared->count++;
		CHECK(sem_post(child ? &shared->theirs : &shared->mine) == 0);
	}
	return NULL;
}

static void run(void *which)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, takes_turns, which) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	int status;
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK(sem_init(&shared->mine, 1, 1) == 0 && sem_init(&shared->theirs, 1, 0) == 0);
	pid = fork();
	CHECK(pid >= 0);
	run(pid ? NULL : shared);
	if (pid == 0)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(shared->count == 2UL * THREADS * ROUNDS);
	return 0;
}
