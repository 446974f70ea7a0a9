/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children by fork, vfork, clone, posix_spawn, system and popen; how they ended. */
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static void by_fork(void)
{
	siginfo_t info;
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(getppid() != 0 ? 23 : 1);
	memset(&info, 0xee, sizeof(info));
	CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 23);
	CHECK(wait4(pid, &status, 0, &usage) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 23);
	FAILS(waitpid(pid, &status, 0), ECHILD);
	pid = fork();
	if (pid == 0) {
		(void) raise(SIGSTOP);
		abort();
	}
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	CHECK(waitpid(pid, &status, WNOHANG) == 0 && kill(pid, SIGCONT) == 0);
	CHECK(waitpid(-1, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void by_vfork(void)
{
	volatile int mine = 1;
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		mine = 2;
		(void) execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
		_exit(1);
	}
	CHECK(mine == 2 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
	pid = vfork();
	if (pid == 0)
		_exit(5);
	CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
}

/* More than a replay has room for at a time. */
static void one_after_the_other(void)
{
	for (int i = 0; i < 40; i++) {
		int status;
		pid_t pid = vfork();

		if (pid == 0) {
			(void) execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
}

static int in_clone(void *argument)
{
	return *(int *)argument;
}

static void by_clone(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int code = 17, status, pidfd = -1;
	pid_t pid = clone(in_clone, stack + sizeof(stack), SIGCHLD | CLONE_PIDFD, &code, &pidfd);
	siginfo_t info;

	CHECK(pid > 0 && pidfd >= 0 && waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) == 0);
	CHECK(info.si_status == 17 && close(pidfd) == 0);
	pid = clone(in_clone, stack + sizeof(stack), CLONE_FILES | CLONE_FS, &code);
	CHECK(pid > 0 && waitpid(pid, &status, __WCLONE) == pid && WEXITSTATUS(status) == 17);
}

static void by_library(void)
{
	char *arguments[] = { "sh", "-c", "read line; test \"$line\" = input", NULL }, text[32] = "";
	posix_spawn_file_actions_t actions;
	int fds[2], status;
	FILE *stream;
	pid_t pid;

	CHECK(pipe(fds) == 0 && write(fds[1], "input\n", 6) == 6);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, fds[0], 0) == 0);
	CHECK(posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(posix_spawn(&pid, "/nothing", NULL, NULL, arguments, environ) == ENOENT);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
	CHECK(WEXITSTATUS(system("exit 3")) == 3);
	stream = popen("echo from a child", "r");
	CHECK(stream && fgets(text, sizeof(text), stream) && strcmp(text, "from a child\n") == 0);
	CHECK(pclose(stream) == 0);
}

int main(void)
{
	by_fork();
	by_vfork();
	one_after_the_other();
	by_clone();
	by_library();
	FAILS(execl("/nothing", "nothing", (char *)NULL), ENOENT);
	FAILS(execl("/dev/null", "nothing", (char *)NULL), EACCES);
	return 0;
}
