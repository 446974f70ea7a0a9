/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that read and write shared memory, of which another process has the pages. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

enum { LEN = 5 * 4096 };

int main(void)
{
	char *shared = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = { { shared + 4000, 200 }, { shared + 9000, 100 } };
	char bytes[6000];
	int up[2], down[2];
	char byte = 0;
	pid_t child;

	CHECK(shared != MAP_FAILED && pipe(up) == 0 && pipe(down) == 0);
	memset(shared, 'p', LEN);
	child = fork();
	if (child == 0) {
		/* Each is the other's until the call. */
		CHECK(read(down[0], shared + 100, 6000) == 6000);
		CHECK(shared[100] == 'd' && shared[6099] == 'd' && shared[6100] == 'p');
		memset(shared, 'c', LEN);
		CHECK(write(up[1], &byte, 1) == 1);
		CHECK(read(down[0], &byte, 1) == 1);
		CHECK(shared[0] == 'q');
		CHECK(fstat(up[1], (struct stat *)(shared + 8000)) == 0);
		CHECK(write(up[1], &byte, 1) == 1);
		_exit(0);
	}
	memset(bytes, 'd', sizeof(bytes));
	CHECK(write(down[1], bytes, sizeof(bytes)) == sizeof(bytes));
	CHECK(read(up[0], &byte, 1) == 1);
	CHECK(writev(1, iov, 2) == 300);
	CHECK(write(1, shared + 12000, 4100) == 4100);
	CHECK(write(1, "\n", 1) == 1);
	memset(shared, 'q', 4096);
	CHECK(write(down[1], &byte, 1) == 1);
	CHECK(read(up[0], &byte, 1) == 1);
	CHECK(S_ISFIFO(((struct stat *)(shared + 8000))->st_mode));
	CHECK(waitpid(child, NULL, 0) == child);
	return 0;
}
