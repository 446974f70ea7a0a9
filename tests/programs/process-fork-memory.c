/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A child has a copy of memory: what each writes the other does not see. */
#include <sys/wait.h>

#include "check.h"

enum { N = 1 << 20 };

int main(void)
{
	uint8_t *bytes = malloc(N);
	uint64_t before;
	int status;
	pid_t pid;

	CHECK(bytes);
	for (size_t i = 0; i < N; i++)
		bytes[i] = (uint8_t)(i * 7);
	before = mix(1, bytes, N);
	pid = fork();
	if (pid == 0) {
		CHECK(mix(1, bytes, N) == before);
		memset(bytes, 1, N);
		_exit(mix(1, bytes, N) != before ? 4 : 1);
	}
	memset(bytes, 2, N / 2);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
	CHECK(bytes[0] == 2 && bytes[N - 1] == (uint8_t)((N - 1) * 7));
	return 0;
}
