/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Execs that fail in each way, and the program goes on as it was. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static void on_alarm(int signal)
{
	(void) signal;
}

int main(void)
{
	char path[] = "/tmp/blackbox-test-XXXXXX";
	int fd, status;
	pid_t pid;

	handle(SIGALRM, on_alarm, SA_RESTART);
	FAILS(execl("/nothing/here", "x", (char *)NULL), ENOENT);
	FAILS(execl("/etc/passwd/x", "x", (char *)NULL), ENOTDIR);
	FAILS(execl("/tmp", "x", (char *)NULL), EACCES);
	FAILS(syscall(SYS_execve, 8, NULL, NULL), EFAULT);
	FAILS(syscall(SYS_execve, "/bin/true", 8, NULL), EFAULT);
	fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, "garbage!", 8) == 8 && fchmod(fd, 0700) == 0 && close(fd) == 0);
	FAILS(execl(path, "x", (char *)NULL), ENOEXEC);
	pid = vfork();
	if (pid == 0) {
		(void) execl(path, "x", (char *)NULL);
		_exit(errno == ENOEXEC ? 4 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
	CHECK(unlink(path) == 0);
	alarm_in(2, 50000);	/* again, if the first came before the wait */
	CHECK(pause() == -1 && errno == EINTR);
	return 0;
}
