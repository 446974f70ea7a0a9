/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Works until it is killed, or for half a second if nobody is given who will do it. */
#include "check.h"

int main(int argc, char **argv)
{
	uint64_t begin = now_ns(), n = 1;

	(void) argv;
	(void) puts("ready");
	(void) fflush(stdout);
	while (argc > 1 || now_ns() - begin < 500000000) {
		(void) next_random(&n);
		if (getppid() < 0)
			return 1;
		if (n % 16 == 0)
			sleep_ms(1);
	}
	return 0;
}
