/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process ends with a robust mutex locked, in a page that another one has touched since. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

struct shared {
	pthread_mutex_t mutex;
	_Atomic int locked, seen;
};

int main(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;
	int to_parent[2], to_child[2];
	char byte = 0;
	pid_t child;

	CHECK(s != MAP_FAILED && pipe(to_parent) == 0 && pipe(to_child) == 0);
	CHECK(pthread_mutexattr_init(&attr) == 0);
	CHECK(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
	CHECK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
	CHECK(pthread_mutex_init(&s->mutex, &attr) == 0);
	child = fork();
	if (child == 0) {
		CHECK(pthread_mutex_lock(&s->mutex) == 0);
		CHECK(write(to_parent[1], &byte, 1) == 1 && read(to_child[0], &byte, 1) == 1);
		_exit(0);
	}
	CHECK(read(to_parent[0], &byte, 1) == 1);
	CHECK(pthread_mutex_trylock(&s->mutex) == EBUSY);
	CHECK(write(to_child[1], &byte, 1) == 1 && waitpid(child, NULL, 0) == child);
	CHECK(pthread_mutex_trylock(&s->mutex) == EOWNERDEAD);
	CHECK(pthread_mutex_consistent(&s->mutex) == 0 && pthread_mutex_unlock(&s->mutex) == 0);
	return 0;
}
