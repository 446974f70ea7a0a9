/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file mapped at different offsets: the mappings overlap, and stay one memory over time. */
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096, N_PAGES = 8, LEN = N_PAGES * PAGE_LEN };

static char *map(int fd, int page, int n, int flags)
{
	char *at = mmap(NULL, (size_t)n * PAGE_LEN, PROT_READ | PROT_WRITE, flags, fd,
			(off_t)page * PAGE_LEN);

	CHECK(at != MAP_FAILED);
	return at;
}

int main(void)
{
	int fd = memfd_create("alias", MFD_CLOEXEC);
	char *all, *middle, *last, *own;

	CHECK(fd >= 0 && ftruncate(fd, LEN) == 0);
	all = map(fd, 0, N_PAGES, MAP_SHARED);
	middle = map(fd, 3, 2, MAP_SHARED);
	last = map(fd, N_PAGES - 1, 1, MAP_SHARED);
	own = map(fd, 2, 3, MAP_PRIVATE);
	CHECK(close(fd) == 0);
	for (int round = 1; round <= 6; round++) {
		for (int i = 0; i < N_PAGES; i++)
			all[i * PAGE_LEN + round] = (char)(round * 10 + i);
		CHECK(middle[round] == round * 10 + 3 && middle[PAGE_LEN + round] == round * 10 + 4);
		CHECK(last[round] == round * 10 + N_PAGES - 1);
		CHECK(own[round] == round * 10 + 2);
		sleep_ms(12);
		middle[PAGE_LEN + round] = -1;
		CHECK(all[4 * PAGE_LEN + round] == -1);
		/* The page of its own doesn't change any more, the others do. */
		own[2 * PAGE_LEN + 100] = 99;
		CHECK(all[4 * PAGE_LEN + 100] == 0 && own[2 * PAGE_LEN + 1] == -1);
		CHECK(own[2 * PAGE_LEN + round] == (round == 1 ? -1 : 0));
		CHECK(own[PAGE_LEN + round] == round * 10 + 3);
	}
	CHECK(munmap(all + PAGE_LEN, 6 * PAGE_LEN) == 0);
	last[50] = 51;
	CHECK(all[7 * PAGE_LEN + 50] == 51 && middle[6] == 63);
	CHECK(madvise(own, 3 * PAGE_LEN, MADV_DONTNEED) == 0);
	CHECK(own[2 * PAGE_LEN + 100] == 0 && own[2 * PAGE_LEN + 6] == -1);
	return 0;
}
