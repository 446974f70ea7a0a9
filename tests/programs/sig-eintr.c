/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Without SA_RESTART, and some calls in any case, a handler ends the wait with EINTR. */
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "check.h"

static int pipe_fds[2], full[2], pair[2], listener, epoll, semaphore, queue;
static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
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
	return accept(listener, NULL, NULL);
}

static long wait_child(void)
{
	return waitpid(-1, NULL, 0);
}

static long wait_poll(void)
{
	struct pollfd p = { pipe_fds[0], POLLIN, 0 };

	return poll(&p, 1, 10000);
}

static long wait_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(pipe_fds[0], &set);
	return select(pipe_fds[0] + 1, &set, NULL, NULL, NULL);
}

static long wait_epoll(void)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 10000);
}

static long wait_nanosleep(void)
{
	struct timespec ten = { 10, 0 }, left = { 0, 0 };
	int r = nanosleep(&ten, &left);

	CHECK(left.tv_sec == 9);
	return r;
}

static long wait_clock(void)
{
	struct timespec ten = { 10, 0 }, left = { 0, 0 };

	errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &ten, &left);
	CHECK(left.tv_sec == 9);
	return -1;
}

static long wait_pause(void)
{
	return pause();
}

static long wait_suspend(void)
{
	sigset_t none;

	(void) sigemptyset(&none);
	return sigsuspend(&none);
}

static long wait_semop(void)
{
	struct sembuf down = { 0, -1, 0 };

	return semop(semaphore, &down, 1);
}

static long wait_message(void)
{
	struct {
		long type;
		char text[8];
	} message;

	return msgrcv(queue, &message, sizeof(message.text), 0, 0);
}

static long wait_signal(void)
{
	sigset_t set;
	struct timespec ten = { 10, 0 };

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGUSR1);
	return sigtimedwait(&set, NULL, &ten);
}

static long wait_futex(void)
{
	static uint32_t word;
	struct timespec ten = { 10, 0 };

	return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ten, NULL, 0);
}

static const struct row {
	long (*wait)(void);
	bool restarts;	/* with SA_RESTART it doesn't end */
} rows[] = {
	{ wait_read, true }, { wait_write, true }, { wait_recv, true }, { wait_accept, true },
	{ wait_child, true }, { wait_poll, false }, { wait_select, false }, { wait_epoll, false },
	{ wait_nanosleep, false }, { wait_clock, false }, { wait_pause, false },
	{ wait_suspend, false }, { wait_semop, false }, { wait_message, false },
	{ wait_signal, false }, { wait_futex, false },
};

static void prepare(void)
{
	static char rubbish[65536];
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN };

	CHECK(pipe(pipe_fds) == 0 && pipe(full) == 0);
	CHECK(write(full[1], rubbish, sizeof(rubbish)) == sizeof(rubbish));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(bind(listener, (struct sockaddr *)&any, sizeof(any.sun_family)) == 0);
	CHECK(listen(listener, 1) == 0);
	epoll = epoll_create1(0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_fds[0], &event) == 0);
	semaphore = semget(IPC_PRIVATE, 1, 0600);
	queue = msgget(IPC_PRIVATE, 0600);
	CHECK(semaphore >= 0 && queue >= 0);
}

int main(void)
{
	pid_t child;

	prepare();
	child = fork();
	if (child == 0) {
		(void) pause();
		_exit(0);
	}
	for (int restart = 0; restart < 2; restart++) {
		handle(SIGALRM, on_alarm, restart ? SA_RESTART : 0);
		for (size_t i = 0; i < N_OF(rows); i++) {
			if (restart && rows[i].restarts)
				continue;
			n_alarms = 0;
			alarm_in(5, 50000);	/* again, if the first came before the wait */
			errno = 0;
			CHECK(rows[i].wait() == -1 && errno == EINTR);
			alarm_in(0, 0);
			CHECK(n_alarms >= 1);
		}
	}
	CHECK(semctl(semaphore, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0);
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	return 0;
}
