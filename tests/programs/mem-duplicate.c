/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mremap: shared memory mapped a second time, moved, and grown over more of its file. */
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096, LEN = 4 * PAGE_LEN };

static void duplicate(int flags, int fd)
{
	char *at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0), *twin, *moved;

	CHECK(at != MAP_FAILED);
	twin = mremap(at, 0, LEN, MREMAP_MAYMOVE);
	CHECK(twin != MAP_FAILED && twin != at);
	at[PAGE_LEN] = 1;
	CHECK(twin[PAGE_LEN] == 1);
	sleep_ms(12);
	twin[2 * PAGE_LEN] = 2;
	CHECK(at[2 * PAGE_LEN] == 2 && at[PAGE_LEN] == 1);
	moved = mremap(twin + PAGE_LEN, 2 * PAGE_LEN, 2 * PAGE_LEN, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(moved != MAP_FAILED && moved[0] == 1 && moved[PAGE_LEN] == 2);
	sleep_ms(12);
	moved[1] = 3;
	twin[3 * PAGE_LEN] = 4;
	CHECK(at[PAGE_LEN + 1] == 3 && at[3 * PAGE_LEN] == 4);
	CHECK(munmap(at, LEN) == 0);
	sleep_ms(12);
	CHECK(moved[1] == 3 && moved[PAGE_LEN] == 2 && twin[3 * PAGE_LEN] == 4);
}

static void grow(void)
{
	int fd = temporary_file(3 * LEN);
	char *at, *twin;

	CHECK(pwrite(fd, "far", 3, 2 * LEN) == 3);
	at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	CHECK(pwrite(fd, "near", 4, 2 * LEN - 4) == 4);
	at = mremap(at, LEN, 3 * LEN, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED && memcmp(at + 2 * LEN - 4, "nearfar", 7) == 0);
	CHECK(pwrite(fd, "last", 4, 3 * LEN - 4) == 4 && memcmp(at + 3 * LEN - 4, "last", 4) == 0);
	sleep_ms(12);
	at = mremap(at, 3 * LEN, PAGE_LEN, 0);
	CHECK(at != MAP_FAILED && pwrite(fd, "NEAR", 4, 2 * LEN - 4) == 4);
	twin = mremap(at, 0, 3 * LEN, MREMAP_MAYMOVE);
	CHECK(twin != MAP_FAILED && memcmp(twin + 2 * LEN - 4, "NEARfar", 7) == 0);
	twin[7] = 'a';
	CHECK(at[7] == 'a');
}

int main(void)
{
	int fd = memfd_create("twin", MFD_CLOEXEC);

	CHECK(fd >= 0 && ftruncate(fd, LEN) == 0);
	duplicate(MAP_ANONYMOUS, -1);
	duplicate(0, fd);
	grow();
	return 0;
}
