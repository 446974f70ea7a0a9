/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Security modules: which there are, and buffers that are too short for that. */
#include <sys/syscall.h>

#include "check.h"

#ifndef SYS_lsm_list_modules
#define SYS_lsm_get_self_attr 459
#define SYS_lsm_list_modules 461
#endif

int main(void)
{
	uint64_t ids[16], context[64];
	uint32_t size = sizeof(ids);
	long n;

	memset(ids, 0xee, sizeof(ids));
	n = syscall(SYS_lsm_list_modules, ids, &size, 0);
	if (n < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		puts("no list here");
		return 0;
	}
	puts("list");
	CHECK(n >= 1 && n < 16 && size == n * 8 && ids[n - 1] < 1000 && ids[n] == 0xeeeeeeeeeeeeeeee);
	size = 1;
	FAILS(syscall(SYS_lsm_list_modules, ids, &size, 0), E2BIG);
	CHECK(size == n * 8);
	size = sizeof(context);
	n = syscall(SYS_lsm_get_self_attr, 100 /* LSM_ATTR_CURRENT */, context, &size, 0);
	CHECK(n >= 0 || errno == EOPNOTSUPP || errno == ENOSYS);
	(void) dprintf(2, "%ld contexts, %u bytes, first %lu\n", n, size, n > 0 ? context[0] : 0);
	return 0;
}
