/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last real-time signal is the program's as all others are: handled, queued, waited for, read. */
#include <sys/signalfd.h>

#include "check.h"

static volatile sig_atomic_t n_seen, value;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	CHECK(info->si_value.sival_int == value + 1);
	n_seen++;
	value = info->si_value.sival_int;
}

static void queue(int first, int n)
{
	for (int i = first; i < first + n; i++)
		CHECK(sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = i }) == 0);
}

int main(void)
{
	struct signalfd_siginfo info;
	struct timespec none = { 0, 0 };
	siginfo_t waited;
	sigset_t set;
	int fd;

	handle_info(SIGRTMAX, seen, 0);
	queue(1, 1);
	CHECK(n_seen == 1 && value == 1);
	block(SIG_BLOCK, SIGRTMAX);
	queue(2, 30);
	CHECK(n_seen == 1 && sigpending(&set) == 0 && sigismember(&set, SIGRTMAX) == 1);
	block(SIG_UNBLOCK, SIGRTMAX);
	CHECK(n_seen == 31 && value == 31);

	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGRTMAX);
	block(SIG_BLOCK, SIGRTMAX);
	queue(100, 20);
	for (int i = 100; i < 110; i++)
		CHECK(sigwaitinfo(&set, &waited) == SIGRTMAX && waited.si_value.sival_int == i);
	fd = signalfd(-1, &set, 0);
	for (unsigned i = 110; i < 120; i++)
		CHECK(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_int == (int)i);
	FAILS(sigtimedwait(&set, &waited, &none), EAGAIN);
	CHECK(n_seen == 31);
	return 0;
}
