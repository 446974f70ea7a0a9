/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All memory locked, present and future. */
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	char *at;

	CHECK(mlockall(MCL_CURRENT) == 0);
	CHECK(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	at = malloc(1 << 20);
	CHECK(at);
	memset(at, 5, 1 << 20);
	sleep_ms(15);
	CHECK(at[99999] == 5 && munlockall() == 0);
	free(at);
	return 0;
}
