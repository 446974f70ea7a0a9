/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A parent that waits for a child with memory of its own (CLONE_VFORK alone) has threads that go on. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static int to_thread[2], to_child[2], ends[2];
static volatile int copied;

static void *answers(void *arg)
{
	char byte;

	CHECK(read(to_thread[0], &byte, 1) == 1);
	byte++;
	CHECK(write(to_child[1], &byte, 1) == 1);
	return arg;
}

static void wait_in_child(pid_t *pid)
{
	char byte = 'a';

	*pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
	CHECK(*pid >= 0);
	if (*pid == 0) {
		copied = 1;
		CHECK(write(to_thread[1], &byte, 1) == 1);
		CHECK(read(to_child[0], &byte, 1) == 1 && byte == 'b');
		CHECK(write(ends[1], &byte, 1) == 1);
		_exit(7);
	}
}

static bool has_ended(void)
{
	struct pollfd poll_end = { .fd = ends[0], .events = POLLIN };
	char byte;

	return poll(&poll_end, 1, 0) == 1 && read(ends[0], &byte, 1) == 1;
}

int main(void)
{
	pthread_t thread;
	pid_t pid;
	int status;

	CHECK(pipe(ends) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(pipe(to_thread) == 0 && pipe(to_child) == 0);
		CHECK(pthread_create(&thread, NULL, answers, NULL) == 0);
		wait_in_child(&pid);
		CHECK(copied == 0 && has_ended());
		CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
		CHECK(pthread_join(thread, NULL) == 0);
		CHECK(close(to_thread[0]) == 0 && close(to_thread[1]) == 0);
		CHECK(close(to_child[0]) == 0 && close(to_child[1]) == 0);
	}
	(void) puts("done");
	return 0;
}
