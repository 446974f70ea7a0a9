/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file is mapped by a process and by what it has executed, which outlives it. */
#include <stdio.h>
#include <sys/mman.h>

#include "check.h"

static int *map(int fd)
{
	int *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(shared != MAP_FAILED);
	return shared;
}

int main(int argc, char **argv)
{
	char name[] = "/tmp/share-exec-XXXXXX", digits[12], byte = 0;
	int mapped[2], parent[2], fd;

	if (argc == 2) {	/* the executed one: its descriptors are 0 and 1 */
		(void) map(atoi(argv[1]));
		CHECK(write(1, &byte, 1) == 1);
		return read(0, &byte, 1) != 0;
	}
	fd = mkstemp(name);
	CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, 8192) == 0);
	CHECK(pipe(mapped) == 0 && pipe(parent) == 0);
	(void) snprintf(digits, sizeof(digits), "%d", fd);
	map(fd)[0] = 1;
	if (fork() == 0) {
		CHECK(dup2(parent[0], 0) == 0 && dup2(mapped[1], 1) == 1);
		CHECK(close(parent[1]) == 0);
		(void) execl(argv[0], argv[0], digits, NULL);
		_exit(1);
	}
	CHECK(read(mapped[0], &byte, 1) == 1);
	(void) printf("mapped\n");
	return 0;
}
