/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory is shared by turns, and children come later: they have what their parent has of it, as it
 * is then. The parent sleeps while others change more than anybody keeps track of.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { WORKERS = 3, PAGES = 300, LONGS = 512, ROUNDS = 500, CHANGES = 60, LATE = 6 };

struct shared {
	pthread_mutex_t mutex;
	long sum;
	long words[PAGES][LONGS] __attribute__((aligned(4096)));
};

static struct shared *shared;

static void change(unsigned *random, int n)
{
	CHECK(pthread_mutex_lock(&shared->mutex) == 0);
	for (int i = 0; i < n; i++) {
		*random = *random * 1103515245 + 12345;
		shared->words[*random / 65536 % PAGES][i % 8 * 64]++;
		shared->sum++;
	}
	CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
}

static void check_sum(void)
{
	long sum = 0;

	CHECK(pthread_mutex_lock(&shared->mutex) == 0);
	for (int i = 0; i < PAGES; i++)
		for (int j = 0; j < LONGS; j++)
			sum += shared->words[i][j];
	CHECK(sum == shared->sum);
	CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
}

static void work(unsigned random)
{
	for (int i = 0; i < ROUNDS; i++) {
		change(&random, CHANGES);
		if (i % 8 == 0)
			(void) usleep(50);
	}
	check_sum();
	_exit(0);
}

int main(void)
{
	pthread_mutexattr_t attr;
	unsigned random = 99;
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setpshared(&attr, 1) == 0);
	CHECK(pthread_mutex_init(&shared->mutex, &attr) == 0);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < WORKERS; i++)
			if (fork() == 0)
				work((unsigned)i);
		for (int i = 0; i < WORKERS; i++)
			CHECK(wait(&status) > 0 && status == 0);
		for (int i = 0; i < LATE; i++) {
			change(&random, 10);
			if (fork() == 0) {
				check_sum();
				change(&random, 10);
				check_sum();
				_exit(0);
			}
			change(&random, 10);
		}
		for (int i = 0; i < LATE; i++)
			CHECK(wait(&status) > 0 && status == 0);
		check_sum();
	}
	(void) printf("%ld\n", shared->sum);
	return 0;
}
