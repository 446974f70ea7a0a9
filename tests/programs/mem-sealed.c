/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mseal: what is sealed can't be unmapped, moved, protected or thrown away. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

int main(void)
{
	enum { PAGE = 4096 };
	char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memset(memory, 'x', 4 * PAGE);
	if (syscall(SYS_mseal, memory, 2 * PAGE, 0) < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		puts("no seals here");
		return 0;
	}
	puts("sealed");
	FAILS(mprotect(memory, PAGE, PROT_READ), EPERM);
	FAILS(munmap(memory, PAGE), EPERM);
	CHECK(mremap(memory, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(memory, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	memory[1] = 'y';
	CHECK(mprotect(memory + PAGE, PAGE, PROT_READ | PROT_WRITE) < 0 && memory[PAGE] == 'x');
	CHECK(mprotect(memory + 2 * PAGE, PAGE, PROT_READ) == 0);
	CHECK(munmap(memory + 3 * PAGE, PAGE) == 0 && memory[2 * PAGE] == 'x');
	return 0;
}
