/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mincore tells of the pages in front of a hole, and then that there is one. */
#include <sys/mman.h>

#include "check.h"

enum { PAGE = 4096, N = 8 };

static unsigned char vec[N];

int main(void)
{
	char *memory = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned present = 0;

	CHECK(memory != MAP_FAILED);
	memory[0] = memory[PAGE] = memory[6 * PAGE] = 1;
	memset(vec, 0xff, N);
	CHECK(mincore(memory, N * PAGE, vec) == 0);
	for (int i = 0; i < N; i++)
		present = present * 2 + (vec[i] & 1);
	memset(vec, 0xff, N);
	CHECK(munmap(memory + 4 * PAGE, PAGE) == 0);
	FAILS(mincore(memory, N * PAGE, vec), ENOMEM);
	for (int i = 0; i < N; i++)
		present = present * 2 + (vec[i] & 1);
	FAILS(mincore(memory, (size_t)1 << 46, vec), ENOMEM);
	FAILS(mincore(memory + 1, PAGE, vec), EINVAL);
	FAILS(mincore(memory, N * PAGE, (void *)8), EFAULT);
	(void) dprintf(2, "%x\n", present);
	return 0;
}
