/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A private mapping shows what is written to its file, but where the program wrote itself. */
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096, N_PAGES = 4 };

static void look(int fd)
{
	char *at;

	CHECK(ftruncate(fd, N_PAGES * PAGE_LEN) == 0);
	CHECK(pwrite(fd, "one", 3, 0) == 3 && pwrite(fd, "two", 3, PAGE_LEN) == 3);
	at = mmap(NULL, N_PAGES * PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED && memcmp(at, "one", 3) == 0);
	at[PAGE_LEN + 10] = 'm';
	CHECK(pwrite(fd, "ONE", 3, 0) == 3 && pwrite(fd, "TWO", 3, PAGE_LEN) == 3);
	CHECK(memcmp(at, "ONE", 3) == 0 && memcmp(at + PAGE_LEN, "two", 3) == 0);
	sleep_ms(25);
	CHECK(pwrite(fd, "three", 5, 2 * PAGE_LEN + 7) == 5);
	CHECK(memcmp(at + 2 * PAGE_LEN + 7, "three", 5) == 0 && memcmp(at, "ONE", 3) == 0);
	CHECK(memcmp(at + PAGE_LEN, "two", 3) == 0);
	CHECK(madvise(at + PAGE_LEN, PAGE_LEN, MADV_DONTNEED) == 0);
	CHECK(memcmp(at + PAGE_LEN, "TWO", 3) == 0 && at[PAGE_LEN + 10] == 0);
	CHECK(munmap(at, N_PAGES * PAGE_LEN) == 0 && close(fd) == 0);
}

int main(void)
{
	look(memfd_create("private", MFD_CLOEXEC));
	look(temporary_file(0));
	return 0;
}
