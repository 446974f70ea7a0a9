/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hints lead all over the address space: what is mapped there can be cut, moved and unmapped. */
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	const size_t len = 512 << 10;

	/* One in each 64 GB of the low 47 bits: as V8's and mimalloc's random ones. */
	for (uint64_t hint = UINT64_C(1) << 36; hint < UINT64_C(0x7f) << 40; hint += UINT64_C(1) << 36) {
		char *memory = mmap((void *)hint, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(memory != MAP_FAILED);
		CHECK(munmap(memory + len / 2, len / 2) == 0);
		CHECK(mprotect(memory, len / 2, PROT_READ | PROT_WRITE) == 0);
		memory[0] = 1;
		CHECK(munmap(memory, len / 2) == 0);
	}
	return 0;
}
