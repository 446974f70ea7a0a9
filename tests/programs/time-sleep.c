/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sleeping lasts as long as asked for, and not much longer; absolute times in the past not at all. */
#include "check.h"

static void slept(uint64_t begin, uint64_t ms)
{
	uint64_t took = now_ns() - begin;

	CHECK(took >= ms * 1000000 && took < (ms + 500) * 1000000);
}

int main(void)
{
	struct timespec five = { 0, 5000000 }, left = { 7, 7 }, until;
	uint64_t begin = now_ns();

	CHECK(nanosleep(&five, &left) == 0 && left.tv_sec == 7);
	slept(begin, 5);
	begin = now_ns();
	CHECK(usleep(3000) == 0);
	slept(begin, 3);
	begin = now_ns();
	until = (struct timespec){ (time_t)((begin + 4000000) / 1000000000),
				   (long)((begin + 4000000) % 1000000000) };
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
	slept(begin, 4);
	begin = now_ns();
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &five, NULL) == 0);
	slept(begin, 0);
	five.tv_nsec = 1000000000;
	FAILS(nanosleep(&five, NULL), EINVAL);
	CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &five, NULL) == EINVAL);
	return 0;
}
