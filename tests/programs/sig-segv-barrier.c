/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A collector's write barrier: threads fault on protected pages at once, the handler marks them dirty. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "check.h"

#define PAGES 64
#define THREADS 3

static char *heap;
static atomic_bool dirty[PAGES];
static atomic_uint n_faults;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	size_t page = (size_t)((char *)info->si_addr - heap) / 4096;

	(void) signal;
	(void) context;
	CHECK(page < PAGES && info->si_code == SEGV_ACCERR);
	atomic_store(&dirty[page], true);
	atomic_fetch_add(&n_faults, 1);
	CHECK(mprotect(heap + page * 4096, 4096, PROT_READ | PROT_WRITE) == 0);
}

static void *mutator(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;

	for (int i = 0; i < 3000; i++) {
		size_t at = next_random(&state) % (PAGES * 4096 / 8) * 8;

		__atomic_fetch_add((uint64_t *)(heap + at), 1, __ATOMIC_RELAXED);
		/* One of them collects now and then. */
		if (argument == (void *)1 && i % 500 == 0) {
			for (int page = 0; page < PAGES; page++)
				atomic_store(&dirty[page], false);
			CHECK(mprotect(heap, PAGES * 4096, PROT_READ) == 0);
		}
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	uint64_t sum = 0;

	heap = mmap(NULL, PAGES * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(heap != MAP_FAILED);
	handle_info(SIGSEGV, on_fault, SA_RESTART);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, mutator, (void *)(i + 1)) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (size_t i = 0; i < PAGES * 4096 / 8; i++)
		sum += ((uint64_t *)heap)[i];
	CHECK(sum == (uint64_t)THREADS * 3000 && n_faults >= PAGES);
	return 0;
}
