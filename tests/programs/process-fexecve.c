/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program is executed by its descriptor. */
#include <fcntl.h>
#include <sys/wait.h>

#include "check.h"

int main(int argc, char **argv)
{
	char *arguments[] = { "x", "second", NULL };
	int fd, status;
	pid_t pid;

	if (argc > 1)
		return strcmp(argv[1], "second") == 0 ? 33 : 1;
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	pid = fork();
	if (pid == 0) {
		(void) fexecve(fd, arguments, environ);
		_exit(2);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 33);
	return 0;
}
