/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One file mapped twice: what is written at one place is read at the other. */
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	char *one, *two;

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	one = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(one != MAP_FAILED);
	two = mmap(one + 8192, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK(two == one + 8192);
	memcpy(one + 8190, "ring", 4);
	CHECK(memcmp(one, "ng", 2) == 0 && memcmp(two + 8190, "ri", 2) == 0);
	return 0;
}
