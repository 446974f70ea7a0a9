/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An exec by a second thread, with others alive: the process keeps its number. */
#include <pthread.h>

#include "check.h"

static char self[16];

static void *wait_here(void *argument)
{
	for (;;)
		(void) pause();
	return argument;
}

static void *execute(void *path)
{
	(void) execl(path, path, self, (char *)NULL);
	CHECK(!"executed");
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc > 1) {
		CHECK(atoi(argv[1]) == getpid() && gettid() == getpid());
		return 0;
	}
	(void) snprintf(self, sizeof(self), "%d", getpid());
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&thread, NULL, wait_here, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, execute, argv[0]) == 0);
	for (;;)
		(void) pause();
}
