/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Timers that are asked how much is left: setitimer, alarm, timer_create. One that can't be made has
 * a number all the same, as the kernel says that first.
 */
#include <sys/syscall.h>

#include "check.h"

static volatile sig_atomic_t n_signals;

static void seen(int signal)
{
	(void) signal;
	n_signals++;
}

static void not_made(void)
{
	int timer = -1;

	FAILS(syscall(SYS_timer_create, ~INT32_MAX | 2, NULL, &timer), EINVAL);	/* of no process */
	(void) fprintf(stderr, "%d\n", timer);
}

int main(void)
{
	struct itimerval value = { { 0, 0 }, { 100, 0 } }, old;
	struct itimerspec spec = { { 50, 0 }, { 100, 0 } }, left;
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	not_made();
	handle(SIGALRM, seen, 0);
	handle(SIGVTALRM, seen, 0);
	CHECK(alarm(200) == 0 && setitimer(ITIMER_REAL, &value, &old) == 0);
	CHECK(old.it_value.tv_sec >= 198 && getitimer(ITIMER_REAL, &old) == 0);
	CHECK(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100 && alarm(0) >= 98);
	CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_sec == 0);
	value = (struct itimerval){ { 0, 2000 }, { 0, 2000 } };
	CHECK(setitimer(ITIMER_VIRTUAL, &value, NULL) == 0);
	while (n_signals < 3)
		;
	value = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	CHECK(setitimer(ITIMER_VIRTUAL, &value, NULL) == 0);
	FAILS(setitimer(99, &value, NULL), EINVAL);
	CHECK(timer_create(CLOCK_MONOTONIC, &none, &timer) == 0);
	CHECK(timer_settime(timer, 0, &spec, NULL) == 0 && timer_gettime(timer, &left) == 0);
	CHECK(left.it_value.tv_sec >= 98 && left.it_interval.tv_sec == 50);
	CHECK(timer_getoverrun(timer) == 0 && timer_delete(timer) == 0);
	FAILS(timer_gettime(timer, &left), EINVAL);
	return 0;
}
