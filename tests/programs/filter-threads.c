/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter of one thread's, and one for all that there are. */
#include <pthread.h>

#include "filter.h"

static pthread_barrier_t barrier;

static void *waits(void *arg)
{
	(void) pthread_barrier_wait(&barrier);	/* the other's is installed */
	CHECK(syscall(SYS_getpgid, 0) > 0);
	(void) pthread_barrier_wait(&barrier);
	(void) pthread_barrier_wait(&barrier);	/* the common one is */
	FAILS(syscall(SYS_getpgid, 0), EDOM);
	FAILS(syscall(SYS_getsid, 0), EXFULL);
	return arg;
}

int main(void)
{
	struct sock_filter rows[] = { LOAD(nr), ROW(SYS_getsid, ERROR(EXFULL)), RETURN(SECCOMP_RET_ALLOW) };
	pthread_t thread;

	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, waits, NULL) == 0);
	INSTALL(ROW(SYS_getpgid, ERROR(EDOM)));
	FAILS(syscall(SYS_getpgid, 0), EDOM);
	(void) pthread_barrier_wait(&barrier);
	(void) pthread_barrier_wait(&barrier);
	/* It brings the first along. */
	install_filter(rows, N_OF(rows), SECCOMP_FILTER_FLAG_TSYNC);
	(void) pthread_barrier_wait(&barrier);
	FAILS(syscall(SYS_getsid, 0), EXFULL);
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}
