/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Anonymous memory: mapped, moved, cut, protected, given back, mapped over. */
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096, N_PAGES = 64, LEN = N_PAGES * PAGE_LEN };

static char *map(size_t len)
{
	char *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static void fill(char *at, size_t len)
{
	for (size_t i = 0; i < len; i += 64)
		at[i] = (char)(i / 64 + i / PAGE_LEN);
}

static bool is_filled(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i += 64)
		if (at[i] != (char)(i / 64 + i / PAGE_LEN))
			return false;
	return true;
}

static void grow_and_move(void)
{
	char *at = map(LEN), *place = map(4 * LEN);

	fill(at, LEN);
	at = mremap(at, LEN, 3 * LEN, MREMAP_MAYMOVE);
	CHECK(at != MAP_FAILED && is_filled(at, LEN) && at[3 * LEN - 1] == 0);
	fill(at, 3 * LEN);
	CHECK(mremap(at, 3 * LEN, 2 * LEN, 0) == at);
	CHECK(mremap(at, 2 * LEN, 2 * LEN, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
	CHECK(is_filled(place, 2 * LEN));
	at = mremap(place, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(at != MAP_FAILED && at != place && is_filled(at, LEN) && place[64] == 0);
	errno = 0;
	CHECK(mremap(place, LEN + 1, 0, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(munmap(at, LEN) == 0 && munmap(place, 4 * LEN) == 0);
}

static void cut(void)
{
	char *at = map(LEN);

	fill(at, LEN);
	for (int i = 1; i < N_PAGES; i += 2)
		CHECK(munmap(at + i * PAGE_LEN, PAGE_LEN) == 0);
	for (int i = 0; i < N_PAGES; i += 4)
		CHECK(mprotect(at + i * PAGE_LEN, PAGE_LEN, PROT_READ) == 0);
	FAILS(mprotect(at, LEN, PROT_READ | PROT_WRITE), ENOMEM);
	at[0] = 1;
	CHECK(mmap(at + PAGE_LEN, PAGE_LEN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + PAGE_LEN);
	CHECK(mmap(at + 2 * PAGE_LEN, 2 * PAGE_LEN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at + 2 * PAGE_LEN);
	CHECK(at[1 * PAGE_LEN] == 0 && at[2 * PAGE_LEN] == 0 && at[4 * PAGE_LEN] == 4);
	CHECK(mmap(at, PAGE_LEN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == MAP_FAILED && errno == EEXIST);
	CHECK(munmap(at, LEN) == 0 && munmap(at, LEN) == 0);
	FAILS(munmap(at + 1, LEN), EINVAL);
}

static void advise(void)
{
	char *at = map(LEN);
	unsigned char in_core[N_PAGES];

	fill(at, LEN);
	CHECK(mincore(at, LEN, in_core) == 0 && (in_core[3] & 1));
	CHECK(madvise(at, PAGE_LEN, MADV_DONTNEED) == 0 && at[64] == 0);
	CHECK(madvise(at + PAGE_LEN, PAGE_LEN, MADV_FREE) == 0);
	CHECK(at[PAGE_LEN + 64] == 0 || at[PAGE_LEN + 64] == (char)66);
	CHECK(madvise(at + 2 * PAGE_LEN, PAGE_LEN, MADV_WILLNEED) == 0);
	CHECK(at[2 * PAGE_LEN] == (char)(128 + 2));
	FAILS(madvise(at + 1, PAGE_LEN, MADV_DONTNEED), EINVAL);
	FAILS(madvise(at, PAGE_LEN, 12345), EINVAL);
	CHECK(mlock(at, PAGE_LEN) == 0 && munlock(at, PAGE_LEN) == 0);
	CHECK(msync(at, PAGE_LEN, MS_SYNC) == 0 && munmap(at, LEN) == 0);
}

int main(void)
{
	for (int i = 0; i < 5; i++) {
		grow_and_move();
		cut();
		advise();
	}
	return 0;
}
