/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* With SA_RESTART, calls that wait go on behind the handler. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"

static int pipe_fds[2], full[2], pair[2], listener;
static pid_t child;
static char lock_name[64];
static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

/* Ends whichever wait it is. */
static void let_go(void)
{
	static char rubbish[65536];
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void) !write(pipe_fds[1], "x", 1);
	(void) !read(full[0], rubbish, sizeof(rubbish));
	(void) !write(pair[1], "y", 1);
	(void) getsockname(listener, (struct sockaddr *)&name, &len);
	(void) connect(fd, (struct sockaddr *)&name, len);
}

static long wait_read(void)
{
	char byte;

	return read(pipe_fds[0], &byte, 1);
}

static long wait_write(void)
{
	return write(full[1], "z", 1);
}

static long wait_recv(void)
{
	char byte;

	return recv(pair[0], &byte, 1, 0);
}

static long wait_accept(void)
{
	return accept(listener, NULL, NULL) >= 0 ? 1 : -1;
}

static long wait_child(void)
{
	return waitpid(child, NULL, 0) == child ? 1 : -1;
}

/* A lock belongs to an open file: each process has one of its own. */
static long wait_lock(void)
{
	int fd = open(lock_name, O_RDWR);

	CHECK(fd >= 0);
	return flock(fd, LOCK_EX) == 0 && close(fd) == 0 ? 1 : -1;
}

static long (*const waits[])(void) = { wait_read, wait_write, wait_recv, wait_accept, wait_child,
				       wait_lock };

/* Another process ends the wait, after the handler has run. */
static void helper(void)
{
	sleep_ms(40);
	let_go();
	_exit(0);
}

static void prepare(void)
{
	static char rubbish[65536];
	struct sockaddr_un any = { .sun_family = AF_UNIX };

	CHECK(pipe(pipe_fds) == 0 && pipe(full) == 0);
	CHECK(write(full[1], rubbish, sizeof(rubbish)) == sizeof(rubbish));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
	CHECK(listen(listener, 1) == 0);
}

/* The child locks before the wait begins. */
static void lock_in_child(void)
{
	int fds[2], fd = open(lock_name, O_RDWR);
	char byte;

	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		fd = open(lock_name, O_RDWR);
		CHECK(flock(fd, LOCK_EX) == 0 && write(fds[1], "l", 1) == 1);
		helper();
	}
	CHECK(read(fds[0], &byte, 1) == 1);
	(void) close(fd);
}

int main(void)
{
	(void) snprintf(lock_name, sizeof(lock_name), "/proc/self/fd/%d", temporary_file(0));
	handle(SIGALRM, on_alarm, SA_RESTART);
	for (size_t i = 0; i < N_OF(waits); i++) {
		prepare();
		n_alarms = 0;
		if (waits[i] == wait_lock) {
			lock_in_child();
		} else {
			child = fork();
			if (child == 0)
				helper();
		}
		alarm_in(10, 0);
		CHECK(waits[i]() == 1);
		CHECK(n_alarms == 1);
		if (waits[i] != wait_child)
			CHECK(waitpid(child, NULL, 0) == child);
	}
	return 0;
}
