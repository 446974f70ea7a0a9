/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Advice about memory: what frees it at once, what may, and what only hints. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "check.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

enum { PAGE = 4096, N = 8 };

int main(void)
{
	char *memory = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { memory, PAGE };
	int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_HUGEPAGE,
			MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_COLD, MADV_PAGEOUT,
			MADV_POPULATE_READ, MADV_POPULATE_WRITE };
	long pidfd, r;

	CHECK(memory != MAP_FAILED);
	memset(memory, 'x', N * PAGE);
	for (size_t i = 0; i < N_OF(hints); i++)
		CHECK(madvise(memory, N * PAGE, hints[i]) == 0 || errno == EINVAL || errno == EPERM);
	CHECK(memory[5] == 'x' && memory[N * PAGE - 1] == 'x');
	CHECK(madvise(memory, PAGE, MADV_DONTNEED) == 0 && memory[0] == 0 && memory[PAGE] == 'x');
	CHECK(madvise(memory + PAGE, PAGE, MADV_FREE) == 0 && (memory[PAGE] == 0 || memory[PAGE] == 'x'));
	(void) dprintf(2, "freed: %d\n", memory[PAGE]);
	if (madvise(memory + 2 * PAGE, PAGE, MADV_GUARD_INSTALL) == 0) {
		CHECK(syscall(SYS_write, 999, memory, 1) == -1);
		CHECK(madvise(memory + 2 * PAGE, PAGE, MADV_GUARD_REMOVE) == 0 && memory[2 * PAGE] == 0);
	}
	FAILS(madvise(memory + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK(munmap(memory + 4 * PAGE, PAGE) == 0);
	memory[3 * PAGE] = 'y';
	/* Up to the hole it is done, and beyond, and then it is said. */
	FAILS(madvise(memory + 3 * PAGE, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK(memory[3 * PAGE] == 0 && memory[5 * PAGE] == 0);

	pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	r = syscall(440, pidfd, &iov, 1, MADV_COLD, 0);
	CHECK(r == PAGE || errno == ENOSYS || errno == EPERM || errno == EBADF);
	memory[7] = 'z';
	r = syscall(440, pidfd, &iov, 1, MADV_DONTNEED, 0);
	CHECK((r == PAGE && memory[7] == 0) || memory[7] == 'z');
	return 0;
}
