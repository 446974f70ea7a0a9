/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork by a second thread, while others compute: the child has that one only. */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "check.h"

static atomic_int stop;

static void *compute(void *argument)
{
	volatile unsigned x = 0;

	while (!stop)
		x++;
	return argument;
}

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	CHECK(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	CHECK(closedir(dir) == 0);
	return n;
}

static void *fork_it(void *argument)
{
	for (int i = 0; i < 3; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(count_threads() == 1 && gettid() == getpid() ? 6 : 1);
		CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 6);
	}
	return argument;
}

int main(void)
{
	pthread_t forker, worker[2];

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&worker[i], NULL, compute, NULL) == 0);
	CHECK(pthread_create(&forker, NULL, fork_it, NULL) == 0 && pthread_join(forker, NULL) == 0);
	stop = 1;
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(worker[i], NULL) == 0);
	return 0;
}
