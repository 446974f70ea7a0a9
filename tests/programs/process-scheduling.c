/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scheduler's calls: yield, affinity, policies, getcpu. */
#include <sched.h>
#include <sys/syscall.h>

#include "check.h"

int main(void)
{
	struct sched_param param = { 0 };
	cpu_set_t all, one, now;
	unsigned cpu = 99, node = 99;
	struct timespec interval;
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t rest[9];
	} attr = { 0 };

	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0 && CPU_COUNT(&all) >= 1);
	(void) dprintf(2, "%d processors, %ld online\n", CPU_COUNT(&all), sysconf(_SC_NPROCESSORS_ONLN));
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
		CHECK(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&one, &now));
		CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu == (unsigned)i);
		CHECK(sched_getcpu() == i);
	}
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0 && sched_yield() == 0);
	CHECK(sched_getscheduler(0) == SCHED_OTHER && sched_getparam(0, &param) == 0);
	CHECK(sched_setscheduler(0, SCHED_BATCH, &param) == 0 && sched_getscheduler(0) == SCHED_BATCH);
	CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_rr_get_interval(0, &interval) == 0);
	CHECK(syscall(SYS_sched_getattr, 0, &attr, 48, 0) == 0 && attr.policy == SCHED_BATCH);
	FAILS(sched_setscheduler(0, 77, &param), EINVAL);
	return 0;
}
