/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every clock, by the C library (vDSO) and by the bare call: they agree, and go forward. */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>

#include "check.h"

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static void clocks(uint64_t *sum)
{
	static const clockid_t ids[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
		CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
		CLOCK_TAI,
	};
	struct timespec one, two, three, res;

	for (size_t i = 0; i < N_OF(ids); i++) {
		CHECK(clock_gettime(ids[i], &one) == 0);
		CHECK(syscall(SYS_clock_gettime, ids[i], &two) == 0);
		CHECK(clock_gettime(ids[i], &three) == 0);
		CHECK(ns(&one) <= ns(&two) && ns(&two) <= ns(&three));
		CHECK(clock_getres(ids[i], &res) == 0 && res.tv_sec == 0 && res.tv_nsec > 0);
		*sum = mix(mix(*sum, &two, sizeof(two)), &three, sizeof(three));
	}
	FAILS(clock_gettime(77, &one), EINVAL);
	FAILS(clock_getres(-77, &one), EINVAL);
}

int main(void)
{
	struct timeval day, bare;
	struct timezone zone = { 99, 99 };
	struct tms tms;
	struct rusage usage;
	clockid_t own;
	struct timespec now;
	uint64_t sum = 0;
	time_t seconds;

	for (int i = 0; i < 50; i++)
		clocks(&sum);
	CHECK(gettimeofday(&day, NULL) == 0 && time(&seconds) == seconds);
	/* time() reads a clock that is a tick behind. */
	CHECK(seconds >= day.tv_sec - 1 && seconds <= day.tv_sec + 1);
	CHECK(syscall(SYS_gettimeofday, &bare, &zone) == 0 && zone.tz_dsttime == 0);
	CHECK(bare.tv_sec >= day.tv_sec && syscall(SYS_time, NULL) >= seconds);
	CHECK(times(&tms) != (clock_t)-1 && clock() >= 0);
	CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
	CHECK(getrusage(RUSAGE_THREAD, &usage) == 0 && getrusage(RUSAGE_CHILDREN, &usage) == 0);
	CHECK(clock_getcpuclockid(0, &own) == 0 && clock_gettime(own, &now) == 0);
	sum = mix(mix(mix(sum, &bare, sizeof(bare)), &tms, sizeof(tms)), &now, sizeof(now));
	(void) dprintf(2, "%016llx\n", (unsigned long long)sum);
	return 0;
}
