/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls whose buffers reach behind the end of a mapped file: EFAULT, or what is before it. */
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096 };

int main(void)
{
	int fd = temporary_file(PAGE_LEN), other = temporary_file(3 * PAGE_LEN), pipes[2];
	char *at = mmap(NULL, 3 * PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), text[16];

	CHECK(at != MAP_FAILED && pipe(pipes) == 0);
	memcpy(at + PAGE_LEN - 4, "last", 4);
	CHECK(pwrite(other, at + PAGE_LEN - 4, 8, 0) == 4);
	FAILS(pwrite(other, at + PAGE_LEN, 8, 0), EFAULT);
	FAILS(write(pipes[1], at + PAGE_LEN, 8), EFAULT);
	CHECK(write(pipes[1], "of a pipe", 9) == 9);
	CHECK(read(pipes[0], at + 100, 9) == 9 && memcmp(at + 100, "of a pipe", 9) == 0);
	CHECK(pread(other, at, PAGE_LEN, 0) == PAGE_LEN && memcmp(at, "last", 5) == 0);
	FAILS(pread(other, at + PAGE_LEN, PAGE_LEN, 0), EFAULT);
	/* The call itself makes room for what it reads. */
	CHECK(ftruncate(fd, 2 * PAGE_LEN) == 0);
	CHECK(pread(other, at + PAGE_LEN, 4, 0) == 4 && memcmp(at + PAGE_LEN, "last", 4) == 0);
	CHECK(pread(fd, text, 4, PAGE_LEN) == 4 && memcmp(text, "last", 4) == 0);
	sleep_ms(15);
	CHECK(pwrite(fd, at + PAGE_LEN, PAGE_LEN, 2 * PAGE_LEN) == PAGE_LEN);
	CHECK(memcmp(at + 2 * PAGE_LEN, "last", 5) == 0);
	CHECK(at[PAGE_LEN + 3] == 't' && memcmp(at, "last", 5) == 0);
	return 0;
}
