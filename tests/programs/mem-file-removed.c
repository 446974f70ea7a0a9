/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are too large for the log, mapped, and gone as soon as they have been read. */
#include <sys/mman.h>
#include <sys/random.h>

#include "check.h"

#define LEN (UINT64_C(300) << 20)

/* The recorder has much to read before it reads of the mapping. */
static void be_busy(void)
{
	static uint8_t bytes[4 << 20];

	for (size_t done = 0; done < sizeof(bytes);) {
		ssize_t n = getrandom(bytes + done, sizeof(bytes) - done, 0);

		CHECK(n > 0);
		done += (size_t)n;
	}
}

static void map_and_remove(int flags, const char *tail)
{
	char name[] = "/tmp/blackbox-test-XXXXXX";
	int fd = mkstemp(name);
	char *at;

	CHECK(fd >= 0 && pwrite(fd, tail, 4, (off_t)(LEN - 4)) == 4);
	be_busy();
	at = mmap(NULL, LEN, PROT_READ, flags, fd, 0);
	CHECK(at != MAP_FAILED);
	CHECK(memcmp(at + LEN - 4, tail, 4) == 0 && at[LEN / 2] == 0);
	CHECK(munmap(at, LEN) == 0 && close(fd) == 0 && unlink(name) == 0);
}

int main(void)
{
	map_and_remove(MAP_SHARED, "here");
	map_and_remove(MAP_PRIVATE, "mine");
	return 0;
}
