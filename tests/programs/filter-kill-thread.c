/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter that kills a thread: the others go on, and can tell. */
#include <pthread.h>

#include "filter.h"

static int reached;

static void *dies(void *arg)
{
	__atomic_store_n(&reached, 1, __ATOMIC_SEQ_CST);
	(void) syscall(SYS_getsid, 0);
	__atomic_store_n(&reached, 2, __ATOMIC_SEQ_CST);
	return arg;
}

static void *lives(void *arg)
{
	CHECK(syscall(SYS_getpgid, 0) > 0);
	return arg;
}

int main(void)
{
	pthread_t threads[2];
	void *result = NULL;

	INSTALL(ROW(SYS_getsid, SECCOMP_RET_KILL_THREAD));
	CHECK(pthread_create(&threads[0], NULL, dies, NULL) == 0);
	/* The kernel clears its word, which is what a join waits for. */
	CHECK(pthread_join(threads[0], &result) == 0);
	CHECK(__atomic_load_n(&reached, __ATOMIC_SEQ_CST) == 1);
	CHECK(pthread_create(&threads[1], NULL, lives, threads) == 0);
	CHECK(pthread_join(threads[1], &result) == 0 && result == threads);
	return 0;
}
