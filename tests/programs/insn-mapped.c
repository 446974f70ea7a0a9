/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread maps images with and without the machine's own instructions, while another sleeps. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "check.h"

static atomic_int ready, mapped, sleeps, awake;

/* Its calls are the first ones behind each of the mappings. */
static void *sleep_meanwhile(void *argument)
{
	atomic_store(&ready, 1);
	while (!atomic_load(&mapped))
		;
	atomic_store(&sleeps, 1);
	CHECK(usleep(20000) == 0);
	CHECK(getpid() > 0);
	atomic_store(&awake, 1);
	return argument;
}

int main(void)
{
	int without = open("/proc/self/exe", O_RDONLY);
	int with = open("/lib64/ld-linux-x86-64.so.2", O_RDONLY);
	struct stat st[2];
	pthread_t thread;

	CHECK(without >= 0 && fstat(without, &st[0]) == 0);
	/* Not everywhere is it there. */
	if (with < 0)
		return 0;
	CHECK(fstat(with, &st[1]) == 0);
	CHECK(pthread_create(&thread, NULL, sleep_meanwhile, NULL) == 0);
	while (!atomic_load(&ready))
		;
	CHECK(mmap(NULL, (size_t)st[0].st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, without, 0) !=
	      MAP_FAILED);
	atomic_store(&mapped, 1);
	while (!atomic_load(&sleeps))
		;
	CHECK(mmap(NULL, (size_t)st[1].st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE, with, 0) !=
	      MAP_FAILED);
	while (!atomic_load(&awake))
		;
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}
