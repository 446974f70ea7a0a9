/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared anonymous memory, also mapped a second time by mremap of length 0. */
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	enum { LEN = 1 << 20 };
	char *at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *more;

	CHECK(at != MAP_FAILED);
	for (int i = 0; i < LEN; i += 1000)
		at[i] = (char)i;
	sleep_ms(15);
	CHECK(at[777000] == (char)777000);
	more = mremap(at, 0, LEN, MREMAP_MAYMOVE);
	CHECK(more != MAP_FAILED && more[777000] == (char)777000);
	more[5] = 55;
	CHECK(at[5] == 55);
	CHECK(madvise(at, 4096, MADV_REMOVE) == 0 && at[5] == 0 && more[5] == 0);
	CHECK(madvise(at + 4096, 4096, MADV_DONTNEED) == 0 && at[5000] == (char)5000);
	return 0;
}
