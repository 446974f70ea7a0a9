/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Three processes in a row, a pipe between each two, as a shell makes them. */
#include <sys/wait.h>

#include "check.h"

static pid_t stage(int in, int out, int closes, int add)
{
	pid_t pid = fork();
	uint32_t n;

	if (pid)
		return pid;
	if (closes >= 0)
		(void) close(closes);
	while (read(in, &n, sizeof(n)) == sizeof(n)) {
		n += (uint32_t)add;
		CHECK(write(out, &n, sizeof(n)) == sizeof(n));
	}
	_exit(0);
}

int main(void)
{
	int first[2], second[2], third[2], status;
	uint32_t n, sum = 0;
	pid_t pids[2];

	CHECK(pipe(first) == 0 && pipe(second) == 0 && pipe(third) == 0);
	pids[0] = stage(first[0], second[1], first[1], 1);
	pids[1] = stage(second[0], third[1], first[1], 10);
	CHECK(close(second[0]) == 0 && close(third[1]) == 0);
	for (uint32_t i = 0; i < 500; i++) {
		CHECK(write(first[1], &i, sizeof(i)) == sizeof(i));
		CHECK(read(third[0], &n, sizeof(n)) == sizeof(n) && n == i + 11);
		sum += n;
	}
	CHECK(close(first[1]) == 0 && waitpid(pids[0], &status, 0) == pids[0] && status == 0);
	CHECK(kill(pids[1], SIGTERM) == 0 && waitpid(pids[1], &status, 0) == pids[1]);
	(void) printf("%u\n", sum);
	return 0;
}
