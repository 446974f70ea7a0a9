/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes that share memory by turns come and go: who ends has ended its turn, and that of nobody else's. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { CHILDREN = 60, AT_ONCE = 4, PAGES = 40, LONGS = 512, ROUNDS = 12, CHANGES = 30 };

static struct shared {
	pthread_mutex_t mutex;
	long sum;
	long words[PAGES][LONGS] __attribute__((aligned(4096)));
} *shared;

static void work(unsigned random)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(&shared->mutex) == 0);
		for (int j = 0; j < CHANGES; j++) {
			random = random * 1103515245 + 12345;
			shared->words[random / 65536 % PAGES][j]++;
			shared->sum++;
		}
		CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
	}
	_exit(0);
}

int main(void)
{
	pthread_mutexattr_t attr;
	long sum = 0;
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setpshared(&attr, 1) == 0);
	CHECK(pthread_mutex_init(&shared->mutex, &attr) == 0);
	for (int i = 0; i < CHILDREN + AT_ONCE; i++) {
		if (i < CHILDREN && fork() == 0)
			work((unsigned)i);
		if (i >= AT_ONCE)
			CHECK(wait(&status) > 0 && status == 0);
	}
	for (int i = 0; i < PAGES; i++)
		for (int j = 0; j < LONGS; j++)
			sum += shared->words[i][j];
	CHECK(sum == shared->sum);
	(void) printf("%ld\n", sum);
	return 0;
}
