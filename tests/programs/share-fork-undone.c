/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory is shared by turns, and a process changes it, forks and undoes the change, all in its turn:
 * nothing has changed then but for its child, which began with the change.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { WORKERS = 3, PAGES = 40, LONGS = 512, ROUNDS = 400, FORKS = 20 };

static struct shared {
	pthread_mutex_t mutex;
	long words[PAGES][LONGS] __attribute__((aligned(4096)));
	volatile long undone[LONGS] __attribute__((aligned(4096)));
} *shared;

static void work(unsigned random)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(&shared->mutex) == 0);
		for (int j = 0; j < 30; j++) {
			random = random * 1103515245 + 12345;
			shared->words[random / 65536 % PAGES][j]++;
		}
		CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
	}
	_exit(0);
}

int main(void)
{
	pthread_mutexattr_t attr;
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setpshared(&attr, 1) == 0);
	CHECK(pthread_mutex_init(&shared->mutex, &attr) == 0);
	for (int i = 0; i < WORKERS; i++)
		if (fork() == 0)
			work((unsigned)i);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(&shared->mutex) == 0);
		shared->words[i % PAGES][0]++;
		shared->undone[1]++;
		CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
	}
	for (int i = 0; i < WORKERS; i++)
		CHECK(wait(&status) > 0 && status == 0);
	for (int i = 0; i < FORKS; i++) {
		pid_t pid;

		shared->undone[0] = i + 1;
		pid = fork();
		if (pid == 0) {
			/* Whether it sees the change is a matter of luck. */
			(void) dprintf(2, "%ld\n", shared->undone[0]);
			_exit(0);
		}
		shared->undone[0] = 0;
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	return 0;
}
