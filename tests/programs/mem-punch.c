/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Advice and holes: what is given back of a shared mapping, and what is cut out of its file. */
#include <fcntl.h>
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096, N_PAGES = 8, LEN = N_PAGES * PAGE_LEN };

int main(void)
{
	int fd = memfd_create("holes", MFD_CLOEXEC);
	char *at, *other, *own;

	CHECK(fd >= 0 && ftruncate(fd, LEN) == 0);
	at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, LEN, PROT_READ, MAP_SHARED, fd, 0);
	own = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED && other != MAP_FAILED && own != MAP_FAILED);
	memset(at, 7, LEN);
	own[6 * PAGE_LEN] = 8;
	sleep_ms(15);
	CHECK(madvise(at, PAGE_LEN, MADV_DONTNEED) == 0 && at[5] == 7 && other[5] == 7);
	CHECK(madvise(at + PAGE_LEN, PAGE_LEN, MADV_REMOVE) == 0);
	CHECK(at[PAGE_LEN] == 0 && other[PAGE_LEN] == 0 && own[PAGE_LEN] == 0);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE_LEN + 10, PAGE_LEN) == 0);
	CHECK(other[2 * PAGE_LEN + 9] == 7 && other[2 * PAGE_LEN + 10] == 0);
	CHECK(at[3 * PAGE_LEN + 9] == 0 && at[3 * PAGE_LEN + 10] == 7 && own[3 * PAGE_LEN + 9] == 0);
	sleep_ms(15);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * PAGE_LEN, 3 * PAGE_LEN) == 0);
	CHECK(at[6 * PAGE_LEN] == 0 && own[6 * PAGE_LEN] == 8 && own[6 * PAGE_LEN + 1] == 7);
	CHECK(own[7 * PAGE_LEN] == 0);
	CHECK(fallocate(fd, 0, 0, LEN + PAGE_LEN) == 0 && at[4 * PAGE_LEN] == 7);
	CHECK(munmap(at, LEN) == 0 && munmap(other, LEN) == 0 && munmap(own, LEN) == 0);
	at = mmap(NULL, LEN + PAGE_LEN, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED && at[LEN] == 0 && at[0] == 7 && at[PAGE_LEN] == 0);
	return 0;
}
