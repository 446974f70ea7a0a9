/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Recursion without an end. expect: 139 */
#include <sys/resource.h>

#include "check.h"

#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int dig(volatile char *above)
{
	volatile char room[4096];

	room[0] = above[0];
	return dig(room) + room[0];
}

int main(void)
{
	struct rlimit small = { 1 << 20, 1 << 20 };
	volatile char first = 0;

	CHECK(setrlimit(RLIMIT_STACK, &small) == 0);
	return dig(&first);
}
