/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child makes a lock that inherits priorities anew, for which threads of its parent wait. */
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static pthread_mutex_t lock;

static void init_lock(void)
{
	pthread_mutexattr_t attributes;

	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
	CHECK(pthread_mutex_init(&lock, &attributes) == 0);
}

static void *locks(void *argument)
{
	CHECK(pthread_mutex_lock(&lock) == 0);
	CHECK(pthread_mutex_unlock(&lock) == 0);
	return argument;
}

/* The lock is ours, and so many wait for it in the kernel. */
static void contend(pthread_t *threads, int n)
{
	volatile int *word = &lock.__data.__lock;

	CHECK(pthread_mutex_lock(&lock) == 0);
	for (int i = 0; i < n; i++)
		CHECK(pthread_create(&threads[i], NULL, locks, NULL) == 0);
	while (*word >= 0)	/* FUTEX_WAITERS */
		sleep_ms(1);
	sleep_ms(10);
}

static void release(const pthread_t *threads, int n)
{
	CHECK(pthread_mutex_unlock(&lock) == 0);
	for (int i = 0; i < n; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	pthread_t threads[3];
	int status;
	pid_t pid;

	init_lock();
	contend(threads, 3);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		init_lock();
		contend(threads, 1);
		release(threads, 1);
		_exit(7);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	release(threads, 3);
	(void) puts("done");
	return 0;
}
