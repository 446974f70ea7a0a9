/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mutex and a condition variable that processes share, and a counter beside them. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { CHILDREN = 3, ROUNDS = 40 };

struct shared {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	int ready;
	long counter, order;
};

static void child(struct shared *s, int me)
{
	CHECK(pthread_mutex_lock(&s->mutex) == 0);
	s->ready++;
	CHECK(pthread_cond_broadcast(&s->moved) == 0);
	while (s->ready < CHILDREN)
		CHECK(pthread_cond_wait(&s->moved, &s->mutex) == 0);
	CHECK(pthread_mutex_unlock(&s->mutex) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(&s->mutex) == 0);
		s->counter++;
		s->order = s->order * 7 + me;
		CHECK(pthread_mutex_unlock(&s->mutex) == 0);
	}
	_exit(0);
}

int main(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t mutex_attr;
	pthread_condattr_t cond_attr;

	CHECK(s != MAP_FAILED);
	CHECK(pthread_mutexattr_init(&mutex_attr) == 0 && pthread_condattr_init(&cond_attr) == 0);
	CHECK(pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED) == 0);
	CHECK(pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED) == 0);
	CHECK(pthread_mutex_init(&s->mutex, &mutex_attr) == 0);
	CHECK(pthread_cond_init(&s->moved, &cond_attr) == 0);
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			child(s, i + 1);
	for (int i = 0; i < CHILDREN; i++)
		CHECK(wait(NULL) > 0);
	CHECK(s->counter == CHILDREN * ROUNDS);
	(void) printf("%ld\n", s->counter);
	return 0;
}
