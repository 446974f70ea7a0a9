/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cachestat and mincore: which pages are there. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

int main(void)
{
	enum { PAGE = 4096, N = 5 };
	int fd = temporary_file(N * PAGE);
	uint64_t range[2] = { 0, 0 }, stat[6];
	unsigned char pages[N + 1];
	char *memory = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pwrite(fd, "x", 1, 0) == 1 && pwrite(fd, "y", 1, 2 * PAGE) == 1);
	memset(stat, 0xee, sizeof(stat));
	if (syscall(SYS_cachestat, fd, range, stat, 0) == 0)
		CHECK(stat[0] >= 1 && stat[0] <= N && stat[5] == 0xeeeeeeeeeeeeeeee);
	else
		CHECK(errno == ENOSYS || errno == EPERM || errno == EOPNOTSUPP);
	FAILS(syscall(SYS_cachestat, fd, range, stat, 99), errno == ENOSYS || errno == EPERM ? errno : EINVAL);

	CHECK(memory != MAP_FAILED);
	memory[0] = memory[3 * PAGE] = 1;
	memset(pages, 0xee, sizeof(pages));
	CHECK(mincore(memory, N * PAGE, pages) == 0 && (pages[0] & 1) && (pages[3] & 1));
	CHECK(pages[N] == 0xee);
	CHECK(munmap(memory + 2 * PAGE, PAGE) == 0);
	FAILS(mincore(memory, N * PAGE, pages), ENOMEM);
	return 0;
}
