/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A child with memory of its own that its parent waits for (CLONE_VFORK alone) writes to what they
 * share: memory without a file, of a memfd, of a file. A child of it does, too, and one that is
 * killed. Some have a pidfd, and a clone that fails changes nothing.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { ROUNDS = 20, MAPS = 3, LEN = 8192 };

static volatile int *maps[MAPS];
static int private = 1;

static pid_t clone_and_wait(unsigned long flags, int *pidfd)
{
	return (pid_t)syscall(SYS_clone, CLONE_VFORK | flags, NULL, pidfd, NULL, NULL);
}

static void *map(int fd)
{
	void *at = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static void add(int what)
{
	private += what;
	for (int i = 0; i < MAPS; i++)
		maps[i][1024] = maps[i][0] += what * (i + 1);
}

/* How it ended. */
static int child(int how)
{
	int status, pidfd = -1;
	pid_t pid = clone_and_wait(SIGCHLD | (how == 3 ? CLONE_PIDFD : 0), &pidfd);

	CHECK(pid >= 0);
	if (pid == 0) {
		add(1);
		if (how == 1) {
			CHECK(WEXITSTATUS(child(0)) == 7);
			add(100);
		}
		if (how == 2)
			(void) kill(getpid(), SIGKILL);
		_exit(7);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(how != 3 || close(pidfd) == 0);
	return status;
}

int main(void)
{
	int memfd = (int)syscall(SYS_memfd_create, "shared", 0);

	CHECK(memfd >= 0 && ftruncate(memfd, LEN) == 0);
	maps[0] = map(-1);
	maps[1] = map(memfd);
	maps[2] = map(temporary_file(LEN));
	for (int i = 0; i < ROUNDS; i++) {
		int status = child(i % 4);

		CHECK(i % 4 == 2 ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 7);
		FAILS(clone_and_wait(CLONE_NEWNS | CLONE_FS, NULL), EINVAL);
		add(1000);
		for (int k = 0; k < MAPS; k++)
			(void) printf("%d ", maps[k][0] + maps[k][1024]);
		/* What it does depends on it. */
		for (int k = maps[0][0] % 7; k; k--)
			(void) getppid();
	}
	(void) printf("%d\n", private);
	return 0;
}
