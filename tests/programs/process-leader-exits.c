/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first thread ends, the others go on, make threads, and fork. */
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static pthread_t leader;

static void *nothing(void *argument)
{
	return argument;
}

static void *go_on(void *argument)
{
	pthread_t threads[4];
	int status;
	pid_t pid;

	(void) argument;
	CHECK(pthread_join(leader, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, nothing, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	pid = fork();
	if (pid == 0)
		_exit(5);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	(void) printf("done\n");
	exit(0);
}

int main(void)
{
	pthread_t thread;

	leader = pthread_self();
	CHECK(pthread_create(&thread, NULL, go_on, NULL) == 0);
	pthread_exit(NULL);
}
