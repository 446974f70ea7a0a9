/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mutexes of each kind, conditions, read-write locks, barriers, semaphores, once. */
#include <pthread.h>
#include <semaphore.h>

#include "check.h"

enum { N = 4, ROUNDS = 200 };

static pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER, recursive, inheriting;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static int turn, sums[4], n_once, n_serial;

static void initialize(void)
{
	n_once++;
}

static void count(pthread_mutex_t *mutex, int *sum)
{
	CHECK(pthread_mutex_lock(mutex) == 0);
	++*sum;
	CHECK(pthread_mutex_unlock(mutex) == 0);
}

static void *work(void *argument)
{
	int me = (int)(intptr_t)argument;

	CHECK(pthread_once(&once, initialize) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		count(&plain, &sums[0]);
		CHECK(pthread_mutex_lock(&recursive) == 0);
		count(&recursive, &sums[1]);
		CHECK(pthread_mutex_unlock(&recursive) == 0);
		count(&inheriting, &sums[2]);
		CHECK(pthread_rwlock_rdlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
		CHECK(pthread_rwlock_wrlock(&rwlock) == 0);
		sums[3]++;
		CHECK(pthread_rwlock_unlock(&rwlock) == 0);
		CHECK(sem_wait(&semaphore) == 0 && sem_post(&semaphore) == 0);
	}
	if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
		count(&plain, &n_serial);
	for (int i = 0; i < 20; i++) {
		CHECK(pthread_mutex_lock(&plain) == 0);
		while (turn % N != me)
			CHECK(pthread_cond_wait(&changed, &plain) == 0);
		turn++;
		CHECK(pthread_cond_broadcast(&changed) == 0 && pthread_mutex_unlock(&plain) == 0);
	}
	return NULL;
}

static void kinds(void)
{
	pthread_mutexattr_t attr;
	struct timespec soon;

	CHECK(pthread_mutexattr_init(&attr) == 0);
	CHECK(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE) == 0);
	CHECK(pthread_mutex_init(&recursive, &attr) == 0);
	CHECK(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
	CHECK(pthread_mutex_init(&inheriting, &attr) == 0);
	CHECK(pthread_mutex_lock(&inheriting) == 0 && pthread_mutex_lock(&inheriting) == EDEADLK);
	CHECK(pthread_mutex_unlock(&inheriting) == 0 && pthread_mutex_unlock(&inheriting) == EPERM);
	CHECK(clock_gettime(CLOCK_REALTIME, &soon) == 0 && pthread_mutex_lock(&plain) == 0);
	CHECK(pthread_cond_timedwait(&changed, &plain, &soon) == ETIMEDOUT);
	CHECK(pthread_mutex_timedlock(&plain, &soon) == ETIMEDOUT && pthread_mutex_unlock(&plain) == 0);
}

int main(void)
{
	pthread_t threads[N];

	kinds();
	CHECK(sem_init(&semaphore, 0, 2) == 0 && pthread_barrier_init(&barrier, NULL, N) == 0);
	for (int i = 0; i < N; i++)
		CHECK(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < N; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(sums[i] == N * ROUNDS);
	CHECK(n_once == 1 && n_serial == 1 && turn == 20 * N);
	return 0;
}
