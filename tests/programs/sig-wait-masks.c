/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ppoll, pselect, epoll_pwait and sigsuspend let a blocked signal in for as long as they
 * take; its handler runs under the call's mask, and the old one is back behind it.
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "check.h"

static volatile sig_atomic_t n_seen;
static sigset_t let_in;	/* only SIGUSR2 blocked */
static int epoll;

static void seen(int signal)
{
	CHECK(signal == SIGUSR1);
	n_seen++;
	CHECK(is_blocked(SIGUSR1));	/* the signal itself */
	CHECK(is_blocked(SIGUSR2));	/* the call's mask */
	CHECK(!is_blocked(SIGHUP));	/* the mask before, which the call's has replaced */
}

static int in_ppoll(void)
{
	struct timespec ten = { 10, 0 };

	return ppoll(NULL, 0, &ten, &let_in);
}

static int in_pselect(void)
{
	struct timespec ten = { 10, 0 };

	return pselect(0, NULL, NULL, NULL, &ten, &let_in);
}

static int in_epoll(void)
{
	struct epoll_event event;

	return epoll_pwait(epoll, &event, 1, 10000, &let_in);
}

static int in_suspend(void)
{
	return sigsuspend(&let_in);
}

static int (*const waits[])(void) = { in_ppoll, in_pselect, in_epoll, in_suspend };

static void from_timer(int signal)
{
	(void) signal;
	CHECK(raise(SIGUSR1) == 0);
}

int main(void)
{
	epoll = epoll_create1(0);
	handle(SIGUSR1, seen, 0);
	handle(SIGALRM, from_timer, SA_RESTART);
	(void) sigemptyset(&let_in);
	(void) sigaddset(&let_in, SIGUSR2);
	block(SIG_BLOCK, SIGUSR1);
	block(SIG_BLOCK, SIGHUP);
	for (size_t i = 0; i < N_OF(waits); i++) {
		/* Pending before the call; then sent while it waits. */
		n_seen = 0;
		CHECK(raise(SIGUSR1) == 0 && n_seen == 0);
		FAILS(waits[i](), EINTR);
		CHECK(n_seen == 1 && is_blocked(SIGUSR1) && is_blocked(SIGHUP) && !is_blocked(SIGUSR2));
		alarm_in(10, 0);
		FAILS(waits[i](), EINTR);
		if (n_seen == 1)	/* the alarm's handler ran, and the signal that it sent hasn't */
			FAILS(waits[i](), EINTR);
		CHECK(n_seen == 2 && is_blocked(SIGUSR1) && is_blocked(SIGHUP) && !is_blocked(SIGUSR2));
	}
	/* A wait that ends by itself puts the mask back too. */
	CHECK(ppoll(NULL, 0, &(struct timespec){ 0, 1000000 }, &let_in) == 0);
	CHECK(is_blocked(SIGUSR1) && is_blocked(SIGHUP) && !is_blocked(SIGUSR2));
	return 0;
}
