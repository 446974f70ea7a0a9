/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A private mapping of a file: the program's writes are its own, and can be dropped. */
#include <sys/mman.h>

#include "check.h"

static void look(size_t len)
{
	int fd = temporary_file(0);
	char byte, *at;
	const size_t last = len - 4096;

	for (size_t i = 0; i < len; i += 4096) {
		byte = (char)(i / 4096 + 1);
		CHECK(pwrite(fd, &byte, 1, (off_t)i) == 1);
	}
	CHECK(ftruncate(fd, (off_t)len) == 0);
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED && close(fd) == 0);
	CHECK(at[0] == 1 && at[last] == (char)(len / 4096));
	at[0] = 99;
	CHECK(at[0] == 99 && at[4096] == 2);
	sleep_ms(15);
	CHECK(madvise(at, 8192, MADV_DONTNEED) == 0);
	CHECK(at[0] == 1 && at[4096] == 2);
	at[last] = 98;
	CHECK(munmap(at, 4096) == 0 && at[last] == 98 && munmap(at + 4096, last) == 0);
}

int main(void)
{
	look(32 << 10);
	look(1 << 20);
	return 0;
}
