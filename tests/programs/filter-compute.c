/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads compute with pointers to a file's memory, under a filter that kills for what is in none of
 * systemd's sets: whoever preempts them doesn't ask for it.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "filter.h"

enum { THREADS = 3, LEN = 65536, ROUNDS = 3000000 };

static long *file;

static void *compute(void *arg)
{
	volatile long *at = file + (long)arg * 512;

	for (int i = 0; i < ROUNDS; i++)
		at[i % 512]++;
	return NULL;
}

int main(void)
{
	int fd = memfd_create("file", 0);
	pthread_t threads[THREADS];
	long sum = 0;

	CHECK(fd >= 0 && ftruncate(fd, LEN) == 0);
	file = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(file != MAP_FAILED);
	INSTALL(ROW(SYS_mincore, SECCOMP_RET_KILL_PROCESS));
	for (long i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, compute, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (int i = 0; i < THREADS * 512; i++)
		sum += file[i];
	(void) printf("%ld\n", sum);
	return 0;
}
