/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* select with more descriptors than there can be: sets end where the memory does. */
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "check.h"

int main(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long *set;
	struct timeval now = { 0, 0 };
	int fds[2];

	CHECK(memory != MAP_FAILED && munmap(memory + page, (size_t)page) == 0);
	CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
	/* A descriptor table has at least 64 places, and it may have 256. */
	set = (unsigned long *)(memory + page - 512);
	set[0] = 1ul << fds[0];
	CHECK(syscall(SYS_select, 1 << 20, set, NULL, NULL, &now) == 1);
	CHECK(set[0] == 1ul << fds[0]);
	set[0] |= 1ul << 60;
	FAILS(syscall(SYS_select, 1 << 20, set, NULL, NULL, &now), EBADF);
	FAILS(syscall(SYS_select, -1, set, NULL, NULL, &now), EINVAL);
	return 0;
}
