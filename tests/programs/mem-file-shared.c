/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shared mapping of a file: what is written to memory is read from the file. */
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	int fd = temporary_file(64 << 10);
	char *at = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), text[8];

	CHECK(at != MAP_FAILED);
	for (int i = 0; i < 64 << 10; i++)
		at[i] = (char)(i % 251);
	CHECK(msync(at, 64 << 10, MS_SYNC) == 0);
	CHECK(pread(fd, text, 8, 10000) == 8 && memcmp(text, at + 10000, 8) == 0);
	sleep_ms(15);
	memcpy(at + 4096, "shared", 6);
	CHECK(pread(fd, text, 6, 4096) == 6 && memcmp(text, "shared", 6) == 0);
	CHECK(mprotect(at, 4096, PROT_READ) == 0 && at[250] == (char)250);
	CHECK(munmap(at, 64 << 10) == 0);
	at = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096);
	CHECK(at != MAP_FAILED && memcmp(at, "shared", 6) == 0 && munmap(at, 8192) == 0);
	return 0;
}
