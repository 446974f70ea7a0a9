/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* alarm, the three interval timers, and timers of timer_create with overruns. */
#include "check.h"

static volatile sig_atomic_t n[65];
static volatile int overrun;

static void seen(int signal)
{
	n[signal]++;
}

static void queued(int signal, siginfo_t *info, void *context)
{
	(void) context;
	n[signal]++;
	overrun += info->si_overrun;
}

static void burn(int until, int signal)
{
	volatile unsigned x = 0;

	while (n[signal] < until)
		x++;
}

int main(void)
{
	static const struct {
		int which, signal;
	} timers[] = { { ITIMER_REAL, SIGALRM }, { ITIMER_VIRTUAL, SIGVTALRM }, { ITIMER_PROF, SIGPROF } };
	struct itimerval every = { { 0, 3000 }, { 0, 3000 } }, left, never = { { 0, 0 }, { 0, 0 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec fast = { { 0, 1000000 }, { 0, 1000000 } }, now;
	timer_t timer;

	for (size_t i = 0; i < N_OF(timers); i++) {
		handle(timers[i].signal, seen, 0);
		CHECK(setitimer(timers[i].which, &every, NULL) == 0);
		burn(3, timers[i].signal);
		CHECK(getitimer(timers[i].which, &left) == 0 && left.it_interval.tv_usec >= 3000);
		CHECK(setitimer(timers[i].which, &never, &left) == 0);
	}
	n[SIGALRM] = 0;
	CHECK(alarm(100) == 0 && alarm(0) == 100);

	handle_info(SIGRTMIN, queued, 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	block(SIG_BLOCK, SIGRTMIN);
	CHECK(timer_settime(timer, 0, &fast, NULL) == 0);
	sleep_ms(20);
	block(SIG_UNBLOCK, SIGRTMIN);
	CHECK(n[SIGRTMIN] >= 1 && overrun >= 5);
	CHECK(timer_gettime(timer, &now) == 0 && now.it_interval.tv_nsec == 1000000);
	CHECK(timer_getoverrun(timer) >= 0);
	CHECK(timer_delete(timer) == 0);
	FAILS(timer_delete(timer), EINVAL);
	return 0;
}
