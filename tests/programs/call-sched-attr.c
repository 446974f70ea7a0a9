/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sched_getattr and sched_setattr: structures of other sizes than the kernel's. */
#include <sys/syscall.h>

#include "check.h"

int main(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t times[3];
		uint32_t clamps[2];
		uint8_t more[72];
	} attr;

	memset(&attr, 0xee, sizeof(attr));
	CHECK(syscall(SYS_sched_getattr, 0, &attr, 48, 0) == 0);
	CHECK(attr.size == 48 && attr.policy == 0 && attr.nice == 0 && attr.clamps[0] == 0xeeeeeeee);
	CHECK(syscall(SYS_sched_getattr, 0, &attr, 128, 0) == 0 && attr.size >= 48 && attr.size <= 128);
	FAILS(syscall(SYS_sched_getattr, 0, &attr, 47, 0), EINVAL);
	FAILS(syscall(SYS_sched_getattr, 0, &attr, 0x7fffffff, 0), EINVAL);
	memset(&attr, 0, sizeof(attr));
	attr.size = 48;
	attr.nice = 3;
	CHECK(syscall(SYS_sched_setattr, 0, &attr, 0) == 0);
	CHECK(syscall(SYS_sched_getattr, 0, &attr, 48, 0) == 0 && attr.nice == 3);
	/* The kernel says which size it knows. */
	attr.size = 8;
	FAILS(syscall(SYS_sched_setattr, 0, &attr, 0), E2BIG);
	CHECK(attr.size >= 48);
	return 0;
}
