/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes map a file, a memfd and a System V segment for themselves, after the fork. */
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "check.h"

enum { LEN = 3 * 4096 };

int main(void)
{
	int *anonymous = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char name[] = "/tmp/share-file-XXXXXX";
	int fds[2] = { mkstemp(name), memfd_create("share", 0) };
	int segment = shmget(IPC_PRIVATE, LEN, 0600);
	int pipes[2][2], *maps[3], sum = 0;
	pid_t child;
	char byte = 0;

	CHECK(anonymous != MAP_FAILED && fds[0] >= 0 && fds[1] >= 0 && segment >= 0);
	CHECK(unlink(name) == 0 && pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0);
	child = fork();
	for (int i = 0; i < 2; i++) {
		CHECK(ftruncate(fds[i], LEN) == 0);
		maps[i] = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		CHECK(maps[i] != MAP_FAILED);
	}
	maps[2] = shmat(segment, NULL, 0);
	CHECK(maps[2] != (void *)-1);
	for (int round = 0; round < 5; round++) {
		/* The child begins. */
		if (child || round)
			CHECK(read(pipes[child == 0][0], &byte, 1) == 1);
		for (int i = 0; i < 3; i++) {
			sum = sum * 3 + maps[i][round * 512];
			maps[i][round * 512 + 1] = sum;
			maps[i][(round + 1) % 5 * 512] += child ? 1 : 2;
		}
		CHECK(write(pipes[child != 0][1], &byte, 1) == 1);
	}
	if (child == 0) {
		anonymous[0] = sum;
		_exit(0);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(shmctl(segment, IPC_RMID, NULL) == 0);
	(void) printf("%d %d\n", sum, anonymous[0]);
	return 0;
}
