/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of gigabytes that has few bytes, mapped: it costs what it has. */
#include <sys/mman.h>

#include "check.h"

#define LEN (UINT64_C(8) << 30)

int main(void)
{
	int fd = memfd_create("sparse", MFD_CLOEXEC);
	char *at, *twin;

	CHECK(fd >= 0 && ftruncate(fd, (off_t)LEN) == 0);
	at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	CHECK(at != MAP_FAILED);
	/* Not mapped once more: a glance of the recorder's at the first may have given it a page. */
	twin = mremap(at + LEN / 2, 0, LEN / 2, MREMAP_MAYMOVE);
	CHECK(twin != MAP_FAILED);
	at[0] = 1;
	twin[LEN / 4] = 2;
	sleep_ms(30);
	CHECK(at[LEN / 2 + LEN / 4] == 2 && at[LEN - 1] == 0 && twin[5] == 0);
	CHECK(pwrite(fd, "three", 5, (off_t)(LEN - 5)) == 5 && memcmp(at + LEN - 5, "three", 5) == 0);
	return 0;
}
