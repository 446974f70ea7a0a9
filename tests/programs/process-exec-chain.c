/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Executes itself, again and again: process-exec-chain [TIMES] */
#include "check.h"

int main(int argc, char **argv)
{
	int left = argc > 1 ? atoi(argv[1]) : 10;
	char next[16];

	if (left == 0) {
		(void) puts("done");
		return 0;
	}
	(void) snprintf(next, sizeof(next), "%d", left - 1);
	(void) execl("/proc/self/exe", argv[0], next, (char *)NULL);
	return 1;
}
