/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child writes to a file, by calls and by memory, and its parent's mappings show it. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	int fd = temporary_file(8192), status;
	char *at = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	pid_t child;

	CHECK(at != MAP_FAILED);
	memcpy(at, "parent", 6);
	child = fork();
	if (child == 0) {
		CHECK(memcmp(at, "parent", 6) == 0 && pwrite(fd, "child", 5, 4096) == 5);
		CHECK(memcmp(at + 4096, "child", 5) == 0 && ftruncate(fd, 12288) == 0);
		memcpy(at + 8192, "grown", 5);
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	CHECK(memcmp(at + 4096, "child", 5) == 0 && memcmp(at + 8192, "grown", 5) == 0);
	CHECK(pwrite(fd, "PARENT", 6, 8190) == 6 && memcmp(at + 8190, "PARENTn", 7) == 0);
	return 0;
}
