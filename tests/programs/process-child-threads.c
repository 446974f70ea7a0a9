/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child makes threads of its own, and its parent has some, too. */
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static void *add(void *argument)
{
	for (int i = 0; i < 1000; i++)
		(void) __atomic_add_fetch((int *)argument, 1, __ATOMIC_SEQ_CST);
	return argument;
}

static int count(int n_threads)
{
	pthread_t threads[8];
	int n = 0;

	for (int i = 0; i < n_threads; i++)
		CHECK(pthread_create(&threads[i], NULL, add, &n) == 0);
	for (int i = 0; i < n_threads; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return n;
}

int main(void)
{
	int status;
	pid_t pid;

	CHECK(count(2) == 2000);
	pid = fork();
	if (pid == 0)
		_exit(count(4) == 4000 ? 0 : 1);
	CHECK(count(3) == 3000 && waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}
