/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* More files than descriptors, each mapped for a while; some of them again. */
#include <sys/mman.h>

#include "check.h"

enum { N_FILES = 1500, N_AT_ONCE = 40, PAGE_LEN = 4096 };

static char *mapped[N_AT_ONCE];

int main(void)
{
	int again = memfd_create("again", MFD_CLOEXEC);

	CHECK(again >= 0 && ftruncate(again, PAGE_LEN) == 0);
	for (int i = 0; i < N_FILES; i++) {
		int fd = i % 100 ? memfd_create("one of many", MFD_CLOEXEC) : dup(again);
		char **at = &mapped[i % N_AT_ONCE];

		CHECK(fd >= 0 && pwrite(fd, &i, sizeof(i), 0) == sizeof(i));
		if (*at)
			CHECK(munmap(*at, PAGE_LEN) == 0);
		*at = mmap(NULL, PAGE_LEN, PROT_READ | PROT_WRITE, i % 3 ? MAP_SHARED : MAP_PRIVATE, fd, 0);
		CHECK(*at != MAP_FAILED && memcmp(*at, &i, sizeof(i)) == 0);
		CHECK(pwrite(fd, "!", 1, 100) == 1 && (*at)[100] == '!' && close(fd) == 0);
	}
	return 0;
}
