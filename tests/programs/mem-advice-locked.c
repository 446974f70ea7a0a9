/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Advice that fails at a page that is locked has been followed before it, and isn't there and behind. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

enum { PAGE = 4096, PAGES = 16 };

static unsigned char *filled(void)
{
	unsigned char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		memory[i * PAGE] = 'x';
	return memory;
}

static int n_left(const unsigned char *memory)
{
	int n = 0;

	for (int i = 0; i < PAGES; i++)
		n += memory[i * PAGE] == 'x';
	return n;
}

int main(void)
{
	unsigned char *all = filled();

	/* That is no length: nothing is done. */
	FAILS(syscall(SYS_madvise, all, -1L, MADV_DONTNEED), EINVAL);
	FAILS(syscall(SYS_madvise, all, -(unsigned long)PAGE, MADV_DONTNEED), EINVAL);
	CHECK(n_left(all) == PAGES);
	for (int locked = 0; locked < PAGES; locked += 5) {
		unsigned char *memory = filled();

		CHECK(mlock(memory + locked * PAGE, PAGE) == 0);
		FAILS(madvise(memory, PAGES * PAGE, MADV_DONTNEED), EINVAL);
		CHECK(n_left(memory) == PAGES - locked);
		FAILS(madvise(memory + locked * PAGE, PAGE, MADV_DONTNEED), EINVAL);
		CHECK(n_left(memory) == PAGES - locked);
	}
	return 0;
}
