/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Four processes share all that they do: pages that go to and fro are soon shared by turns. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 4, ROUNDS = 60, PAGES = 200, A_ROUND = 24, WORDS = 512 };

struct shared {
	pthread_mutex_t mutex;
	long rounds;
	long words[PAGES][WORDS] __attribute__((aligned(4096)));
};

static void work(struct shared *shared, unsigned random)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(&shared->mutex) == 0);
		shared->rounds++;
		for (int j = 0; j < A_ROUND; j++) {
			random = random * 1103515245 + 12345;
			/* Some are only read, some written without a change, in some much is. */
			if (j % 3 == 0)
				(void) *(volatile long *)&shared->words[random / 65536 % PAGES][j];
			else if (j % 3 == 1)
				shared->words[j][i % WORDS] += 0;
			else
				shared->words[j % 7][random / 65536 % WORDS]++;
		}
		CHECK(pthread_mutex_unlock(&shared->mutex) == 0);
		if (i % 4 == 0)
			(void) usleep(100);
	}
}

int main(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	long sum = 0;
	int status;

	CHECK(shared != MAP_FAILED);
	CHECK(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setpshared(&attr, 1) == 0);
	CHECK(pthread_mutex_init(&shared->mutex, &attr) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() == 0) {
			work(shared, (unsigned)i);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK(wait(&status) > 0 && status == 0);
	for (int i = 0; i < PAGES; i++)
		for (int j = 0; j < WORDS; j++)
			sum += shared->words[i][j];
	(void) printf("%ld %ld\n", shared->rounds, sum);
	return 0;
}
