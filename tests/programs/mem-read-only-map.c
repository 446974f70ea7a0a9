/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that is mapped by a descriptor that only reads, and written by others. */
#include <fcntl.h>
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096 };

int main(void)
{
	char name[] = "/tmp/blackbox-test-XXXXXX";
	int fd = mkstemp(name), reads = open(name, O_RDONLY), later;
	char *shared, *own, *far;

	CHECK(fd >= 0 && reads >= 0 && ftruncate(fd, 3 * PAGE_LEN) == 0);
	own = mmap(NULL, 2 * PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE, reads, 0);
	CHECK(own != MAP_FAILED && pwrite(fd, "before", 6, 10) == 6);
	CHECK(memcmp(own + 10, "before", 6) == 0);
	sleep_ms(12);
	shared = mmap(NULL, 2 * PAGE_LEN, PROT_READ, MAP_SHARED, reads, 0);
	CHECK(shared != MAP_FAILED && memcmp(shared + 10, "before", 6) == 0);
	later = open(name, O_RDWR);
	CHECK(later >= 0 && pwrite(later, "later", 5, PAGE_LEN) == 5 && close(later) == 0);
	CHECK(memcmp(shared + PAGE_LEN, "later", 5) == 0 && memcmp(own + PAGE_LEN, "later", 5) == 0);
	sleep_ms(12);
	own[PAGE_LEN] = 'L';
	CHECK(pwrite(fd, "more", 4, 2 * PAGE_LEN) == 4);
	far = mmap(NULL, PAGE_LEN, PROT_READ, MAP_PRIVATE, reads, 2 * PAGE_LEN);
	CHECK(far != MAP_FAILED && memcmp(far, "more", 4) == 0 && unlink(name) == 0);
	CHECK(pwrite(fd, "MORE", 4, 2 * PAGE_LEN) == 4 && memcmp(far, "MORE", 4) == 0);
	sleep_ms(12);
	CHECK(memcmp(own + PAGE_LEN, "Later", 5) == 0 && memcmp(shared + PAGE_LEN, "later", 5) == 0);
	CHECK(memcmp(far, "MORE", 4) == 0 && memcmp(own + 10, "before", 6) == 0);
	return 0;
}
