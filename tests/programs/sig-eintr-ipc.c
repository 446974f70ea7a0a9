/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits for semaphores, messages, signals, locks and events that a handler ends with EINTR. */
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "check.h"

static int semaphore, queue, epoll, pipe_fds[2];
static volatile sig_atomic_t n_alarms;
static const struct timespec ten = { 10, 0 };

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

static long wait_semtimedop(void)
{
	struct sembuf down = { 0, -1, 0 };

	return semtimedop(semaphore, &down, 1, &ten);
}

static long wait_msgsnd(void)
{
	struct {
		long type;
		char text[1024];
	} message = { 1, "" };
	long r;

	do
		r = msgsnd(queue, &message, sizeof(message.text), 0);
	while (r == 0);
	return r;
}

static long wait_msgrcv(void)
{
	struct {
		long type;
		char text[1024];
	} message;

	return msgrcv(queue, &message, sizeof(message.text), 77, 0);
}

static long wait_sigwaitinfo(void)
{
	siginfo_t info;
	sigset_t set;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGUSR1);
	return sigwaitinfo(&set, &info);
}

static long wait_ppoll(void)
{
	struct pollfd p = { pipe_fds[0], POLLIN, 0 };
	struct timespec left = ten;
	sigset_t none;
	long r;

	(void) sigemptyset(&none);
	r = syscall(SYS_ppoll, &p, 1, &left, &none, 8);
	CHECK(left.tv_sec == 9);
	return r;
}

static long wait_pselect(void)
{
	sigset_t none;

	(void) sigemptyset(&none);
	return pselect(0, NULL, NULL, NULL, &ten, &none);
}

static long wait_select(void)
{
	struct timeval left = { 10, 0 };
	long r = select(0, NULL, NULL, NULL, &left);
	int error = errno;

	CHECK(left.tv_sec == 9);
	errno = error;
	return r;
}

static long wait_epoll_pwait(void)
{
	struct epoll_event event;
	sigset_t none;

	(void) sigemptyset(&none);
	return epoll_pwait(epoll, &event, 1, 10000, &none);
}

static long wait_epoll_pwait2(void)
{
	struct epoll_event event;

	return syscall(SYS_epoll_pwait2, epoll, &event, 1, &ten, NULL, 8);
}

static long wait_clock_absolute(void)
{
	struct timespec end;

	(void) clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 10;
	errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
	return -1;
}

static long wait_futex_bitset(void)
{
	static uint32_t word;
	struct timespec end;

	(void) clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 10;
	return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &end, NULL, 1);
}

static const struct row {
	long (*wait)(void);
	bool restarts;
} rows[] = {
	{ wait_semtimedop, false }, { wait_msgsnd, false }, { wait_msgrcv, false },
	{ wait_sigwaitinfo, false }, { wait_ppoll, false }, { wait_pselect, false },
	{ wait_select, false }, { wait_epoll_pwait, false }, { wait_epoll_pwait2, false },
	{ wait_clock_absolute, false }, { wait_futex_bitset, true },
};

int main(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	CHECK(pipe(pipe_fds) == 0);
	epoll = epoll_create1(0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_fds[0], &event) == 0);
	semaphore = semget(IPC_PRIVATE, 1, 0600);
	queue = msgget(IPC_PRIVATE, 0600);
	CHECK(semaphore >= 0 && queue >= 0);
	for (int restart = 0; restart < 2; restart++) {
		handle(SIGALRM, on_alarm, restart ? SA_RESTART : 0);
		for (size_t i = 0; i < N_OF(rows); i++) {
			if (restart && rows[i].restarts)
				continue;
			n_alarms = 0;
			alarm_in(4, 50000);
			FAILS(rows[i].wait(), EINTR);
			alarm_in(0, 0);
			CHECK(n_alarms >= 1);
		}
	}
	CHECK(semctl(semaphore, 0, IPC_RMID) == 0 && msgctl(queue, IPC_RMID, NULL) == 0);
	return 0;
}
