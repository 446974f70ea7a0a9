/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter that allows next to nothing: what is forbidden kills, and the program may live. */
#include <sys/wait.h>

#include "filter.h"

int main(void)
{
	struct sock_filter rows[] = {
		LOAD(nr),
		ROW(SYS_write, SECCOMP_RET_ALLOW), ROW(SYS_read, SECCOMP_RET_ALLOW),
		ROW(SYS_exit_group, SECCOMP_RET_ALLOW), ROW(SYS_rt_sigreturn, SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};
	int fds[2], status;
	char text[8] = "";
	pid_t child;

	CHECK(pipe(fds) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child > 0) {
		CHECK(waitpid(child, &status, 0) == child);
		CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) || WEXITSTATUS(status) == 0);
	}
	install_filter(rows, N_OF(rows), 0);
	CHECK(write(fds[1], "text", 4) == 4 && read(fds[0], text, 4) == 4 && memcmp(text, "text", 4) == 0);
	if (child == 0)
		(void) syscall(SYS_getpid);	/* it dies */
	_exit(0);
}
