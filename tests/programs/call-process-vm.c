/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* process_vm_readv and process_vm_writev: of a child's memory, and of one's own. */
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

static char mine[64] = "what stood here before", other[64];

int main(void)
{
	struct iovec local[2] = { { "written", 7 }, { " here", 6 } };
	struct iovec remote[2] = { { mine, 5 }, { mine + 5, 40 } };
	struct iovec into = { other, sizeof(other) }, from = { mine, sizeof(mine) };
	char *hole = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fds[2], status;
	pid_t child;

	CHECK(process_vm_writev(getpid(), local, 2, remote, 2, 0) == 13);
	CHECK(memcmp(mine, "written here\0re before", 22) == 0);
	CHECK(process_vm_readv(getpid(), &into, 1, &from, 1, 0) == sizeof(other));
	CHECK(memcmp(other, mine, sizeof(other)) == 0);

	/* It ends where the memory does. */
	CHECK(hole != MAP_FAILED && munmap(hole + 4096, 4096) == 0);
	remote[0] = (struct iovec){ hole, 4096 };
	remote[1] = (struct iovec){ hole + 4096, 9 };
	local[0] = (struct iovec){ (char[4100]){ "x" }, 4100 };
	CHECK(process_vm_writev(getpid(), local, 1, remote, 2, 0) == 4096 && hole[0] == 'x');
	FAILS(process_vm_writev(getpid(), local, 1, remote + 1, 1, 0), EFAULT);

	CHECK(pipe(fds) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		char c;

		CHECK(close(fds[1]) == 0 && read(fds[0], &c, 1) == 0);
		_exit(mine[0] == 'W' ? 7 : 8);
	}
	local[0] = (struct iovec){ "W", 1 };
	remote[0] = (struct iovec){ mine, 1 };
	if (process_vm_writev(child, local, 1, remote, 1, 0) == 1) {
		CHECK(process_vm_readv(child, &into, 1, &from, 1, 0) == sizeof(other));
		CHECK(other[0] == 'W' && mine[0] == 'w');
		status = 7;
	} else {
		CHECK(errno == EPERM);
		status = 8;
	}
	CHECK(close(fds[1]) == 0 && waitpid(child, &fds[1], 0) == child);
	CHECK(WEXITSTATUS(fds[1]) == status);
	return 0;
}
