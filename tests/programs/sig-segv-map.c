/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SIGSEGV handler maps what was missing, or makes it writable, and the program goes on. */
#include <sys/mman.h>

#include "check.h"

enum { PAGES = 64 };

static char *area, *barrier;
static volatile sig_atomic_t n_mapped, n_opened;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)4095);

	(void) signal;
	(void) context;
	if (page >= area && page < area + PAGES * 4096L) {
		CHECK(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == page);
		*page = (char)n_mapped++;
	} else {
		CHECK(page >= barrier && page < barrier + PAGES * 4096L && info->si_code == SEGV_ACCERR);
		CHECK(mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0);
		n_opened++;
	}
}

int main(void)
{
	long sum = 0;

	handle_info(SIGSEGV, on_fault, 0);
	area = mmap(NULL, PAGES * 4096L, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	barrier = mmap(NULL, PAGES * 4096L, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(munmap(area, PAGES * 4096L) == 0);
	for (int i = 0; i < PAGES; i++)
		sum += area[i * 4096];
	for (int i = PAGES - 1; i >= 0; i--)
		barrier[i * 4096 + 7] = 1;
	CHECK(n_mapped == PAGES && n_opened == PAGES && sum == (PAGES - 1) * PAGES / 2);
	(void) printf("%ld\n", sum);
	return 0;
}
