/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children that share descriptors, or the working directory, but not memory. */
#include <sched.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "check.h"

static int fd = -1;

static int open_file(void *unused)
{
	(void) unused;
	fd = open("/dev/null", O_RDONLY);
	return fd >= 0 ? fd : 255;
}

static int change_directory(void *unused)
{
	(void) unused;
	return chdir("/");
}

static int run(int (*f)(void *), int flags)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t pid = clone(f, stack + sizeof(stack), flags | SIGCHLD, NULL);

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(void)
{
	char path[256];
	int number;

	number = run(open_file, CLONE_FILES);
	CHECK(number != 255 && fd == -1 && fcntl(number, F_GETFD) == 0 && close(number) == 0);
	number = run(open_file, 0);
	CHECK(number != 255);
	FAILS(fcntl(number, F_GETFD), EBADF);
	CHECK(chdir("/tmp") == 0 && run(change_directory, CLONE_FS) == 0);
	CHECK(getcwd(path, sizeof(path)) && strcmp(path, "/") == 0);
	CHECK(chdir("/tmp") == 0 && run(change_directory, 0) == 0);
	CHECK(getcwd(path, sizeof(path)) && strcmp(path, "/tmp") == 0);
	return 0;
}
