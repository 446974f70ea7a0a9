/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prctl: what the options write, and where. */
#include <elf.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif

static int cleared;

static void of_the_machine(void)
{
	unsigned long auxv[128] = { 0 };
	uint64_t cookie[2] = { 7, 7 };
	unsigned *map = (unsigned *)cookie;
	int *address = NULL;
	long n;

	n = prctl(PR_GET_AUXV, auxv, sizeof(auxv), 0, 0);
	if (n >= 0)
		CHECK(n > 64 && auxv[0] != 0);
	CHECK(syscall(SYS_set_tid_address, &cleared) == syscall(SYS_gettid));
	if (prctl(PR_GET_TID_ADDRESS, &address) == 0)
		CHECK(address == &cleared);
	if (prctl(PR_SCHED_CORE, 0, 0, 0, cookie) == 0)
		CHECK(cookie[0] == 0);
	CHECK(cookie[1] == 7);
	if (prctl(PR_SET_MM, 15 /* PR_SET_MM_MAP_SIZE */, map, 0, 0) == 0)
		CHECK(*map > 64);
	CHECK(prctl(PR_SET_MM, 7 /* PR_SET_MM_BRK */, 1, 0, 0) == -1);
}

int main(void)
{
	char name[17] = "................";
	int value[2] = { -1, -1 };

	CHECK(prctl(PR_SET_NAME, "a long thread name") == 0 && prctl(PR_GET_NAME, name) == 0);
	CHECK(memcmp(name, "a long thread n\0", 17) == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0 && prctl(PR_GET_PDEATHSIG, value) == 0);
	CHECK(value[0] == SIGUSR1 && value[1] == -1);
	CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_GET_CHILD_SUBREAPER, value) == 0);
	CHECK(value[0] == 1 && value[1] == -1 && prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
	CHECK(prctl(PR_SET_TIMERSLACK, 60000) == 0 && prctl(PR_GET_TIMERSLACK) == 60000);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_GET_SECUREBITS) >= 0 && prctl(PR_GET_SECCOMP) >= 0);
	CHECK(prctl(PR_CAPBSET_READ, 0) >= 0 && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_MDWE, 0, 0, 0, 0) == 0 || errno == EINVAL);
	of_the_machine();
	FAILS(prctl(4711, 0), EINVAL);
	return 0;
}
