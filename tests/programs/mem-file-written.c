/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shared mapping shows what is written to the file by write(2). */
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	int fd = temporary_file(8192);
	char *at = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(at != MAP_FAILED);
	CHECK(pwrite(fd, "written", 7, 100) == 7);
	CHECK(memcmp(at + 100, "written", 7) == 0);
	return 0;
}
