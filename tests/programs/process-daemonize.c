/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon: two forks, a session of its own, and the first parents are gone. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"

static void become_daemon(int fd)
{
	pid_t first = getpid();

	CHECK(setsid() == first);
	if (fork())
		_exit(0);
	/* Its parent has gone: another takes it. */
	while (getppid() == first)
		sleep_ms(1);
	CHECK(getsid(0) == first && getpid() != first);
	CHECK(chdir("/") == 0 && write(fd, "daemon", 6) == 6);
	_exit(0);
}

int main(void)
{
	char text[8] = "";
	int fds[2], status;
	pid_t pid;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && pipe(fds) == 0);
	pid = fork();
	if (pid == 0)
		become_daemon(fds[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(fds[0], text, sizeof(text)) == 6 && strcmp(text, "daemon") == 0);
	CHECK(wait(&status) > 0 && status == 0);
	return 0;
}
